import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { scaledClock } from '../clock.ts'
import type { PlanLimits, RestoreEffect, ThrottleEffect } from '../core/effect.ts'
import { createGateway, type Gateway, type PlanSetup, updateUsagePlanEveryMs } from '../simulation/gateway.ts'
import { type ServedGateway, serveGateway } from '../simulation/gateway-server.ts'
import { type AuditEntry, openAudit } from '../stores/audit.ts'
import { journalIndex, openEffectJournal } from '../stores/effect-journal.ts'
import type { EffectJournal } from '../stores/journal-entry.ts'
import { controlPlaneQueue } from './control-plane-queue.ts'
import { reconcile, type UsagePlanPerformerOptions, usagePlanPerformer } from './usage-plan.ts'
import { apiGatewayClient, usagePlans } from './usage-plan-client.ts'

const limits = (rateLimit: number, burstLimit: number): PlanLimits => ({ rateLimit, burstLimit })
const original = limits(100.25, 200)
const low = limits(5, 10)
const never = new AbortController().signal

/** Twenty seconds of the gateway take ten milliseconds. */
const clock = scaledClock({ startsAt: 0, speed: 2_000 })
const random = () => 0.5

let directory: string
let gateway: Gateway
let served: ServedGateway
let client: ReturnType<typeof apiGatewayClient>
let closing: (() => Promise<void>)[]

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'weir-usage-plan-'))
  closing = []
  await serve([{ id: 'plan-a', limits: original, keys: ['key-a'] }])
})

afterEach(async () => {
  for (const close of closing) await close()
  await rm(directory, { recursive: true, force: true })
})

async function serve(plans: readonly PlanSetup[], time = clock): Promise<void> {
  gateway = createGateway({ clock: time, plans, keys: [{ id: 'key-free' }] })
  const here = await serveGateway(gateway)
  const talking = apiGatewayClient({ endpoint: here.endpoint, timeoutMs: 250 })
  served = here
  client = talking
  closing.push(async () => {
    talking.destroy()
    await here.close()
  })
}

/** A worker's start: the journal as the last one left it, and a performer that knows no more than that. */
async function start(options: Partial<UsagePlanPerformerOptions> = {}) {
  const journal = await openEffectJournal(directory)
  closing.push(() => journal.close())
  const queue = controlPlaneQueue({ clock })
  return { journal, queue, ...usagePlanPerformer({ client, queue, clock, random, journal, ...options }) }
}

function throttle(step: string, wanted: PlanLimits = low, { keyId = 'key-a', urgency = 1 } = {}): ThrottleEffect {
  const id = `${keyId}#1/${step}`
  return { kind: 'throttle', id, incidentId: `${keyId}#1`, keyId, decidedAt: 1, limits: wanted, urgency }
}

function restore(step: 'half' | 'full', keyId = 'key-a'): RestoreEffect {
  return { kind: 'restore', id: `${keyId}#1/${step}`, incidentId: `${keyId}#1`, keyId, decidedAt: 1, step }
}

const set = () => gateway.changes().map(({ planId, after }) => ({ planId, after }))

describe('a plan of the key’s own', () => {
  test('is lowered, given half back, lowered again when the storm returns, and restored to the fraction', async () => {
    const { perform } = await start()
    expect(await perform(throttle('throttle-1'), never)).toEqual({ kind: 'applied', before: original, after: low })
    expect(await perform(restore('half'), never)).toEqual({ kind: 'applied', before: low, after: limits(22, 45) })
    expect(await perform(throttle('throttle-2'), never)).toMatchObject({ before: limits(22, 45), after: low })
    expect(await perform(restore('full'), never)).toEqual({ kind: 'applied', before: low, after: original })
    expect(gateway.planLimits('plan-a')).toEqual(original)
    expect(gateway.changes()).toHaveLength(4)
  })

  test('that had no throttle has none again', async () => {
    await serve([{ id: 'plan-a', keys: ['key-a'] }])
    const { perform } = await start()
    expect(await perform(throttle('throttle-1'), never)).toEqual({ kind: 'applied', before: undefined, after: low })
    expect(await perform(restore('full'), never)).toEqual({ kind: 'applied', before: low, after: undefined })
    expect(gateway.planLimits('plan-a')).toBeUndefined()
  })

  test('is never raised, and not touched where nothing would be lower', async () => {
    const { perform } = await start()
    expect(await perform(throttle('throttle-1', limits(5, 900)), never)).toMatchObject({ after: limits(5, 200) })
    expect(await perform(throttle('throttle-2', limits(6, 300)), never)).toEqual({
      kind: 'already',
      after: limits(5, 200),
    })
    expect(gateway.changes()).toHaveLength(1)
  })

  test('keeps what a person set meanwhile, also as the original of the next throttle', async () => {
    const { perform } = await start()
    await perform(throttle('throttle-1'), never)
    gateway.changeByPerson('plan-a', limits(60, 70))
    expect(await perform(restore('full'), never)).toEqual({
      kind: 'refused',
      because: 'changed meanwhile by someone else; left as it is',
    })
    expect(gateway.planLimits('plan-a')).toEqual(limits(60, 70))
    await perform(throttle('throttle-2'), never)
    await perform(restore('full'), never)
    expect(gateway.planLimits('plan-a')).toEqual(limits(60, 70))
  })

  test('that was never throttled needs no restore', async () => {
    const { perform } = await start()
    expect(await perform(restore('full'), never)).toEqual({ kind: 'already' })
  })
})

