/** How soon a rise of which size opens, and what must never open: calm, silence, small numbers, usual bursts. */
import { expect, test } from 'vitest'
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

test('the smaller the rise the longer it takes, and what stays within twice the band never opens', () => {
  expect([500, 50, 10, 5, 3, 2].map(times => secondsToOpen(10 * times))).toEqual([1, 2, 9, 21, 41, undefined])
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

test('a tenant who usually calls nothing opens with more than twenty sure calls, not with twenty', () => {
  const silent = { callsPerMinute: 0, lowerPerMinute: 0, upperPerMinute: 0, failureShare: 0, dispersion: 0 }

  expect(judge(sequentialSurge, { usual: silent, seconds: [{ status2xx: 20 }] })?.score).toBeLessThanOrEqual(1)
  expect(judge(sequentialSurge, { usual: silent, seconds: [{ status2xx: 22 }] })?.score).toBeGreaterThan(1)
})

test('a burst that is usual within a minute is no surge, although it is impossible within its second', () => {
  const batches = { callsPerMinute: 30, upperPerMinute: 400 }

  expect(judge(sequentialSurge, { usual: batches, seconds: [...repeat(60, {}), { status2xx: 400 }] })?.score).toBe(0.5)
})

test('without history it is silent, whatever comes', () => {
  expect(judge(sequentialSurge, { usual: undefined, seconds: repeat(60, { status2xx: 10_000 }) })).toBeUndefined()
})
