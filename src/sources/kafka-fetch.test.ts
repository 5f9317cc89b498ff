import { expect, test } from 'vitest'
import type { RecordBatch } from './kafka-batch.ts'
import { abortedBatches } from './kafka-fetch.ts'

/** A batch of ten records of a producer's transaction, or the mark that ends it. */
const batch = (producerId: bigint, baseOffset: number, isControl = false): RecordBatch => ({
  ...{ baseOffset, lastOffset: isControl ? baseOffset : baseOffset + 9, attributes: 0, producerId },
  ...{ isTransactional: true, isControl, count: 10, body: Buffer.alloc(0), length: 100 },
})
const abortedOffsets = (batches: readonly RecordBatch[], transactions: readonly [bigint, bigint][]): number[] => {
  const told = transactions.map(([producerId, firstOffset]) => ({ producerId, firstOffset }))
  return [...abortedBatches(batches, told)].map(({ baseOffset }) => baseOffset)
}

test('transactions that overlap are left out whole, in whatever order the broker names them', () => {
  const log = [batch(1n, 0), batch(2n, 10), batch(3n, 20), batch(2n, 30, true), batch(1n, 31), batch(1n, 41, true)]
  expect(
    abortedOffsets(log, [
      [2n, 10n],
      [1n, 0n],
    ]),
  ).toEqual([0, 10, 31])
})

test('a fetch that begins inside of several aborted transactions leaves out all of them', () => {
  const log = [batch(2n, 500), batch(1n, 510), batch(3n, 520)]
  expect(
    abortedOffsets(log, [
      [1n, 0n],
      [2n, 100n],
    ]),
  ).toEqual([500, 510])
})

test('what a producer wrote before and after an aborted transaction is read', () => {
  const log = [batch(1n, 0), batch(1n, 10, true), batch(1n, 11), batch(1n, 21, true), batch(1n, 22)]
  expect(abortedOffsets(log, [[1n, 11n]])).toEqual([11])
})
