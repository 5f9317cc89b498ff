/**
 * Looks at one key while a replay passes a moment, or at each moment of a stretch, of which the one with the highest score
 * is kept. Before the input by which event time passes the moment the key is observed, and after that input, when the engine
 * has looked and decided as well, what came of it is added.
 *
 *     … input │ observe at 14:03:07 │ input of 14:03:07.012: early look, decision │ aftermath │ input …
 *
 * In a stretch those moments are looked at that the engine itself looks at: where a call passes a second, and the end of
 * the last second with calls.
 */
import type { Engine } from '../core/engine.ts'
import { rankOf } from '../core/explanation/account.ts'
import { type Aftermath, aftermathOf, type Observation, observe } from '../core/explanation/observation.ts'
import { type ApiKeyId, type EpochMs, SECOND_MS } from '../core/vocabulary.ts'

/** Whole seconds, epoch ms, both inclusive. A moment is a stretch from itself to itself. */
export interface Stretch {
  readonly from: EpochMs
  readonly to: EpochMs
}

export interface Seen {
  readonly observation: Observation
  readonly aftermath: Aftermath
}

export interface KeyWatch {
  /** As `Replay.watched` wants it. */
  watched(engine: Engine, reaches: EpochMs): boolean
  /** The moment with the highest score, the first of several; undefined where there was none to look at. */
  seen(): Seen | undefined
  /** Moments of the stretch that event time has passed; 0: none of them lies in the log. */
  looks(): number
  /** How far the log has been read; undefined before its first call. */
  span(): { readonly from: EpochMs; readonly to: EpochMs } | undefined
}

export function watchKey(keyId: ApiKeyId, stretch: Stretch): KeyWatch {
  const last = stretch.to / SECOND_MS
  let began: EpochMs | undefined
  /** Up to here moments are past: a second. */
  let passed = 0
  let best: Seen | undefined
  let pending: Observation | undefined
  let looks = 0
  let isOver = false

  const look = (engine: Engine, second: number): void => {
    looks++
    const observation = observe(engine, keyId, second * SECOND_MS)
    if (observation !== undefined && isAbove(observation, pending ?? best?.observation)) pending = observation
  }
  const settle = (engine: Engine): void => {
    const aftermath = pending && aftermathOf(engine, keyId)
    if (pending !== undefined && aftermath !== undefined) best = { observation: pending, aftermath }
    pending = undefined
  }
  return {
    watched(engine, reaches) {
      settle(engine)
      if (began === undefined) {
        began = reaches
        passed = Math.floor(reaches / SECOND_MS) - 1
      }
      if (isOver || passed >= last) return true
      isOver = !Number.isFinite(reaches)
      const reached = isOver ? passed + 1 : Math.floor(reaches / SECOND_MS)
      const first = Math.max(passed + 1, stretch.from / SECOND_MS)
      const newest = Math.min(reached, last)
      if (first <= newest) look(engine, first)
      if (first < newest) look(engine, newest)
      passed = Math.max(passed, reached)
      return false
    },
    seen: () => best,
    looks: () => looks,
    span: () => (began === undefined ? undefined : { from: began, to: passed * SECOND_MS }),
  }
}

function isAbove(one: Observation, other: Observation | undefined): boolean {
  if (other === undefined) return true
  const [opening, corroborating] = rankOf(one)
  const [otherOpening, otherCorroborating] = rankOf(other)
  return opening > otherOpening || (opening === otherOpening && corroborating > otherCorroborating)
}
