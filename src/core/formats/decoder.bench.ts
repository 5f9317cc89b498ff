/** What a line costs, beside what JSON.parse alone would cost: `npx vitest bench src/core/formats`. */
import { bench, describe } from 'vitest'
import { clearBatch, createBatch } from '../call-batch.ts'
import { weirSchema } from '../config.ts'
import { createDecoder } from './decoder.ts'

const lineCount = 20_000
const lines = Array.from({ length: lineCount }, (_, index) => {
  const id = (index * 2_654_435_761) % 4_294_967_296
  return `{"requestId":"${id.toString(16).padStart(8, '0')}-7d5e-4f0e-9a35-0d2f6a3e9b11","extendedRequestId":"Zk9cXGbQIAMFlzA=","requestTimeEpoch":"${1_767_225_600_000 + index}","apiKeyId":"k${id % 200}abcd2345","sourceIp":"192.0.2.${id % 250}","httpMethod":"POST","resourcePath":"/v1/payments","status":"${id % 33 === 0 ? 503 : 200}","responseLatency":"${20 + (id % 300)}","responseLength":"${id % 3000}","userAgent":"payflow-java/1.4"}`
})
const text = Buffer.from(`${lines.join('\n')}\n`)
const records = lines.map(line => Buffer.from(line))

const decoder = createDecoder({
  format: 'auto',
  fields: weirSchema.parse({}).fields,
  hashSecret: 'bench',
  maxRecordBytes: 1 << 25,
})
const batch = createBatch(decoder.keys, lineCount)

describe(`${lineCount} access-log lines`, () => {
  bench('JSON.parse of each line', () => {
    for (const line of lines) JSON.parse(line)
  })
  bench('decoded, one record of many lines', () => {
    clearBatch(batch)
    decoder.decode(text, '0', batch)
  })
  bench('decoded, a record a line', () => {
    clearBatch(batch)
    for (const record of records) decoder.decode(record, '0', batch)
  })
})
