import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ApiKeyId } from '../vocabulary.ts'
import { beginBaseline, excludeMinute, learnLateCalls, learnMinute, learnRow, unlearnMinute } from './baseline.ts'
import { type Coverage, coverMinute, createCoverage } from './coverage.ts'
import { addKey, createKnownKeys, type KnownKeys } from './known-keys.ts'
import { WORST_CALLS_ERROR } from './slot-code.ts'
import { baselineOf, ringOf } from './testing-baseline.ts'
import { plainBaseline, usualOf } from './usual.ts'

const MINUTES_PER_DAY = 1_440
const SLOTS_PER_DAY = 288
/** Monday, 2 March 2026, 00:00 UTC, in minutes since 1970. */
const MONDAY = Date.UTC(2026, 2, 2) / 60_000

/** One key's past, learned by the baseline and kept as plain lists beside it. */
interface Past {
  readonly keys: KnownKeys
  readonly key: number
  readonly coverage: Coverage
  readonly firstMinute: number
  readonly calls: Map<number, number>
  readonly covered: Set<number>
  readonly excluded: Set<number>
  /** All minutes before this one are settled. */
  now: number
}

const pastFrom = (minute: number): Past => ({
  ...keyFrom(minute),
  coverage: createCoverage(),
  firstMinute: minute,
  calls: new Map(),
  covered: new Set(),
  excluded: new Set(),
  now: minute,
})

function keyFrom(minute: number): Pick<Past, 'keys' | 'key'> {
  const keys = createKnownKeys()
  const key = addKey(keys, 'key' as ApiKeyId)
  beginBaseline(keys, key, minute)
  return { keys, key }
}

/** Settles the next minute as an owner does. `calls` undefined: the key was silent. */
function live(past: Past, kind: 'delivered' | 'gap' | 'incident', calls: number | undefined): void {
  const minute = past.now++
  const isIncident = kind === 'incident'
  if (calls !== undefined && !isIncident) {
    learnMinute(past.keys, past.key, minute, {
      calls,
      status4xx: 0,
      status429: 0,
      status5xx: 0,
      latencySumMs: 0,
      latencyCount: 0,
    })
    past.calls.set(minute, calls)
  }
  if (isIncident) {
    excludeMinute(past.keys, past.key, minute)
    past.excluded.add(minute)
  }
  if (kind === 'gap') return
  coverMinute(past.coverage, minute)
  past.covered.add(minute)
}

/** Known minutes of a stretch and what each brought. */
function known({ covered, excluded, calls, firstMinute }: Past, fromMinute: number, toMinute: number): number[] {
  const values: number[] = []
  for (let minute = Math.max(fromMinute, firstMinute); minute < toMinute; minute++) {
    if (covered.has(minute) && !excluded.has(minute)) values.push(calls.get(minute) ?? 0)
  }
  return values
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
const mean = (values: readonly number[]): number | undefined =>
  values.length === 0 ? undefined : sum(values) / values.length
const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((one, other) => one - other)
  const half = (sorted.length - 1) / 2
  return ((sorted[Math.floor(half)] ?? 0) + (sorted[Math.ceil(half)] ?? 0)) / 2
}

/** The three statistics straight from the words of the design. */
function plainly(past: Past, slot: number) {
  const week = known(past, (slot - 7 * SLOTS_PER_DAY) * 5, slot * 5)
  if (week.length < MINUTES_PER_DAY) {
    return {
      slotMeanCalls: undefined,
      slotMinuteMean: undefined,
      slotMinuteStdDev: undefined,
      weekMinuteMean: undefined,
    }
  }
  const days = [1, 2, 3, 4, 5, 6, 7].map(day => {
    const from = (slot - day * SLOTS_PER_DAY) * 5
    return known(past, from, from + 5)
  })
  const observed = days.filter(minutes => minutes.length > 0)
  const minutes = observed.flat()
  const minuteMean = mean(minutes)
  return {
    // A day of which the stream brought three minutes counts for five.
    slotMeanCalls: mean(observed.map(day => 5 * (mean(day) ?? 0))),
    slotMinuteMean: minuteMean,
    slotMinuteStdDev: minuteMean && Math.sqrt(mean(minutes.map(calls => (calls - minuteMean) ** 2)) ?? 0),
    weekMinuteMean: mean(week),
  }
}

