import { describe, expect, test } from 'vitest'
import type { Action, Explanation } from './explanation.ts'
import { alertText, cleanText, headline } from './text.ts'

const onsetAt = Date.UTC(2026, 10, 20, 14, 3, 7)

test('the alert of the Friday incident reads exactly so', () => {
  expect(alertText(storm({}))).toBe(
    [
      'Client A (key_abc123) exceeded anomaly threshold.',
      'Current: 50,000 req/min. Expected: 400-600 req/min.',
      'Client is in AUTOMATIC throttle reduction.',
      'Contact: client-a-sre@partner.com per escalation policy.',
      '',
      'Retry storm: calls that failed are sent again at once, and fail again.',
      'Since 2026-11-20 14:03:07 UTC, decided 3 s later. Counted: 2,501 calls in 3 s.',
      '- calls/min: 50,100, usually 502',
      '- 5xx in 10 s: 1,230, usually 0.25',
      'Detectors (1 is the threshold): sequential-surge 12.4, retry-storm 4.',
      'Usual is based on 7 of 7 days.',
      'Limit: to 15 req/s with a burst of 30, until 2026-11-20 14:13:10 UTC at the latest.',
      'Escalation policy: payments-oncall.',
      'Incident key_abc123#1: open, severity high, mode enforce.',
    ].join('\n'),
  )
})

test('errors, refusals and executions are told in a sentence with their numbers', () => {
  const sentenceOf = (kind: Explanation['kind'], evidence: Explanation['evidence']) =>
    alertText(storm({ kind, evidence })).split('\n')[5]
  const errors = [
    { measure: '4xx in 60 s', observed: 73, usual: 10.92 },
    { measure: '4xx in 100 calls', observed: 20.05, usual: 3 },
  ]
  expect(sentenceOf('error-loop', errors)).toBe(
    'Error loop: of each hundred calls 20.1 (usually 3) are answered 4xx, 73 (usually 10.9) in the last minute. They will not succeed until the client is mended.',
  )
  const refusals = [
    { measure: '429s in 60 s', observed: 1_680, usual: 0 },
    { measure: 'accepted calls in 60 s', observed: 840, usual: undefined },
  ]
  expect(sentenceOf('limit-pressure', refusals)).toBe(
    'Limit pressure: of the last minute 1,680 (usually 0) calls were refused (429), and 840 went through. This key calls into its own limit and does not slow down.',
  )
  const executions = [
    { measure: 'concurrent executions', observed: 312, usual: 20 },
    { measure: '% of the pool', observed: 31.2, usual: undefined },
  ]
  expect(sentenceOf('pool-share', executions)).toBe(
    'Pool share: 312 (usually 20) calls of this key run at once, 31.2 % of the pool in which the calls of all clients run.',
  )
})

test('a recovery tells when it began and what the key does now, and not the storm again', () => {
  const evidence = [{ measure: 'calls in the busiest 100 ms', observed: 3, usual: undefined }]
  const after = {
    ...{ decidedAt: onsetAt + 365_000, current: { calls: 510, seconds: 60, callsPerMinute: 510 }, evidence },
    ...{ expected: { callsPerMinute: 502, lowerPerMinute: 400, upperPerMinute: 600, days: 7 } },
  }
  const restore: Action = { kind: 'restore', step: 'half', because: 'calm' }
  expect(alertText(storm({ ...after, phase: 'recovering', action: restore }))).toBe(
    [
      'Client A (key_abc123) is recovering.',
      'Current: 510 req/min. Expected: 400-600 req/min.',
      'Client gets half of its limit back, on probation: its demand is back to normal.',
      'Contact: client-a-sre@partner.com per escalation policy.',
      '',
      'It began at 2026-11-20 14:03:07 UTC as a retry storm; since then 6 min 5 s have passed.',
      'Now: 510 calls in 60 s.',
      '- calls in the busiest 100 ms: 3',
      'Usual is based on 7 of 7 days.',
      'Escalation policy: payments-oncall.',
      'Incident key_abc123#1: recovering, severity high, mode enforce.',
    ].join('\n'),
  )
  const closed = storm({ ...after, decidedAt: onsetAt + 7_500_000, phase: 'closed', mode: 'suggest' })
  expect(
    alertText({ ...closed, action: { kind: 'suggest', limits: { rateLimit: 15, burstLimit: 30 } } })
      .split('\n')
      .slice(0, 7),
  ).toEqual([
    'Client A (key_abc123) is back to normal.',
    'Current: 510 req/min. Expected: 400-600 req/min.',
    "Client's limit was not changed.",
    'Contact: client-a-sre@partner.com per escalation policy.',
    '',
    'It began at 2026-11-20 14:03:07 UTC as a retry storm, and was over 2 h 5 min later.',
    'Now: 510 calls in 60 s.',
  ])
})

