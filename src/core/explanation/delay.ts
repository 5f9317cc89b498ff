/**
 * What an alert says that was decided long before it is sent, because SNS took nothing for hours or a person sends it again:
 * nobody is to act at five on what was true at three. Its reader learns when it was decided, and what has become of it.
 */
import type { AlertEffect } from '../incident/effect.ts'
import type { EpochMs } from '../vocabulary.ts'
import type { Explanation } from './explanation.ts'
import { durationText, timeText } from './text.ts'

/** Sooner is as soon as it gets. */
const LATE_MS = 2 * 60_000

/** What was told of an incident last, event time. */
export interface Standing {
  readonly phase: Explanation['phase']
  readonly at: EpochMs
}

export interface Delay {
  /** Arrival clock, as the moment that it is sent. */
  readonly decidedAt: EpochMs
  readonly sentAt: EpochMs
  /** Undefined where nothing was told of the incident since. */
  readonly since: Standing | undefined
}

export function delayOf(
  { decidedAt, explanation }: AlertEffect,
  sentAt: EpochMs,
  standing?: Standing,
): Delay | undefined {
  if (sentAt - decidedAt < LATE_MS) return undefined
  return { decidedAt, sentAt, since: standing && standing.at > explanation.decidedAt ? standing : undefined }
}

/** `DELAYED by 2 h 28 min: decided 2026-11-20 03:12:05 UTC, sent 2026-11-20 05:40:11 UTC. It is over since …` */
export function delayText({ decidedAt, sentAt, since }: Delay): string {
  const late = `DELAYED by ${durationText(sentAt - decidedAt)}: decided ${timeText(decidedAt)}, sent ${timeText(sentAt)}.`
  return since === undefined ? late : `${late} ${becameText(since)}`
}

/** `It is OVER since 2026-11-20 03:40:00 UTC.` */
export function becameText({ phase, at }: Standing): string {
  const when = timeText(at)
  switch (phase) {
    case 'open':
      return `It was told again at ${when}.`
    case 'mitigated':
      return `The limit was lowered by ${when}.`
    case 'recovering':
      return `It is recovering since ${when}.`
    case 'closed':
      return `It is OVER since ${when}.`
    default:
      return phase satisfies never
  }
}
