/** What comes of a throttle after the gateway has answered, or while it has not: by the log, and told to those whom it concerns. */
import { describe, expect, test } from 'vitest'
import { restore, snapshot } from './engine.ts'
import type { Explanation } from './explanation/explanation.ts'
import type { Effect, Outcome } from './incident/effect.ts'
import {
  type Call,
  copied,
  inOrder,
  live,
  type Stream,
  settingsOf,
  steady,
  streamInto,
  TEN,
  taught,
} from './testing-stream.ts'

/** Ten clients: one of 600 calls a minute, nine of 60, which are lowered to two calls a second. */
const rates: Readonly<Record<string, number>> = Object.fromEntries([
  ['key_a', 600],
  ...Array.from({ length: 9 }, (_, index) => [`key_${index}`, 60] as const),
])
const settings = settingsOf({
  time: { delivery: '5s' },
  throttle: { expiresAfter: '6m', calmFor: '5m', probation: '30s' },
})
const week = snapshot(taught(settings, rates))
const begin = (answer: (effect: Effect) => Outcome | undefined): Stream =>
  streamInto(restore(settings, copied(week)), answer)

const LENGTH = 540
const usual = inOrder(
  ...Object.entries(rates).map(([key, rate]) => steady(key, { perSecond: rate / 60, from: TEN, seconds: LENGTH })),
)
const calling = (key: string, from: number, to: number, perSecond: number, status: number): Call[] =>
  steady(key, { perSecond, from: TEN + from * 1_000, seconds: to - from, status })

/** Sets what was asked for, in one plan of each key. */
const takes = (effect: Effect): Outcome =>
  effect.kind === 'throttle'
    ? {
        ...{ kind: 'applied', before: { rateLimit: 100, burstLimit: 200 }, after: effect.limits },
        plans: effect.keys.map(({ keyId, limits = effect.limits }) => ({
          planId: `plan-${keyId}`,
          stages: ['a1b2c3/prod'],
          limits,
          keys: [keyId],
        })),
      }
    : { kind: 'applied' }

const alertsOf = ({ effects }: Stream): Explanation[] =>
  effects.flatMap(effect => (effect.kind === 'alert' ? [effect.explanation] : []))

/** `phase verdict`, of all that is told. */
const told = (explanations: readonly Explanation[]): string[] =>
  explanations.map(({ phase, action, verification }) => {
    const { verdict } = verification ?? {}
    const doubt = verdict?.kind === 'cannot-tell' ? ` (${verdict.because})` : ''
    return `${phase} ${verdict === undefined ? action.kind : `${verdict.kind}${doubt}`}`
  })

/** `key_1` storms from second 60 on; the gateway holds it from a second on, and logs all that it refuses. */
const heldFrom = (second: number, until = LENGTH): Call[] =>
  inOrder(
    usual.filter(({ key, at }) => key !== 'key_1' || at < TEN + 60_000),
    calling('key_1', 60, Math.min(second, until), 100, 503),
    ...(second < until ? [calling('key_1', second, until, 2, 503), calling('key_1', second, until, 98, 429)] : []),
  )

describe('a limit that bites', () => {
  const stream = begin(takes)
  live(stream, heldFrom(85))

  test('is told to those who follow, and nobody is woken for it', () => {
    expect(told(stream.changes).slice(0, 3)).toEqual(['open throttle', 'mitigated too-early', 'mitigated bites'])
    expect(told(alertsOf(stream)).slice(0, 2)).toEqual(['open throttle', 'recovering bites'])
  })

  test('tells how long the gateway took, which AWS does not say', () => {
    const verdict = stream.changes[2]?.verification?.verdict
    const changedAt = stream.changes[2]!.verification!.changedAt
    expect(verdict).toMatchObject({ kind: 'bites', since: TEN + 85_000, afterMs: TEN + 85_000 - changedAt })
    expect(stream.changes[2]?.verification).toMatchObject({
      limits: { rateLimit: 2, burstLimit: 4 },
      plans: [{ planId: 'plan-key_1', keys: ['key_1'] }],
    })
  })

  test('is told of what the key does now, not of what it did when it was lowered', () => {
    expect(stream.changes[2]?.current.seconds).toBe(60)
    expect(stream.changes[2]!.current.calls).toBeGreaterThan(4_000)
  })
})