test('a platform incident is of all clients together, of whom nothing usual is kept', () => {
  const sick = storm({ kind: 'platform', tenant: undefined, expected: undefined })
  expect(secondLine(sick)).toBe('Current: 50,000 req/min. Expected: not known of all clients together.')
})

test('what began as an enumeration is told with its article', () => {
  const over = storm({ kind: 'enumeration', phase: 'closed', action: { kind: 'none' } })
  expect(alertText(over)).toContain(' as an enumeration, and was over ')
})

test('the end of a platform incident tells how long it lasted, and no number of its sickness', () => {
  const over = storm({ kind: 'platform', phase: 'closed', tenant: undefined, action: { kind: 'none' } })
  expect(alertText({ ...over, decidedAt: onsetAt + 42_000 })).toBe(
    [
      'The platform incident is over.',
      "Client's limit is not changed.",
      'Contact: none configured.',
      '',
      'It began at 2026-11-20 14:03:07 UTC as a platform incident, and was over 42 s later.',
      'Incident key_abc123#1: closed, severity high, mode enforce.',
    ].join('\n'),
  )
})

test('nats are for machines: the text leaves them out', () => {
  const evidence = [
    { measure: 'calls/min since it began', observed: 300, usual: 100 },
    { measure: 'evidence in nats', observed: 240, usual: undefined },
  ]
  const text = alertText(storm({ evidence }))
  expect(text).toContain('- calls/min since it began: 300, usually 100\n')
  expect(text).not.toContain('nats')
})

test('a key of no tenant, without history, stands alone and says what is not known', () => {
  const unknown = storm({
    kind: 'surge',
    tenant: undefined,
    expected: undefined,
    mode: 'observe',
    severity: 'low',
    telling: 'alerted',
    evidence: [{ measure: 'calls/min', observed: 50_060, usual: undefined }],
    detectors: [],
    action: { kind: 'held', because: 'history-unknown' },
  })
  expect(alertText(unknown)).toBe(
    [
      'key_abc123 exceeded anomaly threshold.',
      'Current: 50,000 req/min. Expected: unknown (no history).',
      "Client's limit was not changed: without history it is not known what this client normally needs.",
      'Contact: none configured.',
      '',
      'Surge: this key calls far more often than it usually does at this time.',
      'Since 2026-11-20 14:03:07 UTC, decided 3 s later. Counted: 2,501 calls in 3 s.',
      '- calls/min: 50,100',
      'Nothing usual is known: no history of this key.',
      'Incident key_abc123#1: open, severity low, mode observe.',
    ].join('\n'),
  )
})