function usuallyInTheMiddle(past: Past, slot: number): { callsPerMinute: number; days: number } | undefined {
  const oldest = slot - 7 * SLOTS_PER_DAY
  const rateOf = (one: number): number[] => {
    const minutes = one < oldest ? [] : known(past, one * 5, one * 5 + 5)
    return minutes.length === 0 ? [] : [sum(minutes) / minutes.length]
  }
  const days = [1, 2, 3, 4, 5, 6, 7].map(day => slot - day * SLOTS_PER_DAY)
  const observed = days.filter(day => rateOf(day).length > 0).length
  if (observed > 0)
    return { callsPerMinute: median(days.flatMap(day => [day - 1, day, day + 1].flatMap(rateOf))), days: observed }
  const lastHour = Array.from({ length: 13 }, (_, back) => slot - back)
  const recent = lastHour.flatMap(rateOf)
  const minutes = sum(lastHour.map(one => known(past, one * 5, one * 5 + 5).length))
  return minutes < 2 ? undefined : { callsPerMinute: median(recent), days: 0 }
}

/** `off`: by which share of themselves numbers may differ from what was counted. */
function expectAsCounted(past: Past, slot: number, off: number): void {
  const { keys, key, coverage } = past
  const near = (name: string, is: number | undefined, should: number | undefined): void => {
    const isNear = should !== undefined && is !== undefined && Math.abs(is - should) <= (off + 1e-6) * should + 1e-6
    expect({ name, is: isNear ? should : is }).toEqual({ name, is: should })
  }
  const plain = plainBaseline(keys, key, coverage, slot)
  const expected = plainly(past, slot)
  near('slotMeanCalls', plain.slotMeanCalls, expected.slotMeanCalls)
  near('slotMinuteMean', plain.slotMinuteMean, expected.slotMinuteMean)
  near('weekMinuteMean', plain.weekMinuteMean, expected.weekMinuteMean)
  // How minutes differ is kept more coarsely: slot-code.test.ts says how.
  if (off === EXACT) near('slotMinuteStdDev', plain.slotMinuteStdDev, expected.slotMinuteStdDev)
  const usual = usualOf(keys, key, coverage, slot)
  const middle = usuallyInTheMiddle(past, slot)
  expect(usual?.days).toEqual(middle?.days)
  near('callsPerMinute', usual?.callsPerMinute, middle?.callsPerMinute)
  const { summed, said } = ringOf(keys, key)
  expect(said).toBe(summed)
}

const EXACT = 0

const stretch = fc.record({
  kind: fc.constantFrom('busy' as const, 'busy' as const, 'idle' as const, 'gap' as const, 'incident' as const),
  minutes: fc.oneof(
    { weight: 2, arbitrary: fc.integer({ min: 1, max: 12 }) },
    { weight: 3, arbitrary: fc.integer({ min: 100, max: 4_000 }) },
    { weight: 1, arbitrary: fc.integer({ min: 9_000, max: 11_000 }) },
  ),
  rate: fc.integer({ min: 1, max: 500 }),
  every: fc.integer({ min: 1, max: 40 }),
})
/** At most six calls in a slot. */
const smallStretch = stretch.map(one => ({ ...one, rate: 1 + (one.rate % 2), every: 5 + one.every }))

function liveThrough(
  past: Past,
  { kind, minutes, rate, every }: typeof stretch extends fc.Arbitrary<infer T> ? T : never,
) {
  for (let minute = 0; minute < minutes; minute++) {
    const calls = past.now % every === 0 ? rate + (past.now % 5) : undefined
    if (kind === 'busy') live(past, 'delivered', calls)
    if (kind === 'idle') live(past, 'delivered', undefined)
    // What little a gap lets through is calls all the same, but of an unknown minute: the owner never teaches it.
    if (kind === 'gap') live(past, 'gap', undefined)
    if (kind === 'incident') live(past, 'incident', calls)
  }
}

