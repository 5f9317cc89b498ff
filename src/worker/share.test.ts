import { expect, test } from 'vitest'
import { createBatch } from '../core/call-batch.ts'
import { createDecoder } from '../core/formats/decoder.ts'
import type { PartitionId } from '../core/vocabulary.ts'
import { decodeShare, takeUpTo } from './share.ts'
import { config, noon } from './testing-life.ts'

const minute = 60_000
const partition: PartitionId = 't/0'

/** Read a day later: a record each, with calls at these minutes, which each call's latency repeats. */
function shareOf(records: readonly (readonly number[])[]) {
  const decoder = createDecoder({ format: 'auto', fields: config.fields, hashSecret: 'for tests', maxRecordBytes: 1e6 })
  const line = (at: number): string =>
    JSON.stringify({ requestTimeEpoch: noon + at * minute, apiKeyId: 'k1', status: 200, responseLatency: at })
  const read = {
    partition,
    records: records.map((minutes, index) => ({
      ...{ partition, position: String(index + 1), payload: Buffer.from(minutes.map(line).join('\n')) },
    })),
    arrivedAt: noon + 1_440 * minute,
  }
  return decodeShare(read, { decoder, batch: createBatch(decoder.keys), futureMs: minute, frontier: noon })
}

test('calls of wild clocks are taken out of their records, and all others stay in theirs', () => {
  const share = shareOf([[1, 300, 2], [400], [3, 500, 4], [600, 5]])
  const parts = [2, 4, 5].map(at => takeUpTo(share, noon + at * minute))
  expect(parts.map(part => part && [part.position, ...share.batch.latencyMs.subarray(part.from, part.to)])).toEqual([
    ['2', 1, 2],
    ['3', 3, 4],
    ['4', 5],
  ])
  expect(share.batch.rejected).toEqual(new Map([['future', 4]]))
})
