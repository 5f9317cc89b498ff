/** What must have come of a storm, whatever the stream and however often the worker was started. */
import { expect } from 'vitest'
import type { PlanLimits } from '../../core/vocabulary.ts'
import { type StoryTold, tenant } from './storm-story.ts'

/** Generous: a shared machine may be busy. What was measured is printed. */
const alertWithinMs = 30_000

export interface Allowed {
  /** Alerts of which a worker that was killed while sending may have sent a second copy, by the end of their id. */
  readonly copiesOf?: readonly string[]
}

export function expectWholeStory(told: StoryTold, { copiesOf = [] }: Allowed = {}): void {
  const { keyId, alerts } = told
  console.info(
    `Alert ${told.msToAlert} ms and lower limits ${told.msToLowered} ms after the storm's first call; ${told.callsSent} calls; limits ${told.limitsSeen.map(({ rateLimit, burstLimit }) => `${rateLimit}/${burstLimit}`).join(' → ')}`,
  )
  expect(told.exitCode).toBe(0)
  expect(told.callsCounted).toBe(told.callsSent)
  expect(rejectedLines(told)).toBe(0)
  expect(resumptions(told).slice(0, 1)).toEqual(['anew'])
  expect(new Set(resumptions(told).slice(1))).toEqual(new Set(told.wasInterrupted ? ['from its checkpoint'] : []))

  expect(told.msToAlert).toBeLessThan(alertWithinMs)
  expectOpening(told)

  // Of each message one, and of nobody else's.
  const messages = alerts.map(({ body }) => `${body.deduplicationId} ${body.phase}: ${body.action.kind}`)
  const mayRepeat = (message: string): boolean => copiesOf.some(id => message.startsWith(`${keyId}#1/${id} `))
  const once = messages.filter((message, index) => !mayRepeat(message) || messages.indexOf(message) === index)
  expect(once).toEqual([
    `${keyId}#1/alert-1 open: throttle`,
    `${keyId}#1/alert-2 recovering: restore`,
    `${keyId}#1/alert-3 closed: restored`,
  ])
  expect(new Set(alerts.map(({ body }) => body.keyId))).toEqual(new Set([keyId]))
  expect(incidentsIn(told)).toEqual([`${keyId}#1`])

  // Lowered once, half given back, then the original to the byte; and the neighbour's never touched.
  const [before, lowered, half, after] = told.limitsSeen
  expect(told.limitsSeen).toHaveLength(4)
  expect([before, after]).toEqual([told.original, told.original])
  expect(lowered?.rateLimit).toBeLessThan(told.original.rateLimit / 10)
  expect(lowered?.burstLimit).toBeLessThan(told.original.burstLimit / 10)
  expect(isBetween(half, lowered, after)).toBe(true)
  expect(told.neighbourLimits).toEqual(told.original)
}

/** Both numbers truly between: on probation a tenant has more than while throttled and less than its own. */
function isBetween(limits?: PlanLimits, low?: PlanLimits, high?: PlanLimits): boolean {
  if (limits === undefined || low === undefined || high === undefined) return false
  return (
    low.rateLimit < limits.rateLimit &&
    limits.rateLimit < high.rateLimit &&
    low.burstLimit < limits.burstLimit &&
    limits.burstLimit < high.burstLimit
  )
}

/** The message that wakes somebody: each field of its schema, and the text in exactly its four lines. */
function expectOpening({ keyId, alerts, limitsSeen }: StoryTold): void {
  const [first] = alerts
  const number = expect.any(Number)
  const text = expect.any(String)
  const iso = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  expect(first?.body).toEqual({
    schema: 'weir.alert/1',
    deduplicationId: `${keyId}#1/alert-1`,
    incidentId: `${keyId}#1`,
    text,
    phase: 'open',
    kind: 'retry-storm',
    severity: 'high',
    mode: 'enforce',
    keyId,
    tenant: { id: 'buoy-monitor', ...tenant },
    onsetAt: iso,
    onsetAtMs: number,
    decidedAt: iso,
    decidedAtMs: number,
    current: { calls: number, seconds: number, callsPerMinute: number },
    expected: { callsPerMinute: number, lowerPerMinute: number, upperPerMinute: number, days: 7 },
    detectors: expect.arrayContaining([{ name: 'retry-storm', score: number }]),
    evidence: expect.arrayContaining([{ measure: '5xx in 10 s', observed: number, usual: 0 }]),
    action: { kind: 'throttle', limits: limitsSeen[1], expiresAt: iso, expiresAtMs: number },
  })
  expect(first?.subject).toBe(`[high] ${tenant.name} (${keyId}) exceeded anomaly threshold.`)
  expect(first?.attributes).toEqual({
    severity: 'high',
    kind: 'retry-storm',
    phase: 'open',
    tenantId: 'buoy-monitor',
    keyId,
    format: 'generic',
    mode: 'enforce',
  })

  const figure = '\\d{1,3}(?:,\\d{3})*(?:\\.\\d+)?'
  const lines = first?.body.text.split('\n') ?? []
  expect(lines.slice(0, 5)).toEqual([
    `${tenant.name} (${keyId}) exceeded anomaly threshold.`,
    expect.stringMatching(new RegExp(`^Current: ${figure} req/min\\. Expected: ${figure}-${figure} req/min\\.$`)),
    'Client is in AUTOMATIC throttle reduction.',
    `Contact: ${tenant.contact} per escalation policy.`,
    '',
  ])
}

/** How each life of the worker began. */
const resumptions = ({ events }: StoryTold): readonly string[] =>
  events
    .filter(({ event }) => event === 'workerStarted')
    .map(({ resumedFrom }) => (typeof resumedFrom === 'number' ? 'from its checkpoint' : 'anew'))

const rejectedLines = ({ events }: StoryTold): number =>
  events
    .filter(({ event }) => event === 'batchesRead')
    .reduce((sum, { rejected }) => sum + (typeof rejected === 'number' ? rejected : Number.NaN), 0)

/** Ids of all incidents that any life of the worker alerted of: who sends what a dead broker held up is a surge, and only noted. */
function incidentsIn({ events }: StoryTold): readonly string[] {
  const ids = events.flatMap(({ explanation }) =>
    typeof explanation === 'object' &&
    explanation !== null &&
    'incidentId' in explanation &&
    !('telling' in explanation && explanation.telling === 'noted')
      ? [String(explanation.incidentId)]
      : [],
  )
  return [...new Set(ids)]
}
