import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Usual } from '../../../detectors/contract.ts'
import {
  type Accumulators,
  accumulate,
  accumulateOpen,
  createAccumulators,
  createEarlyEvidence,
  keepUp,
  lookTo,
  MULTIPLES,
  mostEarlyNats,
  mostNats,
  resetAccumulators,
  type SequentialModel,
  sequentialEvidence,
  sequentialModel,
} from './accumulator.ts'
import { addCall, CALLS, closePane, createPanes, type KeyPanes, openPane, paneCount, paneSecond } from './pane.ts'

const START = 1_772_618_400
const usually = (callsPerMinute: number, dispersion = 0.1): Usual => ({
  callsPerMinute,
  lowerPerMinute: callsPerMinute,
  upperPerMinute: callsPerMinute,
  slotUpperPerMinute: callsPerMinute,
  slotLowerPerMinute: callsPerMinute,
  longestPause: undefined,
  dispersion,
  clientErrorShare: 0,
  refusedShare: 0,
  failureShare: 0,
  answered: 0,
  latencyMs: undefined,
  days: 7,
  reaches: [],
})

/** The header's formula, second by second, one accumulator. */
function pageByPage(
  counts: readonly number[],
  { perSecond, multiple, dispersion }: { perSecond: number; multiple: number; dispersion: number },
) {
  const k = 1 / dispersion
  const tilt = Math.log((k + multiple * perSecond) / (k + perSecond))
  let nats = 0
  let calls = 0
  let usualCalls = 0
  let since = START
  for (const [second, count] of counts.entries()) {
    if (nats <= 0) [nats, calls, usualCalls, since] = [0, 0, 0, START + second]
    nats = Math.min(60, Math.max(0, nats + count * (Math.log(multiple) - tilt) - k * tilt))
    calls += count
    usualCalls += perSecond
  }
  return nats <= 0 ? undefined : { multiple, nats, since: since * 1_000, calls, usualCalls }
}

/** Each look adds up at once all that has come: slower, and plainly right. */
function lookEagerly(
  early: { readonly accumulators: Accumulators; model: SequentialModel | undefined; isStale: boolean },
  closed: Accumulators,
  model: SequentialModel,
  panes: KeyPanes,
  endSecond: number,
): void {
  const { accumulators } = early
  if (early.isStale || early.model !== model || accumulators.upTo < closed.upTo) {
    accumulators.bank.set(closed.bank)
    accumulators.upTo = closed.upTo
    early.model = model
    early.isStale = false
  }
  for (let index = panes.firstOpen; index < panes.end; index++) {
    const second = paneSecond(panes, index)
    if (second >= accumulators.upTo && second < endSecond)
      accumulate(accumulators, model, second, paneCount(panes, index, CALLS))
  }
}

