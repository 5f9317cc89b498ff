/** SNS is down for an hour: the worker's own performing, sender and store against a simulated SNS, and time by hand. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { snsClient, snsPerformer } from '../actions/sns.ts'
import { snsSender } from '../actions/sns-sender.ts'
import type { Standing } from '../core/explanation/delay.ts'
import type { AlertEffect } from '../core/incident/effect.ts'
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../core/vocabulary.ts'
import { serveSns } from '../simulation/sns.ts'
import { openUndelivered, readUndelivered } from '../stores/undelivered.ts'
import { createDelivery } from './delivery.ts'
import { createPerforming } from './performing.ts'
import { handClock, untilQuiet } from './testing-world.ts'

const topicArn = 'arn:aws:sns:eu-central-1:123456789012:weir-alerts'
const three = Date.UTC(2026, 10, 20, 3, 12, 0)

const closing: (() => Promise<unknown> | unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

test('SNS is down for an hour: every alert arrives once, in the order of its key, and says that it is late', async () => {
  const world = await begin()
  world.sns.failAll('server-error')
  for (let key = 0; key < 60; key++)
    for (const [step, phase] of (['open', 'recovering', 'closed'] as const).entries())
      world.alert({ id: `k${key}#1/alert-${step + 1}`, keyId: `k${key}`, phase })
  await world.passInSteps(HOUR_MS, MINUTE_MS)
  // As time goes here, one try a minute for all, and not one a minute of each key.
  expect(world.sns.calls()).toBeGreaterThan(50)
  expect(world.sns.calls()).toBeLessThan(100)
  expect(world.sns.messages()).toEqual([])

  world.sns.failAll(undefined)
  await world.passInSteps(MINUTE_MS, 30 * SECOND_MS)
  await expect.poll(() => world.settled.length, { timeout: 20_000 }).toBe(180)
  const bodies = world.sns.messages().map(({ message }) => JSON.parse(message))
  const ids = bodies.map(({ deduplicationId }) => deduplicationId)
  expect(new Set(ids).size).toBe(180)
  expect(ids).toHaveLength(180)
  for (let key = 0; key < 60; key++)
    expect(ids.filter(id => id.startsWith(`k${key}#`))).toEqual([1, 2, 3].map(step => `k${key}#1/alert-${step}`))
  expect(await world.kept()).toEqual([])

  const [first] = world.sns.messages()
  expect(first?.subject).toMatch(/^\[high, delayed 1 h \d min\] k\d+ exceeded anomaly threshold\.$/)
  expect(first?.attributes.delayed?.value).toBe('true')
  expect(bodies[0].text.split('\n')[0]).toMatch(
    /^DELAYED by 1 h 0 min: decided 2026-11-20 03:12:00 UTC, sent 2026-11-20 04:1\d:\d\d UTC\. It is OVER since 2026-11-20 03:40:00 UTC\.$/,
  )
  expect(bodies[0].delayed).toMatchObject({
    decidedAtMs: three,
    since: { phase: 'closed', at: '2026-11-20T03:40:00.000Z' },
  })
})

test('SNS is down for longer than an alert is tried: it is kept, and told as nobody’s', async () => {
  const world = await begin({ giveUpAfterMs: 2 * HOUR_MS })
  world.sns.failAll('throttled')
  world.alert({ id: 'k1#1/alert-1', keyId: 'k1', phase: 'open' })
  world.alert({ id: 'k1#1/alert-2', keyId: 'k1', phase: 'closed' })
  world.alert({ id: 'k2#1/alert-1', keyId: 'k2', phase: 'open' })
  await world.passInSteps(2 * HOUR_MS + 5 * MINUTE_MS, 5 * MINUTE_MS)
  await expect.poll(() => world.settled.length, { timeout: 20_000 }).toBe(3)
  const because = expect.stringMatching(/^SNS did not take it for .*; the last it said: Throttling: Rate exceeded$/)
  expect(world.settled.toSorted()).toEqual(['k1#1/alert-1 refused', 'k1#1/alert-2 refused', 'k2#1/alert-1 refused'])
  expect(await world.kept()).toEqual([
    ['k1#1/alert-1', because],
    ['k1#1/alert-2', because],
    ['k2#1/alert-1', because],
  ])
})

test('what more than may wait is kept at once, and no alert is lost of many', async () => {
  const world = await begin({ maxAlerts: 5 })
  world.sns.failAll('server-error')
  for (let key = 0; key < 8; key++) world.alert({ id: `k${key}#1/alert-1`, keyId: `k${key}`, phase: 'open' })
  await expect.poll(() => world.settled.length, { timeout: 20_000 }).toBe(3)
  expect(await world.kept()).toEqual(
    [5, 6, 7].map(key => [`k${key}#1/alert-1`, '5 alerts are waiting to be sent already']),
  )
  world.sns.failAll(undefined)
  await world.passInSteps(MINUTE_MS, 30 * SECOND_MS)
  await expect.poll(() => world.settled.length, { timeout: 20_000 }).toBe(8)
  expect(world.sns.messages()).toHaveLength(5)
})

test('what is kept is not tried again by a worker that was killed before it could write down that it had given up', async () => {
  const world = await begin()
  const letter = { id: 'k1#1/alert-1', keyId: 'k1', phase: 'open' } as const
  await world.delivery.settle(alertOf(letter), { kind: 'refused', because: 'SNS said no' }, three)
  world.alert(letter)
  // Another worker's, that counts its incidents anew, is another alert.
  world.alert({ ...letter, decidedAt: three + 1 })
  await expect.poll(() => world.settled.length, { timeout: 20_000 }).toBe(2)
  expect(world.settled.toSorted()).toEqual(['k1#1/alert-1 applied', 'k1#1/alert-1 refused'])
  expect(world.sns.messages()).toHaveLength(1)
})

async function begin({ giveUpAfterMs = 6 * HOUR_MS, maxAlerts = 1_000 } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'weir-outage-'))
  const sns = await serveSns({ topics: [topicArn] })
  const client = snsClient({ topicArn, endpoint: sns.endpoint })
  const clock = handClock(three)
  const stop = new AbortController()
  closing.push(
    () => client.destroy(),
    sns.close,
    () => rm(folder, { recursive: true, force: true }),
  )
  let seed = 7
  const random = (): number => {
    seed = (seed * 16_807) % 2_147_483_647
    return seed / 2_147_483_647
  }
  const over: Standing = { phase: 'closed', at: three + 28 * MINUTE_MS }
  const undelivered = await openUndelivered(folder)
  const delivery = createDelivery({
    alert: snsPerformer({
      ...{ topicArn, clock, giveUpAfterMs, standingOf: () => over },
      sender: snsSender({ client, topicArn, clock, random }),
    }),
    undelivered,
    telemetry: () => {},
  })
  const settled: string[] = []
  const performing = createPerforming({
    performers: { alert: delivery.alert, plan: { perform: async () => ({ kind: 'applied' }) } },
    ...{ clock, maxAlerts, failed: cause => settled.push(String(cause)) },
    settled: async (effect, outcome) => {
      await delivery.settle(effect, outcome, clock.now())
      settled.push(`${effect.id} ${outcome.kind}`)
    },
  })
  closing.unshift(async () => {
    stop.abort()
    const finished = performing.finish(0)
    await clock.pass(1)
    await finished
  })
  return {
    ...{ sns, settled, delivery },
    alert: (told: Told) => performing.begin(alertOf(told)),
    async passInSteps(ms: number, stepMs: number) {
      await untilQuiet()
      for (let passed = 0; passed < ms; passed += stepMs) await clock.pass(stepMs)
    },
    kept: async () => (await readUndelivered(folder)).letters.map(({ effect, because }) => [effect.id, because]),
  }
}

interface Told {
  readonly id: string
  readonly keyId: string
  readonly phase: 'open' | 'recovering' | 'closed'
  readonly decidedAt?: number
}

function alertOf({ id, keyId, phase, decidedAt = three }: Told): AlertEffect {
  const incidentId = `${keyId}#1`
  return {
    ...{ kind: 'alert', id, incidentId, keyId, decidedAt },
    explanation: {
      ...{ incidentId, keyId, tenant: undefined, phase, kind: 'surge', severity: 'high', telling: 'alerted' },
      ...{ onsetAt: three - 2_000, decidedAt: three, current: { calls: 9, seconds: 1, callsPerMinute: 540 } },
      ...{ expected: undefined, detectors: [], evidence: [], mode: 'observe', action: { kind: 'none' } },
    },
  }
}
