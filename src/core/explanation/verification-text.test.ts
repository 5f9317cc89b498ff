import { describe, expect, test } from 'vitest'
import type { Doubt, Verdict, Verification } from '../incident/verification.ts'
import type { Waiting } from '../incident/waiting.ts'
import type { Explanation } from './explanation.ts'
import { alertBody, changeLine } from './json.ts'
import { alertText, headline } from './text.ts'

const onsetAt = Date.UTC(2026, 10, 20, 14, 3, 7)
const changedAt = onsetAt + 13_000
const limits = { rateLimit: 15, burstLimit: 30 }
const seen = { from: changedAt + 120_000, seconds: 30, accepted: 14_400, refused: 12, unclear: 0, allowed: 480 }
const unheld: Verdict = { kind: 'does-not-bite', seen }

const verification = (verdict: Verdict, changed: Partial<Verification> = {}): Verification => ({
  verdict,
  plans: [{ region: 'eu-west-1', planId: 'ab12cd', stages: ['a1b2c3d4e5/prod'], limits, keys: ['key_abc123'] }],
  ...{ limits, changedAt, wasSo: false, settledAt: changedAt + 120_000, missed: undefined, lookedTo: 0 },
  alerted: verdict.kind === 'does-not-bite' ? 'unheld' : 'nothing',
  ...changed,
})

const throttled = (verdict: Verdict, changed: Partial<Explanation> = {}): Explanation => ({
  ...{ incidentId: 'key_abc123#1', keyId: 'key_abc123', phase: 'mitigated', kind: 'retry-storm', severity: 'high' },
  tenant: { id: 'client-a', name: 'Client A', contact: 'client-a-sre@partner.com', escalation: undefined },
  ...{ telling: 'alerted', onsetAt, decidedAt: changedAt + 187_000, detectors: [], evidence: [], mode: 'enforce' },
  current: { calls: 29_000, seconds: 60, callsPerMinute: 29_000 },
  expected: { callsPerMinute: 502, lowerPerMinute: 400, upperPerMinute: 600, days: 7 },
  action: { kind: 'throttled', limits, before: { rateLimit: 5_000, burstLimit: 5_000 }, expiresAt: onsetAt + 613_000 },
  verification: verification(verdict),
  ...changed,
})

test('a limit that does not bite is told with what goes through, and what to do in which order', () => {
  expect(alertText(throttled(unheld))).toBe(
    [
      'Client A (key_abc123) is NOT held by its lowered limit.',
      'Current: 14,400 calls went through in 30 s (28,800 req/min), 12 were refused. The limit allows 480.',
      "Client's limit was lowered 3 min 7 s ago, and the gateway lets it through all the same: A PERSON MUST ACT.",
      'Contact: client-a-sre@partner.com per escalation policy.',
      '',
      'Next, in this order:',
      '1. Does the plan still have that limit? Somebody may have changed it meanwhile.',
      '   aws apigateway get-usage-plan --usage-plan-id ab12cd --query throttle --region eu-west-1',
      '2. Does something else let it through? A plan of another stage does, and so does a method’s own limit (apiStages[].throttle).',
      "   aws apigateway get-usage-plans --key-id key_abc123 --query 'items[].[id,throttle,apiStages]' --region eu-west-1",
      '3. Do the methods that it calls want a key? Where apiKeyRequired is false no plan counts or limits a call.',
      "   aws apigateway get-resources --rest-api-id a1b2c3d4e5 --embed methods --query 'items[].[path,resourceMethods.*.[httpMethod,apiKeyRequired]]' --region eu-west-1",
      '4. To stop it now, disable the key: each of its calls is answered 403, until a person sets it to true again.',
      '   aws apigateway update-api-key --api-key key_abc123 --patch-operations op=replace,path=/enabled,value=false --region eu-west-1',
      '5. If that does not stop it, its calls need no key: a rate-based rule of AWS WAF on the stage does, counted by the header x-api-key or by address.',
      '',
      'It began at 2026-11-20 14:03:07 UTC as a retry storm; since then 3 min 20 s have passed.',
      'Now: 29,000 calls in 60 s.',
      'Usual is based on 7 of 7 days.',
      'Limit: from 5,000 req/s with a burst of 5,000 to 15 req/s with a burst of 30, until 2026-11-20 14:13:20 UTC at the latest.',
      'The limit does NOT hold: in the 30 s from 2026-11-20 14:05:20 UTC 14,400 calls went through, 12 were refused (429); it allows 480.',
      'Lowered at 2026-11-20 14:03:20 UTC: plan ab12cd to 15 req/s with a burst of 30.',
      'Incident key_abc123#1: mitigated, severity high, mode enforce.',
    ].join('\n'),
  )
})

test('what could not be lowered is the first that is told to look at', () => {
  const partly = throttled(unheld, {
    verification: verification(unheld, { missed: 'plan is shared: p9 holds other keys too' }),
  })
  expect(alertText(partly)).toContain(
    '1. It was not lowered everywhere: plan is shared: p9 holds other keys too.\n2. Does the plan',
  )
})

