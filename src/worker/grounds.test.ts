import { expect, test } from 'vitest'
import type { Explanation } from '../core/explanation/explanation.ts'
import type { RestoreEffect } from '../core/incident/effect.ts'
import { createGroundsBook } from './grounds.ts'

const told = (incidentId: string, phase: Explanation['phase']) => ({ incidentId, phase }) as Explanation
const restore: RestoreEffect = {
  ...{ kind: 'restore', step: 'half', id: 'key-a#1/restore-half', incidentId: 'key-a#1', keyId: 'key-a', decidedAt: 1 },
}
const about = { effectId: restore.id, incidentId: restore.incidentId }

test('a change has the grounds on which it was decided, also when its incident has gone on meanwhile', () => {
  const book = createGroundsBook([])
  book.note({ name: 'incidentChanged', explanation: told('key-a#1', 'recovering') })
  book.note({ name: 'effectIntended', effect: restore })
  book.note({ name: 'incidentChanged', explanation: told('key-a#1', 'closed') })
  expect(book.of(about)?.phase).toBe('recovering')
  book.note({ name: 'effectPerformed', effect: restore, outcome: { kind: 'applied' }, tookMs: 1 })
  expect(book.of(about)?.phase).toBe('closed')
})

test('after a restart the journal’s alerts say what is known, and of an incident of long ago nothing is', () => {
  const effect = { kind: 'alert', id: 'key-a#1/alert-1', incidentId: 'key-a#1', keyId: 'key-a', decidedAt: 1 } as const
  const book = createGroundsBook([
    { kind: 'intent', at: 1, effect: { ...effect, explanation: told('key-a#1', 'open') } },
  ])
  expect(book.of(about)?.phase).toBe('open')
  expect(book.of({ effectId: 'key-b#1/x', incidentId: 'key-b#1' })).toBeUndefined()
})

test('of more incidents than it can hold, those told of longest ago are forgotten', () => {
  const book = createGroundsBook([])
  for (let ordinal = 1; ordinal <= 10_001; ordinal++)
    book.note({ name: 'incidentChanged', explanation: told(`key-a#${ordinal}`, 'open') })
  expect(book.of({ incidentId: 'key-a#1' })).toBeUndefined()
  expect(book.of({ incidentId: 'key-a#2' })).toBeDefined()
})
