import { expect, test } from 'vitest'
import { stuckPoller } from './stuck-poller.ts'
import { played, sceneOf } from './testing-tenant.ts'

const gaps = (times: readonly number[]) => new Set(times.slice(1).map((at, index) => at - times[index]!))

test.each([
  [0.01, 2_000],
  [0.4, 2_000],
  [1, 1_000],
  [3, 250],
  [90, 10],
])('at %s usual calls a second the same call comes every %i ms, exactly', (callsPerSecond, intervalMs) => {
  const { added } = played(stuckPoller, sceneOf({ callsPerSecond }), 60)
  expect(gaps(added.map(({ at }) => at))).toEqual(new Set([intervalMs]))
  expect(new Set(added.map(({ route, source, status }) => `${status} ${route} ${source}`)).size).toBe(1)
})

test('the tenant’s own calls go on beside it', () => {
  const play = played(stuckPoller, sceneOf(), 60)
  expect(play.calls.length - play.added.length).toBe(play.own.flat().length)
})
