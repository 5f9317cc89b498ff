import { expect, test } from 'vitest'
import { monthlyCost, readingUsd } from './cost.ts'

test('200 keys are 400 metrics: $120 for them, and 43 cents for a request a minute', () => {
  expect(monthlyCost(400)).toEqual({ metrics: 400, requests: 43_200, usd: expect.closeTo(120.432, 6) })
})

test('each tier is asked for what lies in it', () => {
  const metricsOnly = (metrics: number) => monthlyCost(metrics).usd - monthlyCost(metrics).requests * 1e-5
  expect(
    [0, 1, 10_000, 10_001, 250_000, 1_000_000, 1_000_100].map(n => Math.round(metricsOnly(n) * 100) / 100),
  ).toEqual([...[0, 0.3, 3_000, 3_000.1, 27_000, 64_500, 64_502]])
})

test('what does not fit into one request a minute takes two', () => {
  expect([999, 1_000, 1_001].map(metrics => monthlyCost(metrics).requests)).toEqual([43_200, 43_200, 86_400])
})

test('reading 10,000 keys day by day costs seventy cents', () => {
  expect(readingUsd(70_000)).toBeCloseTo(0.7, 9)
})
