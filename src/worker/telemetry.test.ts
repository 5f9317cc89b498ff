import { expect, test } from 'vitest'
import { levelOf, type TelemetryEvent } from './telemetry.ts'
import { lagText, limitsText, sentenceOf } from './telemetry-text.ts'

test('a checkpoint that had to be the older one is a warning, starting anew is not', () => {
  const started = { name: 'workerStarted', source: 'kafka topic logs', mode: 'observe' } as const
  expect(levelOf({ ...started, resumedFrom: undefined, note: undefined })).toBe('info')
  const older = { ...started, resumedFrom: 0, note: 'The newest checkpoint is damaged' }
  expect(levelOf(older)).toBe('warn')
  expect(sentenceOf(older)).toBe(
    'Watching kafka topic logs in mode observe, starting from the checkpoint of 1970-01-01T00:00:00.000Z. The newest checkpoint is damaged',
  )
})

test('rejected lines are told by reason', () => {
  const counts = { 'broken-json': 3, 'no-key': 1 }
  expect(
    sentenceOf({ name: 'rejectsSummarised', recent: counts, total: counts, unwritten: 0, trouble: undefined }),
  ).toBe('Rejected in the last minute: 4 lines: broken-json 3, no-key 1')
})

test('keys that had to make room, and calls that found none, are a warning that names the setting', () => {
  const event = { name: 'keysForgotten', keys: 12_000, unplacedCalls: 3 } as const
  expect(levelOf(event)).toBe('warn')
  expect(sentenceOf(event)).toBe(
    'state.maxKeys is reached: 12,000 idle keys made room for new ones in the last minute. More new keys call at once than state.maxKeys leaves room for: 3 calls of them counted as anonymous in the last minute. Made-up ids do that: look where they come from (the log’s sourceIp, or a rate-based rule of AWS WAF). Raise state.maxKeys only if they are real clients',
  )
  expect(sentenceOf({ ...event, keys: 0 })).toMatch(/^More new keys call at once/)
  expect(sentenceOf({ ...event, unplacedCalls: 0 })).toMatch(/If these are real clients, raise it$/)
})

test('a lag is said in what the source counts in, and an unknown one is not none', () => {
  expect([undefined, { records: 0 }, { records: 7 }, { ms: 400 }, { ms: 90_000 }].map(lagText)).toEqual([
    ...['unknown', 'none', '7 records', 'none', '90 s'],
  ])
})

test('a plan without a throttle is not a plan with a limit of nothing', () => {
  expect(limitsText(undefined)).toBe('no limit of its own')
  expect(limitsText({ rateLimit: 0.5, burstLimit: 3 })).toBe('0.5/s, burst 3')
})

test('a limit that does not hold is for a person, one that could not be verified a warning, one that holds is told with how long it took', () => {
  const about = { name: 'throttleVerified', incidentId: 'k1#1', keyId: 'k1', plans: [], because: undefined } as const
  const events: TelemetryEvent[] = [
    { ...about, verdict: 'bites', bitesAfterMs: 19_400 },
    { ...about, verdict: 'does-not-bite', bitesAfterMs: undefined },
    { ...about, verdict: 'cannot-tell', because: 'silent', bitesAfterMs: undefined },
  ]
  expect(events.map(event => `${levelOf(event)}: ${sentenceOf(event)}`)).toEqual([
    'info: The lowered limit of k1 (k1#1) holds, 19 s after the gateway took it',
    'error: The lowered limit of k1 (k1#1) does NOT hold: the log shows far more going through than it allows',
    'warn: The lowered limit of k1 (k1#1) could not be verified: silent',
  ])
})
