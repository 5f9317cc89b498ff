import { gzipSync } from 'node:zlib'
import { afterEach, expect, test } from 'vitest'
import type { TelemetryEvent } from './telemetry.ts'
import { live, newFolder, noon, removeFolders } from './testing-life.ts'

afterEach(removeFolders)

/** As a CloudWatch Logs subscription writes it; `level`: the second time the same may be packed otherwise. */
function envelope(ids: readonly number[], level: number): Uint8Array {
  const message = (id: number) => JSON.stringify({ requestTimeEpoch: noon + id, apiKeyId: 'k1', status: 200 })
  const logEvents = ids.map(id => ({ id: `3${id}`, timestamp: noon + id, message: message(id) }))
  return gzipSync(JSON.stringify({ messageType: 'DATA_MESSAGE', logGroup: 'payments', logEvents }), { level })
}

type Life = Awaited<ReturnType<typeof live>>

async function bring({ source, pass }: Life, position: string, payload: Uint8Array): Promise<void> {
  const partition = 't/0'
  source.given.push({ partition, arrivedAt: noon + 1_000, records: [{ partition, position, payload }] })
  source.give('wake', [], noon + 1_000)
  await pass(1_000)
}

const counted = (told: readonly TelemetryEvent[]): number =>
  told.reduce((most, event) => ('totalCalls' in event ? Math.max(most, event.totalCalls) : most), 0)
const rejected = (told: readonly TelemetryEvent[]): readonly unknown[] =>
  told.flatMap(event => (event.name === 'rejectsSummarised' ? [event.recent] : []))

test('an envelope that is delivered twice counts once, and is told as a duplicate', async () => {
  const life = await live({ folder: newFolder() })
  await bring(life, '1', envelope([1, 2, 3], 6))
  await bring(life, '2', envelope([1, 2, 3], 1))
  await bring(life, '3', envelope([4, 5], 6))
  await life.stop()
  expect(counted(life.told)).toBe(5)
  expect(rejected(life.told)).toEqual([{ duplicate: 1 }])
})

test('an envelope whose copy comes after a restart counts once', async () => {
  const folder = newFolder()
  const first = await live({ folder })
  await bring(first, '1', envelope([1, 2, 3], 6))
  await first.stop()
  const second = await live({ folder, given: [...first.source.given], startsAt: noon + 2_000 })
  await bring(second, '3', envelope([1, 2, 3], 6))
  await second.stop()
  expect(counted(second.told)).toBe(3)
  expect(rejected(second.told)).toEqual([{ duplicate: 1 }])
})