describe('the plain statistics and the robust middle', () => {
  test.each([
    ['to the digit where calls are few', smallStretch, EXACT],
    ['within the error of a slot', stretch, WORST_CALLS_ERROR],
  ])('are what a plain list of minutes says, %s, through gaps, incidents, idle weeks and weeks on end', (_, one, off) => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 3_000 }),
        fc.array(one, { minLength: 1, maxLength: 9 }),
        (from, stretches) => {
          const past = pastFrom(MONDAY + from)
          for (const stretch of stretches) {
            liveThrough(past, stretch)
            const slot = Math.floor(past.now / 5)
            expectAsCounted(past, slot, off)
            expectAsCounted(past, slot + 1, off) // an early look may be in the next slot already
          }
        },
      ),
      { numRuns: 40, endOnFailure: true },
    )
  })

  test('keep to the last seven days when the key comes back after six idle ones', () => {
    const past = pastFrom(MONDAY)
    for (let minute = 0; minute < 7 * MINUTES_PER_DAY; minute++) live(past, 'delivered', 70)
    for (let minute = 0; minute < 6 * MINUTES_PER_DAY; minute++) live(past, 'delivered', undefined)
    const { weekMinuteMean } = plainBaseline(past.keys, past.key, past.coverage, past.now / 5)
    // One slot may be 7 % off, the mean of 288 hardly is.
    expect(weekMinuteMean! / 10).toBeCloseTo(1, 2)
  })

  test('are silent under one observed day, and an observed zero is a zero', () => {
    const past = pastFrom(MONDAY)
    for (let minute = 0; minute < MINUTES_PER_DAY - 1; minute++) live(past, 'delivered', undefined)
    expect(plainBaseline(past.keys, past.key, past.coverage, MONDAY / 5 + SLOTS_PER_DAY)).toEqual({
      slotMeanCalls: undefined,
      slotMinuteMean: undefined,
      slotMinuteStdDev: undefined,
      weekMinuteMean: undefined,
    })
    live(past, 'delivered', undefined)
    expect(plainBaseline(past.keys, past.key, past.coverage, MONDAY / 5 + SLOTS_PER_DAY)).toEqual({
      slotMeanCalls: 0,
      slotMinuteMean: 0,
      slotMinuteStdDev: 0,
      weekMinuteMean: 0,
    })
  })
})

