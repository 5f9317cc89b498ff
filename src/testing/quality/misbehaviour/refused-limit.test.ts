import { expect, test } from 'vitest'
import { refusedLimit } from './refused-limit.ts'
import { played, sceneOf, shareOf } from './testing-tenant.ts'

test('five times the usual is asked, two thirds of it are refused, and that slows nothing', () => {
  const play = played(refusedLimit, sceneOf({ callsPerSecond: 2 }))
  const isRefused = ({ status }: { readonly status: number }) => status === 429
  for (const from of [0, 200, 400]) {
    expect(Math.abs(play.timesUsual(from, from + 200) - 5)).toBeLessThan(0.5)
    expect(Math.abs(shareOf(play.made.slice(from, from + 200).flat(), isRefused) - 2 / 3)).toBeLessThan(0.05)
  }
  expect(shareOf(play.calls, ({ status }) => status >= 500)).toBe(0)
})
