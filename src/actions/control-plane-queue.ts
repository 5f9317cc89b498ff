/**
 * The one way to a gateway's control plane, for an account and region. AWS takes one UpdateUsagePlan in 20 s an account
 * (not raisable) and ten calls of all kinds a second, which the user's infrastructure code needs too: so changes go one
 * at a time, the most dangerous tenant first, a newer want takes the place of one that still waits, and all other
 * calls keep to five a second. Whoever changes usage plans for Weir does it through this queue.
 *
 * Bounded: of each target (a key or a tenant) only what was wanted last waits, with one change for each of its plans.
 */
import type { Clock } from '../clock.ts'
import { CHANGE_EVERY_MS, type QueueStanding } from '../core/incident/waiting.ts'
import { type EpochMs, SECOND_MS } from '../core/vocabulary.ts'

/** Counted from the end of one call to the start of the next, so that a slow network cannot bring two nearer. */
export const changeEveryMs = CHANGE_EVERY_MS
const otherCallsPerSecond = 5

/** Throttles go before restores: a late restore costs one tenant some calls, a late throttle costs all of them theirs. */
export interface Rank {
  readonly kind: 'throttle' | 'restore'
  readonly urgency: number
}

/** A claim to what all plans of one target have. It is superseded as soon as somebody wants something newer. */
export interface Want {
  readonly target: string
  isSuperseded(): boolean
  /** Nothing more is asked for it; what still waits is superseded. */
  end(): void
}

/** What one try came to; no change of any target is made for `holdMs` after it (0 where the gateway was not asked to change). */
export type Attempt<T> =
  | { readonly kind: 'done'; readonly value: T; readonly holdMs: number }
  | { readonly kind: 'again'; readonly afterMs: number; readonly holdMs: number }

export type Changed<T> = { readonly kind: 'done'; readonly value: T } | { readonly kind: 'superseded' }

export interface ControlPlaneQueue {
  want(target: string): Want
  /** Makes its tries when it is this want's turn. Rejects when `signal` aborts, or with what `attempt` throws. */
  change<T>(want: Want, rank: Rank, attempt: () => Promise<Attempt<T>>, signal: AbortSignal): Promise<Changed<T>>
  /** Of the last of its changes that waits for its turn; undefined where none does. */
  standing(want: Want): QueueStanding | undefined
  /** Any call but UpdateUsagePlan, first come first served; an urgent one before all others that wait. */
  call<T>(call: () => Promise<T>, signal: AbortSignal, options?: { readonly isUrgent?: boolean }): Promise<T>
}

/**
 * The same queue for one part of a shared stream: what another part wants for the same tenant takes the place of nothing of its own,
 * since each knows only what it has lowered itself.
 */
export const ofPart = (queue: ControlPlaneQueue, part: string): ControlPlaneQueue => ({
  ...queue,
  want: target => queue.want(`${part} ${target}`),
})

export interface WaitingChange {
  readonly rank: Rank
  /** Who asked first. */
  readonly order: number
  /** Backing off until then. */
  readonly notBefore: EpochMs
}

export type Turn<C> =
  | { readonly kind: 'go'; readonly change: C }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'idle' }

/** Whose turn it is now, or how long until it is somebody's. */
export function nextChange<C extends WaitingChange>(waiting: readonly C[], freeAt: EpochMs, now: EpochMs): Turn<C> {
  if (waiting.length === 0) return { kind: 'idle' }
  if (freeAt > now) return { kind: 'wait', ms: freeAt - now }
  const [first] = waiting.filter(change => change.notBefore <= now).sort(bySequence)
  if (first !== undefined) return { kind: 'go', change: first }
  return { kind: 'wait', ms: Math.min(...waiting.map(change => change.notBefore)) - now }
}

function bySequence(one: WaitingChange, other: WaitingChange): number {
  if (one.rank.kind !== other.rank.kind) return one.rank.kind === 'throttle' ? -1 : 1
  return other.rank.urgency - one.rank.urgency || one.order - other.order
}

/** How long the next call waits so that no second sees more than five start. `starts`: of the last calls, oldest first. */
export function callWaitMs(starts: readonly EpochMs[], now: EpochMs): number {
  const fifthLast = starts.at(-otherCallsPerSecond)
  return fifthLast === undefined ? 0 : Math.max(fifthLast + SECOND_MS - now, 0)
}

interface QueuedChange extends WaitingChange {
  readonly want: Want
  notBefore: EpochMs
  /** One try; true when there is nothing more to do for it. */
  readonly run: () => Promise<{ readonly over: boolean; readonly afterMs: number; readonly holdMs: number }>
  readonly supersede: () => void
}

