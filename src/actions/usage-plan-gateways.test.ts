/** Tenants in several accounts and regions: none of their gateways waits for another, and none is forgotten. */
import { describe, expect, test } from 'vitest'
import { limits, low, never, original, planWorld, restore, throttle } from './testing-plans.ts'
import type { PlanTrouble } from './usage-plan.ts'

const world = planWorld()
const { serve, serveEurope, start, live, storiesAfterRestart } = world

/** Ids are unique in an account and region only: here another plan has the same one. */
async function bothGateways() {
  await serve([{ id: 'plan-a', limits: original, keys: ['key-us'] }])
  const beside = await serveEurope([{ id: 'plan-a', limits: limits(70, 80), keys: ['key-eu'] }])
  const placeOf = (keyId: string) => ({ gateway: keyId === 'key-eu' ? 'eu' : undefined, usagePlan: undefined })
  return { ...beside, placeOf, has: () => [world.gateway.planLimits('plan-a'), beside.europe.planLimits('plan-a')] }
}

const ofTenant = { keyId: 'tenant-t', keys: ['key-eu', 'key-us'].map(keyId => ({ keyId, limits: low })) }
const restoreOfTenant = (step: 'half' | 'full') => restore(step, 'tenant-t')

test('a tenant with keys in two accounts is throttled in both, each through its own queue', async () => {
  const { gateways, placeOf, has } = await bothGateways()
  const { perform } = await live({ gateways, placeOf })
  expect(await perform(throttle('throttle-1', low, ofTenant))).toMatchObject({ kind: 'applied' })
  expect(has()).toEqual([low, low])
  expect(await perform(restoreOfTenant('full'))).toMatchObject({ kind: 'applied' })
  expect(has()).toEqual([original, limits(70, 80)])
})

describe('a gateway that does not answer', () => {
  test('keeps no throttle from another, and is told as missed', async () => {
    const { gateways, placeOf, served, has } = await bothGateways()
    for (let n = 0; n < 100; n++) served.failNext('GetUsagePlans', 'silent')
    const { perform } = await start({ gateways, placeOf })
    expect(await perform(throttle('throttle-1', low, ofTenant), never)).toEqual({
      kind: 'applied',
      before: original,
      after: low,
      missed: expect.stringContaining('gateway eu does not answer: TimeoutError'),
    })
    expect(has()).toEqual([low, limits(70, 80)])
  })

  test('keeps no throttle from another when it falls silent only as it is to change its plan, which stays owed', async () => {
    const { gateways, placeOf, served, has } = await bothGateways()
    for (let n = 0; n < 100; n++) served.failNext('UpdateUsagePlan', 'server-error')
    const { perform } = await live({ gateways, placeOf })
    expect(await perform(throttle('throttle-1', low, ofTenant))).toEqual({
      kind: 'applied',
      before: original,
      after: low,
      missed: expect.stringContaining('eu/plan-a: gateway eu does not answer'),
    })
    expect(has()).toEqual([low, limits(70, 80)])
    expect(await storiesAfterRestart()).toEqual(['eu/plan-a', 'plan-a'])
  })

  test('is asked until it does where no other can lower anything, and each try is told', async () => {
    const { gateways, placeOf, failEurope, has } = await bothGateways()
    failEurope(true)
    const troubles: PlanTrouble[] = []
    const onTrouble = (trouble: PlanTrouble) => {
      troubles.push(trouble)
      if (troubles.length === 12) failEurope(false)
    }
    const { perform } = await start({ gateways, placeOf, onTrouble })
    // At the other the key is in no plan.
    const keys = ['key-free', 'key-eu'].map(keyId => ({ keyId, limits: low }))
    expect(await perform(throttle('throttle-1', low, { ...ofTenant, keys }), never)).toEqual({
      kind: 'applied',
      before: limits(70, 80),
      after: low,
      missed: 'key is in no usage plan',
    })
    expect(has()).toEqual([original, low])
    expect(troubles).toHaveLength(12)
  })

  test('is not asked any longer for a limit that nobody wants any more', async () => {
    const { gateways, placeOf, failEurope } = await bothGateways()
    failEurope(true)
    const { perform } = await start({ gateways, placeOf })
    const keyId = 'key-eu'
    const [throttled, restored] = await Promise.all([
      perform(throttle('throttle-1', low, { keyId }), never),
      perform(restore('full', keyId), never),
    ])
    expect(throttled).toMatchObject({ kind: 'refused' })
    expect(restored).toEqual({ kind: 'already' })
  })

  test('keeps no half of a limit from another, and gets all of it back when it answers', async () => {
    const { gateways, placeOf, failEurope, has } = await bothGateways()
    const { perform } = await live({ gateways, placeOf })
    await perform(throttle('throttle-1', low, ofTenant))
    failEurope(true)
    expect(await perform(restoreOfTenant('half'))).toEqual({
      kind: 'applied',
      before: low,
      after: limits(22, 45),
      missed: expect.stringContaining('eu/plan-a: did not take half of the limit in time'),
    })
    expect(has()).toEqual([limits(22, 45), low])
    failEurope(false)
    expect(await perform(restoreOfTenant('full'))).toMatchObject({ kind: 'applied' })
    expect(has()).toEqual([original, limits(70, 80)])
  })
})

