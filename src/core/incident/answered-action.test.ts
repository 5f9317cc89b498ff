/** What a move costs its client is told as long as it lasts. */
import { expect, test } from 'vitest'
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
