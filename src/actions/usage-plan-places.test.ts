/** Keys in several plans, and plans with several keys of a tenant. */
import { describe, expect, test } from 'vitest'
import { journalIndex } from '../stores/effect-journal.ts'
import { limits, low, never, original, planWorld, restore, throttle } from './testing-plans.ts'
import { sharedPlan } from './ways/own-plan-targets.ts'

const world = planWorld()
const { serve, start, live, set, failNext } = world

describe('a key in a plan for each of two stages', () => {
  const plans = [
    { id: 'plan-live', limits: original, keys: ['key-a'], stages: ['api1:live'] },
    { id: 'plan-test', limits: limits(50, 60), keys: ['key-a'], stages: ['api1:test'] },
  ]

  test('is lowered in both, and gets both back as they were', async () => {
    await serve(plans)
    const { perform } = await live()
    expect(await perform(throttle('throttle-1'))).toMatchObject({ kind: 'applied', after: low })
    expect(set()).toEqual([
      { planId: 'plan-live', after: low },
      { planId: 'plan-test', after: low },
    ])
    expect(await perform(restore('full'))).toMatchObject({ kind: 'applied' })
    expect([world.gateway.planLimits('plan-live'), world.gateway.planLimits('plan-test')]).toEqual([
      original,
      limits(50, 60),
    ])
  })

  test('is lowered only where the log is from, when the configuration says so', async () => {
    await serve(plans)
    const { perform } = await start({ stages: ['api1/live', 'api2/live'] })
    await perform(throttle('throttle-1'), never)
    expect(set()).toEqual([{ planId: 'plan-live', after: low }])
    const elsewhere = await start({ stages: ['api9/live'] })
    expect(await elsewhere.perform(throttle('throttle-2', limits(1, 1), { keyId: 'key-a' }), never)).toMatchObject({
      kind: 'refused',
    })
  })

  test('is throttled as far as it can be: what could not be lowered is told', async () => {
    await serve(plans)
    const { perform } = await live()
    failNext('UpdateUsagePlan', 'AccessDeniedException', { planId: 'plan-test' })
    expect(await perform(throttle('throttle-1'))).toEqual({
      kind: 'applied',
      before: original,
      after: low,
      missed: expect.stringContaining('plan-test: AccessDeniedException'),
    })
    expect(await perform(restore('full'))).toMatchObject({ kind: 'applied', after: original })
    expect(world.gateway.planLimits('plan-test')).toEqual(limits(50, 60))
  })

  test('has not got its limit back before all of it is back', async () => {
    await serve(plans)
    const { perform } = await live()
    await perform(throttle('throttle-1'))
    world.gateway.changeByPerson('plan-test', limits(7, 7))
    expect(await perform(restore('full'))).toEqual({
      kind: 'refused',
      because: expect.stringMatching(/^plan-test: set by somebody else meanwhile/),
      others: [{ planId: 'plan-test', original: limits(50, 60), now: limits(7, 7), region: 'eu-west-1' }],
    })
    expect(world.gateway.planLimits('plan-live')).toEqual(original)
  })
})

describe('a plan that several keys of one tenant are in', () => {
  const both = [{ id: 'plan-t', limits: original, keys: ['key-a', 'key-b'] }]
  const needOfB = { keyId: 'key-b', limits: limits(20, 40) }

  test('is the tenant’s own, and leaves each key what the neediest of them needs', async () => {
    await serve(both)
    const { perform } = await start()
    expect(await perform(throttle('throttle-1', low, { siblings: [needOfB] }), never)).toEqual({
      kind: 'applied',
      before: original,
      after: limits(20, 40),
    })
  })

  test('is not the tenant’s own when one key more is in it', async () => {
    await serve([{ id: 'plan-t', limits: original, keys: ['key-a', 'key-b', 'key-of-somebody'] }])
    const { perform } = await start()
    expect(await perform(throttle('throttle-1', low, { siblings: [needOfB] }), never)).toEqual({
      kind: 'refused',
      because: sharedPlan('plan-t'),
    })
  })

  test('is raised again when the last of the keys that it is lowered for has calmed down', async () => {
    await serve(both)
    const { perform } = await live()
    await perform(throttle('throttle-1', low, { siblings: [{ keyId: 'key-b', limits: low }] }))
    const ofB = { keyId: 'key-b', siblings: [{ keyId: 'key-a', limits: low }] }
    expect(await perform(throttle('throttle-1', low, ofB))).toEqual({ kind: 'already', after: low })
    expect(await perform(restore('half'))).toEqual({ kind: 'already' })
    expect(await perform(restore('full'))).toEqual({ kind: 'already' })
    expect(world.gateway.planLimits('plan-t')).toEqual(low)
    expect(await perform(restore('full', 'key-b'))).toMatchObject({ kind: 'applied', after: original })
  })

  test('also after a restart in between', async () => {
    await serve(both)
    const before = await live()
    await before.perform(throttle('throttle-1', low, { siblings: [{ keyId: 'key-b', limits: low }] }))
    await before.perform(throttle('throttle-1', low, { keyId: 'key-b', siblings: [{ keyId: 'key-a', limits: low }] }))
    await before.perform(restore('full'))
    const after = await live()
    expect([...journalIndex(after.journal.recovered).stories.values()]).toMatchObject([{ holders: ['key-b'] }])
    expect(await after.perform(restore('full'))).toEqual({ kind: 'already' })
    expect(world.gateway.planLimits('plan-t')).toEqual(low)
    expect(await after.perform(restore('full', 'key-b'))).toMatchObject({ kind: 'applied', after: original })
  })

  test('does not wait for one whose throttle was refused', async () => {
    await serve(both)
    const { perform } = await live()
    await perform(throttle('throttle-1', low, { siblings: [{ keyId: 'key-b', limits: low }] }))
    failNext('UpdateUsagePlan', 'AccessDeniedException')
    const lower = limits(2, 2)
    const ofB = { keyId: 'key-b', siblings: [{ keyId: 'key-a', limits: lower }] }
    expect(await perform(throttle('throttle-1', lower, ofB))).toMatchObject({ kind: 'refused' })
    expect(await perform(restore('full'))).toMatchObject({ kind: 'applied', after: original })
  })
})

test('a key whose gateway is not configured is not throttled, and says why', async () => {
  const { perform } = await start({ placeOf: () => ({ gateway: 'mars', usagePlan: undefined }) })
  expect(await perform(throttle('throttle-1'), never)).toEqual({
    kind: 'refused',
    because: 'no gateway mars is configured in `gateways`',
  })
})
