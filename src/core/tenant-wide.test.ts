/** A tenant with several keys is one client: what it spreads over them is seen, and nothing is told twice. */
import { describe, expect, test } from 'vitest'
import { tenantsSchema } from './config/config.ts'
import { tenantWideId } from './config/tenants.ts'
import { NO_OTHERS } from './incident/fleet-sums.ts'
import { answerTo } from './operator.ts'
import { slotOf } from './state/baseline.ts'
import { knowledgeFor } from './state/key-state.ts'
import { findKey } from './state/known-keys.ts'
import { liveKey } from './state/live-keys.ts'
import {
  type Call,
  inOrder,
  live,
  type Stream,
  settingsOf,
  steady,
  streamInto,
  TEN,
  taught,
  timetable,
} from './testing-stream.ts'
import { type ApiKeyId, HOUR_MS, type TenantId } from './vocabulary.ts'

const keys = Array.from({ length: 10 }, (_, key) => `spread_${key}`)
/** Ten keys of six calls a minute each, and six clients of 300. */
const rates: Readonly<Record<string, number>> = Object.fromEntries([
  ...keys.map(key => [key, 6] as const),
  ...Array.from({ length: 6 }, (_, key) => [`other_${key}`, 300] as const),
])
const settings = settingsOf({}, { spread: { keys } })
const usual = (seconds: number): Call[] =>
  inOrder(...Object.entries(rates).map(([key, rate]) => steady(key, { perSecond: rate / 60, from: TEN, seconds })))
const storm = (key: string, perSecond: number, status = 503): Call[] =>
  steady(key, { perSecond, from: TEN + 60_000, seconds: 45, status })

/** Fifteen failures in ten seconds of each key: of none of them enough to be told. */
const spreadStorm = inOrder(usual(200), ...keys.map(key => storm(key, 1.5)))

