import { expect, test } from 'vitest'
import type { AuditEntry, LimitEntry } from '../stores/audit.ts'
import { auditingVerdicts } from './audit-verdicts.ts'

test('whether a limit holds is a line of the audit log for each plan, and what else is told is not', () => {
  const entries: LimitEntry[] = []
  const told: string[] = []
  const audit = {
    record: async (entry: AuditEntry) => void entries.push(entry as LimitEntry),
    tidy: async () => {},
    close: async () => {},
  }
  const clock = { now: () => 7, sleep: async () => {} }
  const telemetry = auditingVerdicts({ audit, clock }, ({ name }) => told.push(name))
  telemetry({ name: 'sourceEnded' })
  const limits = { rateLimit: 15, burstLimit: 30 }
  const plans = ['p1', 'p2'].map(planId => ({ planId, limits, keys: ['k1'] }))
  const about = { name: 'throttleVerified', incidentId: 'k1#1', keyId: 'k1' } as const
  telemetry({ ...about, verdict: 'bites', because: undefined, bitesAfterMs: 20_000, plans })
  expect(told).toEqual(['sourceEnded', 'throttleVerified'])
  expect(
    entries.map(({ planId, change, result, to, bitesAfterMs }) => ({ planId, change, result, to, bitesAfterMs })),
  ).toEqual([
    { planId: 'p1', change: 'verified', result: 'bites', to: limits, bitesAfterMs: 20_000 },
    { planId: 'p2', change: 'verified', result: 'bites', to: limits, bitesAfterMs: 20_000 },
  ])
})
