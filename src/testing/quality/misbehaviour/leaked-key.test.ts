import { expect, test } from 'vitest'
import { leakedKey } from './leaked-key.ts'
import { played, sceneOf } from './testing-tenant.ts'

test('a second place calls beside the owner’s, who goes on as before', () => {
  const play = played(leakedKey, sceneOf())
  const strangers = new Set(play.added.map(({ source }) => source))
  expect(strangers.size).toBe(1)
  expect(play.own.flat().map(({ source }) => source)).not.toContain([...strangers][0])
  expect(play.calls.length - play.added.length).toBe(play.own.flat().length)
})

test('it works for a minute or two and pauses for less', () => {
  const { added } = played(leakedKey, sceneOf({ callsPerSecond: 5 }))
  const pauses = added
    .slice(1)
    .map(({ at }, index) => (at - added[index]!.at) / 1_000)
    .filter(seconds => seconds > 10)
  expect(pauses.length).toBeGreaterThan(8)
  expect(Math.min(...pauses)).toBeGreaterThan(18)
  expect(Math.max(...pauses)).toBeLessThan(63)
})