describe('a storm that a tenant spreads over its keys', () => {
  test('is seen in their sum, told as the tenant’s, and each key is given what it needs', () => {
    const stream = streamInto(taught(settings, rates))
    live(stream, spreadStorm)
    expect(timetable(stream.changes.slice(0, 2)).map(line => line.replace(/^\S+ /, ''))).toEqual([
      'open tenant:spread#1 retry-storm high throttle',
      'mitigated tenant:spread#1 retry-storm high throttled',
    ])
    expect(stream.changes[0]).toMatchObject({
      tenant: { id: 'spread' },
      expected: { callsPerMinute: expect.closeTo(60, -1) },
    })
    expect(stream.changes[0]!.decidedAt - (TEN + 60_000)).toBeLessThan(10_000)
    const throttle = stream.effects.find(({ kind }) => kind === 'throttle')
    expect(throttle).toMatchObject({ siblings: [], keys: keys.map(keyId => ({ keyId, limits: { rateLimit: 1 } })) })
    expect(stream.changes.filter(({ keyId }) => keyId !== 'tenant:spread')).toEqual([])
  })

  test('is released under the tenant’s name, which who asks for one of its keys is told', () => {
    const stream = streamInto(taught(settings, rates))
    live(stream, spreadStorm)
    const [tenant, key] = ['tenant:spread', 'spread_3'] as [ApiKeyId, ApiKeyId]
    expect(answerTo(stream.engine, { kind: 'release', keyId: key }, 'ann')).toEqual({
      kind: 'refused',
      because: 'it is watched with its tenant’s other keys as tenant:spread',
    })
    expect(answerTo(stream.engine, { kind: 'release', keyId: tenant }, 'ann')).toEqual({
      kind: 'obeyed',
      keyIds: [tenant],
      incidentIds: ['tenant:spread#1'],
    })
  })

  test('shows its busiest keys as evidence', () => {
    const stream = streamInto(taught(settings, rates))
    live(stream, spreadStorm)
    const shares = stream.changes[0]!.evidence.filter(({ measure }) => measure.startsWith('calls in 10 s of spread_'))
    expect(shares).toHaveLength(5)
    expect(shares.every(({ observed }) => observed > 2)).toBe(true)
  })

  test('looks like a sick API, and is not throttled, where nobody said that the keys are one client’s', () => {
    const stream = streamInto(taught(settingsOf(), rates))
    live(stream, spreadStorm)
    expect(stream.changes.some(({ kind }) => kind === 'platform')).toBe(true)
    expect(stream.effects.filter(({ kind }) => kind === 'throttle')).toEqual([])
  })

  test('is seen on a keyed stream too, where each key is in another partition', () => {
    const keyed = settingsOf(
      { source: { kind: 'kafka', brokers: ['b:9092'], topic: 't', keyed: true } },
      { spread: { keys } },
    )
    const stream = streamInto(taught(keyed, rates))
    stream.take({ kind: 'partitions', partitions: ['t/0', 't/1', 't/2'], at: TEN })
    for (let second = 0; second < 120; second++) {
      const at = TEN + second * 1_000
      const calls = spreadStorm.filter(call => Math.floor(call.at / 1_000) * 1_000 === at)
      for (const partition of [0, 1, 2]) {
        const own = calls.filter(({ key }) => Number(key.slice(-1)) % 3 === partition)
        if (own.length > 0) stream.give(own, { partition: `t/${partition}` })
      }
      stream.tick(at + 1_000)
    }
    expect(timetable(stream.changes.slice(0, 1))[0]).toContain('open tenant:spread#1 retry-storm high throttle')
  })

  test('goes on over a checkpoint, under the same names', () => {
    const before = streamInto(taught(settings, rates))
    live(
      before,
      spreadStorm.filter(({ at }) => at < TEN + 70_000),
    )
    const after = before.afterCheckpoint()
    live(
      after,
      spreadStorm.filter(({ at }) => at >= TEN + 70_000),
    )
    const whole = streamInto(taught(settings, rates))
    live(whole, spreadStorm)
    expect(after.effects.map(({ id }) => id)).toEqual(whole.effects.map(({ id }) => id))
    expect(timetable(after.changes)).toEqual(timetable(whole.changes))
  })

  test('of an exempt tenant is told and left alone', () => {
    const stream = streamInto(taught(settingsOf({}, { spread: { keys, exempt: true } }), rates))
    live(stream, spreadStorm)
    expect(stream.changes[0]).toMatchObject({ keyId: 'tenant:spread', action: { kind: 'held', because: 'exempt' } })
  })
})

test('a few keys of one tenant that fail are one client that fails, and no sick API', () => {
  const own = ['k0', 'k1', 'k2', 'k3']
  const fleet = Object.fromEntries([
    ...own.map(key => [key, 60] as const),
    ...Array.from({ length: 6 }, (_, key) => [`other_${key}`, 300] as const),
  ])
  const calm = inOrder(
    ...Object.entries(fleet).map(([key, rate]) => steady(key, { perSecond: rate / 60, from: TEN, seconds: 200 })),
  )
  const stream = streamInto(taught(settingsOf({}, { four: { keys: own } }), fleet))
  live(stream, inOrder(calm, ...own.map(key => storm(key, 6))))
  expect(stream.changes.some(({ kind }) => kind === 'platform')).toBe(false)
  expect(stream.effects.some(({ kind }) => kind === 'throttle')).toBe(true)
})

