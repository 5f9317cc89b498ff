import { describe, expect, test } from 'vitest'
import { slowRamps } from './slow-ramp.ts'
import { surges } from './surge.ts'
import { played, sceneOf, shareOf } from './testing-tenant.ts'

describe.each(
  surges.map(surge => [surge.multiple!, surge] as const),
)('a surge of %i times the usual', (multiple, surge) => {
  const play = played(surge, sceneOf({ callsPerSecond: 2 }))

  test('is there from its first second to its last', () => {
    expect(play.timesUsual(0, surge.seconds) / multiple).toBeGreaterThan(0.85)
    expect(play.timesUsual(0, surge.seconds) / multiple).toBeLessThan(1.15)
    expect(play.onsetAt).toBe(play.added[0]!.at)
  })

  test('fails and is rejected as rarely as ever', () => {
    expect(shareOf(play.added, ({ status }) => status === 200)).toBeGreaterThan(0.95)
    expect(shareOf(play.added, ({ status }) => status >= 500)).toBe(0)
  })
})

test.each(
  slowRamps.map(ramp => [ramp.name, ramp] as const),
)('%s is halfway after half its time, and ten times the usual at its end', (_name, ramp) => {
  const play = played(ramp, sceneOf({ callsPerSecond: 1 }))
  const top = ramp.seconds - 300
  expect(play.timesUsual(0, 60)).toBeLessThan(2)
  expect(Math.abs(play.timesUsual(top / 2 - 60, top / 2 + 60) - 5.5)).toBeLessThan(0.6)
  expect(Math.abs(play.timesUsual(top, ramp.seconds) - 10)).toBeLessThan(0.6)
})

test('a tenant of hardly any calls gets twenty a minute, whatever the multiple says', () => {
  const surge = surges.find(({ multiple }) => multiple === 3)!
  const { calls } = played(surge, sceneOf({ callsPerSecond: 0 }))
  expect(Math.abs((calls.length / surge.seconds) * 60 - 20)).toBeLessThan(5)
})
