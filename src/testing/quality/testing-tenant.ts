/** A made-up tenant for the bench's own tests: the same calls in every second, all of them answered. Only tests import this file. */
import { DAY_MS, SECOND_MS, SLOT_MS } from '../../core/vocabulary.ts'
import { type HistoryRow, judgedFrom, type MadeCall, type RealTenant } from './contract.ts'

export function steadyTenant(id: string, { perSecond = 1, days = 1 } = {}): RealTenant {
  const callsOf = (from: number, seconds: number): readonly MadeCall[] =>
    Array.from({ length: seconds * perSecond }, (_, call) => ({
      ...{ at: from + Math.floor((call * SECOND_MS) / perSecond), status: 200, latencyMs: 50 },
      ...{ route: '/v1/payments', source: '192.0.2.1' },
    }))
  return {
    ...{ id, set: 'servegen', isHeldOut: false, callsPerMinute: 60 * perSecond },
    judgedTo: judgedFrom + days * DAY_MS,
    history: () => weekOf(300 * perSecond),
    countsOf: (_, seconds) => new Uint32Array(seconds).fill(perSecond),
    callsOf,
    samplesOf: (second, calls) => callsOf(second, 1).slice(0, calls),
  }
}

function weekOf(calls: number): readonly HistoryRow[] {
  const answers = { calls, status2xx: calls, status4xx: 0, status429: 0, status5xx: 0 }
  return Array.from({ length: 7 * 288 }, (_, slot) => ({
    ...{ start: judgedFrom - (7 * 288 - slot) * SLOT_MS, seconds: 300 as const },
    ...answers,
    ...{ latencySumMs: calls * 50, latencyCount: calls },
  }))
}
