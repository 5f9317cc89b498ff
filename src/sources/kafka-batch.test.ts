import { createRequire } from 'node:module'
import fc from 'fast-check'
import { compressFrame } from 'lz4-napi'
import { compress as snappyCompress } from 'snappy'
import { beforeAll, describe, expect, test } from 'vitest'
import {
  type Compression,
  compressions,
  compressionType,
  produceCompressed,
} from '../testing/servers/kafka-compression.ts'
import { type RecordBatch, splitBatches, readRecords as visitRecords } from './kafka-batch.ts'
import { type Codec, inflate, TooLarge } from './kafka-codecs.ts'

const require = createRequire(import.meta.url)
const { RecordBatch: encodeBatch } = require('kafkajs/src/protocol/recordBatch/v0')
const encodeRecord = require('kafkajs/src/protocol/recordBatch/record/v0')
const KafkaDecoder = require('kafkajs/src/protocol/decoder')
const decodeBatch = require('kafkajs/src/protocol/recordBatch/v0/decoder')
const Long = require('kafkajs/src/utils/long')

interface Written {
  readonly value: string | null
  readonly key: string | null
  readonly gap: number
  readonly headers: Readonly<Record<string, string>>
}

const bound = 8_000_000

beforeAll(produceCompressed)

/** As a producer that uses kafkajs writes it; `gap`: how many records before each compaction took. */
async function batchOf(baseOffset: number, records: readonly Written[], compression: Compression): Promise<Buffer> {
  let delta = -1
  const encoded = records.map(({ key, value, gap, headers }, index) => {
    delta += gap + 1
    return encodeRecord({ key, value, headers, offsetDelta: delta, timestampDelta: index * 40_000 })
  })
  const firstOffset = Long.fromInt(baseOffset)
  const type = compressionType[compression]
  const batch = await encodeBatch({ compression: type, firstOffset, lastOffsetDelta: delta, records: encoded })
  return batch.buffer
}

async function readRecords(batch: RecordBatch, maxBytes: number) {
  const records: { readonly offset: number; readonly value: Buffer | undefined }[] = []
  await visitRecords(batch, maxBytes, (offset, bytes, from, to) => {
    records.push({ offset, value: from < 0 ? undefined : bytes.subarray(from, to) })
  })
  return records
}

const only = (bytes: Buffer): RecordBatch => splitBatches(bytes)[0]!
const line = (value: string): Written => ({ key: null, value, gap: 0, headers: {} })

const written = fc.record({
  key: fc.option(fc.string()),
  value: fc.option(fc.string({ maxLength: 400, unit: 'binary' })),
  gap: fc.nat(200),
  headers: fc.dictionary(fc.stringMatching(/^[a-z]{1,9}$/), fc.string(), { maxKeys: 3 }),
})

describe.each(compressions)('a batch compressed with %s', compression => {
  test('holds the offsets and values that kafkajs reads in it', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(written, { minLength: 1, maxLength: 50 }),
        fc.nat(2 ** 45),
        async (records, baseOffset) => {
          const bytes = await batchOf(baseOffset, records, compression)
          const theirs = await decodeBatch(skippingNothing(bytes))
          const ours = await readRecords(only(bytes), bound)
          expect(ours.map(({ offset, value }) => [String(offset), value?.toString()])).toEqual(
            theirs.records.map(({ offset, value }: { offset: string; value: Buffer | null }) => [
              offset,
              value?.toString(),
            ]),
          )
          expect(only(bytes).lastOffset).toBe(ours.at(-1)?.offset)
        },
      ),
      { numRuns: 30 },
    )
  })

  test('of many blocks is read to its end', async () => {
    const values = Array.from({ length: 3_000 }, (_, index) => `line ${index} ${'of a log '.repeat(index % 40)}`)
    const read = await readRecords(only(await batchOf(0, values.map(line), compression)), bound)
    expect(read.map(({ value }) => value?.toString())).toEqual(values)
  })

  test('that is damaged anywhere gives an error or other records, and nothing else', async () => {
    const bytes = await batchOf(
      7,
      Array.from({ length: 40 }, (_, index) => line(`line ${index}`.repeat(9))),
      compression,
    )
    await fc.assert(
      fc.asyncProperty(
        fc.nat(bytes.length - 62),
        fc.uint8Array({ minLength: 1, maxLength: 30 }),
        async (at, damage) => {
          const damaged = Buffer.from(bytes)
          damaged.set(damage.subarray(0, bytes.length - 61 - at), 61 + at)
          const read = await readRecords(only(damaged), bound).catch((error: unknown) => error)
          expect(Array.isArray(read) || read instanceof Error).toBe(true)
        },
      ),
      { numRuns: 200 },
    )
  })

  test('that ends too early is an error', async () => {
    const batch = only(
      await batchOf(
        7,
        Array.from({ length: 40 }, (_, index) => line(`line ${index}`)),
        compression,
      ),
    )
    for (const kept of [0, 1, 5, batch.body.length >> 1, batch.body.length - 9])
      await expect(readRecords({ ...batch, body: batch.body.subarray(0, kept) }, bound)).rejects.toThrow()
  })
})

