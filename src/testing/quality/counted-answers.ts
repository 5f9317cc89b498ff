/**
 * Calls that are only counted are answered by the tenant's own shares of its week: so many in a hundred failed, spread by
 * chance. Counting a week of a fleet call by call would take hours; a draw for each failure takes none.
 */
import type { Random } from '../../simulation/random.ts'
import type { HistoryRow } from './contract.ts'

export interface AnswerShares {
  readonly status4xx: number
  readonly status429: number
  readonly status5xx: number
  readonly latencyMs: number
}

export interface CountedAnswers {
  readonly calls: number
  readonly status2xx: number
  readonly status4xx: number
  readonly status429: number
  readonly status5xx: number
  readonly latencySumMs: number
  readonly latencyCount: number
}

export function sharesOf(history: readonly HistoryRow[]): AnswerShares {
  const sums = { calls: 0, status4xx: 0, status429: 0, status5xx: 0, latencySumMs: 0, latencyCount: 0 }
  for (const row of history) {
    sums.calls += row.calls
    sums.status4xx += row.status4xx
    sums.status429 += row.status429
    sums.status5xx += row.status5xx
    sums.latencySumMs += row.latencySumMs
    sums.latencyCount += row.latencyCount
  }
  const share = (count: number): number => (sums.calls === 0 ? 0 : count / sums.calls)
  return {
    status4xx: share(sums.status4xx),
    status429: share(sums.status429),
    status5xx: share(sums.status5xx),
    latencyMs: sums.latencyCount === 0 ? 0 : sums.latencySumMs / sums.latencyCount,
  }
}

/** Answers stretch after stretch of one tenant's calls. */
export function answering(shares: AnswerShares, random: Random): (calls: number) => CountedAnswers {
  const failures = spaced(shares.status5xx, random)
  const refusals = spaced(shares.status429, random)
  const mistakes = spaced(shares.status4xx, random)
  return calls => {
    const status5xx = Math.min(calls, failures(calls))
    const status429 = Math.min(calls - status5xx, refusals(calls))
    const status4xx = Math.min(calls - status5xx - status429, mistakes(calls))
    const status2xx = calls - status5xx - status429 - status4xx
    return {
      calls,
      status2xx,
      status4xx,
      status429,
      status5xx,
      latencySumMs: calls * shares.latencyMs,
      latencyCount: shares.latencyMs > 0 ? calls : 0,
    }
  }
}

/** How many of the next calls are hit, where each is by this chance: drawn from hit to hit, so that misses cost nothing. */
function spaced(chance: number, random: Random): (calls: number) => number {
  if (chance <= 0) return () => 0
  const perMiss = Math.log(1 - Math.min(chance, 1 - 1e-9))
  const misses = (): number => Math.floor(Math.log(1 - random.uniform()) / perMiss)
  let untilHit = misses()
  return calls => {
    let hits = 0
    untilHit -= calls
    while (untilHit < 0) {
      hits++
      untilHit += 1 + misses()
    }
    return hits
  }
}
