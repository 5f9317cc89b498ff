import { expect, test } from 'vitest'
import type { Explanation } from './explanation.ts'
import { alertBody, changeLine } from './json.ts'
import { alertText } from './text.ts'

const onsetAt = Date.UTC(2026, 10, 20, 14, 3, 7)

const explanation: Explanation = {
  incidentId: 'key_abc123#1',
  keyId: 'key_abc123',
  tenant: { id: 'client-a', name: 'Client A', contact: undefined, escalation: undefined },
  phase: 'mitigated',
  kind: 'surge',
  severity: 'high',
  telling: 'alerted',
  onsetAt,
  decidedAt: onsetAt + 3_250,
  current: { calls: 2_503, seconds: 3, callsPerMinute: 50_060 },
  expected: undefined,
  detectors: [{ name: 'sequential-surge', score: 12.35 }],
  evidence: [{ measure: 'calls/min', observed: 50_060, usual: undefined }],
  mode: 'enforce',
  action: {
    kind: 'throttled',
    limits: { rateLimit: 15, burstLimit: 30 },
    before: undefined,
    expiresAt: onsetAt + 600_000,
  },
}

test('a change is one line, its fields in a fixed order, what is unknown null', () => {
  expect(changeLine(explanation)).toBe(
    '{"schema":"weir.incident/1","incidentId":"key_abc123#1","keyId":"key_abc123","tenantId":"client-a","phase":"mitigated",' +
      '"kind":"surge","severity":"high","onsetAt":"2026-11-20T14:03:07.000Z","onsetAtMs":1795183387000,' +
      '"decidedAt":"2026-11-20T14:03:10.250Z","decidedAtMs":1795183390250,' +
      '"detectors":[{"name":"sequential-surge","score":12.35}],' +
      '"evidence":[{"measure":"calls/min","observed":50060,"usual":null}],' +
      '"action":{"kind":"throttled","limits":{"rateLimit":15,"burstLimit":30},"before":null,' +
      '"expiresAt":"2026-11-20T14:13:07.000Z","expiresAtMs":1795183987000},"telling":"alerted"}',
  )
})

test('a key id with control characters stays what it is, and steers no terminal', () => {
  const keyId = 'k\u001b[31m\u009b2J\u202e\u2028\n'
  const line = changeLine({ ...explanation, keyId, tenant: undefined, action: { kind: 'none' } })
  expect(line).toMatch(/^[ -~]*$/)
  expect(JSON.parse(line)).toMatchObject({ keyId, tenantId: null, action: { kind: 'none' } })
})

test('the body of an alert has the exact counts, the whole tenant and the text', () => {
  const effect = {
    kind: 'alert',
    id: 'key_abc123#1/alert-2',
    incidentId: 'key_abc123#1',
    keyId: 'key_abc123',
    decidedAt: onsetAt + 4_000,
    explanation,
  } as const
  expect(alertBody(effect)).toEqual({
    schema: 'weir.alert/1',
    deduplicationId: 'key_abc123#1/alert-2',
    incidentId: 'key_abc123#1',
    text: alertText(explanation),
    phase: 'mitigated',
    kind: 'surge',
    severity: 'high',
    mode: 'enforce',
    keyId: 'key_abc123',
    tenant: { id: 'client-a', name: 'Client A', contact: null, escalation: null },
    onsetAt: '2026-11-20T14:03:07.000Z',
    onsetAtMs: onsetAt,
    decidedAt: '2026-11-20T14:03:10.250Z',
    decidedAtMs: onsetAt + 3_250,
    current: { calls: 2_503, seconds: 3, callsPerMinute: 50_060 },
    expected: null,
    detectors: [{ name: 'sequential-surge', score: 12.35 }],
    evidence: [{ measure: 'calls/min', observed: 50_060, usual: null }],
    action: {
      kind: 'throttled',
      limits: { rateLimit: 15, burstLimit: 30 },
      before: null,
      expiresAt: '2026-11-20T14:13:07.000Z',
      expiresAtMs: onsetAt + 600_000,
    },
  })
})
