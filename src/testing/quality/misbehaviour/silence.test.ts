import { expect, test } from 'vitest'
import { silence } from './silence.ts'
import { played, sceneOf, testingTenant } from './testing-tenant.ts'

test('a silent tenant makes no call, and its silence begins with the first that is missing', () => {
  const play = played(silence, sceneOf({ callsPerSecond: 2 }))
  expect(play.calls).toEqual([])
  expect(play.onsetAt).toBe(play.own.flat()[0]!.at)
})

test('whoever calls less than once a second cannot fall silent at once', () => {
  expect(silence.suits(testingTenant({ callsPerSecond: 0.9 }))).toBe(false)
  expect(silence.suits(testingTenant({ callsPerSecond: 1 }))).toBe(true)
})
