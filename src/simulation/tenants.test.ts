import { describe, expect, test } from 'vitest'
import { DAY_MS, MINUTE_MS } from '../core/vocabulary.ts'
import { callsPerSecondAt, payflowTenants, weekOfPanes } from './tenants.ts'

const seed = 7
const tenants = payflowTenants({ seed })
const friday = Date.parse('2025-03-14T14:00:00Z')

describe('PayFlow’s clients', () => {
  test('are 200, each with an id, a key, a plan and a contact of its own', () => {
    expect(tenants).toHaveLength(200)
    for (const of of [
      tenants.map(({ id }) => id),
      tenants.map(({ keyId }) => keyId),
      tenants.map(({ plan }) => plan.id),
    ])
      expect(new Set(of).size).toBe(200)
    expect(tenants[0]).toMatchObject({
      id: 'client-a',
      name: 'Client A',
      keyId: 'key_abc123',
      contact: 'client-a-sre@partner.com',
    })
    expect(tenants[199]?.name).toBe('Client GR')
  })

  test('make 50 million calls a month together, Client A a fifth of them', () => {
    const total = tenants.reduce((sum, { callsPerSecond }) => sum + callsPerSecond, 0)
    expect(total * 86_400 * (365.25 / 12)).toBeCloseTo(50_000_000, -1)
    expect((tenants[0]?.callsPerSecond ?? 0) / total).toBeCloseTo(0.2, 6)
  })

  test('keep to that over a weekday, whatever its shape', () => {
    const midnight = Date.parse('2025-03-12T00:00:00Z')
    for (const tenant of tenants.slice(0, 20)) {
      let calls = 0
      for (let minute = 0; minute < 1_440; minute++)
        calls += 60 * callsPerSecondAt(tenant, seed, midnight + minute * MINUTE_MS)
      const ratio = calls / (tenant.callsPerSecond * 86_400)
      // A day as a whole may stray by some 4 %, one standard deviation.
      expect(ratio, tenant.name).toBeGreaterThan(0.84)
      expect(ratio, tenant.name).toBeLessThan(1.16)
    }
  })

  test('Client A usually makes 400 to 600 calls a minute at its peak, and few at night', () => {
    const rates: number[] = []
    for (let day = 1; day <= 7; day++)
      for (let minute = -15; minute < 15; minute++)
        rates.push(60 * callsPerSecondAt(tenants[0]!, seed, friday - day * DAY_MS + minute * MINUTE_MS))
    rates.sort((one, other) => one - other)
    expect(Math.abs(rates[Math.floor(rates.length * 0.05)]! - 400)).toBeLessThan(40)
    expect(Math.abs(rates[Math.floor(rates.length * 0.95)]! - 600)).toBeLessThan(40)
    expect(60 * callsPerSecondAt(tenants[0]!, seed, Date.parse('2025-03-14T02:00:00Z'))).toBeLessThan(100)
  })
})

describe('a week of history', () => {
  const rows = [...weekOfPanes({ seed, tenants, endsAt: friday })]
    .join('')
    .trimEnd()
    .split('\n')
    .map(row => JSON.parse(row))

  test('covers the seven days before its end and nothing after', () => {
    expect(rows[0].start).toBe(friday - 7 * DAY_MS)
    expect(rows.at(-1).start + rows.at(-1).seconds * 1_000).toBe(friday)
  })

  test('has rows whose parts make up the whole, and none without a call', () => {
    const odd = rows.filter(
      ({ calls, status2xx, status4xx, status5xx }) => calls === 0 || status2xx + status4xx + status5xx !== calls,
    )
    expect(odd).toEqual([])
  })

  test('brings each client the calls that its rate foretells, with more spread than chance alone', () => {
    const ofA = rows.filter(({ key }) => key === 'key_abc123')
    let squares = 0
    for (const { start, calls } of ofA) {
      let expected = 0
      for (let minute = 0; minute < 5; minute++)
        expected += 60 * callsPerSecondAt(tenants[0]!, seed, start + minute * MINUTE_MS)
      squares += (calls - expected) ** 2 / expected
    }
    // Around the straying rate itself, a count is Poisson: variance = mean.
    expect(squares / ofA.length).toBeGreaterThan(0.85)
    expect(squares / ofA.length).toBeLessThan(1.15)

    const sameHour = ofA
      .filter(({ start }) => Math.abs((start % DAY_MS) - (friday % DAY_MS)) < 20 * MINUTE_MS)
      .map(({ calls }) => calls)
    const mean = sameHour.reduce((sum, calls) => sum + calls, 0) / sameHour.length
    const variance = sameHour.reduce((sum, calls) => sum + (calls - mean) ** 2, 0) / sameHour.length
    expect(variance / mean).toBeGreaterThan(3)
  })

  test('is the same for the same seed, and another for another', () => {
    const few = tenants.slice(0, 3)
    const history = (from: number): string =>
      [...weekOfPanes({ seed: from, tenants: few, endsAt: friday, days: 1 })].join('')
    expect(history(seed)).toBe(history(seed))
    expect(history(seed)).not.toBe(history(seed + 1))
  })

  test('comes in minutes where that is asked for', () => {
    const texts = [...weekOfPanes({ seed, tenants: tenants.slice(0, 1), endsAt: friday, days: 1, seconds: 60 })]
    expect(texts).toHaveLength(1_440)
    expect(JSON.parse(texts.at(-1) ?? '')).toMatchObject({ start: friday - MINUTE_MS, seconds: 60 })
  })
})