describe('a limit that does not bite', () => {
  const leaking = (): Stream => begin(takes)
  const stream = leaking()
  live(stream, heldFrom(LENGTH))

  test('is told to people once, as severe as the storm is, and the incident goes on to its expiry', () => {
    const story = ['open throttle', 'mitigated does-not-bite', 'recovering does-not-bite']
    expect(told(alertsOf(stream)).slice(0, 3)).toEqual(story)
    expect(alertsOf(stream)[1]).toMatchObject({ severity: 'high', phase: 'mitigated' })
    const ids = stream.effects.filter(({ kind }) => kind === 'restore').map(({ id }) => id)
    expect(ids[0]).toBe('key_1#1/restore-1')
  })

  test('is told when the time that AWS may take is over, thirty seconds of the log have shown it, and the log has come', () => {
    const { decidedAt, verification } = alertsOf(stream)[1]!
    expect((decidedAt - verification!.changedAt) / 1_000).toBeCloseTo(120 + 30 + 5, -1)
  })

  test('is told the same across a checkpoint, and once', () => {
    const calls = heldFrom(LENGTH)
    const first = leaking()
    live(
      first,
      calls.filter(({ at }) => at < TEN + 150_000),
    )
    const second = first.afterCheckpoint()
    live(
      second,
      calls.filter(({ at }) => at >= TEN + 150_000),
    )
    expect(second.effects).toEqual(stream.effects)
  })

  test('is told again when it does after all', () => {
    const late = leaking()
    live(late, heldFrom(320))
    expect(told(alertsOf(late)).slice(1, 3)).toEqual(['mitigated does-not-bite', 'mitigated bites'])
    expect(alertsOf(late)[2]?.verification?.alerted).toBe('held-again')
  })
})

describe('a limit of which the log tells nothing', () => {
  test('is said at the end not to have been verified, and why', () => {
    const stream = begin(takes)
    live(
      stream,
      heldFrom(LENGTH, 75)
        .concat(calling('key_1', 75, LENGTH, 1, 200))
        .sort((a, b) => a.at - b.at),
    )
    expect(told(alertsOf(stream)).slice(1)).toEqual([
      'recovering cannot-tell (asks-less)',
      'closed cannot-tell (asks-less)',
    ])
  })

  test('is not spoken of where no gateway said what it lowered: in a replay of a log that no limit could have changed', () => {
    const stream = begin(effect =>
      effect.kind === 'throttle' ? { kind: 'applied', after: effect.limits } : { kind: 'applied' },
    )
    live(stream, heldFrom(LENGTH))
    expect(stream.changes.every(({ verification }) => verification === undefined)).toBe(true)
    expect(told(alertsOf(stream)).slice(0, 2)).toEqual(['open throttle', 'recovering restore'])
  })
})

describe('a tenant whose keys are lowered together', () => {
  const keys = Array.from({ length: 10 }, (_, key) => `spread_${key}`)
  const spread: Readonly<Record<string, number>> = Object.fromEntries([
    ...keys.map(key => [key, 6] as const),
    ...Array.from({ length: 6 }, (_, key) => [`other_${key}`, 300] as const),
  ])
  const together = settingsOf({ time: { delivery: '5s' } }, { spread: { keys } })

  const verdictsOf = (perKey: number): string[] => {
    const stream = streamInto(taught(together, spread), takes)
    const calm = Object.entries(spread).map(([key, rate]) =>
      steady(key, { perSecond: rate / 60, from: TEN, seconds: 300 }),
    )
    const storm = keys.flatMap(key => [calling(key, 60, 90, 1.5, 503), calling(key, 90, 300, perKey, 503)])
    live(stream, inOrder(...calm, ...storm))
    const throttled = stream.changes.filter(({ phase, keyId }) => phase === 'mitigated' && keyId === 'tenant:spread')
    expect(throttled[0]?.verification?.limits.rateLimit).toBe(10)
    return told(throttled)
  }

  test('may call what all of them may', () => {
    expect(verdictsOf(1.5)).toEqual(['mitigated too-early'])
  })

  test('is told of where it calls far more', () => {
    expect(verdictsOf(10)).toEqual(['mitigated too-early', 'mitigated does-not-bite'])
  })
})

