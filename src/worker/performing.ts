/**
 * Works off the intents beside the stream, so that a queue to the gateway or a silent SNS never stops the reading.
 *
 *   begin(effect) ──► alerts of one key one after another ──► performer ──► settled(effect, outcome)
 *                 └─► plan changes at once: their performer has the gateway's queue, and orders and coalesces in it
 *
 * Bounds: at most `maxAlerts` alerts wait; beyond that an alert is refused, and told as such. Plan changes are bounded by
 * the number of tenants that may be throttled, and a limit that must be given back is never refused for want of room.
 */
import type { Performer } from '../actions/performer.ts'
import type { Clock } from '../clock.ts'
import { StreamError } from '../core/errors.ts'
import type {
  AlertEffect,
  Effect,
  Outcome,
  ProgressReport,
  RestoreEffect,
  ThrottleEffect,
} from '../core/incident/effect.ts'
import type { ApiKeyId, EpochMs } from '../core/vocabulary.ts'

export interface Performers {
  readonly alert: Performer<AlertEffect>
  readonly plan: Performer<ThrottleEffect | RestoreEffect>
}

export interface Performing {
  /** Takes an effect whose intent is on disk, and returns at once. */
  begin(effect: Effect): void
  has(effectId: string): boolean
  /** Those that were begun longer ago than `ms`, and the longest wait. */
  delayed(ms: number): { readonly effectIds: readonly string[]; readonly longestMs: number }
  /** How the throttles and restores stand that were begun longer ago than `ms`. */
  progress(ms: number): readonly ProgressReport[]
  /** What is lowered for this key is wanted for longer: returns at once. */
  prolong(keyId: ApiKeyId, until: EpochMs): void
  /** How many were begun and have no outcome yet. */
  running(): number
  /** Each of them. */
  waits(): readonly EffectWait[]
  /** Lets them finish for `graceMs`, then gives up; returns the ids of those without an outcome. */
  finish(graceMs: number): Promise<readonly string[]>
}

/** An effect that was begun and has no outcome yet. */
export interface EffectWait {
  readonly kind: Effect['kind']
  readonly beganAt: EpochMs
}

export interface PerformingOptions {
  readonly performers: Performers
  readonly clock: Clock
  readonly maxAlerts: number
  /** Journals the outcome and tells the engine; awaited before the effect counts as done. */
  readonly settled: (effect: Effect, outcome: Outcome, tookMs: number) => Promise<void>
  /** An outcome could not be recorded: the worker must stop, since it would forget what it has done. */
  readonly failed: (cause: unknown) => void
}

export function createPerforming({ performers, clock, maxAlerts, settled, failed }: PerformingOptions): Performing {
  const giveUp = new AbortController()
  const inHand = new Map<string, EffectWait & { readonly effect: Effect; readonly work: Promise<void> }>()
  const lastAlertOf = new Map<ApiKeyId, Promise<void>>()
  let alerts = 0

  async function carry(effect: Effect, perform: () => Promise<Outcome>): Promise<void> {
    if (giveUp.signal.aborted) return
    const beganAt = clock.now()
    let outcome: Outcome
    try {
      outcome = await perform()
    } catch (failure) {
      // Given up while stopping: the intent stays open in the journal and is performed at the next start.
      if (giveUp.signal.aborted) return
      // Another has it in hand by now: nothing has come of it here.
      if (failure instanceof StreamError && failure.code === 'STATE_HELD') throw failure
      outcome = { kind: 'refused', because: failure instanceof Error ? failure.message : String(failure) }
    }
    await settled(effect, outcome, clock.now() - beganAt)
  }

  function alertInOrder(effect: AlertEffect): Promise<void> {
    if (alerts >= maxAlerts)
      return carry(effect, async () => ({
        kind: 'refused',
        because: `${maxAlerts} alerts are waiting to be sent already`,
      }))
    alerts++
    const before = lastAlertOf.get(effect.keyId) ?? Promise.resolve()
    const mine = before
      .then(() => carry(effect, () => performers.alert.perform(effect, giveUp.signal)))
      .finally(() => {
        alerts--
        if (lastAlertOf.get(effect.keyId) === mine) lastAlertOf.delete(effect.keyId)
      })
    lastAlertOf.set(effect.keyId, mine)
    return mine
  }

  const allDone = (): Promise<unknown> => Promise.all([...inHand.values()].map(({ work }) => work))

  return {
    begin(effect) {
      const work =
        effect.kind === 'alert'
          ? alertInOrder(effect)
          : carry(effect, () => performers.plan.perform(effect, giveUp.signal))
      inHand.set(effect.id, {
        effect,
        kind: effect.kind,
        beganAt: clock.now(),
        work: work.catch(failed).finally(() => inHand.delete(effect.id)),
      })
    },
    has: effectId => inHand.has(effectId),
    prolong(keyId, until) {
      const work = performers.plan.prolong?.(keyId, until, giveUp.signal)
      void work?.catch((failure: unknown) => {
        if (!giveUp.signal.aborted) failed(failure)
      })
    },
    running: () => inHand.size,
    waits: () => [...inHand.values()].map(({ kind, beganAt }) => ({ kind, beganAt })),
    delayed(ms) {
      const now = clock.now()
      const waits = [...inHand].map(([id, { beganAt }]) => ({ id, ms: now - beganAt })).filter(wait => wait.ms > ms)
      return { effectIds: waits.map(({ id }) => id), longestMs: Math.max(0, ...waits.map(wait => wait.ms)) }
    },
    progress(ms) {
      const now = clock.now()
      return [...inHand].flatMap(([effectId, { effect, beganAt }]) => {
        const isAsked = effect.kind !== 'alert' && now - beganAt >= ms
        const standing = isAsked ? performers.plan.progress?.(effectId) : undefined
        return standing === undefined ? [] : [{ effectId, ...standing }]
      })
    },
    async finish(graceMs) {
      const patience = new AbortController()
      await Promise.race([allDone(), clock.sleep(graceMs, patience.signal)])
      patience.abort()
      const left = [...inHand.keys()]
      giveUp.abort()
      await allDone()
      return left
    },
  }
}
