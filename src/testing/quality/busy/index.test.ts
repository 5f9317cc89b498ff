import { describe, expect, test } from 'vitest'
import { misplaced, played, sceneOf, scoreOf } from '../misbehaviour/testing-tenant.ts'
import { busyDays } from './index.ts'

test('each busy day has a name of its own', () => {
  expect(new Set(busyDays.map(({ name }) => name)).size).toBe(busyDays.length)
})

describe.each(busyDays.map(day => [day.name, day] as const))('%s', (_name, day) => {
  const scene = sceneOf()
  const play = played(day, scene)

  test('has its calls in their seconds, oldest first, and none before it may begin', () => {
    expect(misplaced(play, scene)).toEqual([])
  })

  test('begins within its first minute', () => {
    expect(play.onsetAt).toBeGreaterThanOrEqual(scene.from)
    expect(play.onsetAt).toBeLessThan(scene.from + 60_000)
  })

  test('is the same day in the same scene', () => {
    expect(scoreOf(played(day, sceneOf())) === scoreOf(play)).toBe(true)
  })
})
