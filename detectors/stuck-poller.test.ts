import { expect, test } from 'vitest'
import type { RoutesSeen, RoutesUsual } from './contract.ts'
import { stuckPoller } from './stuck-poller.ts'
import { judge, type Story } from './testing-view.ts'

const usual: RoutesUsual = { perMinute: 3, upperPerMinute: 4, upperEvenCalls: 0 }
const seen = (mostCalled: RoutesSeen['mostCalled'], upperEvenCalls = 0): RoutesSeen => ({
  ...{ last60s: 3, last5min: 4, mostCalled },
  usual: { ...usual, upperEvenCalls },
})
/** One that usually calls twenty times a minute. */
const small: Story = { usual: { callsPerMinute: 20, upperPerMinute: 30 } }
const scoreOf = (routes: RoutesSeen | undefined, story = small) => judge(stuckPoller, { ...story, routes })?.score

test('one call a second for five minutes, each like the other, is a machine that nobody stopped', () => {
  expect(scoreOf(seen({ calls: 300, evenness: 90 }))).toBeGreaterThan(1)
})

test('as many calls by people, or with pauses, are none', () => {
  expect(scoreOf(seen({ calls: 300, evenness: 1.4 }))).toBeLessThan(1)
  expect(scoreOf(seen({ calls: 300, evenness: 0 }))).toBe(0)
})

test('a health check every ten seconds is too little to tell anybody of', () => {
  expect(scoreOf(seen({ calls: 30, evenness: 18 }))).toBeLessThan(1)
})

test('who polls by trade may, and who polls twice as often as ever is told of', () => {
  expect(scoreOf(seen({ calls: 300, evenness: 90 }, 290))).toBeLessThan(1)
  expect(scoreOf(seen({ calls: 600, evenness: 90 }, 290))).toBeGreaterThan(1)
})

test('beside ten thousand calls a minute a poller of one a second is lost, and not worth telling', () => {
  expect(scoreOf(seen({ calls: 300, evenness: 90 }), { usual: { callsPerMinute: 10_000 } })).toBeLessThan(1)
})

test('it is blind without routes, and silent until ten minutes of them are known', () => {
  expect(scoreOf(undefined)).toBeUndefined()
  expect(scoreOf({ ...seen({ calls: 300, evenness: 90 }), usual: undefined })).toBeUndefined()
})

test('it tells at which interval', () => {
  expect(judge(stuckPoller, { ...small, routes: seen({ calls: 600, evenness: 90 }) })?.evidence).toContainEqual({
    ...{ measure: 'seconds between them', observed: 0.5, usual: undefined },
  })
})
