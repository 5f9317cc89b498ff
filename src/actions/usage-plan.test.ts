import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { scaledClock } from '../clock.ts'
import { updateUsagePlanEveryMs } from '../simulation/gateway.ts'
import { type AuditEntry, openAudit } from '../stores/audit.ts'
import { controlPlaneQueue } from './control-plane-queue.ts'
import {
  clock,
  limits,
  low,
  never,
  original,
  planWorld,
  restore,
  throttle,
  type WorldOptions,
} from './testing-plans.ts'
import { sharedPlan } from './ways/own-plan-targets.ts'
import type { LimitEffect } from './ways/way.ts'

const world = planWorld()
const { serve, start } = world

describe('a plan of the key’s own', () => {
  test('is lowered, given half back, lowered again when the storm returns, and restored to the fraction', async () => {
    const { perform } = await start()
    expect(await perform(throttle('throttle-1'), never)).toEqual({ kind: 'applied', before: original, after: low })
    expect(await perform(restore('half'), never)).toEqual({ kind: 'applied', before: low, after: limits(22, 45) })
    expect(await perform(throttle('throttle-2'), never)).toMatchObject({ before: limits(22, 45), after: low })
    expect(await perform(restore('full'), never)).toEqual({ kind: 'applied', before: low, after: original })
    expect(world.gateway.planLimits('plan-a')).toEqual(original)
    expect(world.gateway.changes()).toHaveLength(4)
  })

  test('that had no throttle has none again', async () => {
    await serve([{ id: 'plan-a', keys: ['key-a'] }])
    const { perform } = await start()
    expect(await perform(throttle('throttle-1'), never)).toEqual({ kind: 'applied', before: undefined, after: low })
    expect(await perform(restore('full'), never)).toEqual({ kind: 'applied', before: low, after: undefined })
    expect(world.gateway.planLimits('plan-a')).toBeUndefined()
  })

  test('is never raised, and not touched where nothing would be lower', async () => {
    const { perform } = await start()
    expect(await perform(throttle('throttle-1', limits(5, 900)), never)).toMatchObject({ after: limits(5, 200) })
    expect(await perform(throttle('throttle-2', limits(6, 300)), never)).toEqual({
      kind: 'already',
      after: limits(5, 200),
    })
    expect(world.gateway.changes()).toHaveLength(1)
  })

  test('keeps what a person set meanwhile, also as the original of the next throttle', async () => {
    const { perform } = await start()
    await perform(throttle('throttle-1'), never)
    world.gateway.changeByPerson('plan-a', limits(60, 70))
    expect(await perform(restore('full'), never)).toEqual({
      kind: 'refused',
      because:
        'set by somebody else meanwhile, and left as it is: it has 60 req/s with a burst of 70, and had 100.25 req/s with a burst of 200 before Weir lowered it',
      others: [{ planId: 'plan-a', region: 'eu-west-1', original, now: limits(60, 70) }],
    })
    expect(world.gateway.planLimits('plan-a')).toEqual(limits(60, 70))
    await perform(throttle('throttle-2'), never)
    await perform(restore('full'), never)
    expect(world.gateway.planLimits('plan-a')).toEqual(limits(60, 70))
  })

  test('that was never throttled needs no restore', async () => {
    const { perform } = await start()
    expect(await perform(restore('full'), never)).toEqual({ kind: 'already' })
  })
})

