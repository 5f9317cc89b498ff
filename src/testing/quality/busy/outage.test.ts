import { expect, test } from 'vitest'
import { played, sceneOf, shareOf } from '../misbehaviour/testing-tenant.ts'
import { outages } from './outage.ts'

const [polite, hard] = outages
const scene = (seed = 7) => sceneOf({ callsPerSecond: 2, seed })
const isFailed = ({ status }: { readonly status: number }) => status >= 500

test.each(
  outages.map(outage => [outage.name, outage] as const),
)('%s: all fails for two minutes, and after two more all is well', (_name, outage) => {
  const play = played(outage, scene())
  expect(shareOf(play.made.slice(0, 120).flat(), isFailed)).toBe(1)
  expect(shareOf(play.made.slice(150, 210).flat(), isFailed)).toBeGreaterThan(0.2)
  expect(shareOf(play.made.slice(260).flat(), isFailed)).toBe(0)
  expect(Math.abs(play.timesUsual(260, 600) - 1)).toBeLessThan(0.15)
})

test('who retries politely calls four times as often at most', () => {
  const play = played(polite!, scene())
  expect(play.timesUsual(20, 120)).toBeGreaterThan(3)
  expect(play.timesUsual(20, 120)).toBeLessThan(4.6)
})

test('who retries hard calls 10 to 30 times as often, one more than another', () => {
  const multiples = [1, 2, 3, 4, 5, 6].map(seed => played(hard!, scene(seed), 120).timesUsual(30, 120))
  expect(Math.min(...multiples)).toBeGreaterThan(9)
  expect(Math.max(...multiples)).toBeLessThan(31)
  expect(Math.max(...multiples) - Math.min(...multiples)).toBeGreaterThan(5)
})
