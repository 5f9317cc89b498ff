import { expect, test } from 'vitest'
import type { Effect } from '../core/incident/effect.ts'
import type { JournalEntry } from '../stores/journal-entry.ts'
import { recallEffects } from './effect-memory.ts'

const restoring = (id: string): Effect => ({
  ...{ id, incidentId: 'k1#1', keyId: 'k1', decidedAt: 0 },
  kind: 'restore',
  step: 'full',
})
const intent = (id: string): JournalEntry => ({ kind: 'intent', at: 0, effect: restoring(id) })
const outcome = (effectId: string, at = 1): JournalEntry => ({
  ...{ kind: 'outcome', at, effectId },
  outcome: { kind: 'applied' },
})

test('an intent with an outcome is known, one without is open', () => {
  const memory = recallEffects([intent('a'), intent('b'), outcome('a')], { awaiting: ['b'], known: [], writtenAt: 0 })
  expect([...memory.known]).toEqual([['a', { kind: 'applied' }]])
  expect(memory.open.map(({ id }) => id)).toEqual(['b'])
  expect([...memory.awaiting]).toEqual(['b'])
})

test('an intent that comes after an outcome of its id is a new one', () => {
  const memory = recallEffects([intent('a'), outcome('a'), intent('a')], { awaiting: ['a'], known: [], writtenAt: 0 })
  expect(memory.known.size).toBe(0)
  expect(memory.open.map(({ id }) => id)).toEqual(['a'])
})

test('of outcomes older than the checkpoint only those are known that it waits for or has kept', () => {
  const recovered = [outcome('told'), outcome('awaited'), outcome('kept'), outcome('later', 11)]
  const memory = recallEffects(recovered, { awaiting: ['awaited'], known: ['kept'], writtenAt: 10 })
  expect([...memory.known.keys()]).toEqual(['awaited', 'kept', 'later'])
})

test('without a checkpoint nothing is known, and what is open can still be told', () => {
  const memory = recallEffects([intent('a'), outcome('a'), intent('b')], undefined)
  expect(memory).toEqual({ awaiting: new Set(), known: new Map(), open: [restoring('b')] })
})
