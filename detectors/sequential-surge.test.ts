/** How soon a rise of which size opens, and what must never open: calm, silence, small numbers, usual bursts. */
import { expect, test } from 'vitest'
import type { OwnReach } from './contract.ts'
import { sequentialSurge } from './sequential-surge.ts'
import { HALF_PAST, judge, repeat, type Story } from './testing-view.ts'

const usualMinute = repeat(240, { status2xx: 10 })

/** Seconds of `second` after calm until the score is above 1, or undefined if `patience` seconds of it are not enough. */
function secondsToOpen(second: number, { patience = 120, ...story }: Story & { patience?: number } = {}) {
  const calm = story.seconds ?? usualMinute
  for (let length = 1; length <= patience; length++) {
    const finding = judge(sequentialSurge, { ...story, seconds: [...calm, ...repeat(length, { status2xx: second })] })
    if (finding && finding.score > 1) return length
  }
  return undefined
}

interface Reached {
  readonly upperCalls?: readonly number[]
  readonly perWeek: number
  readonly tail: number
  readonly busiest?: 'unknown'
}

/** A middling tenant's ten calls a second, with another past. */
function reachesOf({ upperCalls = [130, 700, 3_300], perWeek, tail, busiest }: Reached): readonly OwnReach[] {
  return ([10, 60, 300] as const).map((seconds, index) => ({
    ...{ seconds, perWeek, tail, cautiousTail: tail, upperCalls: upperCalls[index] ?? 0 },
    busiestCalls: busiest === 'unknown' ? undefined : 20 * seconds,
  }))
}

test('a storm of 500 times the usual opens in its first second, and the finding says since when and how fast', () => {
  const finding = judge(sequentialSurge, { seconds: [...usualMinute, { status2xx: 5_000 }] })

  expect(finding).toMatchObject({
    kind: 'surge',
    evidence: [
      { measure: 'calls/min since it began', observed: 300_000, usual: 600 },
      { measure: 'evidence in nats', usual: undefined },
    ],
    since: HALF_PAST - 1_000,
  })
  expect(finding?.score).toBeGreaterThan(3)
})

test('the smaller the rise the longer it takes, and what stays within the band never opens', () => {
  expect([500, 50, 10, 5, 3, 2].map(times => secondsToOpen(10 * times))).toEqual([1, 1, 1, 2, 3, 5])
  expect(secondsToOpen(11, { patience: 300 })).toBeUndefined()
})

test('the more often a key goes far by itself, the farther it has to go, up to half as much again as its busiest ever', () => {
  const secondsOf = (perWeek: number) => secondsToOpen(50, { usual: { reaches: reachesOf({ perWeek, tail: 1 }) } })

  expect([0.1, 4, 8, 1_000].map(secondsOf)).toEqual([2, 5, 7, 7])
})

test('calm scores nothing, however long it lasts', () => {
  expect(judge(sequentialSurge, { seconds: repeat(300, { status2xx: 10 }) })).toMatchObject({
    score: 0,
    since: HALF_PAST,
  })
})

test('silence scores nothing: only too much is a surge', () => {
  expect(judge(sequentialSurge, {})?.score).toBe(0)
})

test('a tiny tenant may grow tenfold in peace', () => {
  const tiny = { callsPerMinute: 1, lowerPerMinute: 0, upperPerMinute: 3, failureShare: 0 }
  const tenfold = Array.from({ length: 60 }, (_, second) => ({ status2xx: second % 6 === 0 ? 1 : 0 }))

  expect(judge(sequentialSurge, { usual: tiny, seconds: tenfold })?.score).toBeLessThan(1)
})

test('a tenant who usually calls nothing opens with a few more than twenty sure calls, not with twenty', () => {
  const reaches = reachesOf({ upperCalls: [20, 20, 20], perWeek: 0.4, tail: 2.5, busiest: 'unknown' })
  const silent = { callsPerMinute: 0, lowerPerMinute: 0, upperPerMinute: 0, failureShare: 0, dispersion: 0, reaches }

  expect(judge(sequentialSurge, { usual: silent, seconds: [{ status2xx: 20 }] })?.score).toBeLessThanOrEqual(1)
  expect(judge(sequentialSurge, { usual: silent, seconds: [{ status2xx: 23 }] })?.score).toBeGreaterThan(1)
})

test('a burst that is usual within a minute is no surge, although it is impossible within its second', () => {
  const reaches = reachesOf({ upperCalls: [400, 400, 2_000], perWeek: 0.4, tail: 4, busiest: 'unknown' })
  const batches = { callsPerMinute: 30, upperPerMinute: 400, reaches }

  expect(
    judge(sequentialSurge, { usual: batches, seconds: [...repeat(60, {}), { status2xx: 400 }] })?.score,
  ).toBeLessThan(1)
})

test('without history it is silent, whatever comes', () => {
  expect(judge(sequentialSurge, { usual: undefined, seconds: repeat(60, { status2xx: 10_000 }) })).toBeUndefined()
})
