import { describe, expect, test } from 'vitest'
import type { Kind } from '../../../detectors/contract.ts'
import { createEngine } from '../engine.ts'
import { addKey } from '../state/known-keys.ts'
import { noteTold } from '../state/own-reach.ts'
import { createOwner } from '../state/owner.ts'
import { settingsOf } from '../testing-stream.ts'
import { type ApiKeyId, DAY_MS } from '../vocabulary.ts'
import { isHeard, noteSpent, timesAllowed } from './alert-budget.ts'

const NOON = Date.UTC(2026, 0, 5, 12)

function fleetOf(keys: number, settings = settingsOf()) {
  const engine = createEngine(settings)
  const owner = createOwner()
  engine.state.owners.set('', owner)
  for (let key = 0; key < keys; key++) addKey(owner.keys, `key${key}` as ApiKeyId)
  const heard = (kind: Kind, at: number, timesAWeek?: number) =>
    isHeard(engine, owner.keys, 0, { kind, at, timesAWeek, allowed: timesAllowed(engine) })
  return { engine, owner, heard }
}

describe('by its own past', () => {
  test('the more keys there are, the rarer must be what is told of one', () => {
    expect(fleetOf(20).heard('surge', NOON, 0.9)).toBe(true)
    expect(fleetOf(200).heard('surge', NOON, 0.9)).toBe(false)
    expect(fleetOf(200).heard('silence', NOON, 0.09)).toBe(true)
  })

  test('a surge that was told is not told again for a day, unless it is half a decade rarer', () => {
    const { owner, heard } = fleetOf(20)
    noteTold(owner.keys, 0, { at: NOON, timesAWeek: 0.5 })
    expect(heard('surge', NOON + 20 * 3_600_000, 0.4)).toBe(false)
    expect(heard('surge', NOON + 20 * 3_600_000, 0.1)).toBe(true)
    expect(heard('surge', NOON + 25 * 3_600_000, 0.4)).toBe(true)
    expect(heard('silence', NOON, 0.4)).toBe(true)
  })
})

describe('by the fleet’s week, where a key’s past says nothing', () => {
  test('of each kind ten are told for a page a week, and what comes then is noted', () => {
    const { engine, heard } = fleetOf(5_000)
    for (let told = 0; told < 10; told++) {
      expect(heard('fall', NOON + told)).toBe(true)
      noteSpent(engine.state, 'fall', NOON + told)
    }
    expect(heard('fall', NOON + 60_000)).toBe(false)
    expect(heard('new-place', NOON + 60_000)).toBe(true)
    expect(heard('fall', NOON + DAY_MS)).toBe(true)
  })

  test('silences too, however long each is for its own key, since those know no more than their longest', () => {
    const { engine, heard } = fleetOf(20)
    for (let told = 0; told < 10; told++) noteSpent(engine.state, 'silence', NOON)
    expect(heard('silence', NOON, 0.1)).toBe(false)
    expect(heard('silence', NOON + DAY_MS, 0.1)).toBe(true)
    expect(heard('silence', NOON + DAY_MS, 5)).toBe(false)
  })

  test('what is common all the time is told as often as that, and no oftener', () => {
    const { engine, heard } = fleetOf(5_000)
    let told = 0
    for (let hour = 0; hour < 4 * 7 * 24; hour++) {
      if (!heard('fall', NOON + hour * 3_600_000)) continue
      noteSpent(engine.state, 'fall', NOON + hour * 3_600_000)
      told++
    }
    expect(told / 4).toBeGreaterThan(9)
    expect(told / 4).toBeLessThan(13)
  })

  test('with the smallest budget one of each kind is told, and without any none', () => {
    const withBudget = (alertBudget: string) => fleetOf(20, settingsOf({ alertBudget }))
    const small = withBudget('1 per month')
    expect(small.heard('fall', NOON)).toBe(true)
    for (let told = 0; told < 3; told++) noteSpent(small.engine.state, 'fall', NOON)
    expect(small.heard('fall', NOON)).toBe(false)
    expect(withBudget('0 per week').heard('fall', NOON)).toBe(false)
  })

  test('who endangers others is told in any case', () => {
    const { engine, heard } = fleetOf(5_000)
    for (let told = 0; told < 50; told++) noteSpent(engine.state, 'retry-storm', NOON)
    expect(heard('retry-storm', NOON)).toBe(true)
    expect(heard('pool-share', NOON)).toBe(true)
  })
})
