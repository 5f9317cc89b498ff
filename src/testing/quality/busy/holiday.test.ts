import { expect, test } from 'vitest'
import { played, sceneOf } from '../misbehaviour/testing-tenant.ts'
import { holiday } from './holiday.ts'

test('on a holiday a tenth of the calls is made, and none that would not have been', () => {
  const play = played(holiday, sceneOf({ callsPerSecond: 2 }))
  expect(Math.abs(play.timesUsual(0, 3_600) - 0.1)).toBeLessThan(0.02)
  expect(play.added).toEqual([])
})