describe('is refused', () => {
  const refusal = async (keyId: string, options: Partial<UsagePlanPerformerOptions> = {}) => {
    const { perform } = await start(options)
    const outcome = await perform(throttle('throttle-1', low, { keyId }), never)
    expect(gateway.changes()).toEqual([])
    return outcome.kind === 'refused' ? outcome.because : outcome.kind
  }

  test('a key in no plan', async () => {
    expect(await refusal('key-free')).toBe('key is in no usage plan')
  })

  test('a key that the gateway does not know', async () => {
    expect(await refusal('key-unknown')).toContain('not found')
  })

  test('a plan that holds other keys too', async () => {
    await serve([{ id: 'plan-s', limits: original, keys: ['key-a', 'key-b'] }])
    expect(await refusal('key-a')).toBe('plan is shared: plan-s holds other keys too')
  })

  test('a key in two plans, unless the configuration names one', async () => {
    await serve([
      { id: 'plan-live', limits: original, keys: ['key-a'], stages: ['api:live'] },
      { id: 'plan-test', limits: original, keys: ['key-a'], stages: ['api:test'] },
    ])
    expect(await refusal('key-a')).toContain('key is in 2 usage plans')
    const { perform } = await start({ planOf: () => 'plan-live' })
    expect(await perform(throttle('throttle-1'), never)).toMatchObject({ kind: 'applied' })
    expect(set()).toEqual([{ planId: 'plan-live', after: low }])
  })

  test('a configured plan that is not the key’s', async () => {
    expect(await refusal('key-free', { planOf: () => 'plan-a' })).toBe('key is not in usage plan plan-a')
  })

  test('what the gateway forbids, with what to permit', async () => {
    served.failNext('UpdateUsagePlan', 'AccessDeniedException')
    expect(await refusal('key-a')).toContain('apigateway:PATCH')
  })

  test('a used-up quota, though it is a 429 too', async () => {
    served.failNext('UpdateUsagePlan', 'LimitExceededException')
    expect(await refusal('key-a')).toContain('quota is used up')
  })

  test('a key that was moved while its old plan is still lowered', async () => {
    const { perform, journal } = await start()
    await perform(throttle('throttle-1'), never)
    await serve([
      { id: 'plan-a', limits: low },
      { id: 'plan-b', limits: original, keys: ['key-a'] },
    ])
    await journal.close()
    expect(await refusal('key-a')).toContain('plan-a, which the key was in before, is still lowered')
  })
})

