import { createRequire } from 'node:module'
import type { KafkaMessage } from 'kafkajs'
import { beforeAll, expect, test } from 'vitest'
import type { PartitionId } from '../core/vocabulary.ts'
import { readFetchesInBatches } from './kafka-fetch.ts'
import { readPiece } from './kafka-piece.ts'

const require = createRequire(import.meta.url)
const fetchResponse = require('kafkajs/src/protocol/requests/fetch/v11/response')
const { RecordBatch: encodeBatch } = require('kafkajs/src/protocol/recordBatch/v0')
const encodeRecord = require('kafkajs/src/protocol/recordBatch/record/v0')
const encodeMessageSet = require('kafkajs/src/protocol/messageSet')
const Encoder = require('kafkajs/src/protocol/encoder')
const Long = require('kafkajs/src/utils/long')

const partition = 'calls/0' as PartitionId

beforeAll(readFetchesInBatches)

async function batch(firstOffset: number, values: readonly (string | null)[]): Promise<Buffer> {
  const records = values.map((value, offsetDelta) => encodeRecord({ key: null, value, offsetDelta, timestampDelta: 0 }))
  const bytes = await encodeBatch({
    firstOffset: Long.fromInt(firstOffset),
    lastOffsetDelta: values.length - 1,
    records,
  })
  return bytes.buffer
}

/** All ones are no length of a record. */
async function damaged(firstOffset: number, values: readonly string[]): Promise<Buffer> {
  const bytes = Buffer.from(await batch(firstOffset, values))
  return bytes.fill(0xff, 61)
}

/** What kafkajs makes of a broker's answer that holds this of one partition. */
async function fetched(...records: readonly Buffer[]): Promise<KafkaMessage[]> {
  const one = new Encoder().writeInt32(0).writeInt16(0).writeInt64(99).writeInt64(99).writeInt64(0).writeInt32(0)
  const partition = one.writeInt32(-1).writeBytes(Buffer.concat(records))
  const topic = new Encoder().writeString('calls').writeInt32(1).writeEncoder(partition)
  const answer = new Encoder().writeInt32(0).writeInt16(0).writeInt32(0).writeInt32(1).writeEncoder(topic)
  const { responses } = await fetchResponse.decode(answer.buffer)
  expect(responses[0].topicName).toBe('calls')
  expect(responses[0].partitions[0]).toMatchObject({ partition: 0, highWatermark: '99', errorCode: 0 })
  return responses[0].partitions[0].messages
}

async function pieces(messages: readonly KafkaMessage[], from = 0) {
  const found: object[] = []
  for (let begin = 0; begin < messages.length; ) {
    const { records, faults, last, end } = await readPiece(messages, { begin, from, partition })
    const lines = records.map(({ position, payload }) => `${position} ${Buffer.from(payload)}`)
    found.push({ lines, faults: faults.map(fault => `${fault.from} to ${fault.to}`), last })
    begin = end
  }
  return found
}

test('batches that fit together are one piece, and a record that was read before is not in it', async () => {
  const messages = await fetched(
    await batch(4, ['four', 'five']),
    await batch(6, ['six', null]),
    await batch(8, ['eight']),
  )
  expect(await pieces(messages)).toEqual([
    { lines: ['5 four', '6 five', '7 six', '8 ', '9 eight'], faults: [], last: '8' },
  ])
  expect(await pieces(messages, 5)).toEqual([{ lines: ['6 five', '7 six', '8 ', '9 eight'], faults: [], last: '8' }])
  expect(await pieces(messages, 8)).toEqual([{ lines: ['9 eight'], faults: [], last: '8' }])
})

test('a batch that cannot be read begins a piece of its own, so that no position stands behind it before it is told', async () => {
  const messages = await fetched(
    ...[
      await batch(0, ['zero']),
      await damaged(1, ['one', 'two']),
      await damaged(3, ['three']),
      await batch(4, ['four']),
    ],
  )
  expect(await pieces(messages)).toEqual([
    { lines: ['1 zero'], faults: [], last: '0' },
    { lines: ['5 four'], faults: ['1 to 2', '3 to 3'], last: '4' },
  ])
})

test('a piece ends when it holds enough, between batches', async () => {
  const large = 'x'.repeat(3 << 20)
  const messages = await fetched(await batch(0, [large]), await batch(1, [large]), await batch(2, [large]))
  expect((await pieces(messages)).map(piece => 'last' in piece && piece.last)).toEqual(['1', '2'])
})

test('message sets of before Kafka 0.11 are read by kafkajs itself', async () => {
  const set = encodeMessageSet({ messageVersion: 1, entries: [{ value: 'old', timestamp: 0 }] })
  const messages = await fetched(set.buffer)
  expect(await pieces(messages)).toEqual([{ lines: ['1 old'], faults: [], last: '0' }])
})
