/**
 * Sets what a usage plan has, on a person's word: read → decide → journal → PATCH → read back where there was no answer. By
 * the same client and queue as the worker's throttles, and behind them: the account's one change in 20 seconds belongs to a
 * worker that may be running beside it, so each second one is left to it, and a refusal is waited out twice as long.
 */
import type { Clock } from '../clock.ts'
import type { LimitsOrNone } from '../core/incident/plan-story.ts'
import type { LimitsDecision } from '../core/limits/applied.ts'
import { type Attempt, type ControlPlaneQueue, changeEveryMs } from './control-plane-queue.ts'
import { backoffMs, type UsagePlans } from './usage-plan-client.ts'

export type LimitsSet =
  | { readonly kind: 'set'; readonly before: LimitsOrNone; readonly after: LimitsOrNone }
  | { readonly kind: 'already'; readonly has: LimitsOrNone }
  /** `isFinal`: somebody else's by now, or gone; else another try may do it. */
  | { readonly kind: 'left'; readonly because: string; readonly isFinal: boolean }

export interface LimitsToSet {
  readonly planId: string
  readonly decide: (current: LimitsOrNone) => LimitsDecision
  /** Why it may not be touched now: asked before each try. */
  readonly forbidden: () => Promise<string | undefined>
  /** On disk before the gateway hears of it. */
  readonly announce: (before: LimitsOrNone, after: LimitsOrNone) => Promise<void>
  /** What it has and was not expected to have, for people. */
  readonly changedMeanwhile: (current: LimitsOrNone) => string
  readonly onTrouble: (because: string, nextTryInMs: number) => void
}

export interface PlanLimitsOptions {
  readonly plans: UsagePlans
  readonly queue: ControlPlaneQueue
  readonly clock: Clock
  readonly random: () => number
  /** From the end of one change to the begin of the next. */
  readonly everyMs: number
}

/** A plan that does not take it after so many tries is left, and told: a person is waiting. */
const mostTries = 8

/** Rejects only when `signal` aborts. */
export async function setPlanLimits(
  { planId, decide, forbidden, announce, changedMeanwhile, onTrouble }: LimitsToSet,
  { plans, queue, random, everyMs }: PlanLimitsOptions,
  signal: AbortSignal,
): Promise<LimitsSet> {
  const want = queue.want(`plan ${planId}`)
  let tries = 0
  let announced: { readonly before: LimitsOrNone; readonly after: LimitsOrNone } | undefined

  const again = (because: string, afterMs: number, holdMs: number): Attempt<LimitsSet> => {
    if (++tries >= mostTries)
      return { kind: 'done', value: { kind: 'left', because: `${because} (${tries} tries)`, isFinal: false }, holdMs }
    onTrouble(because, afterMs)
    return { kind: 'again', afterMs, holdMs }
  }
  const done = (value: LimitsSet, holdMs = 0): Attempt<LimitsSet> => ({ kind: 'done', value, holdMs })

  async function attempt(): Promise<Attempt<LimitsSet>> {
    const because = await forbidden()
    if (because !== undefined) return done({ kind: 'left', because, isFinal: false })
    const read = await plans.settingsNow(planId, signal)
    const current = read.kind === 'ok' ? { ...read, value: read.value.limits } : read
    if (current.kind === 'refused')
      return done({ kind: 'left', because: current.because, isFinal: !current.isMendable })
    if (current.kind !== 'ok') return again(current.because, backoffMs(tries, random), 0)
    const decision = decide(current.value)
    // What we announced is ours, whether the answer came or not.
    if (decision.kind === 'already')
      return done(announced === undefined ? { kind: 'already', has: current.value } : { kind: 'set', ...announced })
    if (decision.kind === 'left') return done({ kind: 'left', because: changedMeanwhile(current.value), isFinal: true })
    const change = { before: current.value, after: decision.after }
    if (announced === undefined) await announce(change.before, change.after)
    announced = change
    const failure = await plans.set(planId, { ...change, methods: [] }, 'raw', signal)
    if (failure === undefined) return done({ kind: 'set', ...change }, everyMs)
    switch (failure.kind) {
      case 'refused':
        return done({ kind: 'left', because: failure.because, isFinal: !failure.isMendable }, everyMs)
      case 'passing': {
        const afterMs = (failure.afterMs ?? changeEveryMs) + changeEveryMs
        return again(failure.because, afterMs, afterMs)
      }
      case 'conflict':
      case 'unknown':
        return again(failure.because, everyMs, everyMs)
      default:
        return failure satisfies never
    }
  }

  try {
    // After all of a worker's own kind: nobody is in danger.
    const changed = await queue.change(want, { kind: 'restore', urgency: -1 }, attempt, signal)
    return changed.kind === 'done'
      ? changed.value
      : { kind: 'left', because: 'a newer change of the same plan took its place', isFinal: false }
  } finally {
    want.end()
  }
}