test('an id that a shell could make something of is in no command', () => {
  const evil = '$(rm -rf ~)'
  const plans = [{ planId: evil, limits, keys: [evil], region: ';reboot' }]
  const text = alertText(throttled(unheld, { verification: verification(unheld, { plans }) }))
  const commands = text.split('\n').filter(line => line.includes('aws apigateway'))
  expect(commands).toHaveLength(4)
  expect(commands.join()).not.toMatch(/[$;~]/)
})

test('that it bites after all is told to who heard that it does not, with what is refused', () => {
  const bites: Verdict = {
    kind: 'bites',
    since: changedAt + 200_000,
    afterMs: 200_000,
    seen: { ...seen, accepted: 450, refused: 9_000 },
  }
  const text = alertText(throttled(bites, { verification: verification(bites, { alerted: 'held-again' }) }))
  expect(text.split('\n').slice(0, 3)).toEqual([
    'Client A (key_abc123) is held by its lowered limit now.',
    'Current: 450 calls went through in 30 s (900 req/min), 9,000 were refused. The limit allows 480.',
    'Client is in AUTOMATIC throttle reduction.',
  ])
  expect(text).not.toContain('Next, in this order')
})

describe('at the end it is told', () => {
  const lineOf = (verdict: Verdict): string | undefined =>
    alertText(throttled(verdict, { phase: 'closed', action: { kind: 'restored', limits } }))
      .split('\n')
      .find(line => line.toLowerCase().includes('the limit'))

  test('how long the gateway took until the limit held', () => {
    expect(lineOf({ kind: 'bites', since: changedAt + 20_000, afterMs: 20_000, seen })).toBe(
      'The limit held from 2026-11-20 14:03:40 UTC on, 20 s after the gateway had taken it.',
    )
    expect(lineOf({ kind: 'bites', since: changedAt, afterMs: undefined, seen })).toContain('the plan had it already')
  })

  test('that it did not hold', () => {
    expect(lineOf(unheld)).toContain('The limit did NOT hold: in the 30 s from')
  })

  test.each<[Doubt, string]>([
    ['asks-less', 'the client asked for less than it allows'],
    ['near-limit', 'the client asked for about as much as it allows'],
    ['silent', 'no call of it is in the log, which may leave out what is refused'],
    ['held-otherwise', 'the client was refused at less than it allows, so something else held it'],
    ['unclear-answers', 'most calls were answered neither 2xx, 5xx nor 429, which the gateway may have done by itself'],
    ['not-delivered', 'the log did not come so far'],
    ['ended-early', 'it was given back before that could be seen'],
  ])('that it could not be verified, and why: %s', (because, text) => {
    expect(lineOf({ kind: 'cannot-tell', because, seen: undefined })).toBe(
      `Whether the limit held could not be verified: ${text}.`,
    )
  })
})

describe('of a throttle that is not carried out yet', () => {
  const asked = (waiting: Waiting): Explanation => {
    const { verification: _, ...open } = throttled(unheld, { phase: 'open' })
    return { ...open, action: { kind: 'throttle', limits, expiresAt: onsetAt + 613_000, waiting } }
  }
  const third = (waiting: Waiting): string | undefined => alertText(asked(waiting)).split('\n')[2]
  const queued = { askedAt: onsetAt, asOf: onsetAt, ahead: 3, waitMs: 75_000 }

  test('the alert says how long it takes, and that more dangerous clients go first', () => {
    expect(third(queued)).toBe(
      'Client is in AUTOMATIC throttle reduction. The gateway makes the change in about 1 min 15 s: it takes one in 20 s, and 3 of more dangerous clients go first.',
    )
    expect(third({ ...queued, ahead: 0, waitMs: 12_000 })).toBe(
      'Client is in AUTOMATIC throttle reduction. The gateway makes the change in about 12 s: it takes one in 20 s.',
    )
  })

  test('it is told when that takes too long, with what is known of why', () => {
    const late = { ...queued, asOf: onsetAt + 135_000, isLate: true } as const
    expect(headline(asked(late))).toBe('Client A (key_abc123) is NOT throttled yet.')
    const after = "Client's limit is NOT reduced yet: asked for 2 min 15 s ago, and not carried out: "
    expect(third(late)).toBe(`${after}3 changes go before it, about 1 min 15 s. Weir goes on trying.`)
    expect(third({ ...late, ahead: 0, waitMs: 0 })).toBe(`${after}the gateway has not answered. Weir goes on trying.`)
    expect(third({ ...late, because: 'InternalFailure:\u001b[2J down' })).toBe(
      `${after}InternalFailure: down. Weir goes on trying.`,
    )
  })

  test('machines read the same', () => {
    expect(JSON.parse(changeLine(asked(queued))).action.waiting).toEqual({
      ...{ askedAt: '2026-11-20T14:03:07.000Z', askedAtMs: onsetAt, ahead: 3, waitMs: 75_000, because: null },
      isLate: false,
    })
  })
})

