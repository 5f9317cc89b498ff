import { expect, test } from 'vitest'
import { played, sceneOf, shareOf } from '../misbehaviour/testing-tenant.ts'
import { deploy } from './deploy.ts'

test('after a bad deploy 10 to 30 % of a client’s calls fail, of each another share, and none calls more', () => {
  const shares = [1, 2, 3, 4, 5].map(seed => {
    const play = played(deploy, sceneOf({ callsPerSecond: 2, seed }))
    expect(play.calls.map(({ at }) => at)).toEqual(play.own.flat().map(({ at }) => at))
    expect(play.onsetAt).toBe(play.calls.find(({ status }) => status >= 500)!.at)
    return shareOf(play.calls, ({ status }) => status >= 500)
  })
  expect(Math.min(...shares)).toBeGreaterThan(0.07)
  expect(Math.max(...shares)).toBeLessThan(0.33)
  expect(new Set(shares.map(share => Math.round(share * 100))).size).toBeGreaterThan(1)
})
