import { describe, expect, test } from 'vitest'
import { misbehaviours } from './index.ts'
import { misplaced, played, sceneOf, scoreOf, testingTenant } from './testing-tenant.ts'

const callsPerSecond = 0.5
const named = misbehaviours.map(misbehaviour => [misbehaviour.name, misbehaviour] as const)

test('each misbehaviour has a name of its own', () => {
  expect(new Set(misbehaviours.map(({ name }) => name)).size).toBe(misbehaviours.length)
})

describe.each(named)('%s', (_name, misbehaviour) => {
  const scene = sceneOf({ callsPerSecond })
  const play = played(misbehaviour, scene)

  test('has its calls in their seconds, oldest first, and none before it may begin', () => {
    expect(misplaced(play, scene)).toEqual([])
  })

  test('begins, and not before it may', () => {
    expect(play.onsetAt).toBeGreaterThanOrEqual(scene.from)
    expect(play.onsetAt).toBeLessThan(scene.from + 60_000)
  })

  test('is the same play in the same scene, and another with another seed', () => {
    const first = scoreOf(played(misbehaviour, sceneOf({ callsPerSecond }), 60))
    expect(scoreOf(played(misbehaviour, sceneOf({ callsPerSecond }), 60)) === first).toBe(true)
    // Silence has but one way.
    const other = scoreOf(played(misbehaviour, sceneOf({ callsPerSecond, seed: 8 }), 60))
    expect(other === first).toBe(misbehaviour.name === 'silence')
  })
})

test('a tenant of one call in ten minutes suits none that multiplies what it does, but 500 times', () => {
  const tiny = testingTenant({ callsPerSecond: 1 / 600 })
  const multiplied = misbehaviours.filter(({ multiple, suits }) => multiple !== undefined && suits(tiny))
  expect(multiplied.map(({ name }) => name)).toEqual(['surge-500x'])
})

test('a tenant of a call a second suits them all', () => {
  expect(misbehaviours.filter(({ suits }) => !suits(testingTenant({ callsPerSecond: 1 })))).toEqual([])
})
