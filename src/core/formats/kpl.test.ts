import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createBatch } from '../call-batch.ts'
import { createDecoder } from './decoder.ts'
import { isKpl, recordsOfKpl } from './kpl.ts'
import { createRepeats } from './repeats.ts'
import { callsOf, decode, keysOf, rejectedOf } from './testing-decode.ts'

const noon = Date.UTC(2026, 0, 1, 12)
const line = (key: string) => `{"apiKeyId":"${key}","requestTimeEpoch":"${noon}","status":"200"}`

const varint = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)])
const field = (number: number, bytes: Uint8Array) =>
  Buffer.concat([Buffer.from([...varint(number * 8 + 2), ...varint(bytes.length)]), bytes])
const index = (number: number, value: number) => Buffer.from([...varint(number * 8), ...varint(value)])
const sealed = (message: Uint8Array) =>
  Buffer.concat([Buffer.from([0xf3, 0x89, 0x9a, 0xc2]), message, createHash('md5').update(message).digest()])

/** As the KPL writes it: the tables, then the records, each with its indexes and sometimes tags. */
function aggregated(records: readonly (string | Uint8Array)[]): Buffer {
  const tag = Buffer.concat([field(1, Buffer.from('kind')), field(2, Buffer.from('access'))])
  return sealed(
    Buffer.concat([
      ...[field(1, Buffer.from('partition-key-0')), field(1, Buffer.from('partition-key-1'))],
      field(2, Buffer.from('340282366920938463463374607431768211455')),
      ...records.map((record, number) =>
        field(3, Buffer.concat([index(1, number & 1), index(2, 0), field(3, Buffer.from(record)), field(4, tag)])),
      ),
    ]),
  )
}

describe('records that the producer library packed into one', () => {
  test('are read as if each had come by itself: lines, several lines, gzip and envelopes', () => {
    const envelope = JSON.stringify({
      messageType: 'DATA_MESSAGE',
      logEvents: [{ id: '1', timestamp: noon, message: line('k4') }],
    })
    const batch = decode([
      aggregated([line('k1'), `${line('k2')}\n${line('k2')}\n`, gzipSync(line('k3')), gzipSync(envelope)]),
      line('k5'),
    ])
    expect(keysOf(batch)).toEqual(['k1', 'k2', 'k2', 'k3', 'k4', 'k5'])
    expect(callsOf(batch)[3]).toMatchObject({ time: noon, status: 200 })
    expect(rejectedOf(batch)).toEqual({})
  })

  test('say which of them was refused, and where in it', () => {
    const batch = decode(aggregated([line('k1'), `${line('k2')}\nnothing\n`, 'nothing']))
    expect(batch.samples.map(({ reason, position }) => [reason, position])).toEqual([
      ['unknown-format', `7:1#${line('k2').length + 1}`],
      ['unknown-format', '7:2#0'],
    ])
  })

  test('with a wrong checksum or a broken message are one rejection, in which nothing is shown', () => {
    const whole = aggregated([line('k1'), line('k2')])
    const mistaken = Buffer.from(whole)
    mistaken[20]! ^= 1
    const broken = [
      sealed(Buffer.from([0x1a, 0x05, 0x01])),
      sealed(Buffer.from([0x1a, 0x02, 0x08, 0x00])),
      sealed(Buffer.from([0x00, 0x01])),
      sealed(Buffer.from([0x1b])),
      sealed(Buffer.alloc(11, 0xff)),
      whole.subarray(0, 12),
      whole.subarray(0, -1),
    ]
    const batch = decode([mistaken, ...broken, line('k3')])
    expect(keysOf(batch)).toEqual(['k3'])
    expect(rejectedOf(batch)).toEqual({ 'bad-kpl': 8 })
    expect(batch.samples.every(({ excerpt }) => excerpt === '')).toBe(true)
  })

  test('are known again one by one where the stream brings them twice, packed with others', () => {
    const decoder = createDecoder({
      ...{ format: 'auto', fields: {}, hashSecret: 'a secret of the test', maxRecordBytes: 1 << 20 },
      repeats: createRepeats(),
    })
    const batch = createBatch(decoder.keys)
    const trusted = (id: string) => line('k1').replace('{', `{"extendedRequestId":"${id}",`)
    decoder.decode(aggregated([trusted('a'), trusted('b')]), '7', batch)
    decoder.decode(aggregated([trusted('c'), trusted('b')]), '8', batch)
    expect(batch.length).toBe(3)
    expect(rejectedOf(batch)).toEqual({ duplicate: 1 })
    expect(batch.samples[0]?.position).toBe('8:1#0')
  })

  test('of another producer’s making are read', () => {
    // As ExKpl documents its output (hex.pm/packages/ex_kpl): one record, "data", of "partition_key".
    const theirs = 'f3899ac20a0d706172746974696f6e5f6b65791a0808001a0464617461d03699da5a222fa32108ad1bd955a14e'
    expect(recordsOfKpl(Buffer.from(theirs, 'hex'))).toEqual([Buffer.from('data')])
  })

  test('may hold none, and fields of a later version are passed over', () => {
    expect(recordsOfKpl(sealed(Buffer.alloc(0)))).toEqual([])
    const later = Buffer.concat([
      index(9, 70000),
      Buffer.from([0x51, ...Array(8).fill(1), 0x55, 1, 1, 1, 1]),
      field(11, Buffer.from('x')),
    ])
    const record = field(3, Buffer.concat([later, field(3, Buffer.from('data')), later]))
    expect(recordsOfKpl(sealed(Buffer.concat([later, record])))).toEqual([Buffer.from('data')])
  })

  test('are no bomb: together they may be no more than one record may, and they nest no second time', () => {
    const tenth = gzipSync(`${line('k1')}\n`.repeat(300))
    const batch = decode(aggregated(Array(60).fill(tenth)), { maxRecordBytes: 100_000 })
    expect(batch.length).toBeLessThan(1600)
    expect(batch.length).toBeGreaterThan(300)
    expect(rejectedOf(batch)['too-large']).toBe(60 - batch.length / 300)
    expect(rejectedOf(decode(aggregated([aggregated([line('k1')])])))).toEqual({ 'bad-kpl': 1 })
    expect(recordsOfKpl(aggregated(Array(100_001).fill('')))).toBeUndefined()
  })

  test('are never thrown, whatever stands behind the magic or in the message', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), bytes => {
        const records = recordsOfKpl(sealed(bytes))
        expect((records ?? []).reduce((sum, { length }) => sum + length, 0)).toBeLessThanOrEqual(bytes.length)
        decode([Buffer.concat([Buffer.from([0xf3, 0x89, 0x9a, 0xc2]), bytes]), sealed(bytes)])
      }),
      { numRuns: 2000 },
    )
  })

  test('nothing else begins as they do', () => {
    expect([isKpl(aggregated([])), isKpl(Buffer.from(line('k1'))), isKpl(Buffer.alloc(0))]).toEqual([
      true,
      false,
      false,
    ])
  })
})
