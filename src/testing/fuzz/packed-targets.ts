/**
 * What packs a log: record batches of Kafka in every compression, as they come in a fetch, and files. A batch that cannot be
 * read is passed over, and those before and behind it are read to the last record; of a file what came before the damage is.
 */

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { init as initZstd, compress as zstdCompress } from '@bokuweb/zstd-wasm'
import type { KafkaMessage } from 'kafkajs'
import { compressFrame } from 'lz4-napi'
import { compress as snappyCompress } from 'snappy'
import { StreamError } from '../../core/errors.ts'
import { inflate } from '../../core/formats/gzip.ts'
import { inflateZstd } from '../../core/formats/zstd.ts'
import type { PartitionId } from '../../core/vocabulary.ts'
import { readFilePieces } from '../../sources/file-pieces.ts'
import { readFetchesInBatches } from '../../sources/kafka-fetch.ts'
import { readPiece } from '../../sources/kafka-piece.ts'
import type { FuzzTarget } from './target.ts'

const require = createRequire(import.meta.url)
const partition = 'calls/0' as PartitionId

const zigzag = (value: number): number[] => {
  const bytes: number[] = []
  for (let left = value < 0 ? -2 * value - 1 : 2 * value; ; left = Math.floor(left / 128)) {
    bytes.push(left < 128 ? left : (left & 127) | 128)
    if (left < 128) return bytes
  }
}

function recordsOf(values: readonly string[]): Buffer {
  return Buffer.concat(
    values.map((value, delta) => {
      const text = Buffer.from(value)
      const body = Buffer.concat([
        Buffer.from([0, ...zigzag(0), ...zigzag(delta), ...zigzag(-1), ...zigzag(text.length)]),
        text,
        Buffer.from(zigzag(0)),
      ])
      return Buffer.concat([Buffer.from(zigzag(body.length)), body])
    }),
  )
}

function batchOf(baseOffset: number, count: number, codec: number, body: Buffer): Buffer {
  const header = Buffer.alloc(61)
  header.writeBigInt64BE(BigInt(baseOffset), 0)
  header.writeInt32BE(49 + body.length, 8)
  header.writeInt8(2, 16)
  header.writeInt16BE(codec, 21)
  header.writeInt32BE(count - 1, 23)
  header.writeInt32BE(count, 57)
  return Buffer.concat([header, body])
}

const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
const compressed: Readonly<Record<(typeof codecs)[number], (bytes: Buffer) => Buffer | Promise<Buffer>>> = {
  none: bytes => bytes,
  gzip: bytes => gzipSync(bytes, { level: 1 }),
  snappy: async bytes => Buffer.from(await snappyCompress(bytes)),
  lz4: bytes => compressFrame(bytes),
  zstd: bytes => Buffer.from(zstdCompress(bytes, 3)),
}

/** An answer to a fetch that holds this of one partition. */
function answerOf(records: Buffer): Buffer {
  const head = Buffer.alloc(14 + 4 + 7 + 4 + 38 + 4)
  let at = 0
  const int = (value: number): void => {
    at = head.writeInt32BE(value, at)
  }
  int(0)
  at = head.writeInt16BE(0, at)
  for (const value of [0, 1]) int(value)
  at = head.writeInt16BE(5, at)
  at += head.write('calls', at)
  for (const value of [1, 0]) int(value)
  at = head.writeInt16BE(0, at)
  for (const value of [99n, 99n, 0n]) at = head.writeBigInt64BE(value, at)
  for (const value of [0, -1, records.length]) int(value)
  return Buffer.concat([head.subarray(0, at), records])
}

const values = ['{"apiKeyId":"k1"}', 'x'.repeat(300), '', 'a log '.repeat(90)]
const before = batchOf(10, 2, 0, recordsOf(['good 10', 'good 11']))
const behind = batchOf(90, 1, 0, recordsOf(['good 90']))

