import { expect, test } from 'vitest'
import type { OwnReach, Usual } from '../../../detectors/contract.ts'
import { refusedAWeek, sizeKnown } from './known-need.ts'
import type { SizingPolicy } from './sizing.ts'

const policy: SizingPolicy = {
  ...{ headroom: 1.5, refuseAtMost: 0, floorPerSecond: 1, burstSeconds: 2, leastDays: 5, allDays: false },
}
const reach = (seconds: OwnReach['seconds'], upperCalls: number, busiestCalls: number | undefined): OwnReach => ({
  ...{ seconds, upperCalls, busiestCalls, perWeek: 4, tail: 2, cautiousTail: 1 },
})
const usual: Usual = {
  ...{
    callsPerMinute: 500,
    lowerPerMinute: 400,
    upperPerMinute: 600,
    slotUpperPerMinute: 600,
    slotLowerPerMinute: 400,
  },
  ...{ dispersion: 0, clientErrorShare: 0, refusedShare: 0, failureShare: 0, answered: 1, latencyMs: 100, days: 7 },
  ...{ reaches: [reach(10, 120, 300), reach(60, 600, 1_200), reach(300, 3_000, 4_000)], longestPause: undefined },
} as Usual

test('by a state the rate is the busiest minute’s, and the burst the busiest ten seconds’, with headroom', () => {
  const sizing = sizeKnown({ keyId: 'key-a', calls: 1_000, knownDays: 7, usual }, policy)
  expect(sizing).toMatchObject({
    ...{ basis: 'state', upperPerMinute: 600, busiest: { second: undefined, tenSeconds: 300, minute: 1_200 } },
    suggestion: { limits: { rateLimit: 30, burstLimit: 500 } },
  })
})

test('who is not known for two days yet is sized by the band alone, if that is wanted', () => {
  const young = {
    ...usual,
    reaches: [reach(10, 120, undefined), reach(60, 600, undefined), reach(300, 3_000, undefined)],
  }
  const need = { keyId: 'key-a', calls: 1_000, knownDays: 1, usual: young }
  expect(sizeKnown(need, policy).suggestion).toEqual({ kind: 'none', because: 'too-young' })
  expect(sizeKnown(need, { ...policy, leastDays: 1 }).suggestion).toMatchObject({
    limits: { rateLimit: 15, burstLimit: 150 },
  })
  expect(sizeKnown({ ...need, usual: undefined }, { ...policy, leastDays: 1 }).suggestion).toMatchObject({
    because: 'no-calls',
  })
})

test('how much is refused a week is what the tail brings beyond what the bucket lets through', () => {
  // 1,200 in a minute are twice the upper end: once a week by 4 · 2^-2, and a Pareto tail of 2 brings as much again beyond.
  expect(refusedAWeek([reach(60, 600, undefined)], { rateLimit: 10, burstLimit: 600 })).toBeCloseTo(1_200)
  // Ten seconds of which the upper end is some calls at the least say nothing of a bucket below that.
  expect(
    refusedAWeek([reach(10, 20, undefined), reach(60, 20, undefined)], { rateLimit: 1, burstLimit: 2 }),
  ).toBeCloseTo(4 * (62 / 20) ** -2 * 62)
})