test('a fall is told by its rate beside the usual one, and nobody is called busy', () => {
  const fallen = storm({
    kind: 'fall',
    severity: 'low',
    current: { calls: 60, seconds: 60, callsPerMinute: 60 },
    expected: { callsPerMinute: 502, lowerPerMinute: 400, upperPerMinute: 600, days: 7 },
    evidence: [{ measure: 'calls/min in 5 min', observed: 60, usual: 502 }],
    detectors: [{ name: 'fall', score: 1.47 }],
    action: { kind: 'held', because: 'no-harm' },
  })
  expect(alertText(fallen).split('\n').slice(0, 8)).toEqual([
    'Client A (key_abc123) calls far less than usual.',
    'Current: 60 req/min. Expected: 400-600 req/min.',
    "Client's limit was not changed: so far it harms nobody else.",
    'Contact: client-a-sre@partner.com per escalation policy.',
    '',
    'Fall: this key still calls, but far less often than it usually does at this time.',
    'Since 2026-11-20 14:03:07 UTC, decided 3 s later. Counted: 60 calls in 60 s.',
    '- calls/min in 5 min: 60, usually 502',
  ])
})

test('a retry storm inside the usual rate names its measure instead of the rate', () => {
  const quiet = (usual: number | undefined) =>
    storm({
      current: { calls: 25, seconds: 3, callsPerMinute: 500 },
      evidence: [{ measure: '5xx in 10 s', observed: 41, usual }],
    })
  expect(secondLine(quiet(0.2))).toBe('Current: 41 5xx in 10 s. Expected: 0.2 5xx in 10 s.')
  expect(secondLine(quiet(undefined))).toBe('Current: 41 5xx in 10 s. Expected: unknown (no history).')
})

test('rates have three figures and thousands, down to the smallest tenants', () => {
  const rate = (callsPerMinute: number, lowerPerMinute: number, upperPerMinute: number) =>
    secondLine(
      storm({
        kind: 'surge',
        current: { calls: 1, seconds: 1, callsPerMinute },
        expected: { callsPerMinute: lowerPerMinute, lowerPerMinute, upperPerMinute, days: 7 },
      }),
    )
  expect(rate(1_234_567, 12_345, 45_678)).toBe('Current: 1,230,000 req/min. Expected: 12,300-45,700 req/min.')
  expect(rate(60, 0, 0.2149)).toBe('Current: 60 req/min. Expected: 0-0.215 req/min.')
  expect(rate(60, 2, 2.001)).toBe('Current: 60 req/min. Expected: 2 req/min.')
})

test('the third line says what was done to the limit, or why nothing was', () => {
  const limits = { rateLimit: 12.5, burstLimit: 1_000 }
  const expiresAt = onsetAt + 600_000
  const lines: readonly (readonly [Action, string])[] = [
    [{ kind: 'held', because: 'observe-mode' }, "Client's limit was not changed: Weir only observes."],
    [{ kind: 'held', because: 'exempt' }, "Client's limit was not changed: this tenant is exempt from throttling."],
    [
      { kind: 'held', because: 'platform-incident' },
      "Client's limit was not changed: many clients are wrong at the same moment, so no one is throttled.",
    ],
    [
      { kind: 'held', because: 'too-many-throttled' },
      "Client's limit was not changed: as many tenants are throttled already as are allowed at once.",
    ],
    [{ kind: 'suggest', limits }, "Client's limit was not changed: Weir suggests 12.5 req/s with a burst of 1,000."],
    [{ kind: 'throttle', limits, expiresAt }, 'Client is in AUTOMATIC throttle reduction.'],
    [{ kind: 'throttled', limits, before: undefined, expiresAt }, 'Client is in AUTOMATIC throttle reduction.'],
    [
      { kind: 'throttle-refused', because: 'its usage plan is shared' },
      "Client's limit was not changed: its usage plan is shared.",
    ],
    [
      { kind: 'restore', step: 'half', because: 'calm' },
      'Client gets half of its limit back, on probation: its demand is back to normal.',
    ],
    [
      { kind: 'restore', step: 'half', because: 'expired', wholeOnly: true, gapMs: 2_100 },
      'Client stays reduced for the probation: the time of its throttle is over. While its key was moved its calls were refused (403), for 3 s as far as Weir saw.',
    ],
    [
      { kind: 'throttled', limits, before: undefined, expiresAt, gapMs: 900, missed: 'plan b' },
      'Client is in AUTOMATIC throttle reduction. While its key was moved its calls were refused (403), for 1 s as far as Weir saw. Not everywhere: plan b.',
    ],
    [
      { kind: 'restored', limits, gapMs: 1_000 },
      "Client's limit was raised again: 12.5 req/s with a burst of 1,000. While its key was moved its calls were refused (403), for 1 s as far as Weir saw.",
    ],
    [
      { kind: 'restore', step: 'full', because: 'expired' },
      'Client gets its whole limit back: the time of its throttle is over.',
    ],
    [{ kind: 'restored', limits }, "Client's limit was raised again: 12.5 req/s with a burst of 1,000."],
    [{ kind: 'restored', limits: undefined }, "Client's limit was raised again: no limit of its plan."],
    [{ kind: 'restored', limits, wasSo: true }, 'Client had its limit back already: 12.5 req/s with a burst of 1,000.'],
    [
      { kind: 'restored', limits: undefined, wasSo: true },
      'Nothing was left to give back of what this incident had lowered.',
    ],
    [
      { kind: 'restore-refused', because: 'access denied' },
      "Client's limit is STILL REDUCED, and a person must give it back: access denied.",
    ],
    [{ kind: 'none' }, "Client's limit is not changed."],
  ]
  for (const [action, line] of lines) expect(alertText(storm({ action })).split('\n')[2]).toBe(line)
})

