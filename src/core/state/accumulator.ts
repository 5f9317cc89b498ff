/**
 * A fixed bank of sequential accumulators per active key: Page's CUSUM of the log-likelihood ratio, on one-second
 * counts, between "calls `multiple` times as often as usual" and "as usual" (E. S. Page, Continuous inspection
 * schemes, Biometrika 41, 1954). Evidence adds up, so a 500-fold storm is sure within a second and a threefold one
 * within tens, from one statistic.
 *
 * Counts are negative binomial with mean m and variance m + m²/k, since real tenants burst. With μ usual and r the multiple:
 *
 *   L = ln((k + rμ) / (k + μ))      step(x calls) = x·(ln r − L) − k·L      nats = min(cap, max(0, nats + step))
 *
 * The step is linear in x, so silent seconds between two panes are taken in one go and a pane costs O(1). From nothing, a
 * second of at most `quiet` calls leads to nothing, and every call beyond adds at most ln r − L: which bounds the evidence
 * of panes that nobody has added up yet.
 * μ is the band's upper edge, not its middle: a tenant's own busy minutes are no evidence against it. Mutable on purpose.
 */
import type { SequentialEvidence, Usual } from '../../../detectors/contract.ts'
import { SECOND_MS } from '../vocabulary.ts'
import { ANY_NUMBER, type KeyPanes, paneCalls, paneSecond, setQuiet } from './pane.ts'

export const MULTIPLES = [3, 10] as const
/** Evidence beyond this says nothing more, and would keep an incident open long after it is over. */
const CAP_NATS = 60
/** A tenant that hardly calls is taken to call once a minute: less cannot be told from chance in seconds. */
const LEAST_PER_SECOND = 1 / 60
/** Seconds are burstier than the minutes that dispersion was learned from: never closer to Poisson than this. */
const LEAST_DISPERSION = 0.1

/** What a slot's usual makes of the formula; the same for all seconds of the slot. */
export interface SequentialModel {
  readonly usualPerSecond: number
  /** Nats a call adds and a second takes, by multiple. */
  readonly perCall: readonly number[]
  readonly perSecond: readonly number[]
  /** So many calls in a second are no evidence for any multiple, where there was none before. */
  readonly quiet: number
  /** Nats that a further call adds at most. */
  readonly mostPerCall: number
}

export function sequentialModel(usual: Usual): SequentialModel {
  const usualPerSecond = Math.max(LEAST_PER_SECOND, usual.upperPerMinute / 60)
  const k = 1 / Math.max(LEAST_DISPERSION, usual.dispersion)
  const tilts = MULTIPLES.map(multiple => Math.log((k + multiple * usualPerSecond) / (k + usualPerSecond)))
  const perCall = MULTIPLES.map((multiple, index) => Math.log(multiple) - (tilts[index] ?? 0))
  const perSecond = tilts.map(tilt => k * tilt)
  const quiet = perCall.map((nats, index) => quietCalls(nats, perSecond[index] ?? 0))
  return { usualPerSecond, perCall, perSecond, quiet: Math.min(...quiet), mostPerCall: Math.max(...perCall) }
}

/** Exactly as `accumulate` counts: what rounding makes of the step must not be above 0 either. */
function quietCalls(perCall: number, perSecond: number): number {
  const calls = Math.min(ANY_NUMBER, Math.floor(perSecond / perCall))
  return calls * perCall - perSecond > 0 ? calls - 1 : calls
}

/** A whole minute without a call ends whatever it was: of a tenant that hardly calls each silent second says next to nothing. */
const SILENCE_SECONDS = 60

/** Words an accumulator: nats, the second since which it grew, calls since, usual calls since. */
const WORDS = 4

export interface Accumulators {
  readonly bank: Float64Array
  /** All seconds before this one are in. */
  upTo: number
  /** Seconds before this one are no evidence. */
  from: number
}

export const createAccumulators = (): Accumulators => ({
  bank: new Float64Array(MULTIPLES.length * WORDS),
  upTo: 0,
  from: 0,
})

/** Takes in one second's calls, and the silent seconds since the last. */
export function accumulate(into: Accumulators, model: SequentialModel, second: number, calls: number): void {
  if (second < into.from) return
  if (calls <= model.quiet && isWithoutEvidence(into)) {
    into.upTo = second + 1
    return
  }
  const { bank } = into
  const silent = Math.max(0, second - into.upTo)
  for (let index = 0; index < MULTIPLES.length; index++) {
    const at = index * WORDS
    const perSecond = model.perSecond[index] as number
    let nats = silent >= SILENCE_SECONDS ? 0 : (bank[at] as number)
    if (nats > 0 && silent > 0) {
      nats -= silent * perSecond
      bank[at + 3] = (bank[at + 3] as number) + silent * model.usualPerSecond
    }
    if (nats <= 0) {
      nats = 0
      bank[at + 1] = second
      bank[at + 2] = 0
      bank[at + 3] = 0
    }
    nats += calls * (model.perCall[index] as number) - perSecond
    bank[at] = nats > 0 ? Math.min(CAP_NATS, nats) : 0
    bank[at + 2] = (bank[at + 2] as number) + calls
    bank[at + 3] = (bank[at + 3] as number) + model.usualPerSecond
  }
  into.upTo = second + 1
}

