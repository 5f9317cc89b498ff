/** The bench's log is what the bench says it is; otherwise the ratio is about something else. */
import { expect, test } from 'vitest'
import { accessLogLines, keyCount, startsAt, stormKeyId } from './access-log-lines.ts'

const lines = [...accessLogLines({ lines: 20_000, seed: 1 })]
const calls = lines.map(line => JSON.parse(line) as Record<string, string>)
const timeOf = (call: Record<string, string>): number => Number(call.requestTimeEpoch)

test('it has exactly the lines asked for, of about 360 bytes, and the same ones for the same seed', () => {
  expect(lines).toHaveLength(20_000)
  expect(lines.join('').length / lines.length).toBeGreaterThan(340)
  expect(lines.join('').length / lines.length).toBeLessThan(380)
  expect([...accessLogLines({ lines: 20_000, seed: 1 })]).toEqual(lines)
  expect([...accessLogLines({ lines: 20_000, seed: 2 })]).not.toEqual(lines)
})

test('it is an hour of 200 tenants, and times are out of order by no more than a latency', () => {
  expect(new Set(calls.map(call => call.apiKeyId)).size).toBe(keyCount)
  expect(Math.max(...calls.map(timeOf)) - Math.min(...calls.map(timeOf))).toBeGreaterThan(3_590_000)
  const answered = calls.map(call => timeOf(call) + Number(call.responseLatency))
  expect(answered).toEqual(answered.toSorted((a, b) => a - b))
})

test('one tenant storms for 45 seconds with a tenth of all lines, most of an hour’s failures among them', () => {
  const since = startsAt + 1_800_000
  const inStorm = calls.filter(
    call => call.apiKeyId === stormKeyId && timeOf(call) >= since - 500 && timeOf(call) < since + 45_000,
  )
  expect(inStorm.length).toBeGreaterThan(1_900)
  const failed = (some: typeof calls) => some.filter(call => call.status === '502').length
  expect(failed(inStorm) / failed(calls)).toBeGreaterThan(0.8)
})
