import { describe, expect, test } from 'vitest'
import { controlPlaneQueue } from './control-plane-queue.ts'
import { clock, limits, low, never, original, planWorld, restore, throttle } from './testing-plans.ts'
import type { PlanTrouble } from './usage-plan.ts'

const world = planWorld()
const { serve, start, live, failNext, storiesAfterRestart, set } = world

describe('a restore', () => {
  test.each([
    ['GetUsagePlan', 'ExpiredTokenException'],
    ['GetUsagePlan', 'CredentialsProviderError'],
    ['GetUsagePlan', 'RequestTimeTooSkewed'],
    ['GetUsagePlan', 'RequestExpired'],
    ['GetUsagePlan', 'LimitExceededException'],
    ['GetUsagePlan', 'AccessDeniedException'],
    ['UpdateUsagePlan', 'ExpiredTokenException'],
    ['UpdateUsagePlan', 'LimitExceededException'],
    ['UpdateUsagePlan', 'AccessDeniedException'],
  ] as const)('that meets at %s an %s is done once that has passed or is mended', async (operation, name) => {
    const troubles: PlanTrouble[] = []
    const { perform } = await start({ onTrouble: trouble => troubles.push(trouble) })
    await perform(throttle('throttle-1'), never)
    failNext(operation, name)
    expect(await perform(restore('full'), never)).toEqual({ kind: 'applied', before: low, after: original })
    expect(troubles).toMatchObject([
      { effectId: 'key-a#1/full', error: expect.stringContaining('as told by the test') },
    ])
  })

  test('that a role forbids is tried every five minutes, so that a mended role gives the limit back', async () => {
    const troubles: PlanTrouble[] = []
    const { perform } = await start({ onTrouble: trouble => troubles.push(trouble) })
    await perform(throttle('throttle-1'), never)
    failNext('UpdateUsagePlan', 'AccessDeniedException', { times: 3 })
    expect(await perform(restore('full'), never)).toMatchObject({ kind: 'applied' })
    expect(troubles.map(({ nextTryInMs }) => nextTryInMs)).toEqual([300_000, 300_000, 300_000])
  })

  test.each([
    'GetUsagePlan',
    'UpdateUsagePlan',
  ] as const)('of a plan that is gone at %s is refused, and nothing is owed any more', async operation => {
    const { perform } = await start()
    await perform(throttle('throttle-1'), never)
    failNext(operation, 'NotFoundException')
    expect(await perform(restore('full'), never)).toEqual({
      kind: 'refused',
      because: 'not found: as told by the test (its limit was 100.25 req/s with a burst of 200)',
    })
    expect(await storiesAfterRestart()).toEqual([])
  })
})

test('a throttle waits for new credentials as a restore does', async () => {
  const { perform } = await start()
  failNext('UpdateUsagePlan', 'ExpiredTokenException')
  expect(await perform(throttle('throttle-1'), never)).toEqual({ kind: 'applied', before: original, after: low })
})

test('a plan that never answers stops no other', async () => {
  await serve([
    { id: 'plan-a', limits: original, keys: ['key-a'] },
    { id: 'plan-b', limits: original, keys: ['key-b'] },
  ])
  const stop = new AbortController()
  const { perform } = await start()
  failNext('GetUsagePlan', 'InternalFailure', { times: Number.POSITIVE_INFINITY, planId: 'plan-a', status: 500 })
  const silent = perform(throttle('throttle-1', low, { urgency: 500 }), stop.signal)
  expect(await perform(throttle('throttle-1', low, { keyId: 'key-b' }), never)).toMatchObject({ kind: 'applied' })
  stop.abort(new Error('stopping'))
  await expect(silent).rejects.toThrow('stopping')
  expect(set()).toEqual([{ planId: 'plan-b', after: low }])
})