/** Since when there has been evidence without a break, epoch ms; undefined while there is none. */
export function grownSince({ bank }: Accumulators): number | undefined {
  let since: number | undefined
  for (let at = 0; at < bank.length; at += WORDS) {
    if ((bank[at] as number) > 0)
      since = Math.min(since ?? Number.POSITIVE_INFINITY, (bank[at + 1] as number) * SECOND_MS)
  }
  return since
}

/** Back to nothing: the change is over, or there is no longer anything usual to compare with. */
export function resetAccumulators(accumulators: Accumulators): void {
  accumulators.bank.fill(0)
}

/** Begins anew: what was called before `second` has been dealt with, also where it is still to come in. */
export function accumulateFrom(accumulators: Accumulators, second: number): void {
  resetAccumulators(accumulators)
  accumulators.from = second
}

/** The closed evidence with the open panes on top, kept from look to look. */
export interface EarlyEvidence {
  /** Added up to here, and on to `lookedTo` when somebody asks. Never behind the closed evidence. */
  readonly accumulators: Accumulators
  /** Seconds before this one were there at an early look. */
  lookedTo: number
  /** What it was worked out with; undefined before the first look. */
  model: SequentialModel | undefined
  /** Something changed under it: a call came into a second that was looked at, or the closed evidence began anew. */
  isStale: boolean
}

export const createEarlyEvidence = (): EarlyEvidence => ({
  accumulators: createAccumulators(),
  lookedTo: 0,
  model: undefined,
  isStale: true,
})

/** An early look at all seconds before `endSecond`: from here on calls in them are stragglers. Adds nothing up. */
export function lookTo(
  early: EarlyEvidence,
  closed: Accumulators,
  model: SequentialModel,
  panes: KeyPanes,
  endSecond: number,
): void {
  const { accumulators } = early
  if (early.isStale || early.model !== model || early.lookedTo < closed.upTo) {
    if (early.model !== model) setQuiet(panes, model.quiet)
    if (!(isWithoutEvidence(accumulators) && isWithoutEvidence(closed))) accumulators.bank.set(closed.bank)
    accumulators.upTo = closed.upTo
    accumulators.from = closed.from
    early.lookedTo = closed.upTo
    early.model = model
    early.isStale = false
  }
  let newest = panes.end - 1
  while (newest >= panes.firstOpen && paneSecond(panes, newest) >= endSecond) newest--
  if (newest < panes.firstOpen) return
  const second = paneSecond(panes, newest)
  if (second >= early.lookedTo && second >= accumulators.from) early.lookedTo = second + 1
}

/** Nats that no multiple's early evidence is above, without adding it up. */
export const mostEarlyNats = ({ accumulators }: EarlyEvidence, model: SequentialModel, { surplus }: KeyPanes): number =>
  mostNats(accumulators) + surplus * model.mostPerCall

/** Evidence up to `endSecond` (exclusive), open panes included, after a look at them; the closed accumulators stay as they are. */
export function accumulateOpen(
  { accumulators }: EarlyEvidence,
  model: SequentialModel,
  panes: KeyPanes,
  endSecond: number,
): Accumulators {
  let index = panes.end
  while (index > panes.firstOpen && paneSecond(panes, index - 1) >= accumulators.upTo) index--
  for (; index < panes.end; index++) {
    const second = paneSecond(panes, index)
    if (second >= endSecond) break
    accumulate(accumulators, model, second, paneCalls(panes, index))
  }
  return accumulators
}

/** A pane that was looked at closes: the early evidence must not need it later, when it may be forgotten. */
export function keepUp({ accumulators, lookedTo, model, isStale }: EarlyEvidence, second: number, calls: number): void {
  if (isStale || model === undefined || second < accumulators.upTo || second >= lookedTo) return
  accumulate(accumulators, model, second, calls)
}

/** The most nats that any multiple has. */
export function mostNats({ bank }: Accumulators): number {
  let most = 0
  for (let at = 0; at < bank.length; at += WORDS) if ((bank[at] as number) > most) most = bank[at] as number
  return most
}

/** Whether there is no evidence at all. */
export function isWithoutEvidence({ bank }: Accumulators): boolean {
  for (let at = 0; at < bank.length; at += WORDS) if ((bank[at] as number) > 0) return false
  return true
}

/** As detectors read it, at the end of `endSecond` (exclusive): silent seconds since the last pane count. */
export function sequentialEvidence(
  accumulators: Accumulators,
  model: SequentialModel | undefined,
  endSecond: number,
): readonly SequentialEvidence[] {
  if (model === undefined) return NOTHING
  const silent = Math.max(0, endSecond - accumulators.upTo)
  return MULTIPLES.map((multiple, index) => {
    const at = index * WORDS
    const nats = (accumulators.bank[at] as number) - silent * (model.perSecond[index] as number)
    if (nats <= 0 || silent >= SILENCE_SECONDS)
      return { multiple, nats: 0, since: (endSecond - 1) * SECOND_MS, calls: 0, usualCalls: 0 }
    return {
      multiple,
      nats,
      since: (accumulators.bank[at + 1] as number) * SECOND_MS,
      calls: accumulators.bank[at + 2] as number,
      usualCalls: (accumulators.bank[at + 3] as number) + silent * model.usualPerSecond,
    }
  })
}

const NOTHING: readonly SequentialEvidence[] = []
