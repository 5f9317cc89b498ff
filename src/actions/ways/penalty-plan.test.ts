/** Keys that share a plan are moved, one by one, and whatever happens on the way each ends where it should. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { scaledClock } from '../../clock.ts'
import { type PlanSetup, secretValueOf } from '../../simulation/gateway.ts'
import { openAudit } from '../../stores/audit.ts'
import { controlPlaneQueue } from '../control-plane-queue.ts'
import { clock, limits, low, never, original, planWorld, restore, throttle } from '../testing-plans.ts'
import type { LimitEffect } from './way.ts'

const world = planWorld()
const shared: PlanSetup = { id: 'plan-s', limits: original, keys: ['key-a', 'key-b'] }
const penalty: PlanSetup = { id: 'plan-p', limits: low }
const plans = [shared, penalty]
const moving = { way: 'penalty-plan', penaltyPlan: 'plan-p' } as const
const where = (keyId = 'key-a') => world.gateway.plansOfKey(keyId)
const moved = { kind: 'applied', before: original, after: low, gapMs: expect.any(Number), wholeOnly: true }

/** Until what was told to leave has left. */
const settled = () => clock.sleep(5 * 60_000)

describe('a key in a shared plan', () => {
  test('is moved to the penalty plan, stays there for the half, and comes back; its neighbour notices nothing', async () => {
    await world.serve(plans)
    const { perform } = await world.live(moving)
    expect(await perform(throttle('throttle-1'))).toEqual(moved)
    expect([where(), where('key-b')]).toEqual([['plan-p'], ['plan-s']])
    expect(await perform(restore('half'))).toEqual({ kind: 'already', wholeOnly: true })
    expect(where()).toEqual(['plan-p'])
    expect(await perform(restore('full'))).toEqual({ ...moved, before: low, after: original })
    expect(where()).toEqual(['plan-s'])
    expect(world.gateway.changes()).toEqual([])
    expect(await world.storiesAfterRestart()).toEqual([])
  })

  test('waits for the plan that it leaves to let it go, and tells how long it was in none', async () => {
    const slow = scaledClock({ startsAt: 0, speed: 500 })
    await world.serve(plans, slow, { leavingDelayMs: () => 40_000 })
    const { perform } = await world.live({ ...moving, clock: slow, queue: controlPlaneQueue({ clock: slow }) })
    const outcome = await perform(throttle('throttle-1'))
    expect(outcome).toEqual(moved)
    expect(outcome.kind === 'applied' && outcome.gapMs).toBeGreaterThanOrEqual(39_000)
    expect(where()).toEqual(['plan-p'])
  })

  test('that is in several plans leaves each that the penalty plan is for too, and comes back to each', async () => {
    const both: readonly PlanSetup[] = [
      { ...shared, stages: ['api:live'] },
      { id: 'plan-t', limits: original, keys: ['key-a'], stages: ['api:test'] },
      { id: 'plan-else', limits: original, keys: ['key-a'], stages: ['other:live'] },
      { ...penalty, stages: ['api:live', 'api:test'] },
    ]
    await world.serve(both)
    const { perform } = await world.live({ ...moving, stages: ['api/live'] })
    expect(await perform(throttle('throttle-1'))).toEqual(moved)
    expect(where()).toEqual(['plan-else', 'plan-p'])
    await perform(restore('full'))
    expect(where()).toEqual(['plan-s', 'plan-t', 'plan-else'])
  })

  test('is moved as often a minute as the shared limit on calls lets through, not once in 20 s', async () => {
    const keys = Array.from({ length: 10 }, (_, n) => `key-${n}`)
    const slow = scaledClock({ startsAt: 0, speed: 20 })
    await world.serve([{ ...shared, keys }, penalty], slow)
    const { perform } = await world.live({ ...moving, clock: slow, queue: controlPlaneQueue({ clock: slow }) })
    const outcomes = await Promise.all(keys.map(keyId => perform(throttle('throttle-1', low, { keyId }))))
    expect(outcomes.map(({ kind }) => kind)).toEqual(keys.map(() => 'applied'))
    expect(slow.now()).toBeLessThan(60_000)
  })

  test('held for a key and for its tenant comes back when neither needs it moved any more', async () => {
    await world.serve(plans)
    const { perform } = await world.live(moving)
    await perform(throttle('throttle-1'))
    const ofTenant = { keyId: 'tenant:t', keys: [{ keyId: 'key-a', limits: low }] }
    expect(await perform(throttle('throttle-1', low, ofTenant))).toMatchObject({ kind: 'already' })
    expect(await perform(restore('full'))).toEqual({ kind: 'already' })
    expect(where()).toEqual(['plan-p'])
    await perform(restore('full', 'tenant:t'))
    expect(where()).toEqual(['plan-s'])
  })
})

