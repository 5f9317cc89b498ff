import { describe, expect, test } from 'vitest'
import { SECOND_MS } from '../core/vocabulary.ts'
import { fridayBug, type RetryBug } from './clients.ts'
import { type Admission, createPayflow, type PayflowOptions } from './payflow.ts'
import { callsPerSecondAt, payflowTenants } from './tenants.ts'

const seed = 11
const tenants = payflowTenants({ seed })
const startsAt = Date.parse('2025-03-14T13:59:00Z')
const blipAt = startsAt + 60 * SECOND_MS

/** Counts of one second, by second since the blip. */
interface SecondOfCalls {
  calls: number
  failed: number
  refused: number
}
type Who = 'client A' | 'others'

/** Only what is counted, since there are hundreds of thousands of lines. */
const counting = /"requestTimeEpoch":"(\d+)".*"apiKeyId":"(\w+)".*"status":"(\d+)"/

function play({ seconds, ...changes }: Partial<PayflowOptions> & { seconds: number }) {
  const payflow = createPayflow({ seed, startsAt, tenants, ...changes })
  const counted = new Map<string, SecondOfCalls>()
  for (const line of payflow.step(startsAt + seconds * SECOND_MS)) {
    const [, requestTimeEpoch, apiKeyId, status] = counting.exec(line)!
    const second = `${apiKeyId === 'key_abc123' ? 'client A' : 'others'} ${Math.floor((Number(requestTimeEpoch) - blipAt) / SECOND_MS)}`
    const counts = counted.get(second) ?? { calls: 0, failed: 0, refused: 0 }
    counts.calls++
    if (Number(status) >= 500) counts.failed++
    if (status === '429') counts.refused++
    counted.set(second, counts)
  }
  return (who: Who, from: number, to: number): SecondOfCalls => {
    const sum = { calls: 0, failed: 0, refused: 0 }
    for (let second = from; second < to; second++) {
      const counts = counted.get(`${who} ${second}`)
      sum.calls += counts?.calls ?? 0
      sum.failed += counts?.failed ?? 0
      sum.refused += counts?.refused ?? 0
    }
    return sum
  }
}

const friday = (changes: Partial<RetryBug> = {}): RetryBug =>
  fridayBug(blipAt, { fixedAt: blipAt + 75 * SECOND_MS, ...changes })
const normalOfA = callsPerSecondAt(tenants[0]!, seed, blipAt)

/** A token bucket for one key, from a moment on. */
function limitOf(keyId: string, { rate, burst, from }: { rate: number; burst: number; from: number }): Admission {
  let tokens = burst
  let last = from
  return {
    admit(key, at) {
      if (key !== keyId || at < from) return true
      tokens = Math.min(burst, tokens + ((at - last) / SECOND_MS) * rate)
      last = at
      if (tokens < 1) return false
      tokens--
      return true
    },
  }
}

describe('PayFlow on a quiet day', () => {
  const lines = createPayflow({ seed, startsAt, tenants }).step(startsAt + 600 * SECOND_MS)
  const calls = lines.map(line => JSON.parse(line))

  test('repeats itself to the byte for the same seed, however it is stepped', () => {
    const again = createPayflow({ seed, startsAt, tenants })
    const inPieces: string[] = []
    for (let until = startsAt; until < startsAt + 600 * SECOND_MS; until += 730) inPieces.push(...again.step(until))
    inPieces.push(...again.step(startsAt + 600 * SECOND_MS))
    expect(inPieces).toEqual(lines)
    expect(createPayflow({ seed: seed + 1, startsAt, tenants }).step(startsAt + 600 * SECOND_MS)).not.toEqual(lines)
  })

  test('brings as many calls as its clients’ rates foretell', () => {
    let expected = 0
    for (let at = startsAt; at < startsAt + 600 * SECOND_MS; at += 60 * SECOND_MS)
      for (const tenant of tenants) expected += 60 * callsPerSecondAt(tenant, seed, at)
    expect(Math.abs(calls.length / expected - 1)).toBeLessThan(0.03)
  })

  test('writes the recommended fields, every value quoted', () => {
    expect(Object.keys(calls[0])).toEqual([
      'requestId',
      'extendedRequestId',
      'requestTimeEpoch',
      'apiId',
      'stage',
      'apiKeyId',
      'principalId',
      'sourceIp',
      'httpMethod',
      'resourcePath',
      'status',
      'responseLatency',
      'responseLength',
      'integrationStatus',
      'integrationLatency',
      'errorResponseType',
      'wafStatus',
      'userAgent',
    ])
    expect(calls.flatMap(call => Object.values(call)).every(value => typeof value === 'string')).toBe(true)
    expect(new Set(calls.map(({ extendedRequestId }) => extendedRequestId)).size).toBe(calls.length)
  })

  test('is mostly payments that succeed, with a few failures and rejections', () => {
    const share = (is: (call: { status: string; resourcePath: string }) => boolean): number =>
      calls.filter(is).length / calls.length
    expect(share(({ resourcePath }) => resourcePath === '/v1/payments')).toBeGreaterThan(0.75)
    expect(share(({ status }) => status.startsWith('2'))).toBeGreaterThan(0.95)
    expect(share(({ status }) => status.startsWith('5'))).toBeGreaterThan(0.0005)
    expect(share(({ status }) => status.startsWith('5'))).toBeLessThan(0.006)
  })

  test('takes about 80 ms a call', () => {
    const total = calls.reduce((sum, { responseLatency }) => sum + Number(responseLatency), 0)
    expect(Math.abs(total / calls.length - 85)).toBeLessThan(5)
  })

  test('writes a line when the call is answered and delivered, so a little out of order', () => {
    const payflow = createPayflow({ seed, startsAt, tenants, delivery: { leastMs: 1_000, mostMs: 3_000 } })
    let newest = 0
    let overtaken = 0
    for (let until = startsAt + 100; until < startsAt + 60 * SECOND_MS; until += 100) {
      for (const line of payflow.step(until)) {
        const { requestTimeEpoch, responseLatency } = JSON.parse(line)
        const answeredAt = Number(requestTimeEpoch) + Number(responseLatency)
        expect(until - answeredAt).toBeGreaterThanOrEqual(1_000)
        expect(until - answeredAt).toBeLessThanOrEqual(3_100)
        if (Number(requestTimeEpoch) < newest) overtaken++
        newest = Math.max(newest, Number(requestTimeEpoch))
      }
    }
    expect(overtaken).toBeGreaterThan(100)
  })
})

