import { describe, expect, test } from 'vitest'
import { retryStorms } from './retry-storm.ts'
import { played, sceneOf, shareOf, testingTenant } from './testing-tenant.ts'

const stormOf = (multiple: number) => retryStorms.find(storm => storm.multiple === multiple)!
const isFailed = ({ status }: { readonly status: number }) => status >= 500

describe.each([500, 50, 10, 3])('a storm of %i times the usual', multiple => {
  const storm = stormOf(multiple)
  const scene = sceneOf({ callsPerSecond: 2 })
  const play = played(storm, scene)

  test('climbs there within half a minute, and stays near it after the blip', () => {
    for (let from = 30; from + 30 <= storm.seconds; from += 30) {
      expect(Math.abs(play.timesUsual(from, from + 30) / multiple - 1)).toBeLessThan(0.05)
    }
  })

  test('begins with the first second at half of that', () => {
    const onset = (play.onsetAt! - scene.from) / 1_000
    expect(Number.isInteger(onset)).toBe(true)
    expect(onset).toBeLessThan(30)
    expect(play.timesUsual(onset + 5, onset + 10)).toBeGreaterThan(multiple / 2)
    // Where ten calls a second are no more than the top, demand is that of one second.
    if (multiple >= 10)
      expect(play.made.findIndex(({ length }) => length / scene.usualPerSecond >= multiple / 2)).toBe(onset)
  })

  test('is made of calls that fail', () => {
    expect(shareOf(play.made.slice(60).flat(), isFailed)).toBeGreaterThan(0.6)
  })
})

test.each([10, 50, 500])('%i times: a bug in every size of tenant, and at every pace', multiple => {
  for (const seed of [1, 2, 3, 4, 5, 6]) {
    const play = played(stormOf(multiple), sceneOf({ callsPerSecond: 1 / 30, seed }))
    expect(play.timesUsual(60, 120) / multiple).toBeGreaterThan(0.8)
    expect(play.timesUsual(60, 120) / multiple).toBeLessThan(1.2)
  }
})

test('a tenant that happens to be silent makes the one call that meets the blip', () => {
  const scene = sceneOf({ callsPerSecondAt: () => 0, callsPerSecond: 1 })
  const play = played(stormOf(50), scene)
  expect(play.onsetAt).toBeDefined()
  expect(play.timesUsual(60, 120)).toBeGreaterThan(40)
})

test('whoever calls less than once a minute is not put into a storm', () => {
  expect(stormOf(500).suits(testingTenant({ callsPerSecond: 1 / 90 }))).toBe(false)
  expect(stormOf(500).suits(testingTenant({ callsPerSecond: 1 / 60 }))).toBe(true)
  expect(stormOf(3).suits(testingTenant({ callsPerSecond: 1 / 60 }))).toBe(false)
})
