/**
 * Does this key take more than its part of the pool in which everybody's calls run? A few calls that each run for ten
 * seconds fill it as surely as thousands that run for ten milliseconds, and no count of calls shows them.
 *
 *     executions = calls that ran × their mean latency ÷ 10 s                                    (Little's law)
 *     score      = executions ÷ max( partOfPool × concurrency, timesUsual × upper end of the key's usual executions )
 *
 * A client that always fills half of the pool is not told of for it. Executions only add up, so early looks may be judged;
 * what was refused (429) never ran, and a call whose latency the log lacks counts nothing.
 *
 * It harms where the pool runs out within minutes at the rate at which everybody's executions grow. That takes all keys, so
 * the core says it (src/core/incident/fleet.ts): then it is severe, and before that merely told.
 */
import { defineDetector } from './contract.ts'
import { leastOf } from './statistics.ts'

export const poolShare = defineDetector({
  name: 'pool-share',
  kind: 'pool-share',
  sees: 'more executions at once than its part of the pool that `pool.concurrency` says all share, far beyond its usual',
  early: true,
  restsWhenCalm: true,
  opens: true,
  needs: 'latency',
  thresholds: {
    partOfPool: {
      default: 0.25,
      min: 0.01,
      max: 1,
      unit: 'share',
      sentence: 'more executions at once than this share of the pool',
    },
    timesUsual: {
      default: 3,
      min: 0,
      max: 1_000,
      unit: '×',
      sentence: 'more executions than this multiple of what its busy minutes take',
    },
  },
  restsBelow: ({ partOfPool }, score) => ({ poolShare: score * partOfPool }),
  silence: 'no pool is configured (`pool.concurrency`), or how long its calls usually run is not known',
  evaluate({ at, last10s, pool, usual }, { partOfPool, timesUsual }) {
    // A client may always run for longer than its part of the pool: until its latency is known, nobody can tell.
    if (pool === undefined || (usual !== undefined && usual.latencyMs === undefined)) return undefined
    const { concurrency, executions } = pool
    const usuallyAt = (callsPerMinute: number) => ((callsPerMinute / 60) * (usual?.latencyMs ?? 0)) / 1_000
    const upperExecutions = usuallyAt(usual?.upperPerMinute ?? 0)
    const comparisons = [
      {
        measure: 'concurrent executions',
        observed: executions,
        limit: Math.max(partOfPool * concurrency, timesUsual * upperExecutions),
        formula: 'max(partOfPool × concurrency, timesUsual × upperExecutions)',
        parts: { concurrency, upperExecutions },
      },
    ]
    return {
      kind: 'pool-share',
      score: leastOf(comparisons),
      comparisons,
      evidence: [
        {
          measure: 'concurrent executions',
          observed: executions,
          usual: usual && usuallyAt(usual.callsPerMinute),
        },
        { measure: '% of the pool', observed: (100 * executions) / concurrency, usual: undefined },
      ],
      since: at - last10s.seconds * 1_000,
    }
  },
})