describe('a storm of one key among a tenant’s', () => {
  test('is that key’s incident, and not told as the tenant’s too', () => {
    const stream = streamInto(taught(settings, rates))
    live(stream, inOrder(usual(200), storm('spread_3', 100)))
    expect([...new Set(stream.changes.map(({ incidentId }) => incidentId))]).toEqual(['spread_3#1'])
    const throttle = stream.effects.find(({ kind }) => kind === 'throttle')
    expect(throttle).toMatchObject({ keys: [{ keyId: 'spread_3' }] })
    expect(throttle).toMatchObject({ siblings: keys.filter(key => key !== 'spread_3').map(keyId => ({ keyId })) })
  })

  test('that joins a storm of all is part of it', () => {
    const stream = streamInto(taught(settings, rates))
    const joins = steady('spread_3', { perSecond: 50, from: TEN + 80_000, seconds: 20, status: 503 })
    live(stream, inOrder(spreadStorm, joins))
    expect([...new Set(stream.changes.map(({ incidentId }) => incidentId))]).toEqual(['tenant:spread#1'])
  })
})

test('a tenant as a whole is as calm as its keys: a sale told once for each key is not told again for all', () => {
  const stream = streamInto(taught(settings, rates))
  live(stream, usual(600))
  expect(stream.changes).toEqual([])
})

/** tenants.yaml is read again, a minute into the story. */
function readAgain(
  stream: Stream,
  listed: Readonly<Record<string, { readonly keys: readonly string[] }>>,
  at = TEN + 60_000,
): void {
  stream.take({ kind: 'tenants', tenants: tenantsSchema.parse({ tenants: listed }).tenants, at })
}

/** What is known of the tenant as a whole, in calls a minute. */
function usualOfTenant({ engine }: Stream, tenantId: string, at = TEN): number | undefined {
  const whole = engine.state.tenantWide!
  const tenant = liveKey(whole, findKey(whole.keys, tenantWideId(tenantId as TenantId))!)
  return knowledgeFor(tenant, whole, slotOf(at), 'final').usual?.callsPerMinute
}

describe('a key that a tenant has newly got', () => {
  const usualOf = (stream: Stream, incident: string) =>
    stream.changes.find(({ incidentId, phase }) => incidentId === incident && phase === 'open')?.expected
  const rotating = (keyIds: readonly string[]) => settingsOf({}, { rotating: { keys: keyIds } })
  const others = { other_1: 300, other_2: 300 }
  const calling = (key: string, perMinute: number, from: number, to: number): Call[] =>
    steady(key, { perSecond: perMinute / 60, from: TEN + from * 1_000, seconds: to - from })
  const background = inOrder(...Object.keys(others).map(key => calling(key, 300, 0, 400)))

  test('is known for what the key was that it takes the place of', () => {
    const stream = streamInto(taught(rotating(['old', 'new']), { old: 120, ...others }))
    const handed = inOrder(background, calling('old', 120, 0, 60), calling('new', 120, 60, 300))
    live(stream, inOrder(handed, steady('new', { perSecond: 80, from: TEN + 120_000, seconds: 30, status: 503 })))
    expect(stream.changes[0]).toMatchObject({ incidentId: 'new#1', action: { kind: 'throttle' } })
    expect(usualOf(stream, 'new#1')).toMatchObject({ days: 2 })
    expect(Math.abs(usualOf(stream, 'new#1')!.callsPerMinute - 120)).toBeLessThan(12)
  })

  test('is a stranger where nobody said whose it is', () => {
    const stream = streamInto(taught(settingsOf(), { old: 120, ...others }))
    const storm = steady('new', { perSecond: 80, from: TEN + 120_000, seconds: 30, status: 503 })
    live(stream, inOrder(background, calling('new', 120, 60, 300), storm))
    expect(usualOf(stream, 'new#1')).toBeUndefined()
  })

  test('while both are in use raises no alarm, and the tenant as a whole is known too', () => {
    const stream = streamInto(taught(settingsOf(), { old: 120, ...others }))
    live(
      stream,
      inOrder(
        background.filter(({ at }) => at < TEN + 60_000),
        calling('old', 120, 0, 60),
      ),
    )
    // From now on `new` is the same tenant's.
    readAgain(stream, { rotating: { keys: ['old', 'new'] } })
    const overlap = inOrder(calling('old', 60, 60, 400), calling('new', 60, 60, 400))
    const spread = ['old', 'new'].map(key =>
      steady(key, { perSecond: 2.2, from: TEN + 300_000, seconds: 30, status: 503 }),
    )
    live(
      stream,
      inOrder(
        background.filter(({ at }) => at >= TEN + 60_000),
        overlap,
        ...spread,
      ),
    )
    const opened = stream.changes.filter(({ phase }) => phase === 'open')
    expect(opened.every(({ decidedAt }) => decidedAt >= TEN + 300_000)).toBe(true)
    expect(usualOfTenant(stream, 'rotating')).toBeCloseTo(120, -1)
  })
})

