import { expect, test } from 'vitest'
import { weirSchema } from '../core/config/config.ts'
import { createEngine, engineSettings, engineStatus } from '../core/engine.ts'
import { createMeter } from './meter.ts'

const status = engineStatus(createEngine(engineSettings(weirSchema.parse({}), {})))
const behind = (partition: string, records: number) => ({ partition, records: [], arrivedAt: 0, lag: { records } })

const nothing = { bytes: 0, calls: 0, rejected: 0 }

test('records that partitions are behind add up, and a partition is as far behind as it said last', () => {
  const meter = createMeter(0)
  for (const batch of [behind('t/0', 9), behind('t/0', 5), behind('t/1', 1_000)]) meter.count(batch, nothing)
  expect(meter.read(1_000, status, ['t/0', 't/1']).lag).toEqual({ records: 1_005 })
  expect(meter.read(2_000, status, ['t/0', 't/1']).lag).toEqual({ records: 1_005 })
})

test('a partition that went to another worker has no lag here, also when it comes back', () => {
  const meter = createMeter(0)
  for (const batch of [behind('t/0', 5), behind('t/1', 1_000)]) meter.count(batch, nothing)
  expect(meter.read(1_000, status, ['t/0']).lag).toEqual({ records: 5 })
  expect(meter.read(2_000, status, ['t/0', 't/1']).lag).toEqual({ records: 5 })
  expect(meter.read(3_000, status, []).lag).toBeUndefined()
})