describe('the gateway’s limits', () => {
  test('two plans are changed 20 seconds apart, the most dangerous first', async () => {
    const names = ['first', 'calm', 'storm']
    const plans = names.map(name => ({ id: `plan-${name}`, limits: original, keys: [`key-${name}`] }))
    // Slow enough that both are looked up well before the second's turn.
    const slow = scaledClock({ startsAt: 0, speed: 40 })
    await serve(plans, slow)
    const { perform } = await start({ clock: slow, queue: controlPlaneQueue({ clock: slow }) })
    const urgencyOf = { first: 1, calm: 5, storm: 500 }
    await perform(throttle('throttle-1', low, { keyId: 'key-first' }), never)
    const outcomes = await Promise.all(
      (['calm', 'storm'] as const).map(name =>
        perform(throttle('throttle-1', low, { keyId: `key-${name}`, urgency: urgencyOf[name] }), never),
      ),
    )
    expect(outcomes.map(({ kind }) => kind)).toEqual(['applied', 'applied'])
    const [first, second, third] = gateway.changes()
    expect([first, second, third].map(change => change!.planId)).toEqual(['plan-first', 'plan-storm', 'plan-calm'])
    expect(second!.at - first!.at).toBeGreaterThanOrEqual(updateUsagePlanEveryMs)
    expect(third!.at - second!.at).toBeGreaterThanOrEqual(updateUsagePlanEveryMs)
  })

  test('used up by somebody else, they are waited for as long as the gateway says', async () => {
    gateway.call({
      operation: 'UpdateUsagePlan',
      planId: 'plan-a',
      patch: [{ op: 'replace', path: '/throttle/rateLimit', value: '90' }],
    })
    const { perform } = await start()
    expect(await perform(throttle('throttle-1'), never)).toEqual({
      kind: 'applied',
      before: limits(90, 200),
      after: low,
    })
    expect(gateway.changes()[1]!.at - gateway.changes()[0]!.at).toBeGreaterThanOrEqual(updateUsagePlanEveryMs)
  })

  test('a restore decided while the throttle still waits takes its place', async () => {
    await serve([
      { id: 'plan-a', limits: original, keys: ['key-a'] },
      { id: 'plan-b', limits: original, keys: ['key-b'] },
    ])
    const { perform } = await start()
    await perform(throttle('throttle-1', low, { keyId: 'key-b' }), never)
    const [throttled, restored] = await Promise.all([
      perform(throttle('throttle-1'), never),
      perform(restore('full'), never),
    ])
    expect(throttled).toEqual({ kind: 'refused', because: 'a newer change for the same key took its place' })
    expect(restored).toEqual({ kind: 'already' })
    expect(gateway.planLimits('plan-a')).toEqual(original)
  })
})

test('a restore decided while the throttle is about to be made takes its place', async () => {
  const queue = controlPlaneQueue({ clock })
  let restored: Promise<unknown> | undefined
  let calls = 0
  const decidingMeanwhile: typeof queue = {
    ...queue,
    call: (call, signal) => {
      // Of the throttle's two reads the second is the last before it is announced.
      calls += 1
      if (calls === 2) restored = worker.perform(restore('full'), never)
      return queue.call(call, signal)
    },
  }
  const worker = await start({ queue: decidingMeanwhile, planOf: () => 'plan-a' })
  expect(await worker.perform(throttle('throttle-1'), never)).toMatchObject({ kind: 'refused' })
  expect(await restored).toEqual({ kind: 'already' })
  expect(gateway.changes()).toEqual([])
})

describe('when the gateway fails', () => {
  test('silent after it changed the plan: it is read back at once, and not changed twice', async () => {
    served.failNext('UpdateUsagePlan', 'silent-after')
    const slow = scaledClock({ startsAt: 0, speed: 20 })
    const { perform } = await start({ clock: slow, queue: controlPlaneQueue({ clock: slow }) })
    expect(await perform(throttle('throttle-1'), never)).toEqual({ kind: 'applied', before: original, after: low })
    expect(slow.now()).toBeLessThan(updateUsagePlanEveryMs)
    expect(gateway.changes()).toHaveLength(1)
  })

  test.each([
    'silent',
    'server-error',
    'ConflictException',
    'TooManyRequestsException',
  ] as const)('%s before it changed the plan: it is asked again', async fault => {
    served.failNext('UpdateUsagePlan', fault)
    const { perform } = await start()
    expect(await perform(throttle('throttle-1'), never)).toEqual({ kind: 'applied', before: original, after: low })
  })

  test.each([
    'silent',
    'server-error',
    'TooManyRequestsException',
  ] as const)('%s when it is read: it is read again', async fault => {
    for (const operation of ['GetUsagePlan', 'GetUsagePlans', 'GetUsagePlanKeys'] as const)
      served.failNext(operation, fault)
    const { perform } = await start()
    expect(await perform(throttle('throttle-1'), never)).toMatchObject({ kind: 'applied' })
  })

  test('somebody who changes the plan over and over is not fought for ever', async () => {
    for (let n = 0; n < 5; n++) served.failNext('UpdateUsagePlan', 'ConflictException')
    const { perform } = await start()
    expect(await perform(throttle('throttle-1'), never)).toEqual({
      kind: 'refused',
      because: 'someone else kept changing the plan (5 tries)',
    })
  })
})