describe('what we owe to a plan is over', () => {
  test('when a person took it over, also when they come to our value weeks later', async () => {
    const before = await live()
    await before.perform(throttle('throttle-1'))
    world.gateway.changeByPerson('plan-a', limits(60, 70))
    expect(await before.perform(restore('full'))).toMatchObject({ kind: 'refused' })
    world.gateway.changeByPerson('plan-a', low)
    expect(await before.perform(restore('full'))).toEqual({ kind: 'already' })
    expect(await storiesAfterRestart()).toEqual([])
    const { perform } = await start()
    expect(await perform({ ...restore('full'), id: 'key-a#lost-1/restore-full' }, never)).toEqual({ kind: 'already' })
    expect(world.gateway.planLimits('plan-a')).toEqual(low)
  })

  test('when a throttle finds that a person set less than it would', async () => {
    const before = await live()
    await before.perform(throttle('throttle-1'))
    world.gateway.changeByPerson('plan-a', limits(2, 2))
    expect(await before.perform(throttle('throttle-2'))).toEqual({ kind: 'already', after: limits(2, 2) })
    world.gateway.changeByPerson('plan-a', low)
    expect(await before.perform(restore('full'))).toEqual({ kind: 'already' })
    expect(world.gateway.planLimits('plan-a')).toEqual(low)
  })

  test('when a person gave the original back', async () => {
    const before = await live()
    await before.perform(throttle('throttle-1'))
    world.gateway.changeByPerson('plan-a', original)
    expect(await before.perform(restore('full'))).toEqual({ kind: 'already', after: original })
    expect(await storiesAfterRestart()).toEqual([])
  })

  test('when the gateway refused to lower it', async () => {
    const before = await live()
    failNext('UpdateUsagePlan', 'AccessDeniedException')
    expect(await before.perform(throttle('throttle-1'))).toMatchObject({ kind: 'refused' })
    expect(await storiesAfterRestart()).toEqual([])
  })

  test('but not when it refused to lower it, and did not tell what the plan has: whoever asks again is told', async () => {
    const queue = controlPlaneQueue({ clock })
    let reads = 0
    const losing: typeof queue = {
      ...queue,
      // The keys in the plan, its limits, and its limits after the refusal.
      call: (call, signal) => (++reads === 3 ? Promise.reject(new Error('lost')) : queue.call(call, signal)),
    }
    const place = { gateway: undefined, usagePlan: 'plan-a' }
    const before = await live({ queue: losing, placeOf: () => place })
    failNext('UpdateUsagePlan', 'AccessDeniedException')
    expect(await before.perform(throttle('throttle-1'))).toMatchObject({ kind: 'refused' })
    expect(await storiesAfterRestart()).toEqual(['plan-a'])
    const { perform } = await live()
    expect(await perform(restore('full'))).toEqual({ kind: 'already', after: original })
    expect(await storiesAfterRestart()).toEqual([])
  })

  test('but not when it refused to lower it again, while half was given back', async () => {
    const before = await live()
    await before.perform(throttle('throttle-1'))
    await before.perform(restore('half'))
    failNext('UpdateUsagePlan', 'AccessDeniedException')
    expect(await before.perform(throttle('throttle-2'))).toMatchObject({ kind: 'refused' })
    expect(await storiesAfterRestart()).toEqual(['plan-a'])
    expect(await before.perform(restore('full'))).toMatchObject({ kind: 'applied', after: original })
  })
})

describe('a restore of what the journal has nothing of', () => {
  const lowered = { throttleId: throttle('throttle-1').id, before: original, after: low }

  test('is refused where the core was told of a throttle: what the plan had is gone with the journal', async () => {
    const { perform } = await start()
    expect(await perform({ ...restore('full'), lowered }, never)).toEqual({
      kind: 'refused',
      because:
        'the effect journal has nothing of what was lowered, so it is not known what to give back; when it was lowered the limit went from 100.25 req/s with a burst of 200 to 5 req/s with a burst of 10',
    })
  })

  test('is done already where the journal knows that throttle: it was given back since', async () => {
    const { perform } = await start()
    await perform(throttle('throttle-1'), never)
    await perform(restore('full'), never)
    expect(await perform({ ...restore('full'), lowered }, never)).toEqual({ kind: 'already' })
  })
})