describe('is not moved', () => {
  const refusal = async (setups: readonly PlanSetup[], options: Parameters<typeof world.live>[0] = moving) => {
    await world.serve(setups)
    const before = where()
    const { perform } = await world.live(options)
    const outcome = await perform(throttle('throttle-1'))
    expect(where()).toEqual(before)
    expect(await world.storiesAfterRestart()).toEqual([])
    return outcome.kind === 'refused' ? outcome.because : outcome.kind
  }

  test('unless the user has chosen so: a shared plan is refused, with what else there is', async () => {
    expect(await refusal(plans, { penaltyPlan: 'plan-p' })).toContain('choose `way: penalty-plan` or')
  })

  test('where no penalty plan is named, or there is none of that name', async () => {
    expect(await refusal(plans, { way: 'penalty-plan' })).toBe('no `penaltyPlan` is configured to move the key to')
    expect(await refusal([shared])).toContain('penalty plan: not found')
  })

  test('where the penalty plan is not for a stage that it would lose', async () => {
    const wide = { ...shared, stages: ['api:live', 'api:test'] }
    expect(await refusal([wide, penalty])).toContain('plan-p is not for api/test, where plan plan-s lets the key call')
    expect(await refusal([{ ...shared, stages: ['x:live'] }, penalty])).toContain('for none of the stages of plan-s')
  })

  test.each([
    ['has a higher limit', { ...penalty, limits: limits(200, 10) }, 'does not have a lower limit'],
    ['has the same limit', { ...penalty, limits: original }, 'does not have a lower limit'],
    ['has none', { id: 'plan-p' }, 'has no limit'],
    [
      'lets more of one method through',
      { ...penalty, methods: [{ apiStage: 'api:live', method: '/pets/GET', limits: limits(500, 500) }] },
      'would let through more of /pets/GET',
    ],
  ])('where the penalty plan %s', async (_, plan, because) => {
    expect(await refusal([shared, plan])).toContain(because)
  })

  test('where the plan it shares holds one method lower than the penalty plan would', async () => {
    const methods = [{ apiStage: 'api:live', method: '/slow/POST', limits: limits(1, 1) }]
    expect(await refusal([{ ...shared, methods }, penalty])).toContain('would let through more of /slow/POST')
  })

  test('where it is there already, and not by our doing', async () => {
    expect(await refusal([{ ...penalty, keys: ['key-a'] }])).toContain('already, and not by our doing')
  })

  test('when the role may not take keys out of plans, with what to permit', async () => {
    await world.serve(plans)
    world.failNext('DeleteUsagePlanKey', 'AccessDeniedException')
    const { perform } = await world.live(moving)
    expect(await perform(throttle('throttle-1'))).toMatchObject({ because: expect.stringContaining('apigateway:POST') })
    expect(where()).toEqual(['plan-s'])
    expect(await world.storiesAfterRestart()).toEqual([])
  })
})

