import { expect, test } from 'vitest'
import { played, sceneOf } from '../misbehaviour/testing-tenant.ts'
import { launch } from './launch.ts'

test('a launch climbs to eight times the calls within ten minutes and stays there', () => {
  const play = played(launch, sceneOf({ callsPerSecond: 2 }))
  expect(Math.abs(play.timesUsual(270, 330) - 4.5)).toBeLessThan(0.6)
  expect(Math.abs(play.timesUsual(600, 2_400) - 8)).toBeLessThan(0.3)
})
