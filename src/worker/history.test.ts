/** What a worker is taught before its stream begins, and that the two must not overlap. */
import { expect, test } from 'vitest'
import { createBatch, nextRow } from '../core/call-batch.ts'
import { goesBackInto, historyOverlaps } from './history.ts'

const until = Date.UTC(2026, 10, 20, 14)

function callsAt(...seconds: readonly number[]) {
  const batch = createBatch()
  for (const second of seconds) batch.time[nextRow(batch)] = until + second * 1_000
  return batch
}

test('a stream that begins after its history does not go back into it', () => {
  expect(goesBackInto(until, callsAt(0, 1, 2))).toBeUndefined()
})

test('a stream whose first calls are mostly older does, from its oldest call on', () => {
  expect(goesBackInto(until, callsAt(-600, -300, 5))).toBe(until - 600_000)
})

test('one wild clock among the first calls is no overlap', () => {
  expect(goesBackInto(until, callsAt(-86_400, 1, 2))).toBeUndefined()
})

test('the complaint says when each of them is, and what to give instead', () => {
  expect(historyOverlaps(until - 1_000, until)).toMatchObject({
    code: 'HISTORY_OVERLAPS',
    message: 'The log begins at 2026-11-20T13:59:59.000Z, before the history ends at 2026-11-20T14:00:00.000Z',
    retry: 'never',
  })
})