describe('on its way', () => {
  test.each([
    ['DeleteUsagePlanKey', 'silent-after'],
    ['DeleteUsagePlanKey', 'silent'],
    ['DeleteUsagePlanKey', 'server-error'],
    ['DeleteUsagePlanKey', 'TooManyRequestsException'],
    ['CreateUsagePlanKey', 'silent-after'],
    ['CreateUsagePlanKey', 'silent'],
    ['CreateUsagePlanKey', 'server-error'],
    ['CreateUsagePlanKey', 'ConflictException'],
    ['CreateUsagePlanKey', 'TooManyRequestsException'],
    ['GetUsagePlans', 'silent'],
  ] as const)('it arrives, there and back, though %s is answered by: %s', async (operation, fault) => {
    await world.serve(plans)
    const { perform } = await world.live(moving)
    world.served.failNext(operation, fault)
    expect(await perform(throttle('throttle-1'))).toMatchObject({ kind: 'applied' })
    expect(where()).toEqual(['plan-p'])
    world.served.failNext(operation, fault)
    expect(await perform(restore('full'))).toMatchObject({ kind: 'applied' })
    expect(where()).toEqual(['plan-s'])
  })

  test('it goes back where the penalty plan does not take it', async () => {
    await world.serve(plans)
    world.failNext('CreateUsagePlanKey', 'LimitExceededException')
    const { perform } = await world.live(moving)
    expect(await perform(throttle('throttle-1'))).toEqual({
      ...{ kind: 'refused', because: expect.stringMatching(/quota is used up.*The key is back in plan-s/) },
    })
    expect(where()).toEqual(['plan-s'])
    expect(await world.storiesAfterRestart()).toEqual([])
  })

  test('it goes back where the penalty plan is gone by then', async () => {
    await world.serve(plans, undefined, { leavingDelayMs: () => 4_000 })
    const { perform } = await world.live(moving)
    const asked = perform(throttle('throttle-1'))
    await clock.sleep(2_000)
    world.gateway.deleteByPerson({ planId: 'plan-p' })
    expect(await asked).toMatchObject({ kind: 'refused' })
    await settled()
    expect(where()).toEqual(['plan-s'])
  })

  test('it stays owed where its own plan does not take it back for now', async () => {
    await world.serve(plans)
    const { perform } = await world.live(moving)
    await perform(throttle('throttle-1'))
    world.failNext('CreateUsagePlanKey', 'LimitExceededException')
    expect(await perform(restore('full'))).toMatchObject({ kind: 'refused' })
    expect(where()).toEqual(['plan-p'])
    // Whoever looks for what nobody holds any more finds it, and gives it back.
    expect(await world.storiesAfterRestart()).toHaveLength(1)
    const later = await world.live(moving)
    expect(await later.perform(restore('full'))).toMatchObject({ kind: 'applied' })
    expect(where()).toEqual(['plan-s'])
  })

  test('it stays in the penalty plan where the one it came from is gone, and a person is told', async () => {
    await world.serve(plans)
    const { perform } = await world.live(moving)
    await perform(throttle('throttle-1'))
    world.gateway.deleteByPerson({ planId: 'plan-s' })
    expect(await perform(restore('full'))).toEqual({
      ...{
        kind: 'refused',
        because: 'plan plan-s, which the key came from, is gone: it stays in the penalty plan plan-p',
      },
    })
    expect(where()).toEqual(['plan-p'])
  })

  test('a key that is deleted is owed nothing', async () => {
    await world.serve(plans)
    const { perform } = await world.live(moving)
    await perform(throttle('throttle-1'))
    world.gateway.deleteByPerson({ keyId: 'key-a' })
    expect(await perform(restore('full'))).toMatchObject({ because: expect.stringContaining('the key is gone') })
    expect(await world.storiesAfterRestart()).toEqual([])
  })

  test.each([
    ['elsewhere', ['plan-x'], 'to plan-x; left there'],
    ['out of every plan', [], 'to no plan; left there'],
  ])('a key that a person puts %s stays there', async (_, to, because) => {
    await world.serve([...plans, { id: 'plan-x', limits: original }])
    const { perform } = await world.live(moving)
    await perform(throttle('throttle-1'))
    world.gateway.moveByPerson('key-a', to)
    expect(await perform(restore('full'))).toMatchObject({ because: expect.stringContaining(because) })
    expect(where()).toEqual(to)
    expect(await world.storiesAfterRestart()).toEqual([])
  })

  test('a key that a person gives back is back', async () => {
    await world.serve(plans)
    const { perform } = await world.live(moving)
    await perform(throttle('throttle-1'))
    world.gateway.moveByPerson('key-a', ['plan-s'])
    expect(await perform(restore('full'))).toEqual({ kind: 'already' })
    expect(where()).toEqual(['plan-s'])
  })

  test('a throttle for another holder that is decided while it is moved back is made after that, and not taken for made', async () => {
    await world.serve(plans)
    const { perform } = await world.live(moving)
    await perform(throttle('throttle-1'))
    const ofTenant = { keyId: 'tenant:t', keys: [{ keyId: 'key-a', limits: low }] }
    await Promise.all([perform(restore('full')), perform(throttle('throttle-1', low, ofTenant))])
    expect(where()).toEqual(['plan-p'])
    await perform(restore('full', 'tenant:t'))
    expect(where()).toEqual(['plan-s'])
  })

  test('a restore that is decided while it is moved is made after it, and nothing is in between', async () => {
    await world.serve(plans, undefined, { leavingDelayMs: () => 20_000 })
    const { perform } = await world.live(moving)
    const throttled = perform(throttle('throttle-1'))
    await clock.sleep(10_000)
    const restored = perform(restore('full'))
    await Promise.all([throttled, restored])
    await settled()
    expect(where()).toEqual(['plan-s'])
    expect(await world.storiesAfterRestart()).toEqual([])
  })
})

