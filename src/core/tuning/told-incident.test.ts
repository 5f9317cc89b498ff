import { expect, test } from 'vitest'
import type { Explanation } from '../explanation/explanation.ts'
import { createToldIncidents, isPage } from './told-incident.ts'

const change = (at: number, more: Partial<Explanation>): Explanation => ({
  ...{ incidentId: 'a#1', keyId: 'a', tenant: undefined, phase: 'open', kind: 'surge', severity: 'low' },
  ...{ telling: 'alerted', onsetAt: 90_000, decidedAt: at, current: { calls: 1, seconds: 1, callsPerMinute: 60 } },
  ...{ expected: undefined, detectors: [{ name: 'surge', score: 2 }], evidence: [], mode: 'suggest' },
  action: { kind: 'held', because: 'no-harm' },
  ...more,
})

function read(...changes: readonly Explanation[]) {
  const incidents = createToldIncidents()
  for (const one of changes) incidents.take(one)
  return incidents.read(500_000)
}

test('an incident is one from its opening to its end, with the worst that was told of it', () => {
  const told = read(
    change(100_000, { tenant: { id: 't', name: 'Acme', contact: undefined, escalation: undefined } }),
    change(101_000, {
      ...{ severity: 'high', kind: 'retry-storm', detectors: [{ name: 'storm', score: 3 }] },
      action: { kind: 'suggest', limits: { rateLimit: 1, burstLimit: 2 } },
    }),
    change(200_000, { phase: 'closed', kind: 'retry-storm', severity: 'high', action: { kind: 'none' } }),
  )
  expect(told).toEqual([
    {
      ...{ incidentId: 'a#1', keyId: 'a', tenant: 'Acme', kind: 'retry-storm', severity: 'high', telling: 'alerted' },
      ...{ onsetAt: 90_000, openedAt: 100_000, endedAt: 200_000, detectors: ['surge', 'storm'], isThrottled: true },
    },
  ])
  expect(told.map(isPage)).toEqual([true])
})

test('what was noted first and told later was told then, and what is only noted is no page however severe', () => {
  const [late] = read(change(100_000, { telling: 'noted' }), change(160_000, { severity: 'high' }))
  expect(late).toMatchObject({ telling: 'alerted', openedAt: 160_000, severity: 'high' })
  const [noted] = read(change(100_000, { telling: 'noted', severity: 'high' }))
  expect(noted && isPage(noted)).toBe(false)
})

test('what is still open when the log ends lasts until then', () => {
  expect(read(change(100_000, {}))).toMatchObject([{ endedAt: 500_000 }])
})