describe('the Friday incident, with nothing in its way', () => {
  const count = play({ seconds: 180, incidents: [friday()] })

  test('3 % of failures become hundreds of times the normal rate in some 20 seconds', () => {
    expect(count('client A', -50, 0).calls / 50 / normalOfA).toBeLessThan(1.5)
    expect(count('client A', 22, 25).calls / 3 / normalOfA).toBeGreaterThan(200)
    expect(count('client A', 30, 45).calls / 15 / normalOfA).toBeGreaterThan(450)
    expect(count('client A', 30, 45).calls / 15 / normalOfA).toBeLessThan(520)
  })

  test('about 80 % of the other clients’ calls fail', () => {
    const { calls, failed } = count('others', 30, 45)
    expect(failed / calls).toBeGreaterThan(0.72)
    expect(failed / calls).toBeLessThan(0.9)
    const before = count('others', -50, 0)
    expect(before.failed / before.calls).toBeLessThan(0.02)
  })

  test('it goes on after the blip, and ends when the bug is taken back', () => {
    expect(count('client A', 60, 70).calls / 10 / normalOfA).toBeGreaterThan(400)
    expect(count('client A', 80, 110).calls / 30 / normalOfA).toBeLessThan(2)
    const after = count('others', 80, 110)
    expect(after.failed / after.calls).toBeLessThan(0.02)
  })
})

test('with Client A’s limit lowered six seconds in, the others hardly notice, though A goes on calling', () => {
  const admission = limitOf('key_abc123', { rate: 15, burst: 30, from: blipAt + 6 * SECOND_MS })
  const count = play({ seconds: 110, incidents: [friday()], admission })
  const others = count('others', 0, 45)
  expect(others.failed / others.calls).toBeLessThan(0.01)
  const { calls, refused } = count('client A', 30, 45)
  expect(refused / calls).toBeGreaterThan(0.99)
  expect(calls / 15 / normalOfA).toBeLessThan(520)
})

test('what others call of their own accord is the same whatever is admitted', () => {
  // Nothing fails here, so nobody of them retries.
  const reliable = tenants.map(tenant => ({ ...tenant, failureShare: 0 }))
  const freshOfOthers = (admission: Admission): number[] =>
    createPayflow({ seed, startsAt, tenants: reliable, admission })
      .step(startsAt + 40 * SECOND_MS)
      .map(line => JSON.parse(line))
      .filter(({ apiKeyId }) => apiKeyId !== 'key_abc123')
      .map(({ requestTimeEpoch }) => Number(requestTimeEpoch))
      // What came later than that may not have been delivered yet.
      .filter(at => at < startsAt + 30 * SECOND_MS)
      .toSorted()
  const refuseA: Admission = { admit: keyId => keyId !== 'key_abc123' }
  expect(freshOfOthers(refuseA)).toEqual(freshOfOthers({ admit: () => true }))
  expect(freshOfOthers(refuseA).length).toBeGreaterThan(200)
})

test('a client that fails with an ordinary retry tries once more, and no more', () => {
  const tenant = { ...tenants[1]!, failureShare: 1 }
  const calls = createPayflow({ seed, startsAt, tenants: [tenant] }).step(startsAt + 1_200 * SECOND_MS).length
  const quiet = createPayflow({ seed, startsAt, tenants: [tenants[1]!] }).step(startsAt + 1_200 * SECOND_MS).length
  expect(Math.abs(calls / quiet - 2)).toBeLessThan(0.05)
})
