import { expect, test } from 'vitest'
import { blindText, watchFields, wholeBatch } from './blind-spots.ts'
import { createBatch, nextRow, type PaneRow, wantPlaces } from './call-batch.ts'
import { weirSchema } from './config/config.ts'

const withDetectors = (detectors: object = {}, more: object = {}) => weirSchema.parse({ detectors, ...more })
const pool = { pool: { concurrency: 100 } }

interface Call {
  readonly status?: number
  readonly latencyMs?: number
  readonly route?: number
  readonly source?: number
}

function batchOf(count: number, { status = 0, latencyMs = -1, route = 0, source = 0 }: Call) {
  const batch = createBatch()
  wantPlaces(batch)
  for (let call = 0; call < count; call++) {
    const row = nextRow(batch)
    batch.status[row] = status
    batch.latencyMs[row] = latencyMs
    batch.route[row] = route
    batch.source[row] = source
  }
  return batch
}

function spotsOf(batches: readonly ReturnType<typeof batchOf>[], config = withDetectors()) {
  const fields = watchFields(config)
  for (const batch of batches) fields.note(wholeBatch(batch))
  return fields.spots()
}

test('a log of times and keys alone leaves six detectors blind, and a seventh where there is a pool', () => {
  const spots = spotsOf([batchOf(100, {})], withDetectors({}, pool))
  expect(spots).toEqual([
    { field: 'status', detectors: ['retry-storm', 'error-loop', 'limit-pressure'] },
    { field: 'latency', detectors: ['pool-share'] },
    { field: 'route', detectors: ['enumeration', 'stuck-poller'] },
    { field: 'source', detectors: ['new-place'] },
  ])
  expect(spotsOf([batchOf(100, {})])?.map(({ field }) => field)).toEqual(['status', 'route', 'source'])
})

test('a field that one call has is there', () => {
  const full = batchOf(1, { status: 200, latencyMs: 0, route: 7, source: -3 })
  expect(spotsOf([batchOf(150, {}), full, batchOf(150, {})], withDetectors({}, pool))).toEqual([])
})

test('a few calls tell nothing yet', () => {
  expect(spotsOf([batchOf(99, {})])).toBeUndefined()
})

test('who is not asked is not missed', () => {
  const off = { enabled: false }
  const config = withDetectors({ 'stuck-poller': off, 'new-place': off })
  expect(blindText(spotsOf([batchOf(100, { status: 200 })], config) ?? [])).toBe(
    'enumeration: no call has a route (`fields.route`)',
  )
})

test('counts of another tool have statuses and latencies, and no places', () => {
  const row: PaneRow = {
    ...{ key: 0, start: 0, seconds: 1, calls: 100, status2xx: 99, status4xx: 1, status429: 0, status5xx: 0 },
    ...{ latencySumMs: 900, latencyCount: 100, bytes: 0 },
  }
  const counts = batchOf(0, {})
  counts.panes.push(row)
  expect(spotsOf([counts], withDetectors({}, pool))?.map(({ field }) => field)).toEqual(['route', 'source'])
})
