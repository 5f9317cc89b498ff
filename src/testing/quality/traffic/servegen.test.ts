import { describe, expect, test } from 'vitest'
import { judgedFrom } from '../contract.ts'
import { sumOf } from './arrivals.ts'
import { emptyClient, servegenTenant, WINDOWS, type WindowedClient } from './servegen.ts'

const MINUTE_MS = 60_000
const DAY_MS = 1_440 * MINUTE_MS
const weekFrom = judgedFrom - 7 * DAY_MS

/** Calls of each window by its day and its place in it; bursty. */
function client(calls: (day: number, place: number) => number): WindowedClient {
  const made = emptyClient('servegen/pool/1')
  for (let window = 0; window < WINDOWS; window++) made.calls[window] = calls(Math.floor(window / 144), window % 144)
  made.shapes.fill(0.5)
  return made
}

describe('a client of whom ten-minute counts are known', () => {
  const tenant = servegenTenant(client((day, place) => (place < 72 ? 0 : 100 + day)))

  test('calls in each ten minutes as often as was counted', () => {
    const noon = judgedFrom + 720 * MINUTE_MS
    expect(sumOf(tenant.countsOf(noon - 10 * MINUTE_MS, 600))).toBe(0)
    expect(sumOf(tenant.countsOf(noon, 600))).toBe(107)
    expect(sumOf(tenant.countsOf(noon + DAY_MS, 1_200))).toBe(216)
    expect(sumOf(tenant.countsOf(tenant.judgedTo - 10 * MINUTE_MS, 3_600))).toBe(113)
  })

  test('has called the same in a stretch, whatever was asked before', () => {
    const from = judgedFrom + 800 * MINUTE_MS
    const whole = tenant.countsOf(from, 5_000)
    tenant.countsOf(from + DAY_MS, 30)
    const pieces = Array.from({ length: 50 }, (_, piece) => [...tenant.countsOf(from + piece * 100_000, 100)])
    expect(pieces.flat()).toEqual([...whole])
  })

  test('makes call by call as many calls in each second as were counted', () => {
    const from = judgedFrom + 800 * MINUTE_MS
    const counts = new Uint32Array(900)
    for (const { at } of tenant.callsOf(from, 900)) counts[Math.floor((at - from) / 1_000)]!++
    expect(counts).toEqual(tenant.countsOf(from, 900))
    expect(tenant.callsOf(from, 900)).toEqual([...tenant.callsOf(from, 400), ...tenant.callsOf(from + 400_000, 500)])
  })

  test('has a history of five minutes each that adds up to the week before', () => {
    const rows = tenant.history()
    const calls = rows.reduce((sum, row) => sum + row.calls, 0)
    expect(calls).toBe(72 * (100 + 101 + 102 + 103 + 104 + 105 + 106))
    expect(tenant.callsPerMinute).toBeCloseTo(calls / 10_080, 9)
    expect(rows.every(({ start }) => start >= weekFrom && start < judgedFrom && start % 300_000 === 0)).toBe(true)
  })
})

test('a very large client is made smaller, in the same rhythm, to what a client makes at most', () => {
  const tenant = servegenTenant(
    client((_, place) => (place < 72 ? 3_000 : 9_000)),
    { mostPerSecond: 2 },
  )
  expect(tenant.callsPerMinute).toBeCloseTo(120, 0)
  const [quiet, busy] = [tenant.countsOf(judgedFrom, 43_200), tenant.countsOf(judgedFrom + DAY_MS / 2, 43_200)]
  expect(sumOf(busy) / sumOf(quiet)).toBeCloseTo(3, 1)
})

test('a copy is its original some days later, with counts of its own, and around the end goes on with the beginning', () => {
  const original = client((day, place) => (place === 0 ? 1_000 * (day + 1) : 0))
  const copy = servegenTenant(original, { copy: { number: 1, shiftDays: 10 } })
  const first = (day: number) => sumOf(copy.countsOf(weekFrom + day * DAY_MS, 600))
  for (const [day, real] of [
    [0, 11_000],
    [3, 14_000],
    [4, 1_000],
    [13, 10_000],
  ] as const) {
    expect(first(day)).not.toBe(real)
    expect(first(day) / real).toBeGreaterThan(0.3)
    expect(first(day) / real).toBeLessThan(3)
  }
  expect(sumOf(copy.countsOf(weekFrom + 10 * MINUTE_MS, 86_000 - 600))).toBe(0)
  expect(copy.id).toBe('servegen/pool/1/copy 1')
  expect(copy.isHeldOut).toBe(servegenTenant(original).isHeldOut)
})
