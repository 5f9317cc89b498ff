import { expect, test } from 'vitest'
import type { Effect } from '../core/effect.ts'
import type { JournalEntry } from '../stores/journal-entry.ts'
import { recallEffects } from './effect-memory.ts'

const restoring = (id: string): Effect => ({
  ...{ id, incidentId: 'k1#1', keyId: 'k1', decidedAt: 0 },
  kind: 'restore',
  step: 'full',
})
const intent = (id: string): JournalEntry => ({ kind: 'intent', at: 0, effect: restoring(id) })
const outcome = (effectId: string): JournalEntry => ({ kind: 'outcome', at: 1, effectId, outcome: { kind: 'applied' } })

test('an intent with an outcome is known, one without is open', () => {
  const memory = recallEffects([intent('a'), intent('b'), outcome('a')], ['b'])
  expect([...memory.known]).toEqual([['a', { kind: 'applied' }]])
  expect(memory.open.map(({ id }) => id)).toEqual(['b'])
  expect([...memory.awaiting]).toEqual(['b'])
})

test('an intent that comes after an outcome of its id is a new one', () => {
  const memory = recallEffects([intent('a'), outcome('a'), intent('a')], [])
  expect(memory.known.size).toBe(0)
  expect(memory.open.map(({ id }) => id)).toEqual(['a'])
})
