/**
 * The least rise that would be seen in so many seconds: what Weir promises of a key, and what it does not. A tenant that
 * calls once a minute cannot be seen at three times that; this says from which rate on it can.
 *
 * `sequential-surge` itself is asked, of a key as it usually is that begins to call at a steady rate: the least rate at which it would
 * open an incident, found by halving, since more calls never lower its score. What is shown to it is what a promise needs:
 *
 * - A second less than promised. A rise begins within a second, and looks come with whole ones.
 * - Of the calls that the rate brings as few as chance leaves in one of forty cases.
 * - Before it began, as few calls as at the lower end of what is usual: who is quieter than usual is seen no later.
 *
 * How often it holds, and from how much less on a rise is really seen, is measured: `npm run bench:quality`, `claims`.
 */
import type { Counts, SequentialEvidence, TenantView, Usual, WindowCounts } from '../../../detectors/contract.ts'
import { sequentialSurge } from '../../../detectors/sequential-surge.ts'
import { MULTIPLES, sequentialModel } from '../state/accumulator.ts'
import { SECOND_MS } from '../vocabulary.ts'

export interface Detectable {
  /** From the first call of the rise to the look that sees it. */
  readonly seconds: number
  /** All calls that the key makes, those that it usually makes included. */
  readonly callsPerMinute: number
  /** Of what a minute usually brings in the middle; undefined where that is nothing. */
  readonly multiple: number | undefined
}

export type SurgeValues = Parameters<typeof sequentialSurge.evaluate>[1]

export const detectableIn = [5, 15, 60] as const

/** By chance fewer calls come than the rate says: by more than two standard deviations in one of forty cases. */
const SURELY_SIGMAS = 2
/** A look comes up to a second after the calls that it would take. */
const LOOK_SECONDS = 1

export const detectable = (usual: Usual, values: SurgeValues, seconds: number): Detectable =>
  riseTo(usual, seconds, leastOf(seen(usual, values, { seconds, allowed: Number.POSITIVE_INFINITY })))

/** … of which people are alerted as well, who are of what the key does by itself `allowed` times a week or less; undefined where of none. */
export function alertable(
  usual: Usual,
  values: SurgeValues,
  within: { readonly seconds: number; readonly allowed: number },
): Detectable | undefined {
  const isTold = seen(usual, values, within)
  return isTold(MOST_PER_MINUTE) ? riseTo(usual, within.seconds, leastOf(isTold)) : undefined
}

const seen =
  (usual: Usual, values: SurgeValues, { seconds, allowed }: { readonly seconds: number; readonly allowed: number }) =>
  (callsPerMinute: number): boolean => {
    const found = sequentialSurge.evaluate(risen(usual, { callsPerMinute, seconds: seconds - LOOK_SECONDS }), values)
    return found !== undefined && found.score > 1 && (found.timesAWeek ?? 0) <= allowed
  }

/** Who is as quiet as it usually may be rises by as much, and not to as much. */
function riseTo({ callsPerMinute: usual, lowerPerMinute }: Usual, seconds: number, least: number): Detectable {
  const callsPerMinute = least + usual - lowerPerMinute
  return { seconds, callsPerMinute, multiple: usual === 0 ? undefined : callsPerMinute / usual }
}

/** Nobody calls more often: a promise that would take more is none. */
const MOST_PER_MINUTE = 2 ** 40
const PRECISION = 0.001

/** The least that is seen, a thousandth more at most. */
function leastOf(isSeen: (callsPerMinute: number) => boolean): number {
  let seen = 1
  while (seen < MOST_PER_MINUTE && !isSeen(seen)) seen *= 2
  let unseen = seen / 2
  while (seen - unseen > PRECISION * seen) {
    const middle = (seen + unseen) / 2
    if (isSeen(middle)) seen = middle
    else unseen = middle
  }
  return seen
}

interface Rise {
  readonly callsPerMinute: number
  readonly seconds: number
}

/** A key as it usually is that has called at this rate for so long, by fewer calls than chance hardly ever leaves. */
function risen(usual: Usual, { callsPerMinute, seconds }: Rise): TenantView {
  const surely = (calls: number): number => Math.max(0, calls - SURELY_SIGMAS * Math.sqrt(calls))
  const window = (length: number): WindowCounts => {
    const rising = Math.min(length, seconds)
    const before = (usual.lowerPerMinute * (length - rising)) / 60
    return { seconds: length, ...answered(before + surely((callsPerMinute * rising) / 60)) }
  }
  return {
    ...{ keyId: '', at: seconds * SECOND_MS, look: 'early', usual },
    ...{ last10s: window(10), last60s: window(60), last5min: window(300) },
    ...{ minuteSoFar: answered(0), slotSoFar: answered(0), plain: nothingPlain },
    sequential: evidenceOf(usual, surely((callsPerMinute * seconds) / 60), seconds),
    ...{ routes: undefined, places: undefined, pool: undefined, silentSeconds: 0, steadySeconds: 0 },
  }
}

const nothingPlain: TenantView['plain'] = {
  ...{ slotMeanCalls: undefined, slotMinuteMean: undefined, slotMinuteStdDev: undefined, weekMinuteMean: undefined },
}

const answered = (calls: number): Counts => ({ calls, status2xx: calls, status4xx: 0, status429: 0, status5xx: 0 })

/** What so many calls in so many seconds add up to, from nothing. */
function evidenceOf(usual: Usual, calls: number, seconds: number): readonly SequentialEvidence[] {
  const { perCall, perSecond, usualPerSecond } = sequentialModel(usual)
  return MULTIPLES.map((multiple, index) => ({
    ...{ multiple, since: 0, calls, usualCalls: usualPerSecond * seconds },
    nats: Math.max(0, calls * (perCall[index] ?? 0) - seconds * (perSecond[index] ?? 0)),
  }))
}
