import { expect, test } from 'vitest'
import { answeringOf, callsOfSecond, rowOfCalls } from './answers.ts'

const start = Date.UTC(2026, 9, 12)

test('a client fails in 0.1-0.5 % of its calls and errs in 1-4 %, each in its own way', () => {
  const clients = Array.from({ length: 50 }, (_, number) => answeringOf(`client ${number}`))
  for (const { share5xx, share4xx } of clients) {
    expect(share5xx).toBeGreaterThanOrEqual(0.001)
    expect(share5xx).toBeLessThan(0.005)
    expect(share4xx).toBeGreaterThanOrEqual(0.01)
    expect(share4xx).toBeLessThan(0.04)
  }
  expect(new Set(clients.map(({ share4xx }) => share4xx)).size).toBe(50)
  expect(answeringOf('client 7')).toEqual(clients[7])
})

test('calls of a second lie in it, oldest first, and are answered by the client’s shares', () => {
  const answering = answeringOf('client')
  const calls = callsOfSecond('client', answering, start, 20_000)
  expect(calls).toHaveLength(20_000)
  expect(calls.every(({ at }, index) => at >= (calls[index - 1]?.at ?? start) && at < start + 1_000)).toBe(true)
  const share = (from: number, to: number) =>
    calls.filter(({ status }) => status >= from && status < to).length / 20_000
  expect(share(500, 600)).toBeCloseTo(answering.share5xx, 2)
  expect(share(400, 500)).toBeCloseTo(answering.share4xx, 2)
  expect(calls.some(({ status }) => status === 429)).toBe(false)
  expect(new Set(calls.map(({ route }) => route)).size).toBe(answering.routes)
  expect(new Set(calls.map(({ source }) => source))).toEqual(new Set(answering.sources))
})

test.each([1, 60, 6_000])('a row of history adds up to its %i calls, and is answered as the calls are', calls => {
  const answering = answeringOf('client')
  const rows = Array.from({ length: 500 }, (_, slot) => rowOfCalls('client', answering, start + slot * 300_000, calls))
  for (const row of rows) expect(row.status2xx + row.status4xx + row.status429 + row.status5xx).toBe(calls)
  const meanOf = (value: (row: (typeof rows)[number]) => number) =>
    rows.reduce((sum, row) => sum + value(row), 0) / (500 * calls)
  expect(Math.abs(meanOf(row => row.status5xx) - answering.share5xx)).toBeLessThan(0.005)
  expect(Math.abs(meanOf(row => row.status4xx) - answering.share4xx)).toBeLessThan(0.02)
  expect(meanOf(row => row.latencySumMs) / answering.latency.mean).toBeCloseTo(1, 0)
})
