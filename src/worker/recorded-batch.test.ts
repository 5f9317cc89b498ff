import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createBatch, nextRow, wantPlaces } from '../core/call-batch.ts'
import { batchInputOf, recordedBatch } from './recorded-batch.ts'

const noon = Date.UTC(2026, 10, 20, 12)
const call = fc.record({
  key: fc.nat(3),
  time: fc.oneof(
    fc.integer({ min: noon - 1_000, max: noon + 1_000 }),
    fc.double({ noNaN: true, min: 0, max: 2 * noon }),
  ),
  status: fc.nat(999),
  latencyMs: fc.oneof(fc.integer({ min: -1, max: 30_000 }), fc.double({ noNaN: true })),
  route: fc.integer(),
  source: fc.oneof(fc.constant(0), fc.integer()),
  bytes: fc.oneof(fc.integer({ min: -1, max: 1_000 }), fc.integer({ min: 0, max: 2 ** 40 })),
})

test('whatever the calls hold, they come back from a recording to the bit', () => {
  fc.assert(
    fc.property(fc.array(call, { maxLength: 20 }), fc.nat(20), fc.boolean(), (calls, skipped, arePlacesRead) => {
      const batch = createBatch({ ids: ['a', 'b', 'c', 'd'] }, 4)
      if (arePlacesRead) wantPlaces(batch)
      for (const { key, time, status, latencyMs, bytes, route, source } of calls) {
        const row = nextRow(batch)
        Object.assign(batch.key, { [row]: key })
        batch.time[row] = time
        batch.status[row] = status
        batch.latencyMs[row] = latencyMs
        batch.bytes[row] = bytes
        batch.route[row] = route
        batch.source[row] = source
      }
      const from = Math.min(skipped, calls.length)
      const range = { from, to: calls.length, panesFrom: 0, panesTo: 0 }
      const recorded = recordedBatch({ kind: 'batch', partition: 't/0', arrivedAt: noon, batch, ...range }, 1)
      const back = batchInputOf(recorded, { ids: ['a'] })
      expect(back).toMatchObject({ partition: 't/0', arrivedAt: noon, from: 0, to: calls.length - from })
      expect(back.batch.keys.ids).toEqual(['a', 'b', 'c', 'd'])
      for (const name of ['key', 'time', 'status', 'latencyMs', 'bytes', 'route', 'source'] as const) {
        const given = [...batch[name].slice(from, calls.length)]
        // A column that is not there says of every call that it has none.
        const kept = [...back.batch[name].slice(0, back.to)]
        expect(kept).toEqual(kept.length === 0 && given.every(value => value === 0) ? [] : given)
      }
    }),
  )
})

test('a usual call takes 14 bytes: 4 of time, 2 each of key, status and latency, 4 of length; 8 more where places are read', () => {
  const batch = createBatch({ ids: ['a'] })
  for (let ms = 0; ms < 60_000; ms += 100) {
    const row = nextRow(batch)
    batch.time[row] = noon + ms
    batch.latencyMs[row] = 20
    batch.bytes[row] = 100_000
  }
  const range = { from: 0, to: batch.length, panesFrom: 0, panesTo: 0 }
  const recorded = recordedBatch({ kind: 'batch', partition: 't/0', arrivedAt: noon, batch, ...range }, 0)
  const { key, time, status, latencyMs, bytes } = recorded
  expect([key, time, status, latencyMs, bytes].map(column => column.byteLength / batch.length)).toEqual([2, 4, 2, 2, 4])
})
