import { expect, test } from 'vitest'
import { jsonSink } from './telemetry-sinks.ts'

test('times in the JSON log are whole milliseconds, at any depth; limits keep their fractions', () => {
  let text = ''
  const write = (more: string): void => {
    text += more
  }
  const tell = jsonSink({ write }, 'debug')
  const limits = { rateLimit: 12.5, burstLimit: 25 }
  tell({
    name: 'effectPerformed',
    effect: {
      kind: 'throttle',
      id: 'k#1/throttle-1',
      incidentId: 'k#1',
      keyId: 'k',
      decidedAt: 1_000.25,
      limits,
      expiresAt: 601_000,
      urgency: 1.5,
      keys: [],
      siblings: [],
    },
    outcome: { kind: 'applied', after: limits },
    tookMs: 4.41162109375,
  })
  expect(JSON.parse(text)).toMatchObject({
    event: 'effectPerformed',
    effect: { decidedAt: 1_000, limits, expiresAt: 601_000, urgency: 1.5 },
    outcome: { after: limits },
    tookMs: 4,
  })
})
