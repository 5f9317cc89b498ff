/**
 * What the demo says beside the terminal's own lines: captions at the moments of the story, what became of the other
 * clients' payments, and how to go on with a real stream.
 */
import type { CallBatch } from '../core/call-batch.ts'
import type { Explanation } from '../core/explanation/explanation.ts'
import type { Decoder } from '../core/formats/decoder.ts'
import type { ApiKeyId, EpochMs } from '../core/vocabulary.ts'
import type { TelemetryEvent } from '../worker/telemetry.ts'

/** How the payments of everyone but the culprit fared, by ten seconds of event time. */
export interface Tally {
  /** A decoder that counts what it decodes. */
  readonly decoder: Decoder
  /** Share that failed between two moments, undefined where nobody called. */
  failedShare(from: EpochMs, to: EpochMs): number | undefined
  /** The worst ten seconds between two moments. */
  worst(from: EpochMs, to: EpochMs): { readonly at: EpochMs; readonly share: number } | undefined
}

const tallyMs = 10_000
/** An hour of story; older ten seconds are forgotten. */
const keptTallies = 360
/** So few calls say nothing about a share. */
const leastCalls = 20

export function tallyOthers(inner: Decoder, culprit: ApiKeyId): Tally {
  const tallies = new Map<number, { calls: number; failed: number }>()

  function count(batch: CallBatch, from: number): void {
    for (let row = from; row < batch.length; row++) {
      if (batch.keys.ids[batch.key[row] ?? 0] === culprit) continue
      const stretch = Math.floor((batch.time[row] ?? 0) / tallyMs)
      let tally = tallies.get(stretch)
      if (tally === undefined) {
        tally = { calls: 0, failed: 0 }
        tallies.set(stretch, tally)
        const oldest = tallies.keys().next().value
        if (tallies.size > keptTallies && oldest !== undefined) tallies.delete(oldest)
      }
      tally.calls++
      if ((batch.status[row] ?? 0) >= 500) tally.failed++
    }
  }

  const between = (from: EpochMs, to: EpochMs) =>
    [...tallies].filter(([stretch]) => stretch * tallyMs >= from && stretch * tallyMs < to)

  return {
    decoder: {
      keys: inner.keys,
      decode(payload, position, batch) {
        const before = batch.length
        inner.decode(payload, position, batch)
        count(batch, before)
      },
    },
    failedShare(from, to) {
      let calls = 0
      let failed = 0
      for (const [, tally] of between(from, to)) {
        calls += tally.calls
        failed += tally.failed
      }
      return calls < leastCalls ? undefined : failed / calls
    },
    worst(from, to) {
      let worst: { at: EpochMs; share: number } | undefined
      for (const [stretch, { calls, failed }] of between(from, to)) {
        if (calls < leastCalls) continue
        if (worst === undefined || failed / calls > worst.share)
          worst = { at: stretch * tallyMs, share: failed / calls }
      }
      return worst
    },
  }
}

/** The moments of the culprit's incident, as telemetry told them. */
export interface Timetable {
  onsetAt?: EpochMs
  decidedAt?: EpochMs
  alertedAt?: EpochMs
  throttledAt?: EpochMs
  /** When the log was seen to keep to the lowered limit, and how long after the gateway's answer it began to; or that it does not. */
  heldAt?: EpochMs
  bitesAfterMs?: number
  unheldAt?: EpochMs
  restoredAt?: EpochMs
  closedAt?: EpochMs
}

/** `now`: the demo's clock. The first of each kind counts. */
export function noteMoment(timetable: Timetable, event: TelemetryEvent, keyId: ApiKeyId, now: EpochMs): void {
  if (event.name === 'incidentChanged' && event.explanation.keyId === keyId) {
    const { phase, onsetAt, decidedAt } = event.explanation
    if (phase === 'open') {
      timetable.onsetAt ??= onsetAt
      timetable.decidedAt ??= decidedAt
    }
    if (phase === 'closed') timetable.closedAt ??= decidedAt
    noteVerdict(timetable, event.explanation)
  }
  if (event.name === 'effectPerformed' && event.effect.keyId === keyId) {
    const { effect } = event
    if (effect.kind === 'alert') timetable.alertedAt ??= now
    if (effect.kind === 'throttle') timetable.throttledAt ??= now
    if (effect.kind === 'restore' && effect.step === 'full') timetable.restoredAt ??= now
  }
}

