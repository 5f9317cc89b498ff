import { expect, test } from 'vitest'
import { detectorShares, noisiest, timelineOf } from './share.ts'
import { labelled, told } from './testing-told.ts'

test('a detector is alone where no other that may open has spoken; corroborators do not count', () => {
  const incidents = [
    told('a', 100, { detectors: ['surge', 'sigma'] }),
    told('b', 200, { detectors: ['surge', 'storm'], severity: 'high' }),
  ]
  expect(detectorShares(incidents, ['surge', 'storm'], [labelled('b', 'true', 200)])).toEqual([
    { detector: 'surge', spoke: 2, pages: 1, alone: 1, labelledTrue: 1, labelledFalse: 0 },
    { detector: 'storm', spoke: 1, pages: 1, alone: 0, labelledTrue: 1, labelledFalse: 0 },
    { detector: 'sigma', spoke: 1, pages: 0, alone: 0, labelledTrue: 0, labelledFalse: 0 },
  ])
})

test('keys of one tenant are one client, and pages weigh more than any number of the rest', () => {
  const before = [
    ...[1, 2, 3].map(at => told('lively', at * 1_000)),
    told('k1', 100, { tenant: 'Acme', severity: 'high' }),
    told('k2', 100, { tenant: 'Acme' }),
  ]
  expect(noisiest(before, [told('lively', 1_000)])).toEqual([
    { who: 'Acme', pages: 1, low: 1, afterPages: 0, afterLow: 0 },
    { who: 'lively', pages: 0, low: 3, afterPages: 0, afterLow: 1 },
  ])
})

test('stretches of a timeline begin at whole days or weeks, and hold what opened in them', () => {
  const day = 86_400
  const { starts, lengthMs, byDetector } = timelineOf([told('a', 1.5 * day), told('b', 1.6 * day)], {
    ...{ from: 0.5 * day * 1_000, to: 7.2 * day * 1_000 },
  })
  expect(lengthMs).toBe(day * 1_000)
  expect(starts).toEqual([0, 1, 2, 3, 4, 5, 6, 7].map(index => index * day * 1_000))
  expect([...byDetector]).toEqual([['sequential-surge', [0, 2, 0, 0, 0, 0, 0, 0]]])
})
