import { expect, test } from 'vitest'
import { fall } from './fall.ts'
import { played, sceneOf, testingTenant } from './testing-tenant.ts'

test('of a fallen tenant every tenth call is left, and its fall begins with the first that is missing', () => {
  const play = played(fall, sceneOf({ callsPerSecond: 5 }))
  const made = new Set(play.calls)

  expect(play.timesUsual(0, 1_200)).toBeCloseTo(0.1, 1)
  expect(play.added).toEqual([])
  expect(play.onsetAt).toBe(play.own.flat().find(call => !made.has(call))?.at)
})

test('whoever calls less than once a second cannot be seen falling', () => {
  expect(fall.suits(testingTenant({ callsPerSecond: 0.9 }))).toBe(false)
  expect(fall.suits(testingTenant({ callsPerSecond: 1 }))).toBe(true)
})
