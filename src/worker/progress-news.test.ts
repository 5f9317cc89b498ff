import { expect, test } from 'vitest'
import { createProgressNews } from './progress-news.ts'

const report = { effectId: 'k1#1/throttle-1', ahead: 2, waitMs: 40_000, because: undefined }

test('that the wait grows shorter as time passes is no news; that another goes first, or that a try failed, is', () => {
  const news = createProgressNews()
  expect(news([report], 0)).toEqual([report])
  expect(news([{ ...report, waitMs: 30_000 }], 10_000)).toEqual([])
  expect(news([{ ...report, waitMs: 40_000 }], 15_000)).toEqual([{ ...report, waitMs: 40_000 }])
  expect(news([{ ...report, ahead: 1, waitMs: 20_000 }], 35_000)).toHaveLength(1)
  expect(news([{ ...report, ahead: 1, waitMs: 15_000, because: 'it failed' }], 40_000)).toHaveLength(1)
  expect(news([{ ...report, ahead: 1, waitMs: 14_000, because: 'it failed' }], 41_000)).toEqual([])
})

test('what is under way no more is forgotten', () => {
  const news = createProgressNews()
  news([report], 0)
  news([], 1_000)
  expect(news([report], 2_000)).toEqual([report])
})