test('a throttle that was set says from what, to what and until when', () => {
  const action: Action = {
    kind: 'throttled',
    before: { rateLimit: 100, burstLimit: 200 },
    limits: { rateLimit: 15, burstLimit: 30 },
    expiresAt: onsetAt + 603_000,
  }
  expect(alertText(storm({ phase: 'mitigated', action })).split('\n')).toContain(
    'Limit: from 100 req/s with a burst of 200 to 15 req/s with a burst of 30, until 2026-11-20 14:13:10 UTC at the latest.',
  )
})

test('the first line tells each turn of an incident from the others', () => {
  const limits = { rateLimit: 15, burstLimit: 30 }
  expect([
    headline(storm({ phase: 'mitigated', action: { kind: 'throttled', limits, before: undefined, expiresAt: 0 } })),
    headline(storm({ action: { kind: 'throttle-refused', because: 'no plan' } })),
    headline(storm({ phase: 'recovering', action: { kind: 'restore', step: 'half', because: 'calm' } })),
    headline(storm({ phase: 'recovering', action: { kind: 'none' } })),
    headline(storm({ phase: 'recovering', action: { kind: 'restore-refused', because: 'access denied' } })),
    headline(storm({ phase: 'closed', action: { kind: 'restored', limits } })),
    headline(storm({ kind: 'platform', action: { kind: 'held', because: 'platform-incident' } })),
    headline(storm({ kind: 'platform', phase: 'closed', action: { kind: 'none' } })),
  ]).toEqual([
    'Client A (key_abc123) is throttled.',
    'Client A (key_abc123) could not be throttled.',
    'Client A (key_abc123) is recovering.',
    'Client A (key_abc123) is recovering.',
    'Client A (key_abc123) could not get its limit back.',
    'Client A (key_abc123) is back to normal.',
    'Many clients fail or exceed anomaly thresholds at the same time.',
    'The platform incident is over.',
  ])
})

test('a tenant cannot steer the terminal, fake a line or flood the text by its name', () => {
  const name = '\u001b[31mClient\u001b[0m A\nContact: evil@example.com\u202e\u2028\u0007\u009b2J'
  const [first, second] = alertText(storm({ tenant: { ...tenant, name } })).split('\n')
  expect(first).toBe('Client A Contact: evil@example.com 2J (key_abc123) exceeded anomaly threshold.')
  expect(second).toBe('Current: 50,000 req/min. Expected: 400-600 req/min.')
  expect(cleanText('é'.repeat(500))).toBe(`${'é'.repeat(199)}…`)
})

