import { expect, test } from 'vitest'
import type { PartitionId } from '../core/vocabulary.ts'
import { createPartsReading } from './parts-reading.ts'
import type { Reading } from './telemetry.ts'

const [one, two] = ['t/0', 't/1'] as [PartitionId, PartitionId]
const reading = (some: Partial<Reading>): Reading => ({
  ...{ overMs: 1_000, records: 0, bytes: 0, calls: 0, rejected: 0, lag: undefined, eventTime: undefined },
  ...{
    watermark: undefined,
    keys: 0,
    activeKeys: 0,
    totalCalls: 0,
    late: 0,
    future: 0,
    openIncidents: 0,
    throttled: 0,
  },
  ...{ history: false, isHalted: false, catchingUpFrom: undefined, ...some },
})

test('what parts have read adds up, of times and lags the worst counts', () => {
  const parts = createPartsReading()
  expect(parts.read()).toBeUndefined()
  parts.note(one, reading({ calls: 3, totalCalls: 30, lag: { records: 5 }, eventTime: 20, watermark: 10, keys: 2 }))
  parts.note(two, reading({ calls: 4, totalCalls: 40, lag: { records: 9 }, eventTime: 30, watermark: 25, keys: 1 }))
  expect(parts.read()).toEqual(
    reading({ calls: 7, totalCalls: 70, lag: { records: 9 }, eventTime: 30, watermark: 10, keys: 3 }),
  )
})

test('calls are told once, and those of a part that is another worker’s by now stay counted', () => {
  const parts = createPartsReading()
  parts.note(one, reading({ calls: 3, totalCalls: 30 }))
  parts.note(two, reading({ calls: 1, totalCalls: 1 }))
  parts.read()
  parts.forget(one)
  expect(parts.read()).toMatchObject({ calls: 0, totalCalls: 31 })
})
