/** What a move costs its client is told as long as it lasts. */
import { expect, test } from 'vitest'
import { loweredBy, restoredAction } from './answered-action.ts'
import { play } from './testing-incident.ts'

test('a storm that was lowered by a move is told that it stays so for the probation, and what the move has cost', () => {
  const lines = play(
    [
      [0, 'storm'],
      [1, 'moved'],
      [601, 'already'],
      [722, 'moved'],
    ],
    723,
  )
  expect(lines.slice(5)).toEqual([
    '600s ! alert: restore half (expired, as a whole only, after 2000 ms of 403)',
    '600s ! key#1/restore-1 half',
    '721s ! key#1/restore-2 full',
  ])
})

test('what was so already is not told as raised now', () => {
  expect(restoredAction({ kind: 'already' }, { kind: 'none' })).toEqual({
    kind: 'restored',
    limits: undefined,
    wasSo: true,
  })
})

test('what an incident has lowered is what the limit was before its first throttle, and has been since its last', () => {
  const limits = (rateLimit: number) => ({ rateLimit, burstLimit: 10 })
  const first = loweredBy('t1', { kind: 'applied', before: limits(100), after: limits(4) }, undefined)
  expect(loweredBy('t2', { kind: 'applied', before: limits(52), after: limits(3) }, first)).toEqual({
    ...{ throttleId: 't2', before: limits(100), after: limits(3) },
  })
  expect(loweredBy('t3', { kind: 'already', after: limits(2) }, first)).toEqual(first)
  expect(loweredBy('t1', { kind: 'already', after: limits(2) }, undefined)).toBeUndefined()
})
