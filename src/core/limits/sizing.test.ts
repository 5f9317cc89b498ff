import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DAY_MS, HOUR_MS, MINUTE_MS, type PlanLimits, SECOND_MS } from '../vocabulary.ts'
import { createDemand, noteCall, noteCounted, refusedBy } from './demand.ts'
import { type SizingPolicy, sizeDemand } from './sizing.ts'

const monday = Date.UTC(2026, 10, 16)
const policy: SizingPolicy = {
  ...{ headroom: 1.5, refuseAtMost: 0, floorPerSecond: 1, burstSeconds: 2, leastDays: 5, allDays: false },
}

interface Played {
  readonly policy?: Partial<SizingPolicy>
  readonly knownDays?: number
  readonly present?: readonly PlanLimits[]
}

function sized(times: readonly number[], { policy: own = {}, knownDays = 7, present = [] }: Played = {}) {
  const settled = { ...policy, ...own }
  const options = { present, wantsLevels: settled.refuseAtMost > 0 }
  const demand = createDemand(options)
  for (const time of [...times].sort((one, other) => one - other)) noteCall(demand, time, options)
  const refusedNow = [...demand.days.values()].reduce((sum, { refused }) => sum + (refused[0] ?? 0), 0)
  return { ...sizeDemand({ keyId: 'key-a', demand, knownDays, upperPerMinute: undefined }, settled), refusedNow }
}

/** So many calls at once, or `apartMs` from each other. */
const calls = (from: number, count: number, apartMs = 0) =>
  Array.from({ length: count }, (_, index) => from + index * apartMs)
const everyDay = (of: (day: number) => readonly number[], days = 7) =>
  Array.from({ length: days }, (_, day) => of(monday + day * DAY_MS)).flat()

const limitsOf = ({ suggestion }: ReturnType<typeof sized>) =>
  suggestion.kind === 'limits' ? suggestion.limits : suggestion.because

describe('limits', () => {
  test('of who calls once a day are the floor', () => {
    expect(limitsOf(sized(everyDay(day => [day])))).toEqual({ rateLimit: 1, burstLimit: 2 })
    expect(
      limitsOf(
        sized(
          everyDay(day => [day]),
          { policy: { floorPerSecond: 10 } },
        ),
      ),
    ).toEqual({ rateLimit: 10, burstLimit: 20 })
  })

  test('of who calls evenly are its rate with headroom, whole and round', () => {
    // Twenty a second for ten minutes.
    const even = everyDay(day => calls(day, 12_000, 50))
    expect(limitsOf(sized(even))).toEqual({ rateLimit: 30, burstLimit: 60 })
    expect(limitsOf(sized(even, { policy: { headroom: 1 } }))).toEqual({ rateLimit: 20, burstLimit: 40 })
  })

  test('of who sends a batch at once are the floor and a burst for the batch', () => {
    expect(limitsOf(sized(everyDay(day => calls(day, 120))))).toEqual({ rateLimit: 1, burstLimit: 200 })
  })

  test('know the busiest second, ten seconds and minute, also across their borders', () => {
    const { busiest } = sized(everyDay(day => calls(day + 30_000, 100, 100)))
    expect(busiest).toEqual({ second: 10, tenSeconds: 100, minute: 100 })
    expect(sized(everyDay(day => calls(day, 3, 20 * SECOND_MS))).busiest).toEqual({
      second: 1,
      tenSeconds: 1,
      minute: 3,
    })
    expect(sized(everyDay(day => [...calls(day, 5), day + MINUTE_MS, day + MINUTE_MS + 1])).busiest).toEqual({
      second: 5,
      tenSeconds: 5,
      minute: 5,
    })
  })

  test('are not made of one day that needed five times what any other did, which is named', () => {
    const usual = (day: number) => calls(day, 600, SECOND_MS)
    const storm = calls(monday + 3 * DAY_MS + HOUR_MS, 6_000, 10)
    const { suggestion } = sized([...everyDay(usual), ...storm])
    expect(suggestion).toEqual({
      ...{ kind: 'limits', limits: { rateLimit: 2, burstLimit: 4 }, refused: 0 },
      leftOut: [{ at: monday + 3 * DAY_MS, busiestMinute: 6_000, times: expect.closeTo(97, 0) }],
    })
  })

  test('are made of all days when that is wanted, of a day that came twice, and of too few days to tell', () => {
    const usual = (day: number) => calls(day, 600, SECOND_MS)
    const storm = (day: number) => calls(monday + day * DAY_MS + HOUR_MS, 6_000, 10)
    const wide = { rateLimit: 150, burstLimit: 300 }
    expect(limitsOf(sized([...everyDay(usual), ...storm(3)], { policy: { allDays: true } }))).toEqual(wide)
    expect(limitsOf(sized([...everyDay(usual), ...storm(3), ...storm(5)]))).toEqual(wide)
    expect(limitsOf(sized([...everyDay(usual, 3), ...storm(2)]))).toEqual(wide)
  })

  test('are not suggested for who is hardly known, never called, or is known by a hash only', () => {
    expect(limitsOf(sized([monday], { knownDays: 4.9 }))).toBe('too-young')
    expect(limitsOf(sized([]))).toBe('no-calls')
    const demand = createDemand({ present: [], wantsLevels: false })
    expect(
      sizeDemand({ keyId: 'hash:12', demand, knownDays: 7, upperPerMinute: undefined }, policy).suggestion,
    ).toEqual({
      ...{ kind: 'none', because: 'key-id-unknown' },
    })
  })

  test('may refuse a stated share: one batch in a thousand calls does not set the burst', () => {
    const times = everyDay(day => [...calls(day, 2_000, 2 * SECOND_MS), ...calls(day + 2 * HOUR_MS, 14)])
    expect(limitsOf(sized(times))).toEqual({ rateLimit: 1, burstLimit: 25 })
    const some = sized(times, { policy: { refuseAtMost: 0.01 } })
    expect(limitsOf(some)).toEqual({ rateLimit: 1, burstLimit: 2 })
    expect(some.suggestion).toMatchObject({ refused: 91 })
  })

  test('of counts are what five minutes let suppose, and are marked', () => {
    const options = { present: [], wantsLevels: false }
    const demand = createDemand(options)
    for (let day = 0; day < 7; day++)
      noteCounted(demand, { start: monday + day * DAY_MS, seconds: 300, calls: 3_000 }, options)
    // Ten a second, in a busy minute twenty, and thrice ten for ten seconds.
    expect(sizeDemand({ keyId: 'key-a', demand, knownDays: 7, upperPerMinute: 600 }, policy)).toMatchObject({
      ...{ basis: 'counts', calls: 21_000, busiest: { second: undefined, tenSeconds: undefined, minute: 600 } },
      suggestion: { limits: { rateLimit: 30, burstLimit: 500 } },
    })
  })
})