test('what an answer holds is cut into batches, and the one that is cut off is left for the next fetch', async () => {
  const one = await batchOf(10, [line('a'), line('b')], 'none')
  const other = await batchOf(12, [line('c')], 'gzip')
  const cut = await batchOf(13, [line('d')], 'none')
  const batches = splitBatches(Buffer.concat([one, other, cut.subarray(0, cut.length - 1)]))
  expect(batches.map(({ baseOffset, lastOffset, count }) => [baseOffset, lastOffset, count])).toEqual([
    [10, 11, 2],
    [12, 12, 1],
  ])
  expect(splitBatches(Buffer.alloc(0))).toEqual([])
})

describe('a batch that would become more than its reader can hold is refused before it does', () => {
  const zeros = Buffer.alloc(200_000_000)
  const bombs: Readonly<Record<Exclude<Codec, 'none'>, () => Promise<Buffer>>> = {
    gzip: async () => require('node:zlib').gzipSync(zeros, { level: 1 }),
    snappy: async () => snappyCompress(zeros),
    lz4: () => compressFrame(zeros),
    zstd: async () => zstdOf(1_600),
  }

  test.each(['gzip', 'snappy', 'lz4', 'zstd'] as const)('%s', async codec => {
    const bomb = await bombs[codec]()
    const before = process.memoryUsage().rss
    await expect(inflate(codec, bomb, 1_000_000)).rejects.toThrow(TooLarge)
    expect(process.memoryUsage().rss - before).toBeLessThan(50_000_000)
  })

  test('and so is one of more records than any log has', async () => {
    const batch = only(await batchOf(0, [line('a')], 'none'))
    await expect(readRecords({ ...batch, count: 2 ** 31 - 1 }, bound)).rejects.toThrow(TooLarge)
  })
})

test('a frame that does not say what it becomes is inflated all the same', async () => {
  expect((await inflate('zstd', zstdOf(3), bound)).equals(Buffer.alloc(3 * 131_072, 'A'))).toBe(true)
})

test('a zstd frame whose literals would be read for ever is broken', async () => {
  const weights = [0xf0, 0x03, ...Array.from({ length: 10 }, () => 0xff)]
  const body = [0x02 | (1 << 4), 0, 0, weights.length, ...weights, 0xff, 0xff, 0xff, 0]
  const frame = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0, 0, 0, 0, ...body])
  frame.writeUIntLE((body.length << 3) | (2 << 1) | 1, 6, 3)
  await expect(inflate('zstd', frame, bound)).rejects.toThrow('without an end')
})

test('a zstd frame that wants more memory to look back in than its reader has is refused', async () => {
  const frame = zstdOf(1)
  frame[5] = 0xff
  await expect(inflate('zstd', frame, bound)).rejects.toThrow(TooLarge)
})

test('a frame that claims to become more than its blocks can hold is broken', async () => {
  const zstd = zstdOf(1)
  // A content size of eight bytes stands between the frame's header and its blocks.
  const claiming = Buffer.concat([zstd.subarray(0, 6), Buffer.alloc(8, 1), zstd.subarray(6)])
  claiming[4] = 0b1100_0000
  await expect(inflate('zstd', claiming, bound)).rejects.toThrow('claims more than it holds')
  const lz4 = Buffer.concat([
    Buffer.from([0x04, 0x22, 0x4d, 0x18, 0b0110_1000, 0x40, 0, 0, 0, 0, 0, 0, 0, 1, 0]),
    Buffer.alloc(4),
  ])
  await expect(inflate('lz4', lz4, bound)).rejects.toThrow('claims more than it holds')
})

test('a compression that Kafka does not know is said so', async () => {
  const batch = only(await batchOf(0, [line('a')], 'none'))
  await expect(readRecords({ ...batch, attributes: 7 }, bound)).rejects.toThrow('does not know (7)')
})

/** A frame without a content size, as Java's clients write it, of blocks that repeat one byte 128 KiB times. */
function zstdOf(blocks: number): Buffer {
  const parts = [Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0x48])]
  for (let index = 0; index < blocks; index++) {
    const block = Buffer.from([0, 0, 0, 0x41])
    block.writeUIntLE(((128 << 10) << 3) | (1 << 1) | (index === blocks - 1 ? 1 : 0), 0, 3)
    parts.push(block)
  }
  return Buffer.concat(parts)
}

/** kafkajs' decoder begins behind the base offset, which its caller has read. */
function skippingNothing(bytes: Buffer): unknown {
  return new KafkaDecoder(bytes)
}