function batchTarget(codec: (typeof codecs)[number], number: number): FuzzTarget {
  const made: Buffer[] = []
  let decode: (payload: Buffer) => Promise<{ responses: { partitions: { messages: KafkaMessage[] }[] }[] }>
  return {
    name: `kafka-${codec}`,
    share: 4,
    async prepare() {
      await initZstd()
      readFetchesInBatches()
      ;({ decode } = require('kafkajs/src/protocol/requests/fetch/v11/response'))
      for (let count = 1; count <= 8; count++) {
        const some = Array.from({ length: count }, (_, index) => values[index % values.length] ?? '')
        made.push(batchOf(20, count, number, await compressed[codec](recordsOf(some))))
      }
      return async () => {}
    },
    valid: seed => made[seed % made.length] ?? Buffer.alloc(0),
    async judge(input) {
      // Where a batch begins and ends is the broker's word; what is in it, a producer's.
      const framed = Buffer.concat([input, Buffer.alloc(Math.max(0, 61 - input.length))])
      framed.writeBigInt64BE(20n, 0)
      framed.writeInt32BE(framed.length - 12, 8)
      framed.writeInt8(2, 16)
      framed.writeInt32BE(20, 23)
      // No mark of a transaction.
      framed.writeInt16BE(framed.readInt16BE(21) & 7, 21)
      const { responses } = await decode(answerOf(Buffer.concat([before, framed, behind])))
      const messages = responses[0]?.partitions[0]?.messages ?? []
      const told: string[] = []
      let last = -1
      for (let begin = 0; begin < messages.length; ) {
        const { records, faults, end } = await readPiece(messages, { begin, from: 0, partition })
        for (const { offset, payload } of records) {
          if (offset < last || offset > 90) return `offset ${offset} comes behind ${last}`
          last = offset
          if (offset < 20 || offset > 40) told.push(`${Buffer.from(payload)}`)
        }
        for (const { from, to } of faults) if (from !== 20 || to !== 40) return `passed over are ${from} to ${to}`
        if (faults.length > 1) return `one batch was passed over ${faults.length} times`
        if (end <= begin) return 'reading does not go on'
        begin = end
      }
      return told.join() === 'good 10,good 11,good 90' ? undefined : `read beside it were ${JSON.stringify(told)}`
    },
  }
}

const text = Array.from({ length: 40 }, (_, index) => `{"apiKeyId":"k${index}","status":"200"}\n`).join('')
const mostBytes = 1 << 20

/** Inflated at once, as records are: no more than the bound, and of damaged data a beginning. */
const inflated: FuzzTarget = {
  name: 'inflated',
  share: 8,
  valid: seed =>
    seed % 2 === 0
      ? gzipSync(text.repeat(1 + (seed % 3)), { level: 1 + (seed % 9) })
      : Buffer.from(zstdCompress(Buffer.from(text), 1 + (seed % 9))),
  async prepare() {
    await initZstd()
    return async () => {}
  },
  judge(input) {
    for (const inflateIt of [inflate, inflateZstd]) {
      const { bytes, fault } = inflateIt(input, mostBytes)
      if (bytes.length > mostBytes) return `it became ${bytes.length} bytes`
      if (fault === 'too-large' && bytes.length > 0) return 'it is too large, and not empty'
    }
    return undefined
  },
}

/** A file: plain, gzip or zstd by what it begins with. */
function file(): FuzzTarget {
  let [folder, path] = ['', '']
  return {
    name: 'file',
    share: 4,
    async prepare() {
      await initZstd()
      folder = await mkdtemp(join(tmpdir(), 'weir-fuzz-'))
      path = join(folder, 'log')
      return () => rm(folder, { recursive: true, force: true })
    },
    valid(seed) {
      const plain = Buffer.from(text)
      return [plain, gzipSync(plain), Buffer.from(zstdCompress(plain, 3))][seed % 3] ?? plain
    },
    async judge(input) {
      await writeFile(path, input)
      const read = async (): Promise<string> => {
        const told: string[] = []
        let bytes = 0
        try {
          const signal = new AbortController().signal
          for await (const piece of readFilePieces(path, { maxRecordBytes: 1 << 22 }, signal)) {
            if (piece.kind === 'record') bytes += piece.record.payload.length
            else told.push(piece.fault.reason)
          }
        } catch (error) {
          if (!(error instanceof StreamError)) throw error
          told.push(error.message)
        }
        return `${bytes} ${told.join()}`
      }
      const one = await read()
      const magic = Buffer.concat([input, Buffer.alloc(4)]).readUInt32LE(0)
      const isZstd = magic === 0xfd2fb528 || (magic & 0xfffffff0) >>> 0 === 0x184d2a50
      const isPacked = isZstd || (magic & 0xffff) === 0x8b1f
      if (!isPacked && Number.parseInt(one, 10) !== input.length)
        return `of ${input.length} plain bytes were read: ${one}`
      return one === (await read()) ? undefined : 'it is read otherwise the second time'
    },
  }
}

export const packedTargets: readonly FuzzTarget[] = [...codecs.map(batchTarget), inflated, file()]
