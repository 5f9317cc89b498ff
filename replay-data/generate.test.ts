import { createHash, type Hash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { stories, storyHistory, storyLog, storyTenants } from '../src/simulation/story.ts'

const hashOf = (texts: Iterable<string>): string => {
  const hash: Hash = createHash('sha256')
  for (const text of texts) hash.update(text)
  return hash.digest('hex')
}

describe.each(stories.map(story => ({ name: story.name, story })))('the recorded story $name', ({ name, story }) => {
  const folder = join(import.meta.dirname, name)
  const recorded = (file: string): string => gunzipSync(readFileSync(join(folder, file))).toString()
  const expected: { onsetAt: string; opens: { keyId: string }[]; never: string[] } = JSON.parse(
    readFileSync(join(folder, 'expected.json'), 'utf8'),
  )

  test('comes out of its generator to the byte', () => {
    expect(hashOf(storyLog(story))).toBe(hashOf([recorded('log.ndjson.gz')]))
    expect(hashOf(storyHistory(story))).toBe(hashOf([recorded('history.ndjson.gz')]))
    expect(storyTenants(story)).toEqual(parse(readFileSync(join(folder, 'tenants.yaml'), 'utf8')))
  })

  test('is small', () => {
    const bytes = ['log.ndjson.gz', 'history.ndjson.gz'].map(file => statSync(join(folder, file)).size)
    expect(bytes[0]! + bytes[1]!).toBeLessThan(1_500_000)
  })

  test('has a history of seven days that ends before the log begins', () => {
    const rows = recorded('history.ndjson.gz').trimEnd().split('\n')
    const startOf = (row: string | undefined): number => JSON.parse(row ?? '').start
    const calls = recorded('log.ndjson.gz').trimEnd().split('\n')
    const logBegins = Math.min(...calls.slice(0, 1_000).map(line => Number(JSON.parse(line).requestTimeEpoch)))
    expect(startOf(rows[0])).toBe(story.startsAt - 7 * 86_400_000)
    expect(startOf(rows.at(-1)) + 300_000).toBe(story.startsAt)
    expect(logBegins).toBeGreaterThanOrEqual(story.startsAt)
  })

  test('expects something of every tenant, and of nobody else', () => {
    const spokenOf = [...expected.opens.map(({ keyId }) => keyId), ...expected.never]
    expect(spokenOf.toSorted()).toEqual(story.tenants.map(({ keyId }) => keyId as string).toSorted())
  })
})

interface LoggedCall {
  readonly requestTimeEpoch: string
  readonly apiKeyId: string
  readonly status: string
}

const callsOf = (name: string): LoggedCall[] =>
  gunzipSync(readFileSync(join(import.meta.dirname, name, 'log.ndjson.gz')))
    .toString()
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line))

const between = (calls: LoggedCall[], from: string, to: string): LoggedCall[] =>
  calls.filter(({ requestTimeEpoch: at }) => Date.parse(from) <= Number(at) && Number(at) < Date.parse(to))

const failedShare = (calls: LoggedCall[]): number =>
  calls.filter(({ status }) => Number(status) >= 500).length / calls.length

describe('the Friday as its README tells it', () => {
  const calls = callsOf('friday')
  const clientA = calls.filter(({ apiKeyId }) => apiKeyId === 'key_abc123')
  const others = calls.filter(({ apiKeyId }) => apiKeyId !== 'key_abc123')

  test('the onset is just after the first call that fails in the blip', () => {
    const failed = between(clientA, '2025-03-14T14:00:00Z', '2025-03-14T14:00:10Z').filter(
      ({ status }) => status === '504',
    )
    expect(Math.min(...failed.map(({ requestTimeEpoch: at }) => Number(at)))).toBe(
      Date.parse('2025-03-14T14:00:03.660Z'),
    )
  })

  test('Client A goes from some 500 calls a minute to 50,000, for 45 seconds', () => {
    const before = between(clientA, '2025-03-14T13:55:00Z', '2025-03-14T14:00:00Z')
    const storm = between(clientA, '2025-03-14T14:00:19Z', '2025-03-14T14:01:04Z')
    expect(before.length / 5).toBeGreaterThan(450)
    expect(before.length / 5).toBeLessThan(550)
    expect((storm.length / 45) * 60).toBeGreaterThan(49_000)
    expect((storm.length / 45) * 60).toBeLessThan(51_000)
  })

  test('eight of ten calls fail in the storm, of everyone; before and after hardly any', () => {
    for (const tenants of [clientA, others]) {
      const share = failedShare(between(tenants, '2025-03-14T14:00:19Z', '2025-03-14T14:01:04Z'))
      expect(share).toBeGreaterThan(0.7)
      expect(share).toBeLessThan(0.9)
      expect(failedShare(between(tenants, '2025-03-14T13:55:00Z', '2025-03-14T14:00:00Z'))).toBeLessThan(0.01)
      expect(failedShare(between(tenants, '2025-03-14T14:01:10Z', '2025-03-14T14:04:00Z'))).toBeLessThan(0.02)
    }
  })

  test('nothing was throttled', () => {
    expect(calls.filter(({ status }) => status === '429')).toEqual([])
  })
})

test('in the sale Client B calls four times as often, and fails no more than before', () => {
  const clientB = callsOf('sale').filter(({ apiKeyId }) => apiKeyId === 'key_b1001')
  const before = between(clientB, '2025-11-28T10:00:00Z', '2025-11-28T10:05:00Z')
  const during = between(clientB, '2025-11-28T10:05:00Z', '2025-11-28T10:40:00Z')
  const ratio = during.length / 35 / (before.length / 5)
  expect(ratio).toBeGreaterThan(3)
  expect(ratio).toBeLessThan(5.5)
  expect(failedShare(during)).toBeLessThan(0.01)
})