export function controlPlaneQueue({ clock }: { readonly clock: Clock }): ControlPlaneQueue {
  const newest = new Map<string, Want>()
  const waiting = new Set<QueuedChange>()
  let order = 0
  let freeAt: EpochMs = Number.NEGATIVE_INFINITY
  let pumping = false
  /** Taken out of those that wait: one of its tries is under way. */
  let making: QueuedChange | undefined
  let wake = new AbortController()

  async function pump(): Promise<void> {
    wake.abort()
    if (pumping) return
    pumping = true
    for (;;) {
      const turn = nextChange([...waiting], freeAt, clock.now())
      if (turn.kind === 'idle') break
      if (turn.kind === 'wait') {
        wake = new AbortController()
        await clock.sleep(turn.ms, wake.signal)
        continue
      }
      const { change } = turn
      waiting.delete(change)
      making = change
      const { over, afterMs, holdMs } = await change.run()
      making = undefined
      const now = clock.now()
      freeAt = Math.max(freeAt, now + holdMs)
      if (over) continue
      change.notBefore = now + afterMs
      if (change.want.isSuperseded()) change.supersede()
      else waiting.add(change)
    }
    pumping = false
  }

  function supersedeWaiting(target: string): void {
    for (const change of waiting) {
      if (change.want.target !== target) continue
      waiting.delete(change)
      change.supersede()
    }
  }

  let starts: readonly EpochMs[] = []
  const calling: { readonly isUrgent: boolean; readonly start: () => void; readonly signal: AbortSignal }[] = []
  let serving = false

  /** Lets calls start one after another, as often as a second allows. */
  async function serve(): Promise<void> {
    if (serving) return
    serving = true
    for (;;) {
      const ms = calling.length === 0 ? 0 : callWaitMs(starts, clock.now())
      // Whoever is urgent may come while the others wait.
      if (ms > 0) await clock.sleep(ms)
      const urgent = calling.findIndex(({ isUrgent }) => isUrgent)
      const [next] = calling.splice(Math.max(urgent, 0), 1)
      if (next === undefined) break
      if (next.signal.aborted) continue
      starts = [...starts, clock.now()].slice(-otherCallsPerSecond)
      next.start()
    }
    serving = false
  }

  return {
    want(target) {
      const want: Want = {
        target,
        isSuperseded: () => newest.get(target) !== want,
        end: () => {
          if (newest.get(target) !== want) return
          newest.delete(target)
          supersedeWaiting(target)
        },
      }
      newest.set(target, want)
      supersedeWaiting(target)
      return want
    },

    change(want, rank, attempt, signal) {
      return new Promise((resolve, reject) => {
        const giveUp = () => {
          waiting.delete(change)
          reject(signal.reason)
          wake.abort()
        }
        const settle = (act: () => void) => {
          signal.removeEventListener('abort', giveUp)
          act()
        }
        const change: QueuedChange = {
          want,
          rank,
          order: order++,
          notBefore: Number.NEGATIVE_INFINITY,
          supersede: () => settle(() => resolve({ kind: 'superseded' })),
          async run() {
            try {
              const tried = await attempt()
              if (tried.kind === 'again') return { over: signal.aborted, afterMs: tried.afterMs, holdMs: tried.holdMs }
              settle(() => resolve({ kind: 'done', value: tried.value }))
              return { over: true, afterMs: 0, holdMs: tried.holdMs }
            } catch (error) {
              settle(() => reject(error))
              // It is unknown how far it came, so it counts as a change.
              return { over: true, afterMs: 0, holdMs: changeEveryMs }
            }
          },
        }
        if (signal.aborted) return reject(signal.reason)
        if (want.isSuperseded()) return resolve({ kind: 'superseded' })
        signal.addEventListener('abort', giveUp, { once: true })
        waiting.add(change)
        void pump()
      })
    },

    standing(want) {
      const now = clock.now()
      const inOrder = [...waiting].sort(bySequence)
      const own = inOrder.findLastIndex(change => change.want === want)
      if (own < 0) return undefined
      const backsOffMs = (inOrder[own]?.notBefore ?? now) - now
      const ahead = own + (making === undefined ? 0 : 1)
      return { ahead, waitMs: Math.max(Math.max(freeAt - now, 0) + ahead * changeEveryMs, backsOffMs) }
    },

    call(call, signal, { isUrgent = false } = {}) {
      return new Promise((resolve, reject) => {
        const giveUp = (): void => reject(signal.reason)
        if (signal.aborted) return giveUp()
        signal.addEventListener('abort', giveUp, { once: true })
        const start = (): void => {
          signal.removeEventListener('abort', giveUp)
          call().then(resolve, reject)
        }
        calling.push({ isUrgent, start, signal })
        void serve()
      })
    },
  }
}