describe('sequential evidence', () => {
  const counts = fc.array(fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.integer({ min: 0, max: 60 })), {
    minLength: 1,
    maxLength: 120,
  })

  test('is Page’s sum of every second, though only seconds with calls are taken in', () => {
    fc.assert(
      fc.property(counts, fc.integer({ min: 1, max: 600 }), fc.constantFrom(0.1, 0.4, 2), (all, rate, dispersion) => {
        const model = sequentialModel(usually(rate, dispersion))
        const accumulators = createAccumulators()
        for (const [second, calls] of all.entries())
          if (calls > 0) accumulate(accumulators, model, START + second, calls)
        const evidence = sequentialEvidence(accumulators, model, START + all.length)
        for (const [index, multiple] of MULTIPLES.entries()) {
          const expected = pageByPage(all, { perSecond: model.usualPerSecond, multiple, dispersion })
          const found = evidence[index]!
          expect(found.nats).toBeCloseTo(expected?.nats ?? 0, 6)
          if (expected === undefined || expected.nats < 1e-6) continue
          expect([found.since, found.calls]).toEqual([expected.since, expected.calls])
          expect(found.usualCalls).toBeCloseTo(expected.usualCalls, 6)
        }
      }),
    )
  })

  test('of open panes lies on top of the closed, and leaves them as they were', () => {
    fc.assert(
      fc.property(counts, fc.nat({ max: 120 }), (all, closed) => {
        const model = sequentialModel(usually(60))
        const panes = createPanes()
        const closedOnes = createAccumulators()
        const everything = createAccumulators()
        for (const [second, calls] of all.entries()) {
          if (calls === 0) continue
          for (let call = 0; call < calls; call++) addCall(panes, openPane(panes, START + second), 0, 200, -1, -1)
          accumulate(everything, model, START + second, calls)
          if (second >= closed) continue
          accumulate(closedOnes, model, START + second, calls)
          panes.firstOpen = panes.end
        }
        const before = structuredClone(closedOnes)
        const end = START + all.length
        const early = createEarlyEvidence()
        lookTo(early, closedOnes, model, panes, end)
        expect(sequentialEvidence(accumulateOpen(early, model, panes, end), model, end)).toEqual(
          sequentialEvidence(everything, model, end),
        )
        expect(closedOnes).toEqual(before)
      }),
    )
  })

  test('is the same to the bit when it is added up only now and then, and never above its bound', () => {
    const happening = fc.oneof(
      {
        weight: 10,
        arbitrary: fc.record({ kind: fc.constant('calls' as const), back: fc.nat(40), calls: fc.nat(12) }),
      },
      { weight: 10, arbitrary: fc.record({ kind: fc.constant('look' as const), asks: fc.nat(9) }) },
      {
        weight: 1,
        arbitrary: fc.record({ kind: fc.constant('usual' as const), rate: fc.integer({ min: 1, max: 600 }) }),
      },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('anew' as const) }) },
    )
    fc.assert(
      fc.property(fc.array(happening, { maxLength: 300 }), fc.integer({ min: 1, max: 600 }), (happenings, rate) => {
        const panes = createPanes()
        const closed = createAccumulators()
        const early = createEarlyEvidence()
        const eager = {
          accumulators: createAccumulators(),
          model: undefined as SequentialModel | undefined,
          isStale: true,
        }
        let model = sequentialModel(usually(rate))
        let closingModel = model
        let now = START
        let closedTo = START
        for (const one of happenings) {
          if (one.kind === 'usual') {
            closingModel = model
            model = sequentialModel(usually(one.rate))
          } else if (one.kind === 'anew') {
            resetAccumulators(closed)
            early.isStale = true
            eager.isStale = true
          } else if (one.kind === 'calls') {
            const second = Math.max(closedTo, now - one.back)
            for (let call = 0; call < one.calls; call++) addCall(panes, openPane(panes, second), 0, 200, -1, -1)
            if (second < early.lookedTo) early.isStale = true
            if (second < eager.accumulators.upTo) eager.isStale = true
          } else {
            now++
            lookTo(early, closed, model, panes, now)
            lookEagerly(eager, closed, model, panes, now)
            const expected = sequentialEvidence(eager.accumulators, model, now)
            expect(mostEarlyNats(early, model, panes)).toBeGreaterThanOrEqual(mostNats(eager.accumulators) * (1 - 1e-9))
            if (one.asks === 0)
              expect(sequentialEvidence(accumulateOpen(early, model, panes, now), model, now)).toEqual(expected)
            while (panes.firstOpen < panes.end && paneSecond(panes, panes.firstOpen) < now - 35) {
              const index = closePane(panes)
              keepUp(early, paneSecond(panes, index), paneCount(panes, index, CALLS))
              accumulate(closed, closingModel, paneSecond(panes, index), paneCount(panes, index, CALLS))
            }
            closedTo = Math.max(closedTo, now - 35)
          }
        }
      }),
      { numRuns: 300 },
    )
  })

  test('of a second that is quiet is nothing, and of one call more it is something', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1e6, noNaN: true }),
        fc.double({ min: 0, max: 10, noNaN: true }),
        (rate, d) => {
          const model = sequentialModel(usually(rate, d))
          const natsOf = (calls: number) => {
            const accumulators = createAccumulators()
            // What was there and is gone: the shortcut for nothing upon nothing must not be taken.
            accumulators.bank.fill(Number.MIN_VALUE)
            accumulate(accumulators, model, START, calls)
            return mostNats(accumulators)
          }
          expect(natsOf(model.quiet)).toBeLessThanOrEqual(Number.MIN_VALUE)
          expect(natsOf(model.quiet + 2)).toBeGreaterThan(0)
        },
      ),
    )
  })

  test('is never lowered by a call that was missing, and neither is what it counts beyond the usual', () => {
    fc.assert(
      fc.property(counts, fc.nat(), fc.integer({ min: 1, max: 300 }), (all, where, rate) => {
        const model = sequentialModel(usually(rate))
        const evidenceOf = (of: readonly number[]) => {
          const accumulators = createAccumulators()
          for (const [second, calls] of of.entries())
            if (calls > 0) accumulate(accumulators, model, START + second, calls)
          return sequentialEvidence(accumulators, model, START + of.length)
        }
        const more = all.with(where % all.length, all[where % all.length]! + 1)
        for (const [index, without] of evidenceOf(all).entries()) {
          const { nats, calls, usualCalls } = evidenceOf(more)[index]!
          expect(nats).toBeGreaterThanOrEqual(without.nats - 1e-9)
          // Until it is sure it is only a number that begins anew with each reset; above the cap it stays.
          const score = (of: { nats: number; calls: number; usualCalls: number }) =>
            Math.min(of.nats / 19, (of.calls - of.usualCalls) / 20)
          expect(score({ nats, calls, usualCalls })).toBeGreaterThanOrEqual(score(without) - 1e-9)
        }
      }),
      { numRuns: 500 },
    )
  })

  test('is sure of a storm in a second, of a threefold rise within a minute, and of the usual never', () => {
    const secondsUntil = (callsPerSecond: number): number | undefined => {
      const model = sequentialModel(usually(600))
      const accumulators = createAccumulators()
      for (let second = 0; second < 600; second++) {
        accumulate(accumulators, model, START + second, callsPerSecond)
        const nats = sequentialEvidence(accumulators, model, START + second + 1).map(one => one.nats)
        if (Math.max(...nats) > 19) return second + 1
      }
      return undefined
    }
    expect(secondsUntil(5_000)).toBe(1)
    expect(secondsUntil(30)).toBeLessThan(60)
    expect(secondsUntil(10)).toBeUndefined()
    expect(secondsUntil(15)).toBeUndefined()
  })

  test('says nothing without a model, and nothing after a reset', () => {
    const model = sequentialModel(usually(60))
    const accumulators = createAccumulators()
    accumulate(accumulators, model, START, 100)
    expect(sequentialEvidence(accumulators, undefined, START + 1)).toEqual([])
    resetAccumulators(accumulators)
    expect(sequentialEvidence(accumulators, model, START + 1).map(({ nats }) => nats)).toEqual([0, 0])
  })

  test('fades while the key is silent', () => {
    const model = sequentialModel(usually(60))
    const accumulators = createAccumulators()
    accumulate(accumulators, model, START, 20)
    const nats = [1, 2, 5, 600].map(after => sequentialEvidence(accumulators, model, START + after)[0]!.nats)
    expect(nats).toEqual(nats.toSorted((one, other) => other - one))
    expect(nats.at(-1)).toBe(0)
  })
})