test('a hundred measures are not a hundred lines', () => {
  const evidence = Array.from({ length: 100 }, (_, i) => ({ measure: `m${i}`, observed: i, usual: undefined }))
  const lines = alertText(storm({ evidence })).split('\n')
  expect(lines.filter(line => line.startsWith('- m'))).toHaveLength(12)
  expect(lines).toContain('- and 88 more')
})

const tenant = {
  id: 'client-a',
  name: 'Client A',
  contact: 'client-a-sre@partner.com',
  escalation: 'payments-oncall',
}

function storm(changed: Partial<Explanation>): Explanation {
  return {
    incidentId: 'key_abc123#1',
    keyId: 'key_abc123',
    tenant,
    phase: 'open',
    kind: 'retry-storm',
    severity: 'high',
    telling: 'alerted',
    onsetAt,
    decidedAt: onsetAt + 3_000,
    current: { calls: 2_501, seconds: 3, callsPerMinute: 50_020 },
    expected: { callsPerMinute: 502, lowerPerMinute: 400.2, upperPerMinute: 599.6, days: 7 },
    detectors: [
      { name: 'sequential-surge', score: 12.42 },
      { name: 'retry-storm', score: 4 },
    ],
    evidence: [
      { measure: 'calls/min', observed: 50_060, usual: 502 },
      { measure: '5xx in 10 s', observed: 1_234, usual: 0.2541 },
    ],
    mode: 'enforce',
    action: { kind: 'throttle', limits: { rateLimit: 15, burstLimit: 30 }, expiresAt: onsetAt + 603_000 },
    ...changed,
  }
}

function secondLine(explanation: Explanation): string | undefined {
  return alertText(explanation).split('\n')[1]
}

test('a key that is known since this hour only says so', () => {
  const expected = { callsPerMinute: 100, lowerPerMinute: 60, upperPerMinute: 140, days: 0 }
  expect(alertText(storm({ expected }))).toContain('Usual is based on the last hour alone: no day has this time yet.')
})

describe('a limit that somebody else has set meanwhile', () => {
  const original = { rateLimit: 100.25, burstLimit: 200 }
  const refused = (now: { rateLimit: number; burstLimit: number } | null): Explanation =>
    storm({
      phase: 'recovering',
      action: {
        ...{ kind: 'restore-refused', because: 'set by somebody else' },
        others: [{ planId: 'plan-a', region: 'eu-west-1', original, now }],
      },
    })
  const command =
    '  aws apigateway update-usage-plan --usage-plan-id plan-a --patch-operations op=replace,path=/throttle/rateLimit,value=100.25 op=replace,path=/throttle/burstLimit,value=200 --region eu-west-1'

  test('is told as reduced only where it is lower than it was, with what it was and how to set it', () => {
    const lines = alertText(refused({ rateLimit: 50, burstLimit: 600 })).split('\n')
    expect([lines[0], lines[2], ...lines.slice(5, 7)]).toEqual([
      'Client A (key_abc123) could not get its limit back.',
      "Client's limit is STILL REDUCED, and a person must give it back: plan plan-a has 50 req/s with a burst of 600, set by somebody else; Weir found 100.25 req/s with a burst of 200 before and leaves it.",
      'To give it back by hand:',
      command,
    ])
  })

  test('and is nobody’s trouble where it is not', () => {
    for (const now of [{ rateLimit: 500, burstLimit: 600 }, null]) {
      const lines = alertText(refused(now)).split('\n')
      expect(lines[0]).toBe('Client A (key_abc123) has a limit that somebody else has set.')
      expect(lines[2]).toMatch(
        /^Client's limit is not reduced: plan plan-a has .*, set by somebody else; Weir found 100.25 /,
      )
      expect(lines[6]).toBe(command)
    }
  })
})
