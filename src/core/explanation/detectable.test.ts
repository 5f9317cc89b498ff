import { expect, test } from 'vitest'
import type { Usual } from '../../../detectors/contract.ts'
import { sequentialSurge } from '../../../detectors/sequential-surge.ts'
import { alertable, detectable, type SurgeValues } from './detectable.ts'

const values = Object.fromEntries(
  Object.entries(sequentialSurge.thresholds).map(([name, threshold]) => [name, threshold.default]),
) as SurgeValues

/** A client that calls so often, and goes by itself so many times beyond that. */
function client(callsPerMinute: number, busiest = 1.2): Usual {
  const reach = (seconds: 10 | 60 | 300) => {
    const calls = (callsPerMinute * seconds) / 60
    return {
      seconds,
      upperCalls: Math.max(20, 1.1 * calls),
      ...{ perWeek: busiest > 2 ? 20 : 1, tail: 3, cautiousTail: 1.5, busiestCalls: busiest * calls },
    }
  }
  return {
    ...{ callsPerMinute, lowerPerMinute: 0.9 * callsPerMinute, upperPerMinute: 1.1 * callsPerMinute },
    ...{ slotUpperPerMinute: 1.1 * callsPerMinute, slotLowerPerMinute: 0.9 * callsPerMinute, dispersion: 0.01 },
    ...{ clientErrorShare: 0, refusedShare: 0, failureShare: 0, answered: 1_000, latencyMs: undefined, days: 7 },
    ...{ reaches: [reach(10), reach(60), reach(300)], longestPause: undefined },
  }
}

test('the longer it may take, the less is seen', () => {
  const [five, fifteen, sixty] = [5, 15, 60].map(seconds => detectable(client(600), values, seconds).callsPerMinute)
  expect(five).toBeGreaterThan(fifteen ?? 0)
  expect(fifteen).toBeGreaterThan(sixty ?? 0)
  expect(sixty).toBeGreaterThan(600)
})

test('a client of one call a minute cannot be seen at three times that, and is not said to be', () => {
  expect(detectable(client(1), values, 60).multiple).toBeGreaterThan(20)
  expect(detectable(client(6_000), values, 60).multiple).toBeLessThan(3)
})

test('of one that bursts by itself less is seen than of one that does not', () => {
  const steady = detectable(client(600), values, 15).callsPerMinute
  expect(detectable(client(600, 20), values, 15).callsPerMinute).toBeGreaterThan(steady)
})

test('at a smaller alert budget a rise must be larger until people are told of it, and without one nobody is', () => {
  const from = (allowed: number) => alertable(client(600), values, { seconds: 60, allowed })?.callsPerMinute ?? 0
  expect(from(Number.POSITIVE_INFINITY)).toBe(detectable(client(600), values, 60).callsPerMinute)
  expect(from(0.01)).toBeGreaterThan(from(0.1))
  expect(from(0.1)).toBeGreaterThan(from(2))
  expect(alertable(client(600), values, { seconds: 60, allowed: 0 })).toBeUndefined()
})

test('of one that usually does not call there is no multiple', () => {
  expect(detectable(client(0), values, 15).multiple).toBeUndefined()
})
