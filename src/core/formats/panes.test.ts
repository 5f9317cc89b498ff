import { describe, expect, test } from 'vitest'
import { type CallBatch, createBatch } from '../call-batch.ts'
import { type FormatName, weirSchema } from '../config/config.ts'
import { createDecoder } from './decoder.ts'

const noon = Date.UTC(2026, 0, 1, 12)
const { fields } = weirSchema.parse({})
const call = JSON.stringify({ requestTimeEpoch: noon, apiKeyId: 'k1', status: 200 })

function decode(lines: string | readonly string[], { format = 'auto' }: { format?: FormatName } = {}): CallBatch {
  const decoder = createDecoder({ format, fields, hashSecret: 'a secret of the test', maxRecordBytes: 1 << 20 })
  const batch = createBatch(decoder.keys)
  for (const line of [lines].flat()) decoder.decode(Buffer.from(line), '7', batch)
  return batch
}

const rejectedOf = (batch: CallBatch) => Object.fromEntries(batch.rejected)

describe('panes', () => {
  const pane = { key: 'k1', start: noon, seconds: 60, calls: 420 }
  const full = {
    ...pane,
    status2xx: 400,
    status4xx: 3,
    status429: 9,
    status5xx: 8,
    latencySumMs: 4200.5,
    latencyCount: 420,
    bytes: 9,
  }
  const json = (row: object): string => JSON.stringify(row)
  const rowsOf = (batch: CallBatch) => batch.panes.map(row => ({ ...row, key: batch.keys.ids[row.key] }))

  test('rows are counts of a key; what is left out is 0', () => {
    const batch = decode([
      json(full),
      json({ ...pane, start: noon / 1000 }),
      json({ ...pane, start: '2026-01-01T12:00:00Z' }),
    ])
    const zeros = { status2xx: 0, status4xx: 0, status429: 0, status5xx: 0, latencySumMs: 0, latencyCount: 0, bytes: 0 }
    expect(rowsOf(batch)).toEqual([full, { ...pane, ...zeros }, { ...pane, ...zeros }])
    expect(batch.length).toBe(0)
  })

  test.each([
    { ...pane, calls: -1 },
    { ...pane, calls: 1.5 },
    { ...pane, calls: 'many' },
    { ...pane, seconds: 0 },
    { ...pane, seconds: 86_401 },
    { ...pane, calls: 2 ** 32 },
    { ...pane, latencySumMs: '1e999' },
    { ...pane, start: 'now' },
    { ...pane, key: '' },
    { ...pane, status5xx: 421 },
    { ...pane, bytes: 'x' },
    { ...pane, calls: null },
  ])('a row that cannot be is refused: %j', row => {
    expect(rejectedOf(decode(json(row)))).toEqual({ 'bad-pane': 1 })
  })

  test('where panes were asked for, a row that lacks something is a bad pane, whatever else it may be', () => {
    expect(rejectedOf(decode([json({ key: 'k1' }), call], { format: 'panes' }))).toEqual({ 'bad-pane': 2 })
  })
})
