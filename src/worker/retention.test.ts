import { afterEach, expect, test } from 'vitest'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../core/vocabulary.ts'
import type { TelemetryEvent } from './telemetry.ts'
import { sentenceOf } from './telemetry-text.ts'
import { live, newFolder, noon, removeFolders } from './testing-life.ts'

afterEach(removeFolders)

const retainedMs = DAY_MS
const aboutRetention = (told: readonly TelemetryEvent[]): readonly TelemetryEvent[] =>
  told.filter(({ name }) => name === 'historyWanting' || name === 'streamOutran')

test('a start that knows nothing says once how little the stream keeps, and what to do', async () => {
  const folder = newFolder()
  const first = await live({ folder, retainedMs, teach: 'nothing' })
  await first.bring(3, 1)
  await first.stop()
  expect(aboutRetention(first.told)).toEqual([{ name: 'historyWanting', retainedMs }])
  expect(sentenceOf({ name: 'historyWanting', retainedMs })).toMatch(/keeps 24 h .*--history.*weir learn.*168 h/)
  expect(sentenceOf({ name: 'historyWanting', retainedMs: 7 * DAY_MS })).not.toContain('increase-stream-retention')

  const second = await live({ folder, retainedMs, teach: 'nothing', startsAt: noon + MINUTE_MS })
  await second.stop()
  expect(aboutRetention(second.told)).toEqual([])
})

test('a start that is taught a history has nothing to say of it', async () => {
  const life = await live({ folder: newFolder(), retainedMs })
  await life.stop()
  expect(aboutRetention(life.told)).toEqual([])
})

test('a worker that was away for longer than the stream keeps anything says what is lost', async () => {
  const folder = newFolder()
  const first = await live({ folder, retainedMs })
  await first.bring(3, 1)
  await first.stop()

  const second = await live({ folder, retainedMs, startsAt: noon + 30 * HOUR_MS })
  await second.stop()
  expect(aboutRetention(second.told)).toEqual([{ name: 'streamOutran', awayMs: expect.any(Number), retainedMs }])
})
