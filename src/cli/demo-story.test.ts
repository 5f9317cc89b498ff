import { expect, test } from 'vitest'
import { createBatch, nextRow } from '../core/call-batch.ts'
import type { Decoder } from '../core/formats/decoder.ts'
import { summaryText, tallyOthers } from './demo-story.ts'

/** `payload` is a list of calls: `[key number, time, status]`. */
const decoder: Decoder = {
  keys: { ids: ['culprit', 'other'] },
  decode(payload, _position, batch) {
    for (const [key = 0, time = 0, status = 0] of JSON.parse(String(payload)) as number[][]) {
      const row = nextRow(batch)
      batch.key[row] = key
      batch.time[row] = time
      batch.status[row] = status
    }
  },
}

function tallyOf(calls: readonly (readonly number[])[]) {
  const tally = tallyOthers(decoder, 'culprit')
  const batch = createBatch(decoder.keys)
  // In two batches, of which the second is appended: nothing may be counted twice.
  for (const half of [calls.slice(0, 10), calls.slice(10)])
    tally.decoder.decode(Buffer.from(JSON.stringify(half)), '1', batch)
  return tally
}

const calls = (count: number, key: number, time: number, status: number) =>
  Array.from({ length: count }, () => [key, time, status])

test('the others’ failures are counted by ten seconds, the culprit’s are not', () => {
  const tally = tallyOf([
    ...[...calls(30, 1, 5_000, 200), ...calls(10, 1, 5_000, 500)],
    ...[...calls(10, 1, 15_000, 200), ...calls(30, 1, 15_000, 500), ...calls(99, 0, 15_000, 500)],
  ])
  expect(tally.failedShare(0, 20_000)).toBe(0.5)
  expect(tally.worst(0, 20_000)).toEqual({ at: 10_000, share: 0.75 })
})

test('a handful of calls says nothing about a share', () => {
  const tally = tallyOf(calls(3, 1, 0, 500))
  expect([tally.failedShare(0, 10_000), tally.worst(0, 10_000)]).toEqual([undefined, undefined])
})

test('a storm that nobody saw is not called a success', () => {
  const tally = tallyOf([])
  const end = { timetable: {}, tally, stormAt: 0, fixedAt: 1, propagationMs: 0, messages: 0, speed: 1 }
  expect(summaryText(end)).toContain('Weir said nothing')
})
