/** What is kept of a survey must be what a survey of that moment would find, or a restart would decide otherwise. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Engine } from '../engine.ts'
import { watching } from '../engine-state.ts'
import type { KeyState } from '../state/key-state.ts'
import { type Call, inOrder, type Stream, settingsOf, steady, streamInto, TEN, taught } from '../testing-stream.ts'
import { surveyFleet } from './fleet.ts'
import { holdsLimit } from './incident-questions.ts'
import { clientOf, SURVEY_SECONDS } from './owner-survey.ts'

const rates = { a1: 60, a2: 30, b: 60, c: 6, d: 120 }
const tenants = { A: { keys: ['a1', 'a2'] } }
const settings = (keyed: boolean) =>
  settingsOf({ source: { kind: 'kafka', brokers: ['127.0.0.1:9092'], topic: 't', keyed } }, tenants)

/** Bursts of five keys of four clients, some of failures, over five minutes and across a slot's end. */
const bursts = fc.array(
  fc.record({
    key: fc.constantFrom(...Object.keys(rates)),
    from: fc.integer({ min: 150_000, max: 450_000 }),
    seconds: fc.integer({ min: 1, max: 60 }),
    perSecond: fc.constantFrom(0.3, 1, 5, 30),
    status: fc.constantFrom(200, 200, 429, 503),
  }),
  { minLength: 3, maxLength: 15 },
)
type Bursts = typeof bursts extends fc.Arbitrary<infer T> ? T : never

const callsOf = (all: Bursts): Call[] =>
  inOrder(...all.map(({ key, from, ...burst }) => steady(key, { ...burst, from: TEN + from })))

const how = fc.record({
  keyed: fc.boolean(),
  batch: fc.integer({ min: 30, max: 400 }),
  delays: fc.array(fc.integer({ min: 0, max: 5_000 }), { minLength: 1, maxLength: 20 }),
})

/** As much of it as a decision asks about, in an order of its own. */
function asked(engine: Engine) {
  const { owners, failingClients, ...figures } = surveyFleet(engine)
  const sums = [...owners.values()].flatMap(({ keys }) => [...keys].map(([{ keyId }, sums]) => [keyId, sums] as const))
  return { ...figures, failingClients: [...failingClients].sort(), sums: new Map(sums.sort()) }
}

test('a survey that is kept is what one of this moment would find, and no call in it is missing', () => {
  fc.assert(
    fc.property(bursts, how, (all, { keyed, batch, delays }) => {
      const stream = streamInto(taught(settings(keyed), rates))
      const travelled = callsOf(all)
        .map((call, index) => ({ ...call, arrivesAt: call.at + delays[index % delays.length]! }))
        .sort((one, other) => one.arrivesAt - other.arrivesAt)
      const given: Call[] = []
      for (let from = 0; from < travelled.length; from += batch) {
        const some = travelled.slice(from, from + batch)
        given.push(...some)
        giveByKey(stream, some, keyed)
        const kept = asked(stream.engine)
        expect(kept).toEqual(asked({ ...stream.engine, surveys: new WeakMap() }))
        if (!keyed)
          expect(Object.fromEntries([...kept.sums].map(([key, { calls }]) => [key, calls]))).toEqual(counted(given))
      }
    }),
    { numRuns: 12, endOnFailure: true },
  )
})

function giveByKey(stream: Stream, calls: readonly (Call & { arrivesAt: number })[], keyed: boolean): void {
  const arrivedAt = calls.at(-1)!.arrivesAt
  for (const partition of keyed ? Object.keys(rates) : ['all']) {
    const some = keyed ? calls.filter(({ key }) => key === partition) : calls
    if (some.length > 0) stream.give(some, { partition, arrivedAt })
  }
  stream.tick(arrivedAt)
}

/** Calls by key in the ten seconds up to the newest second. */
function counted(calls: readonly Call[]): Readonly<Record<string, number>> {
  const end = Math.floor(Math.max(...calls.map(({ at }) => at)) / 1_000) + 1
  const counts: Record<string, number> = {}
  for (const { key, at } of calls) if (at >= (end - SURVEY_SECONDS) * 1_000) counts[key] = (counts[key] ?? 0) + 1
  return counts
}

test('keys whose limit is lowered are known without asking all that have an incident', () => {
  fc.assert(
    fc.property(bursts, some => {
      const all = callsOf(some)
      const stream = streamInto(taught(settings(false), rates))
      for (let from = 0; from < all.length; from += 200) {
        stream.give(all.slice(from, from + 200))
        for (const { incidents, limited } of watching(stream.engine.state))
          expect(idsOf(limited)).toEqual(idsOf([...incidents].filter(({ incident }) => holdsLimit(incident))))
      }
    }),
    { numRuns: 10, endOnFailure: true },
  )
})

const idsOf = (keys: Iterable<KeyState>): string[] => [...keys].map(({ keyId }) => keyId).sort()

test('several keys of a tenant are one client', () => {
  const { tenants } = settings(false)
  const clients = Object.keys(rates).map(key => clientOf(tenants, key as never))
  expect(new Set(clients).size).toBe(4)
})
