import { expect, test } from 'vitest'
import type { RoutesSeen } from './contract.ts'
import { enumeration } from './enumeration.ts'
import { judge, repeat, type Story } from './testing-view.ts'

/** Twelve routes a minute, hardly ever more than twenty. */
const seen = (routes: Partial<RoutesSeen>): RoutesSeen => ({
  ...{ last60s: 12, last5min: 15, mostCalled: { calls: 900, evenness: 1 } },
  usual: { perMinute: 12, upperPerMinute: 20, upperEvenCalls: 0 },
  ...routes,
})
const asUsual: Story = { seconds: repeat(300, { status2xx: 10 }) }
const scoreOf = (routes: RoutesSeen | undefined, story = asUsual) => judge(enumeration, { ...story, routes })?.score

test('who reads two items a second, none of them twice, is seen within two minutes', () => {
  expect(scoreOf(seen({ last60s: 130, last5min: 140 }))).toBeLessThan(1)
  expect(scoreOf(seen({ last60s: 130, last5min: 160 }))).toBeGreaterThan(1)
})

test('a sale brings four times the calls, and where ids are in the paths four times the routes: it is none', () => {
  const busy = seen({ last60s: 400, last5min: 1_500, usual: { perMinute: 90, upperPerMinute: 100, upperEvenCalls: 0 } })
  expect(scoreOf(busy, { seconds: repeat(300, { status2xx: 50 }) })).toBeLessThan(1)
  expect(scoreOf(busy)).toBeGreaterThan(1)
})

test('who crawls by trade is left alone, and so is who opens a page with a hundred parts', () => {
  expect(
    scoreOf(seen({ last60s: 800, last5min: 2_500, usual: { perMinute: 60, upperPerMinute: 700, upperEvenCalls: 0 } })),
  ).toBeLessThan(1)
  expect(scoreOf(seen({ last60s: 100, last5min: 110 }))).toBeLessThan(1)
})

test('a tiny tenant may call each of its twenty routes in peace, and not two hundred', () => {
  const usual = { perMinute: 1, upperPerMinute: 1, upperEvenCalls: 0 }
  const tiny = { usual: { callsPerMinute: 1, upperPerMinute: 2 }, seconds: repeat(300, { status2xx: 2 }) }
  expect(scoreOf(seen({ last60s: 20, last5min: 20, usual }), tiny)).toBeLessThan(1)
  expect(scoreOf(seen({ last60s: 120, last5min: 200, usual }), tiny)).toBeGreaterThan(1)
})

test('it is blind without routes, and silent until ten minutes of them are known', () => {
  expect(scoreOf(undefined)).toBeUndefined()
  expect(scoreOf(seen({ last60s: 900, last5min: 2_000, usual: undefined }))).toBeUndefined()
})

test('it tells how many routes there were, and how many there are usually', () => {
  expect(judge(enumeration, { ...asUsual, routes: seen({ last60s: 130, last5min: 600 }) })?.evidence).toEqual([
    { measure: 'distinct routes in 60 s', observed: 130, usual: 12 },
    { measure: 'distinct routes in 5 min', observed: 600, usual: undefined },
  ])
})