test('what the present limits would have refused is played call by call', () => {
  const times = everyDay(day => calls(day, 30))
  expect(sized(times, { present: [{ rateLimit: 1, burstLimit: 10 }] }).refusedNow).toBe(7 * 20)
  expect(sized(times, { present: [{ rateLimit: 1, burstLimit: 30 }] }).refusedNow).toBe(0)
  expect(sized(times, { present: [{ rateLimit: 0, burstLimit: 0 }] }).refusedNow).toBe(7 * 30)
})

describe('for any calls', () => {
  /** Batches of some calls, some time apart, over some days. */
  const anyTimes = fc
    .array(
      fc.tuple(
        fc.integer({ min: 0, max: 5 * DAY_MS }),
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 0, max: 700 }),
      ),
      {
        ...{ minLength: 1, maxLength: 25 },
      },
    )
    .map(batches =>
      batches.flatMap(([from, count, apart]) => calls(monday + from, count, apart)).sort((one, other) => one - other),
    )

  test('a suggested bucket refuses no more than the stated share when it is played', () => {
    fc.assert(
      fc.property(anyTimes, fc.constantFrom(0, 0.001, 0.05, 0.3), (times, refuseAtMost) => {
        const own = { refuseAtMost, headroom: 1, burstSeconds: 1, allDays: true }
        const { suggestion } = sized(times, { policy: own })
        if (suggestion.kind === 'none') return
        const refused = refusedBy(suggestion.limits, times)
        expect(refused).toBeLessThanOrEqual(refuseAtMost * times.length)
        expect(refused).toBeLessThanOrEqual(suggestion.refused)
      }),
      // A bucket that is full again but for the last digit of a sum.
      { numRuns: 300, examples: [[[...calls(monday + 8 * 3_600_000, 11, 300), monday + 8 * 3_600_000 + 4_000], 0]] },
    )
  })

  test('with a headroom of two it refuses none of twice as many calls', () => {
    fc.assert(
      fc.property(anyTimes, times => {
        const { suggestion } = sized(times, { policy: { headroom: 2, burstSeconds: 1, allDays: true } })
        const twice = times.flatMap(time => [time, time])
        if (suggestion.kind === 'limits') expect(refusedBy(suggestion.limits, twice)).toBe(0)
      }),
      { numRuns: 300 },
    )
  })

  test('the present limits refuse what a bucket of theirs refuses', () => {
    const anyLimits = fc.record({
      rateLimit: fc.double({ min: 0.1, max: 50, noNaN: true }),
      burstLimit: fc.integer({ min: 1, max: 60 }),
    })
    fc.assert(
      fc.property(anyTimes, anyLimits, (times, limits) => {
        expect(sized(times, { present: [limits] }).refusedNow).toBe(refusedBy(limits, times))
      }),
      { numRuns: 300 },
    )
  })
})
