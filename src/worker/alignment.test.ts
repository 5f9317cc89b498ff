import { expect, test } from 'vitest'
import { partitionsToHold } from './alignment.ts'

const limits = { aheadMs: 30_000, idleAfterMs: 30_000 }
const minute = 60_000

/** `[name, event time, silent for]`, ms. */
const frontiers = (...rows: readonly (readonly [string, number, number])[]) =>
  new Map(rows.map(([name, eventTime, silentMs]) => [name, { eventTime, seenAt: 10 * minute - silentMs }]))

test('a partition a minute ahead of the slowest waits for it', () => {
  const now = frontiers(['t/0', minute, 0], ['t/1', 2 * minute, 0], ['t/2', minute + 29_000, 0])
  expect(partitionsToHold(now, [], 10 * minute, limits)).toEqual(['t/1'])
})

test('nobody waits for a partition that has nothing to bring', () => {
  const now = frontiers(['t/0', minute, 31_000], ['t/1', 2 * minute, 0])
  expect(partitionsToHold(now, [], 10 * minute, limits)).toEqual([])
})

test('a held partition stays held however long it is silent, until the slow one has come near', () => {
  const behind = frontiers(['t/0', minute, 0], ['t/1', 2 * minute, 5 * minute])
  expect(partitionsToHold(behind, ['t/1'], 10 * minute, limits)).toEqual(['t/1'])
  const near = frontiers(['t/0', minute + 31_000, 0], ['t/1', 2 * minute, 5 * minute])
  expect(partitionsToHold(near, ['t/1'], 10 * minute, limits)).toEqual([])
})

test('a held partition is freed when the one it waited for falls silent', () => {
  const now = frontiers(['t/0', minute, 31_000], ['t/1', 2 * minute, 5 * minute])
  expect(partitionsToHold(now, ['t/1'], 10 * minute, limits)).toEqual([])
})