describe('a tenant that gets another id', () => {
  const others = { other_1: 300, other_2: 300 }
  const calling = (key: string, from: number, to: number, perSecond = 2): Call[] =>
    steady(key, { perSecond, from: TEN + from * 1_000, seconds: to - from })

  /** `new` has taken the place of `old`, and began with what was known of the tenant. */
  function rotated(): Stream {
    const before = { rotating: { keys: ['old', 'new'] }, other: { keys: Object.keys(others) } }
    const stream = streamInto(taught(settingsOf({}, before), { old: 120, ...others }))
    live(stream, inOrder(calling('old', 0, 30), calling('new', 30, 60), calling('other_1', 0, 60)))
    return stream
  }

  test('is known for what it was known for, and not for twice as much', () => {
    const stream = rotated()
    readAgain(stream, { renamed: { keys: ['old', 'new'] } })
    live(stream, calling('new', 60, 120))
    expect(usualOfTenant(stream, 'renamed')).toBeCloseTo(120, -1)
  })

  test('and the keys of another is known for both', () => {
    const stream = rotated()
    readAgain(stream, { merged: { keys: ['old', 'new', 'other_1', 'other_2'] } })
    live(stream, calling('new', 60, 120))
    expect(usualOfTenant(stream, 'merged')).toBeCloseTo(720, -2)
  })

  test('and one of the keys of another, which keeps its own, is known for that key too', () => {
    const stream = rotated()
    readAgain(stream, { renamed: { keys: ['old', 'new', 'other_1'] }, other: { keys: ['other_2'] } })
    live(stream, calling('new', 60, 120))
    expect(usualOfTenant(stream, 'renamed')).toBeCloseTo(420, -2)
  })

  test('and its first one again two days later, is known for those days too', () => {
    const stream = rotated()
    const keys = ['old', 'new']
    readAgain(stream, { renamed: { keys } })
    const hour = 3_600
    // The hour that is looked at below has the usual calls on each day, the others enough that the stream is not silent.
    for (let at = 0; at < 49; at++)
      live(stream, calling('new', at * hour + 60, (at + 1) * hour, at % 24 === 1 ? 2 : 0.1))
    readAgain(stream, { rotating: { keys } }, TEN + 49 * HOUR_MS)
    live(stream, calling('new', 49 * hour, 49 * hour + 400))
    expect(usualOfTenant(stream, 'rotating', TEN + 49 * HOUR_MS)).toBeCloseTo(120, -1)
  })
})

test('of a shared stream a part lowers only keys that it watches: what a tenant’s others need it cannot know', () => {
  const [here, there] = [keys.slice(0, 9), 'spread_9' as ApiKeyId]
  const stream = streamInto(taught({ ...settings, keyed: true }, rates))
  stream.take({ kind: 'fleet', others: { sums: { ...NO_OTHERS, parts: 1 }, tellsPlatform: true }, at: TEN })
  live(
    stream,
    inOrder(
      usual(200).filter(({ key }) => key !== there),
      storm('spread_3', 100),
    ),
  )
  const throttle = stream.effects.find(({ kind }) => kind === 'throttle')
  expect(throttle).toMatchObject({ siblings: here.filter(key => key !== 'spread_3').map(keyId => ({ keyId })) })
})