describe('is refused', () => {
  const refusal = async (keyId: string, options: WorldOptions = {}) => {
    const { perform } = await start(options)
    const outcome = await perform(throttle('throttle-1', low, { keyId }), never)
    expect(world.gateway.changes()).toEqual([])
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
    expect(await refusal('key-a')).toBe(sharedPlan('plan-s'))
  })

  test('a configured plan that is not the key’s', async () => {
    expect(await refusal('key-free', { placeOf: () => ({ gateway: undefined, usagePlan: 'plan-a' }) })).toBe(
      'key is not in usage plan plan-a',
    )
  })

  test('what the gateway forbids, with what to permit', async () => {
    world.served.failNext('UpdateUsagePlan', 'AccessDeniedException')
    expect(await refusal('key-a')).toContain('apigateway:PATCH')
  })

  test('a used-up quota, though it is a 429 too', async () => {
    world.served.failNext('UpdateUsagePlan', 'LimitExceededException')
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
    const [first, second, third] = world.gateway.changes()
    expect([first, second, third].map(change => change!.planId)).toEqual(['plan-first', 'plan-storm', 'plan-calm'])
    expect(second!.at - first!.at).toBeGreaterThanOrEqual(updateUsagePlanEveryMs)
    expect(third!.at - second!.at).toBeGreaterThanOrEqual(updateUsagePlanEveryMs)
  })

  test('used up by somebody else, they are waited for as long as the gateway says', async () => {
    world.gateway.call({
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
    expect(world.gateway.changes()[1]!.at - world.gateway.changes()[0]!.at).toBeGreaterThanOrEqual(
      updateUsagePlanEveryMs,
    )
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
    expect(world.gateway.planLimits('plan-a')).toEqual(original)
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
  const worker = await start({ queue: decidingMeanwhile, placeOf: () => ({ gateway: undefined, usagePlan: 'plan-a' }) })
  expect(await worker.perform(throttle('throttle-1'), never)).toMatchObject({ kind: 'refused' })
  expect(await restored).toEqual({ kind: 'already' })
  expect(world.gateway.changes()).toEqual([])
})

describe('when the gateway fails', () => {
  test('silent after it changed the plan: it is read back at once, and not changed twice', async () => {
    world.served.failNext('UpdateUsagePlan', 'silent-after')
    const slow = scaledClock({ startsAt: 0, speed: 20 })
    const { perform } = await start({ clock: slow, queue: controlPlaneQueue({ clock: slow }) })
    expect(await perform(throttle('throttle-1'), never)).toEqual({ kind: 'applied', before: original, after: low })
    expect(slow.now()).toBeLessThan(updateUsagePlanEveryMs)
    expect(world.gateway.changes()).toHaveLength(1)
  })

  test.each([
    'silent',
    'server-error',
    'ConflictException',
    'TooManyRequestsException',
  ] as const)('%s before it changed the plan: it is asked again', async fault => {
    world.served.failNext('UpdateUsagePlan', fault)
    const { perform } = await start()
    expect(await perform(throttle('throttle-1'), never)).toEqual({ kind: 'applied', before: original, after: low })
  })

  test.each([
    'silent',
    'server-error',
    'TooManyRequestsException',
  ] as const)('%s when it is read: it is read again', async fault => {
    for (const operation of ['GetUsagePlan', 'GetUsagePlans', 'GetUsagePlanKeys'] as const)
      world.served.failNext(operation, fault)
    const { perform } = await start()
    expect(await perform(throttle('throttle-1'), never)).toMatchObject({ kind: 'applied' })
  })

  test('somebody who changes the plan over and over is not fought for ever', async () => {
    for (let n = 0; n < 5; n++) world.served.failNext('UpdateUsagePlan', 'ConflictException')
    const { perform } = await start()
    expect(await perform(throttle('throttle-1'), never)).toEqual({
      kind: 'refused',
      because: 'someone else kept changing the plan (5 tries)',
    })
  })
})

describe('a crash', () => {
  const plan = [{ id: 'plan-a', limits: original, keys: ['key-a'] }]

  /** Each life dies one step later than the one before it, until one does not. What is left, the next one finds. */
  async function crashAnywhere(
    before: readonly LimitEffect[],
    effect: LimitEffect,
    after: (step: number) => Promise<void>,
  ) {
    for (let step = 0; ; step++) {
      await world.renew(plan)
      const earlier = await start()
      for (const one of before) await earlier.perform(one, never)
      await earlier.journal.close()
      const { died } = await world.dieAt(step, effect)
      if (!died) return step
      await after(step)
    }
  }

  test('anywhere in a throttle loses no original: the same effect is done after the restart, and restored', async () => {
    const steps = await crashAnywhere([], throttle('throttle-1'), async step => {
      const { perform } = await start()
      await perform(throttle('throttle-1'), never)
      expect([step, world.gateway.planLimits('plan-a')]).toEqual([step, low])
      await perform(restore('full'), never)
      expect([step, world.gateway.planLimits('plan-a')]).toEqual([step, original])
    })
    // The plans of the key, the keys in the plan, the plan; the journal; the patch; the journal.
    expect(steps).toBe(12)
  })

  test('anywhere in a throttle that is not done again leaves nothing that is not given back', async () => {
    await crashAnywhere([], throttle('throttle-1'), async step => {
      const { perform } = await start()
      await perform({ ...restore('full'), id: 'key-a#lost-1/restore-full' }, never)
      expect([step, world.gateway.planLimits('plan-a')]).toEqual([step, original])
    })
  })

  test('between journal and call, the journal knows the original, and the restart finds it', async () => {
    // After the three reads, and the journal's write.
    await world.renew(plan)
    expect(await world.dieAt(7, throttle('throttle-1'))).toEqual({ died: true })
    expect(world.gateway.changes()).toEqual([])
    expect(await world.storiesAfterRestart()).toEqual(['plan-a'])
  })

  test('anywhere in the restore: it is done after the restart', async () => {
    await crashAnywhere([throttle('throttle-1')], restore('full'), async step => {
      const { perform } = await start()
      await perform(restore('full'), never)
      expect([step, world.gateway.planLimits('plan-a')]).toEqual([step, original])
    })
  })

  test('anywhere in the half: the same half is reached, not half of the rest', async () => {
    await crashAnywhere([throttle('throttle-1')], restore('half'), async step => {
      const { perform } = await start()
      await perform(restore('half'), never)
      expect([step, world.gateway.planLimits('plan-a')]).toEqual([step, limits(22, 45)])
    })
  })

  test('between call and outcome: the same effect is already done, and the original is still known', async () => {
    const before = await start()
    await before.perform(throttle('throttle-1'), never)
    const { perform } = await start()
    expect(await perform(throttle('throttle-1'), never)).toEqual({ kind: 'already', after: low })
    await perform(restore('full'), never)
    expect(world.gateway.planLimits('plan-a')).toEqual(original)
  })

  test('while half was given back: the same half is reached, not half of the rest', async () => {
    const before = await start()
    await before.perform(throttle('throttle-1'), never)
    await before.perform(restore('half'), never)
    const { perform } = await start()
    expect(await perform(restore('half'), never)).toEqual({ kind: 'already', after: limits(22, 45) })
  })
})

test('what was done to a limit, and what was refused, stands in the audit log', async () => {
  const audit = await openAudit(world.directory, failure => {
    throw failure
  })
  const { perform } = await start({ audit })
  await perform(throttle('throttle-1'), never)
  world.gateway.changeByPerson('plan-a', limits(60, 70))
  await perform(restore('full'), never)
  await audit.close()
  const lines = (await readFile(join(world.directory, 'audit-1970-01.ndjson'), 'utf8')).trim().split('\n')
  const about = { by: 'weir', keyId: 'key-a', planId: 'plan-a', incidentId: 'key-a#1', at: expect.any(String) }
  const because = expect.stringContaining('set by somebody else meanwhile')
  expect(lines.map((line): AuditEntry => JSON.parse(line))).toMatchObject([
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
  expect(world.gateway.planLimits('plan-a')).toEqual(original)
})