test('the value of a key, which the gateway answers with, stands nowhere', async () => {
  await world.serve(plans)
  const told: unknown[] = []
  const audit = await openAudit(world.directory, failure => {
    throw failure
  })
  const { perform } = await world.live({ ...moving, audit, onTrouble: trouble => told.push(trouble) })
  world.served.failNext('CreateUsagePlanKey', 'silent-after')
  told.push(await perform(throttle('throttle-1')), await perform(restore('full')))
  await audit.close()
  const files = await Promise.all(
    ['audit-1970-01', 'effects'].map(name => readFile(join(world.directory, `${name}.ndjson`), 'utf8')),
  )
  expect(files[0]).toContain('"gapMs":')
  expect(`${files.join()}${JSON.stringify(told)}`).not.toContain(secretValueOf('key-a'))
})

describe('a crash', () => {
  /** Each life dies one step later than the one before it, until one does not. */
  async function anywhere(
    { before = [], effect, leavingMs }: { before?: readonly LimitEffect[]; effect: LimitEffect; leavingMs: number },
    after: (lives: Awaited<ReturnType<typeof world.start>>) => Promise<readonly string[]>,
  ) {
    for (let step = 0; ; step++) {
      await world.renew(plans, { leavingDelayMs: () => leavingMs })
      const earlier = await world.start(moving)
      for (const one of before) await earlier.perform(one, never)
      await settled()
      await earlier.journal.close()
      const { died } = await world.dieAt(step, effect, moving)
      if (!died) return step
      const life = await world.start(moving)
      const expected = await after(life)
      await settled()
      expect([step, where()]).toEqual([step, expected])
      await life.journal.close()
    }
  }

  describe.each([0, 30_000])('anywhere, with plans that are left after %i ms,', leavingMs => {
    test('on the way to the penalty plan: done again it is there, and comes back', async () => {
      const steps = await anywhere({ effect: throttle('throttle-1'), leavingMs }, async ({ perform }) => {
        await perform(throttle('throttle-1'), never)
        expect(where()).toContain('plan-p')
        await perform(restore('full'), never)
        return ['plan-s']
      })
      expect(steps).toBeGreaterThan(10)
    })

    test('on the way to the penalty plan: not done again, it is given back', async () => {
      await anywhere({ effect: throttle('throttle-1'), leavingMs }, async ({ perform }) => {
        await perform({ ...restore('full'), id: 'key-a#lost-1/restore-full' }, never)
        return ['plan-s']
      })
    })

    test('on the way to the penalty plan: whatever becomes of it, the key is not left in no plan', async () => {
      await anywhere({ effect: throttle('throttle-1'), leavingMs }, async ({ resume }) => {
        await resume(never)
        expect(where()).toHaveLength(1)
        return where()
      })
    })

    test('on the way back: done again it is back', async () => {
      await anywhere({ before: [throttle('throttle-1')], effect: restore('full'), leavingMs }, async ({ perform }) => {
        await perform(restore('full'), never)
        return ['plan-s']
      })
    })

    test('on the way back: lowered again instead, it is in the penalty plan, and comes back', async () => {
      await anywhere({ before: [throttle('throttle-1')], effect: restore('full'), leavingMs }, async ({ perform }) => {
        await perform(throttle('throttle-2'), never)
        await settled()
        expect(where()).toEqual(['plan-p'])
        await perform({ ...restore('full'), id: 'key-a#1/full-2' }, never)
        return ['plan-s']
      })
    })
  })
})