describe('what comes otherwise than minute by minute', () => {
  test('a row of five minutes teaches five even minutes', () => {
    const rows = pastFrom(MONDAY)
    const minutes = pastFrom(MONDAY)
    for (let slot = 0; slot < 2 * SLOTS_PER_DAY; slot++) {
      const firstMinute = MONDAY + slot * 5
      learnRow(rows.keys, rows.key, {
        firstMinute,
        minutes: 5,
        calls: 600,
        status4xx: 12,
        status429: 3,
        status5xx: 6,
        latencySumMs: 1_200,
        latencyCount: 600,
      })
      for (let minute = 0; minute < 5; minute++) {
        coverMinute(rows.coverage, firstMinute + minute)
        live(minutes, 'delivered', 120)
      }
    }
    const slot = MONDAY / 5 + 2 * SLOTS_PER_DAY
    const { slotMinuteStdDev, ...means } = plainBaseline(rows.keys, rows.key, rows.coverage, slot)
    const { slotMinuteStdDev: _, ...expected } = plainBaseline(minutes.keys, minutes.key, minutes.coverage, slot)
    expect(means).toEqual(expected)
    // Nothing is known of how the minutes differed: as chance makes them.
    expect(slotMinuteStdDev! / Math.sqrt(120)).toBeCloseTo(1, 1)
    const usual = usualOf(rows.keys, rows.key, rows.coverage, slot)
    expect(Math.abs(usual!.callsPerMinute / 120 - 1)).toBeLessThan(WORST_CALLS_ERROR)
    expect(usual).toMatchObject({
      clientErrorShare: 0.02,
      refusedShare: 0.005,
      failureShare: 0.01,
      latencyMs: 2,
      days: 2,
    })
  })

  test('a late call counts in its slot, on whatever day of the seven', () => {
    const past = pastFrom(MONDAY)
    for (let minute = 0; minute < 3 * MINUTES_PER_DAY; minute++) live(past, 'delivered', 2)
    const { keys, key, coverage, now } = past
    const slot = now / 5
    for (const daysAgo of [1, 2, 3]) learnLateCalls(keys, key, now - daysAgo * MINUTES_PER_DAY + 2, 5)
    expect(plainBaseline(keys, key, coverage, slot)).toMatchObject({ slotMeanCalls: 15, slotMinuteMean: 3 })
    // Neither a call of before the key's ring nor one of a time that is not yet learned is put where it does not belong.
    const before = baselineOf(keys, key)
    learnLateCalls(keys, key, now - 8 * MINUTES_PER_DAY, 1)
    learnLateCalls(keys, key, now + 100, 1)
    expect(baselineOf(keys, key)).toEqual(before)
  })

  test('late calls that come one by one into slots of thousands are not lost: on average each counts', () => {
    const past = pastFrom(MONDAY)
    for (let minute = 0; minute < 2 * MINUTES_PER_DAY; minute++) live(past, 'delivered', 1_000)
    const { keys, key } = past
    const before = ringOf(keys, key)
    for (let slot = 0; slot < SLOTS_PER_DAY; slot++)
      for (let call = 0; call < 500; call++) learnLateCalls(keys, key, MONDAY + slot * 5 + (call % 5), 1)
    const after = ringOf(keys, key)
    expect(after.said).toBe(after.summed)
    // 288 slots, each off by about 180 calls: their sum by about 3,000.
    expect((after.said - before.said) / (SLOTS_PER_DAY * 500)).toBeCloseTo(1, 1)
  })

  test('a late call of an incident is no more learned than the incident', () => {
    const past = pastFrom(MONDAY)
    for (let minute = 0; minute < 2 * MINUTES_PER_DAY; minute++)
      live(past, minute === 2_000 ? 'incident' : 'delivered', 1)
    const before = baselineOf(past.keys, past.key)
    for (let call = 0; call < 1_000; call++) learnLateCalls(past.keys, past.key, MONDAY + 2_000, 1)
    expect(baselineOf(past.keys, past.key)).toEqual(before)
  })

  test('minutes in any order teach the same, as far as slots come in order', () => {
    const minutes = Array.from({ length: 60 }, (_, minute) => minute)
    const shuffledSlots = fc.array(fc.shuffledSubarray([0, 1, 2, 3, 4], { minLength: 5 }), {
      minLength: 12,
      maxLength: 12,
    })
    fc.assert(
      fc.property(shuffledSlots, slots => {
        const learned = (order: readonly number[]) => {
          const { keys, key } = keyFrom(MONDAY)
          for (const minute of order) {
            const answers = { status4xx: minute, status429: 1, status5xx: minute }
            const seen = { calls: 1 + minute * 97, ...answers, latencySumMs: 4, latencyCount: 1 }
            learnMinute(keys, key, MONDAY + minute, seen)
          }
          return baselineOf(keys, key)
        }
        expect(learned(slots.flatMap((order, slot) => order.map(minute => slot * 5 + minute)))).toEqual(
          learned(minutes),
        )
      }),
    )
  })

  test('what is taken back within five minutes leaves what was there before, to the call', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 100_000 }), { minLength: 10, maxLength: 40 }),
        fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }),
        (calls, wrong) => {
          const seen = (minute: number) => ({
            calls: calls[minute] ?? 0,
            ...{ status4xx: 2, status429: 3, status5xx: 1 },
            latencySumMs: 4,
            latencyCount: 1,
          })
          const lastFive = calls.length - 5
          const isWrong = (minute: number) => minute >= lastFive && wrong[minute - lastFive] === true
          const takenBack = keyFrom(MONDAY)
          const neverLearned = keyFrom(MONDAY)
          for (const minute of calls.keys()) {
            learnMinute(takenBack.keys, takenBack.key, MONDAY + minute, seen(minute))
            if (isWrong(minute)) excludeMinute(neverLearned.keys, neverLearned.key, MONDAY + minute)
            else learnMinute(neverLearned.keys, neverLearned.key, MONDAY + minute, seen(minute))
          }
          for (const minute of calls.keys())
            if (isWrong(minute)) unlearnMinute(takenBack.keys, takenBack.key, MONDAY + minute, seen(minute))
          expect(baselineOf(takenBack.keys, takenBack.key)).toEqual(baselineOf(neverLearned.keys, neverLearned.key))
        },
      ),
    )
  })
})