test('machines read the verdict, its figures, and the next steps', () => {
  const effect = { kind: 'alert', id: 'key_abc123#1/alert-2', incidentId: 'key_abc123#1', keyId: 'key_abc123' } as const
  const body = alertBody({ ...effect, decidedAt: onsetAt, explanation: throttled(unheld) })
  expect(body).toMatchObject({
    verification: {
      verdict: 'does-not-bite',
      ...{ changedAt: '2026-11-20T14:03:20.000Z', changedAtMs: changedAt, settledAtMs: changedAt + 120_000, limits },
      plans: [
        {
          ...{ gateway: null, region: 'eu-west-1', planId: 'ab12cd', stages: ['a1b2c3d4e5/prod'], limits },
          keys: ['key_abc123'],
        },
      ],
      seen: { fromMs: seen.from, seconds: 30, accepted: 14_400, refused: 12, unclear: 0, allowed: 480 },
    },
  })
  expect(JSON.parse(JSON.stringify(body)).verification.nextSteps[3]).toEqual({
    what: expect.stringContaining('disable the key'),
    commands: [expect.stringContaining('--api-key key_abc123')],
  })
  const bites: Verdict = { kind: 'bites', since: changedAt + 20_000, afterMs: 20_000, seen }
  expect(JSON.parse(changeLine(throttled(bites))).verification).toMatchObject({
    ...{ verdict: 'bites', sinceMs: changedAt + 20_000, bitesAfterMs: 20_000 },
  })
  const doubt: Verdict = { kind: 'cannot-tell', because: 'silent', seen: undefined }
  expect(JSON.parse(changeLine(throttled(doubt))).verification).toMatchObject({ because: 'silent', seen: null })
})

describe('of a limit that should be back by now', () => {
  const limits = { rateLimit: 100.25, burstLimit: 200 }
  const plan = { kind: 'plan', gateway: 'eu', planId: 'plan-a', original: limits, mayHave: [], methods: [] } as const
  const waiting: Waiting = {
    ...{ askedAt: onsetAt, asOf: onsetAt + 61_000, ahead: 0, waitMs: 0, because: 'TimeoutError', isLate: true },
    byHand: [{ giveBack: plan, region: 'eu-west-1' }],
  }
  const { verification: _, ...open } = throttled(unheld, { phase: 'recovering' })
  const late = (told: Waiting): Explanation => ({
    ...open,
    action: { kind: 'restore', step: 'full', because: 'operator', by: 'ann', waiting: told },
  })

  test('people hear since when, why, and with which command they do it themselves', () => {
    const lines = alertText(late(waiting)).split('\n')
    expect(lines[0]).toBe('Client A (key_abc123) has NOT got its limit back yet.')
    expect(lines[2]).toBe(
      "Client's limit is NOT given back yet (ann asked for it): it waits since 2026-11-20 14:03:07 UTC, 1 min 1 s ago, and is not carried out: TimeoutError. Weir goes on trying.",
    )
    expect(lines.slice(5, 8)).toEqual([
      'To give it back by hand:',
      '  aws apigateway update-usage-plan --usage-plan-id plan-a --patch-operations op=replace,path=/throttle/rateLimit,value=100.25 op=replace,path=/throttle/burstLimit,value=200 --region eu-west-1',
      '',
    ])
  })

  test('a plan that had no throttle gets none, a key that was moved goes back into its plan, and a row ends by itself', () => {
    const giveBack = { gateway: undefined, from: ['plan-a'], to: 'slow', movedKey: 'k$(x)', stages: [] }
    const byHand = [
      { giveBack: { ...plan, original: null } },
      { giveBack: { kind: 'move', ...giveBack } },
      { giveBack: { kind: 'row', row: 'r1', expiresAt: onsetAt } },
    ] as unknown as NonNullable<Waiting['byHand']>
    expect(
      alertText(late({ ...waiting, byHand }))
        .split('\n')
        .slice(6, 10),
    ).toEqual([
      '  aws apigateway update-usage-plan --usage-plan-id plan-a --patch-operations op=remove,path=/throttle',
      '  aws apigateway delete-usage-plan-key --usage-plan-id slow --key-id ID',
      '  aws apigateway create-usage-plan-key --usage-plan-id plan-a --key-id ID --key-type API_KEY',
      '  (the authorizer’s row for r1 ends by itself at 2026-11-20 14:03:07 UTC)',
    ])
  })

  test('machines read the same', () => {
    expect(JSON.parse(changeLine(late(waiting))).action.waiting).toMatchObject({
      ...{ askedAtMs: onsetAt, because: 'TimeoutError', isLate: true },
      byHand: [expect.stringMatching(/^aws apigateway update-usage-plan .*eu-west-1$/)],
    })
  })
})
