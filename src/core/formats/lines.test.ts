/** Lines that were cut off: what stood before the break counts, and the break is told. */
import { expect, test } from 'vitest'
import { createBatch } from '../call-batch.ts'
import { weirSchema } from '../config/config.ts'
import { createDecoder } from './decoder.ts'

/** Everything of a call, then something that nobody asks for. */
const line = (fields: Readonly<Record<string, string>> = {}): string =>
  JSON.stringify({
    requestTimeEpoch: '1767268800000',
    apiKeyId: 'k1abcd2345',
    status: '200',
    responseLatency: '45',
    responseLength: '812',
    userAgent: 'payflow-java/1.4',
    ...fields,
  })
const cutOff = (text: string): string => text.slice(0, -9)

function read(text: string) {
  const { fields } = weirSchema.parse({})
  const decoder = createDecoder({ format: 'auto', fields, hashSecret: 'a secret of the test', maxRecordBytes: 1 << 20 })
  const batch = createBatch(decoder.keys)
  decoder.decode(Buffer.from(text), '7', batch)
  const keys = Array.from({ length: batch.length }, (_, row) => batch.keys.ids[batch.key[row]!])
  return { keys, rejected: Object.fromEntries(batch.rejected), samples: batch.samples }
}

test('a line that is cut off after its call counts and is told, before and after its layout is known', () => {
  const { keys, rejected } = read(
    `${cutOff(line())}\n${line()}\n${cutOff(line())}\n${cutOff(line())}\r\n${cutOff(line())}`,
  )
  expect(keys).toEqual(Array(5).fill('k1abcd2345'))
  expect(rejected).toEqual({ 'broken-json': 4 })
})

test('a carriage return or a space at the end is no break', () => {
  const { keys, rejected } = read(`${line()}\n${line()}\r\n${line()} \n${line()}\t\r\n`)
  expect(keys).toHaveLength(4)
  expect(rejected).toEqual({})
})

test('a line is told once: cut off before it is without a key, but what loses the call before either', () => {
  expect(read(cutOff(line({ apiKeyId: '-' })))).toMatchObject({ keys: ['anonymous'], rejected: { 'broken-json': 1 } })
  expect(read(cutOff(line({ status: '999' })))).toMatchObject({ keys: [], rejected: { 'bad-status': 1 } })
})

test('a message without a key is told with its own length, whether or not it brought its newline', () => {
  const keyless = line({ apiKeyId: '-' })
  const messages = [keyless, keyless, `${keyless}\n`, `${keyless}\n`]
  const logEvents = messages.map((message, index) => ({ id: `${index}`, timestamp: 1_767_268_800_000, message }))
  const { keys, samples } = read(JSON.stringify({ messageType: 'DATA_MESSAGE', owner: '1', logEvents }))
  expect(keys).toEqual(Array(4).fill('anonymous'))
  expect(samples.map(({ length }) => length)).toEqual(Array(4).fill(keyless.length))
})

test('what goes on behind a time or an amount that settles a call makes it another one, once the layout is known', () => {
  const settledBy = (last: string): string =>
    `{"apiKeyId":"k1","status":"200","responseLatency":"45","responseLength":"8","requestTimeEpoch":"${last}","x":"y"}`
  const time = '1767268800000'
  const { keys, rejected } = read([time, time, `${time}0`, `${time}x`, `${time}.5`, time].map(settledBy).join('\n'))
  expect([keys.length, rejected]).toEqual([4, { 'bad-time': 2 }])
})
