import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createEngine } from './engine.ts'
import {
  type Call,
  inOrder,
  learned,
  type Stream,
  settingsOf,
  steady,
  streamInto,
  TEN,
  taught,
} from './testing-stream.ts'

/** A call on its way: it happened at `at`, and is brought by its partition a while later. */
interface Delivery {
  readonly call: Call
  readonly partition: string
  readonly arrivesAt: number
}

/** Calls of five keys in bursts and pauses over some twenty minutes. */
const calls: fc.Arbitrary<Call[]> = fc
  .array(
    fc.record({
      key: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
      from: fc.integer({ min: 0, max: 1_200_000 }),
      seconds: fc.integer({ min: 1, max: 120 }),
      perSecond: fc.constantFrom(0.1, 0.5, 1, 3),
      status: fc.constantFrom(200, 200, 200, 404, 429, 503),
    }),
    { minLength: 1, maxLength: 25 },
  )
  .map(bursts =>
    inOrder(...bursts.map(({ key, from, ...burst }) => steady(key, { ...burst, from: TEN + from }))).map(call => ({
      ...call,
      latencyMs: call.at % 977,
      route: 1 + Math.imul(call.at % 997, 0x9e3779b1),
      source: 1 + (call.at % 3),
    })),
  )
  .filter(found => found.length > 0)

/** Seeds for how the calls travel: a number for each call, used again when there are more calls. */
const travel = fc.record({
  delays: fc.array(fc.integer({ min: 0, max: 29_000 }), { minLength: 1, maxLength: 50 }),
  partitions: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 20 }),
  batchMs: fc.constantFrom(1, 100, 900, 1_000, 3_700),
})
type Travel = typeof travel extends fc.Arbitrary<infer T> ? T : never

const deliver = (all: readonly Call[], { delays, partitions }: Travel): Delivery[] =>
  all
    .map((call, index) => ({
      call,
      partition: `stream/${partitions[index % partitions.length]}`,
      arrivesAt: call.at + delays[index % delays.length]!,
    }))
    .sort((one, other) => one.arrivesAt - other.arrivesAt)