describe('what is usual', () => {
  /** Office hours: a smooth day whose minutes differ from each other as little as counts can. */
  const daily = (minute: number): number => {
    const ofDay = minute % MINUTES_PER_DAY
    return 300 + Math.round(200 * Math.sin((2 * Math.PI * ofDay) / MINUTES_PER_DAY)) + (minute % 3) * 10
  }
  function lived(days: number, calls: (minute: number) => number): Past {
    const past = pastFrom(MONDAY)
    for (let minute = 0; minute < days * MINUTES_PER_DAY; minute++) live(past, 'delivered', calls(MONDAY + minute))
    return past
  }
  const usualAt = ({ keys, key, coverage, now }: Past, minutesOn = 0) =>
    usualOf(keys, key, coverage, Math.floor((now + minutesOn) / 5))

  test('is not known without a past', () => {
    const past = pastFrom(MONDAY)
    expect(usualAt(past)).toBeUndefined()
    live(past, 'delivered', 10)
    expect(usualAt(past)).toBeUndefined()
  })

  test('is the last hour where no day has this slot, from two minutes of it on, and says that no day is behind it', () => {
    const past = pastFrom(MONDAY)
    live(past, 'delivered', 10)
    expect(usualAt(past)).toBeUndefined()
    live(past, 'delivered', 10)
    expect(usualAt(past)).toMatchObject({ callsPerMinute: 10, days: 0 })
    for (let minute = 2; minute < 5; minute++) live(past, 'delivered', 10)
    for (let minute = 0; minute < 5; minute++) live(past, 'delivered', 20)
    expect(usualAt(past)).toMatchObject({ callsPerMinute: 15, days: 0 })
  })

  test('lies in its band at any hour, and the band holds the minutes that come', () => {
    const past = lived(7, daily)
    for (let minutesOn = 0; minutesOn < MINUTES_PER_DAY; minutesOn += 35) {
      const usual = usualAt(past, minutesOn)
      const now = daily(past.now + minutesOn)
      expect(usual).toMatchObject({ days: 7 })
      expect(usual!.lowerPerMinute).toBeLessThan(usual!.callsPerMinute)
      expect(usual!.upperPerMinute).toBeGreaterThan(usual!.callsPerMinute)
      expect(usual!.lowerPerMinute).toBeLessThanOrEqual(now)
      expect(usual!.upperPerMinute).toBeGreaterThanOrEqual(now)
      expect(usual!.upperPerMinute).toBeLessThan(1.5 * now)
    }
  })

  test('is hardly moved by one day that nobody noticed was wild', () => {
    const calm = usualAt(lived(7, daily))!
    const wild = usualAt(
      lived(7, minute => (Math.floor((minute - MONDAY) / MINUTES_PER_DAY) === 3 ? 100 : 1) * daily(minute)),
    )!
    expect(wild.callsPerMinute / calm.callsPerMinute).toBeCloseTo(1, 1)
  })

  test('is surer the more days it rests on', () => {
    const widths = [1, 2, 4, 7].map(days => {
      const { upperPerMinute, lowerPerMinute } = usualAt(lived(days, daily))!
      return upperPerMinute - lowerPerMinute
    })
    expect(widths).toEqual(widths.toSorted((one, other) => other - one))
    expect(new Set(widths).size).toBe(4)
  })

  test('of a tenant who never called is nothing, and every number of it is one', () => {
    const usual = usualAt(lived(2, () => 0))!
    expect(usual).toMatchObject({
      callsPerMinute: 0,
      lowerPerMinute: 0,
      upperPerMinute: 0,
      dispersion: 0,
      failureShare: 0,
    })
    expect(usual.latencyMs).toBeUndefined()
  })

  test('keeps each of its numbers finite and its band in order, whatever the past', () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.nat({ max: 1e6 }), { maxLength: 30 }), { maxLength: 8 }), days => {
        const past = pastFrom(MONDAY)
        for (const minutes of days) {
          for (let minute = 0; minute < MINUTES_PER_DAY; minute++) live(past, 'delivered', minutes[minute])
        }
        const usual = usualAt(past)
        if (usual === undefined) return
        const { lowerPerMinute, callsPerMinute, upperPerMinute, dispersion } = usual
        expect([lowerPerMinute, callsPerMinute, upperPerMinute, dispersion].every(Number.isFinite)).toBe(true)
        expect([0, lowerPerMinute, callsPerMinute, upperPerMinute]).toEqual(
          [0, lowerPerMinute, callsPerMinute, upperPerMinute].toSorted((one, other) => one - other),
        )
        expect(dispersion).toBeGreaterThanOrEqual(0)
      }),
      { numRuns: 20, endOnFailure: true },
    )
  })
})