describe('a gateway that is not configured any more while a plan of it is lowered', () => {
  const itsPlan =
    'plan plan-a is still lowered (its limit was 70 req/s with a burst of 80), and gateway eu is not configured'
  const nameItAgain = 'Name it eu in `gateways` again and start anew'

  async function lowered() {
    const { gateways, ...both } = await bothGateways()
    const before = await live({ gateways, placeOf: both.placeOf })
    await before.perform(throttle('throttle-1', low, ofTenant))
    await before.journal.close()
    const withoutEurope = new Map([...gateways].filter(([name]) => name === undefined))
    return { ...both, gateways, withoutEurope }
  }

  test('is told with the name to give back, keeps no limit of another, and stays owed', async () => {
    const { withoutEurope, has } = await lowered()
    const { perform } = await live({ gateways: withoutEurope })
    const outcome = await perform(restoreOfTenant('full'))
    expect(outcome).toMatchObject({ kind: 'refused', because: expect.stringContaining(itsPlan) })
    expect(outcome).toMatchObject({ because: expect.stringContaining(nameItAgain) })
    expect(has()).toEqual([original, low])
    expect(await storiesAfterRestart()).toEqual(['eu/plan-a'])
  })

  test('is told in the same words where no gateway is configured at all', async () => {
    await lowered()
    const { perform } = await start({ gateways: new Map() })
    expect(await perform(restoreOfTenant('full'), never)).toEqual({
      kind: 'refused',
      because: expect.stringMatching(/Name it eu in `gateways` again.*Configure `gateway` again/),
    })
    expect(await perform(throttle('throttle-1', low, { keyId: 'key-b' }), never)).toEqual({
      kind: 'refused',
      because: 'no `gateway` is configured',
    })
  })

  test.each([
    ['gets its limit back', low, limits(70, 80)],
    ['is seen to have got it back from a person', limits(70, 80), limits(70, 80)],
    ['is seen to have what a person wants', limits(60, 60), limits(60, 60)],
  ])('once it has its name again %s, and nothing is owed any more', async (_, left, then) => {
    const { europe, gateways } = await lowered()
    if (left !== low) europe.changeByPerson('plan-a', left)
    const { perform } = await live({ gateways })
    await perform(restoreOfTenant('full'))
    expect(europe.planLimits('plan-a')).toEqual(then)
    expect(await storiesAfterRestart()).toEqual([])
  })

  test('under another name it lowers nothing that is lowered already: the original would be lost', async () => {
    const { europe, gateways } = await lowered()
    const renamed = new Map([...gateways].map(([name, control]) => [name && 'europe', control]))
    const { perform } = await start({ gateways: renamed, placeOf: () => ({ gateway: 'europe', usagePlan: undefined }) })
    expect(await perform(throttle('throttle-1', limits(2, 2), { keyId: 'key-eu' }), never)).toMatchObject({
      kind: 'refused',
      because: expect.stringContaining(nameItAgain),
    })
    expect(europe.planLimits('plan-a')).toEqual(low)
  })

  test('keeps no throttle from the keys at another', async () => {
    const { withoutEurope, has } = await lowered()
    const { perform } = await start({ gateways: withoutEurope })
    const ofOther = { keyId: 'tenant-t', keys: [{ keyId: 'key-us', limits: limits(2, 2) }] }
    expect(await perform(throttle('throttle-2', limits(2, 2), ofOther), never)).toEqual({
      kind: 'applied',
      before: low,
      after: limits(2, 2),
      missed: expect.stringContaining(itsPlan),
    })
    expect(has()).toEqual([limits(2, 2), low])
  })
})