function groupBy<T, K>(all: readonly T[], keyOf: (one: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>()
  for (const one of all) groups.set(keyOf(one), [...(groups.get(keyOf(one)) ?? []), one])
  return groups
}

/** Brings what arrives in each stretch of `batchMs`, a batch a partition. */
function bring(stream: Stream, deliveries: readonly Delivery[], batchMs: number): void {
  const stretches = groupBy(deliveries, ({ arrivesAt }) => Math.floor(arrivesAt / batchMs))
  for (const stretch of stretches.values()) {
    const arrivedAt = stretch.at(-1)!.arrivesAt
    for (const [partition, part] of groupBy(stretch, one => one.partition))
      stream.give(
        part.map(({ call }) => call),
        { partition, arrivedAt },
      )
  }
  stream.take({ kind: 'end' })
}

const straight: Travel = { delays: [0], partitions: [0], batchMs: 1 }

describe('any order and batching of the same calls, none of them late,', () => {
  const settings = settingsOf({ mode: 'observe' })
  const finally_ = (all: readonly Call[], how: Travel) => {
    const stream = streamInto(createEngine(settings))
    bring(stream, deliver(all, how), how.batchMs)
    return learned(stream.engine)
  }

  test('gives the same baselines, closed windows and evidence', () => {
    fc.assert(
      fc.property(calls, travel, (all, how) => {
        const expected = finally_(all, straight)
        expect(expected[0]?.late).toBe(0)
        expect(finally_(all, how)).toEqual(expected)
      }),
      { numRuns: 40, endOnFailure: true },
    )
  })

  test('teaches the minutes of a storm to nobody, in whatever order it came', () => {
    const rates = { a: 60, b: 60, c: 60, d: 60, e: 60 }
    const usual = Object.keys(rates).map(key => steady(key, { perSecond: 1, from: TEN, seconds: 600 }))
    const storm = steady('a', { perSecond: 40, from: TEN + 200_000, seconds: 90, status: 500 })
    const all = inOrder(...usual, storm)
    const finallyTaught = (how: Travel) => {
      const stream = streamInto(taught(settings, rates))
      bring(stream, deliver(all, how), how.batchMs)
      return learned(stream.engine)
    }
    const expected = finallyTaught(straight)
    expect(expected[0]?.keys.find(({ keyId }) => keyId === 'a')?.baseline.excluded).not.toEqual([])
    fc.assert(
      fc.property(travel, how => {
        expect(finallyTaught(how)).toEqual(expected)
      }),
      { numRuns: 10, endOnFailure: true },
    )
  })

  test('weighs the same calls against a plan, over its beginning and its end', () => {
    const rates = { a: 60, b: 60 }
    const sale = { from: '2026-03-04 10:03', to: '2026-03-04 10:06', upTo: '20x' }
    const planned = settingsOf({ mode: 'observe' }, { client: { keys: ['a'], planned: [sale] } })
    const usual = Object.keys(rates).map(key => steady(key, { perSecond: 1, from: TEN, seconds: 600 }))
    const load = steady('a', { perSecond: 20, from: TEN + 110_000, seconds: 330 })
    const all = inOrder(...usual, load)
    const finallyTaught = (how: Travel) => {
      const stream = streamInto(taught(planned, rates))
      bring(stream, deliver(all, how), how.batchMs)
      return learned(stream.engine)
    }
    const expected = finallyTaught(straight)
    const ofA = expected[0]?.keys.find(({ keyId }) => keyId === 'a')
    expect(ofA?.accumulators?.from).toBe(TEN / 1_000 + 7 * 60)
    fc.assert(
      fc.property(travel, how => {
        expect(finallyTaught(how)).toEqual(expected)
      }),
      { numRuns: 10, endOnFailure: true },
    )
  })
})

describe('batching alone', () => {
  const rates = { a: 60, b: 60, c: 600 }
  /** One arrival for all, so that only the cuts differ. */
  function decisions(deliveries: readonly Delivery[], cuts: readonly number[]) {
    // A gateway that never answers: an answer is an input of its own, and would come at another place in the sequence.
    const stream = streamInto(taught(settingsOf(), rates), () => undefined)
    let from = 0
    let cut = 0
    while (from < deliveries.length) {
      const { partition } = deliveries[from]!
      const longest = from + cuts[cut++ % cuts.length]!
      let to = from + 1
      while (to < longest && deliveries[to]?.partition === partition) to++
      const part = deliveries.slice(from, to).map(({ call }) => call)
      stream.give(part, { partition, arrivedAt: TEN + 400_000 })
      from = to
    }
    return { effects: stream.effects, changes: stream.changes, learned: learned(stream.engine) }
  }

  test('changes nothing, not even what is decided early', () => {
    const storm = steady('a', { perSecond: 60, from: TEN + 100_500, seconds: 40, status: 503 })
    const surge = steady('c', { perSecond: 90, from: TEN + 180_250, seconds: 40 })
    const usual = Object.entries(rates).map(([key, rate]) =>
      steady(key, { perSecond: rate / 60, from: TEN, seconds: 300 }),
    )
    const all = inOrder(...usual, storm, surge)
    fc.assert(
      fc.property(
        travel,
        fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1, maxLength: 10 }),
        ({ delays, partitions, batchMs }, cuts) => {
          const runs = partitions.flatMap(partition => new Array<number>(80).fill(partition))
          const deliveries = deliver(all, { delays, partitions: runs, batchMs })
          const oneByOne = decisions(deliveries, [1])
          expect(oneByOne.changes.map(({ phase }) => phase)).toContain('open')
          expect(decisions(deliveries, cuts)).toEqual(oneByOne)
        },
      ),
      { numRuns: 15, endOnFailure: true },
    )
  })
})