describe('a throttle that is under way', () => {
  const storms = (...perSecond: readonly number[]): Call[] =>
    inOrder(usual, ...perSecond.map((rate, key) => calling(`key_${key}`, 60, 200, rate, 503)))

  test('says in its alert what goes before it at the gateway, and how long that takes: the more dangerous', () => {
    // Only the first is far worse than all others together; the guard has to let each of them be a culprit.
    const lone = settingsOf({ time: { delivery: '5s' }, platform: { keys: 50 } })
    const stream = streamInto(taught(lone, rates), () => undefined)
    live(stream, storms(400, 200, 100), { until: TEN + 70_000 })
    const waiting = Object.fromEntries(
      alertsOf(stream).map(({ keyId, action }) => [keyId, action.kind === 'throttle' ? action.waiting : action.kind]),
    )
    expect(waiting.key_0).toBeUndefined()
    expect(waiting.key_1).toMatchObject({ ahead: 1, waitMs: 20_000 })
    expect(waiting.key_2).toMatchObject({ ahead: 2, waitMs: 40_000 })
  })

  test('does not wait for one that is less dangerous and was asked for before', () => {
    const lone = settingsOf({ time: { delivery: '5s' }, platform: { keys: 50 } })
    const stream = streamInto(taught(lone, rates), () => undefined)
    const later = inOrder(usual, calling('key_1', 60, 80, 100, 503), calling('key_0', 68, 80, 900, 503))
    live(stream, later, { until: TEN + 75_000 })
    const throttles = alertsOf(stream).map(({ keyId, action }) => [keyId, action.kind === 'throttle' && action.waiting])
    expect(throttles).toEqual([
      ['key_1', undefined],
      ['key_0', undefined],
    ])
  })

  test('waits for nobody at another gateway', () => {
    const apart = settingsOf(
      { time: { delivery: '5s' }, platform: { keys: 50 }, gateways: { eu: {} } },
      { one: { keys: [{ id: 'key_1', gateway: 'eu' }] as never } },
    )
    const stream = streamInto(taught(apart, rates), () => undefined)
    live(stream, storms(400, 200), { until: TEN + 70_000 })
    const waits = alertsOf(stream).map(({ action }) => action.kind === 'throttle' && action.waiting)
    expect(waits).toEqual([undefined, undefined])
  })

  test('and has no outcome after a minute is told to people, with what was heard last of it, and again when it has one', () => {
    const stream = begin(() => undefined)
    live(stream, storms(100), { until: TEN + 100_000 })
    const throttle = stream.effects.find(({ kind }) => kind === 'throttle')!
    const report = { effectId: throttle.id, ahead: 0, waitMs: 0, because: 'InternalFailure: down' }
    stream.take({ kind: 'progress', report, at: TEN + 100_000 })
    expect(alertsOf(stream)).toHaveLength(1)
    for (let second = 101; second < 160; second++) stream.tick(TEN + second * 1_000)
    const [, late] = alertsOf(stream)
    expect(late?.action).toMatchObject({
      kind: 'throttle',
      waiting: { isLate: true, because: 'InternalFailure: down', askedAt: throttle.decidedAt },
    })
    expect((late!.action as { waiting: { asOf: number } }).waiting.asOf - throttle.decidedAt).toBe(60_000)
    stream.take({ kind: 'outcome', report: { effectId: throttle.id, outcome: takes(throttle) }, at: TEN + 170_000 })
    expect(told(alertsOf(stream))).toEqual(['open throttle', 'open throttle', 'mitigated too-early'])
  })

  test('and was said to wait is given that long before it is told to be late', () => {
    const lone = settingsOf({ time: { delivery: '5s' }, platform: { keys: 50 } })
    const stream = streamInto(taught(lone, rates), () => undefined)
    live(stream, storms(400, 200, 100), { until: TEN + 200_000 })
    const lateAfter = Object.fromEntries(
      alertsOf(stream).flatMap(({ keyId, action }) =>
        action.kind === 'throttle' && action.waiting?.isLate
          ? [[keyId, (action.waiting.asOf - action.waiting.askedAt) / 1_000]]
          : [],
      ),
    )
    expect(lateAfter).toEqual({ key_0: 60, key_1: 80, key_2: 100 })
  })
})
