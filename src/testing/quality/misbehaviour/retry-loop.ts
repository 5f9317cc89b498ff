/**
 * A client and the API it calls, as a closed loop: what fails is tried again, and what is tried may make the API fail more.
 *
 *     own calls ─────────────┐
 *     scheduled ─→ waiting ──┴→ sent ─→ fails? ── by failureShare(at, demand) ──→ answered
 *         ↑      (bounded)                │ yes
 *         └── a pace after the answer ────┘
 *
 * In steps of a tenth of a second. Its machines send only so much: own calls go first, retries take what is left, and
 * of those that wait, a second's worth is kept (at least ten) and the rest given up. So a loop that feeds itself
 * climbs to what the machines can send and stays there. Mutable on purpose, one loop an object.
 */
import { SECOND_MS } from '../../../core/vocabulary.ts'
import { createCalendar } from '../../../simulation/payflow-calendar.ts'
import type { MadeCall, Scene } from '../contract.ts'
import type { Manner } from './manner.ts'

export interface RetryLoopOptions {
  readonly scene: Scene
  readonly manner: Manner
  /** Share of calls that fail by the API's state, 0..1, at a time and at a demand of the tenant's (as a multiple of usual). */
  failureShare(at: number, timesUsual: number): number
  /** After how long a failed call is tried again, ms after its answer, at least 100; once for each number. `tries` counts those before. */
  retriesAfterMs(tries: number): readonly number[]
  /** All that its machines can send, the tenant's own calls included; infinite where they bear anything. */
  readonly mostPerSecond: number
}

export interface RetryLoop {
  /** All that is called in a second (counted from the scene's `from`), oldest first. Asked in order. */
  second(index: number, own: readonly MadeCall[]): readonly MadeCall[]
  /** Demand up to now, over a second; over as long as ten calls take at most demand, where that is longer. */
  timesUsual(): number
  isRetrying(): boolean
}

interface Attempt {
  readonly call: MadeCall
  /** Tries of the same call before this one. */
  readonly tries: number
}

const STEP_MS = 100
const STEPS_PER_SECOND = SECOND_MS / STEP_MS
const WAITING_LEAST = 10
const MEASURED_CALLS = 10

export function createRetryLoop(options: RetryLoopOptions): RetryLoop {
  const { scene, manner, failureShare, retriesAfterMs, mostPerSecond } = options
  const { random } = scene
  const scheduled = createCalendar<Attempt>(STEP_MS)
  const waiting: Attempt[] = []
  const waitingMost = Math.max(WAITING_LEAST, mostPerSecond)
  const demand = createDemandMeter(Math.max(STEPS_PER_SECOND, (STEPS_PER_SECOND * MEASURED_CALLS) / mostPerSecond))
  const allowance = createAllowance(mostPerSecond)
  const timesUsual = (): number => demand.perSecond() / scene.usualPerSecond
  let scheduledCount = 0

  /** Those whose turn it is, as far as the machines send them. */
  function takeRetries(from: number, ownCalls: number): readonly Attempt[] {
    const due = scheduled.take(from)
    scheduledCount -= due.length
    for (const attempt of due) if (waiting.length < waitingMost) waiting.push(attempt)
    return waiting.splice(0, allowance.take(ownCalls, waiting.length)).map(({ call, tries }) => ({
      // A loop ticks: who had to wait is sent at the same hundredth of a later step.
      call: { ...manner.call(from + (call.at % STEP_MS)), route: call.route, source: call.source },
      tries,
    }))
  }

  function scheduleRetries({ call, tries }: Attempt): void {
    for (const afterMs of retriesAfterMs(tries)) {
      const at = Math.floor(call.at + call.latencyMs + afterMs)
      scheduled.add(at, { call: { ...call, at }, tries: tries + 1 })
      scheduledCount++
    }
  }

  function step(from: number, own: readonly MadeCall[]): readonly MadeCall[] {
    const attempts = [...own.map(call => ({ call, tries: 0 })), ...takeRetries(from, own.length)]
    const share = failureShare(from, timesUsual())
    demand.add(attempts.length)
    return attempts
      .sort((one, other) => one.call.at - other.call.at)
      .map(attempt => {
        const call = random.uniform() < share ? failed(attempt.call, scene) : attempt.call
        if (call.status >= 500) scheduleRetries({ ...attempt, call })
        return call
      })
  }

  return {
    timesUsual,
    isRetrying: () => waiting.length + scheduledCount > 0,
    second(index, own) {
      const second = scene.from + index * SECOND_MS
      return Array.from({ length: STEPS_PER_SECOND }, (_, place) => second + place * STEP_MS).flatMap(from =>
        step(
          from,
          own.filter(({ at }) => at >= from && at < from + STEP_MS),
        ),
      )
    },
  }
}

/** An API that cannot serve a call says so quickly. */
const failed = (call: MadeCall, { random }: Scene): MadeCall => ({
  ...call,
  status: 503,
  latencyMs: 20 + random.integer(100),
})

/** What the machines may still send: own calls are sent in any case, and retries make up for them within a second. */
function createAllowance(mostPerSecond: number) {
  const perStep = mostPerSecond / STEPS_PER_SECOND
  // What a step brings and what it left over of a call: nothing is lost where a call takes several steps, and no burst is saved up.
  const most = 1 + perStep
  let allowance = 0
  return {
    take(ownCalls: number, wanted: number): number {
      allowance = Math.min(most, Math.max(-mostPerSecond, allowance + perStep - ownCalls))
      const taken = Math.min(wanted, Math.max(0, Math.floor(allowance)))
      allowance -= taken
      return taken
    },
  }
}

/** Calls a second over the last so many steps. */
function createDemandMeter(steps: number) {
  const counts = new Uint32Array(Math.ceil(steps))
  let place = 0
  let sum = 0
  return {
    perSecond: () => (sum / counts.length) * STEPS_PER_SECOND,
    add(calls: number): void {
      sum += calls - (counts[place] ?? 0)
      counts[place] = calls
      place = (place + 1) % counts.length
    },
  }
}
