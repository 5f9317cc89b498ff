/** What a worker is taught before its stream begins, and that the two must not overlap. */
import { expect, test } from 'vitest'
import { createBatch, nextRow } from '../core/call-batch.ts'
import { weirSchema } from '../core/config/config.ts'
import { createEngine, engineSettings } from '../core/engine.ts'
import { createDecoder } from '../core/formats/decoder.ts'
import type { FilePiece } from '../sources/file-pieces.ts'
import { goesBackInto, historyOverlaps, teachHistory } from './history.ts'

const config = weirSchema.parse({})
const decoder = createDecoder({
  ...{ format: 'auto', fields: config.fields, hashSecret: 'for tests', maxRecordBytes: 1_000_000 },
})
const until = Date.UTC(2026, 10, 20, 14)

function callsAt(...seconds: readonly number[]) {
  const batch = createBatch()
  for (const second of seconds) batch.time[nextRow(batch)] = until + second * 1_000
  return batch
}

test('a stream that begins after its history does not go back into it', () => {
  expect(goesBackInto(until, callsAt(0, 1, 2))).toBeUndefined()
})

test('a stream whose first calls are mostly older does, from its oldest call on', () => {
  expect(goesBackInto(until, callsAt(-600, -300, 5))).toBe(until - 600_000)
})

test('one wild clock among the first calls is no overlap', () => {
  expect(goesBackInto(until, callsAt(-86_400, 1, 2))).toBeUndefined()
})

test('the complaint says when each of them is, and what to give instead', () => {
  expect(historyOverlaps(until - 1_000, until)).toMatchObject({
    code: 'HISTORY_OVERLAPS',
    message: 'The log begins at 2026-11-20T13:59:59.000Z, before the history ends at 2026-11-20T14:00:00.000Z',
    retry: 'never',
  })
})

test('while a piece of a history is taught, others get their turn: who asks how the worker is need not wait', async () => {
  const rows = Array.from({ length: 5_000 }, (_, row) =>
    JSON.stringify({ key: `k${row % 50}`, start: until + Math.floor(row / 50) * 300_000, seconds: 300, calls: 3 }),
  )
  async function* pieces(): AsyncGenerator<FilePiece> {
    yield { kind: 'record', record: { partition: 'week', position: '1', payload: Buffer.from(rows.join('\n')) } }
  }
  let turns = 0
  let isOver = false
  const others = (): void => {
    turns++
    if (!isOver) setImmediate(others)
  }
  setImmediate(others)
  const engine = createEngine(engineSettings(config, {}), { withHistory: true })
  await teachHistory(engine, decoder, [{ path: 'week', pieces: pieces() }], () => {})
  isOver = true
  expect(turns).toBeGreaterThanOrEqual(5)
})