function noteVerdict(timetable: Timetable, { phase, decidedAt, verification }: Explanation): void {
  if (phase !== 'mitigated' || verification === undefined) return
  const { verdict } = verification
  if (verdict.kind === 'does-not-bite') timetable.unheldAt ??= decidedAt
  if (verdict.kind !== 'bites' || verdict.afterMs === undefined) return
  timetable.heldAt ??= decidedAt
  timetable.bitesAfterMs ??= verdict.afterMs
}

export interface StoryEnd {
  readonly timetable: Timetable
  readonly tally: Tally
  readonly stormAt: EpochMs
  readonly fixedAt: EpochMs
  /** From a changed limit to its taking effect. */
  readonly propagationMs: number
  /** Alerts that SNS took. */
  readonly messages: number
  readonly speed: number
}

export function summaryText({ timetable, tally, stormAt, fixedAt, propagationMs, messages, speed }: StoryEnd): string {
  const { decidedAt, onsetAt, alertedAt, throttledAt, heldAt, bitesAfterMs, unheldAt, restoredAt, closedAt } = timetable
  if (decidedAt === undefined || onsetAt === undefined)
    return '  The storm came and went, and Weir said nothing. That should not be: please report it.'
  const lines = [`detected     ${span(onsetAt, decidedAt)} after it began to show`]
  if (alertedAt !== undefined)
    lines.push(`alerted      ${span(onsetAt, alertedAt)} after, through SNS; ${messages} messages in all`)
  if (throttledAt !== undefined) {
    const bitesAt = throttledAt + propagationMs
    lines.push(
      unheldAt === undefined
        ? `throttled    ${span(onsetAt, throttledAt)} after; the gateway took ${span(throttledAt, bitesAt)} more to enforce it`
        : `throttled    ${span(onsetAt, throttledAt)} after, and the gateway did not enforce it`,
    )
    if (heldAt !== undefined && bitesAfterMs !== undefined)
      lines.push(
        `verified     ${span(onsetAt, heldAt)} after, by the log: it held ${span(0, bitesAfterMs)} after the gateway took it`,
      )
    if (unheldAt !== undefined)
      lines.push(`NOT HELD     as the log showed and people were told, ${span(onsetAt, unheldAt)} after`)
    const before = tally.worst(stormAt, bitesAt)
    const after = unheldAt === undefined ? tally.failedShare(bitesAt + tallyMs, fixedAt) : undefined
    if (before) lines.push(`the others   ${percent(before.share)} of their payments failed in the worst ten seconds`)
    if (after !== undefined)
      lines.push(
        `             ${percent(after)} while the storm went on for ${span(bitesAt, fixedAt)} against the lowered limit`,
      )
  } else {
    const during = tally.failedShare(stormAt, fixedAt)
    if (during !== undefined)
      lines.push(`the others   ${percent(during)} of their payments failed while it lasted: nothing was throttled`)
  }
  if (restoredAt !== undefined) lines.push(`given back   the whole limit, ${span(onsetAt, restoredAt)} after it began`)
  if (closedAt !== undefined) lines.push(`closed       ${span(onsetAt, closedAt)} after it began`)
  const life = speed === 1 ? '' : ` (at ${speed} times life: what a real call to AWS takes counts ${speed} times here)`
  return [`What happened, in the story's time${life}`, ...lines.map(line => `  ${line}`)].join('\n')
}

export const realStreamText = `Point it at a real stream: weir.yaml

  mode: observe                  # alert only; then suggest; then enforce
  source:
    kind: kafka
    brokers: [127.0.0.1:9092]
    topic: api-access-logs
  # source: {kind: kinesis, stream: api-access-logs, region: eu-west-1}
  alerts:
    sns: {topicArn: 'arn:aws:sns:eu-west-1:123456789012:weir-alerts'}
  gateway: {region: eu-west-1}   # whose usage plans may be lowered

  npx weir run --config weir.yaml --history last-week.ndjson.gz

Every setting: npx weir config. All of it in an example: weir.example.yaml`

const span = (from: EpochMs, to: EpochMs): string => {
  const seconds = Math.max(0, (to - from) / 1000)
  return seconds < 10
    ? `${seconds.toFixed(1)} s`
    : seconds < 120
      ? `${Math.round(seconds)} s`
      : `${(seconds / 60).toFixed(1)} min`
}
const percent = (share: number): string => `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`