describe('a crash', () => {
  /** Dies as soon as the change is announced on disk: after the journal and before the call. */
  const dyingAfterJournal = (journal: EffectJournal, crash: AbortController): EffectJournal => ({
    ...journal,
    append: async entries => {
      await journal.append(entries)
      crash.abort(new Error('crash'))
    },
  })

  async function crashBeforeCall(effect: ThrottleEffect | RestoreEffect): Promise<void> {
    const crash = new AbortController()
    const journal = await openEffectJournal(directory)
    const { perform } = await start({ journal: dyingAfterJournal(journal, crash) })
    await expect(perform(effect, crash.signal)).rejects.toThrow('crash')
    await journal.close()
  }

  test('between journal and call loses no original: the same effect is done after the restart, and restored', async () => {
    await crashBeforeCall(throttle('throttle-1'))
    expect(gateway.changes()).toEqual([])
    const { perform } = await start()
    expect(await perform(throttle('throttle-1'), never)).toEqual({ kind: 'applied', before: original, after: low })
    await perform(restore('full'), never)
    expect(gateway.planLimits('plan-a')).toEqual(original)
  })

  test('between call and outcome: the same effect is already done, and the original is still known', async () => {
    const before = await start()
    await before.perform(throttle('throttle-1'), never)
    const { perform } = await start()
    expect(await perform(throttle('throttle-1'), never)).toEqual({ kind: 'already', after: low })
    await perform(restore('full'), never)
    expect(gateway.planLimits('plan-a')).toEqual(original)
  })

  test('while half was given back: the same half is reached, not half of the rest', async () => {
    const before = await start()
    await before.perform(throttle('throttle-1'), never)
    await before.perform(restore('half'), never)
    const { perform } = await start()
    expect(await perform(restore('half'), never)).toEqual({ kind: 'already', after: limits(22, 45) })
  })

  test('in the middle of the restore: it is done after the restart', async () => {
    const before = await start()
    await before.perform(throttle('throttle-1'), never)
    await before.journal.close()
    await crashBeforeCall(restore('full'))
    expect(gateway.planLimits('plan-a')).toEqual(low)
    const { perform } = await start()
    expect(await perform(restore('full'), never)).toEqual({ kind: 'applied', before: low, after: original })
  })

  test('is followed by a look at what is still lowered, which changes nothing', async () => {
    const names = ['lowered', 'restored', 'changed', 'gone']
    const setups = names.map(name => ({ id: `plan-${name}`, limits: original, keys: [`key-${name}`] }))
    await serve(setups)
    const before = await start()
    for (const name of names) await before.perform(throttle('throttle-1', low, { keyId: `key-${name}` }), never)
    await before.journal.close()
    const now = { lowered: low, restored: original, changed: limits(1, 1) }
    await serve(Object.entries(now).map(([name, has]) => ({ id: `plan-${name}`, limits: has })))

    const { journal, queue } = await start()
    const { stories } = journalIndex(journal.recovered)
    const standings = await reconcile(stories, usagePlans({ client, queue, clock, random }), never)
    expect(standings.map(({ keyId, kind, current }) => ({ keyId, kind, current }))).toEqual([
      { keyId: 'key-lowered', kind: 'lowered', current: low },
      { keyId: 'key-restored', kind: 'restored', current: original },
      { keyId: 'key-changed', kind: 'changed', current: limits(1, 1) },
      { keyId: 'key-gone', kind: 'gone', current: undefined },
    ])
    expect(gateway.changes()).toEqual([])
  })
})

test('what was done to a limit, and what was refused, stands in the audit log', async () => {
  const audit = await openAudit(directory, failure => {
    throw failure
  })
  const { perform } = await start({ audit })
  await perform(throttle('throttle-1'), never)
  gateway.changeByPerson('plan-a', limits(60, 70))
  await perform(restore('full'), never)
  await audit.close()
  const lines = (await readFile(join(directory, 'audit.ndjson'), 'utf8')).trim().split('\n')
  const about = { by: 'weir', keyId: 'key-a', planId: 'plan-a', incidentId: 'key-a#1', at: expect.any(String) }
  const because = 'changed meanwhile by someone else; left as it is'
  expect(lines.map((line): AuditEntry => JSON.parse(line))).toEqual([
    { ...about, change: 'throttle', effectId: 'key-a#1/throttle-1', from: original, to: low, result: 'applied' },
    { ...about, change: 'restore-full', effectId: 'key-a#1/full', result: 'refused', because },
  ])
})

test('given up while it waits, nothing has been changed', async () => {
  await serve([
    { id: 'plan-a', limits: original, keys: ['key-a'] },
    { id: 'plan-b', limits: original, keys: ['key-b'] },
  ])
  const { perform } = await start()
  await perform(throttle('throttle-1', low, { keyId: 'key-b' }), never)
  const stop = new AbortController()
  const waiting = perform(throttle('throttle-1'), stop.signal)
  stop.abort(new Error('stopping'))
  await expect(waiting).rejects.toThrow('stopping')
  expect(gateway.planLimits('plan-a')).toEqual(original)
})
