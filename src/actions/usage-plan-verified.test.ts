/** What an outcome says for the log to be held against, and how an effect stands that has none. */
import { expect, test } from 'vitest'
import { clock, limits, low, never, original, planWorld, restore, throttle } from './testing-plans.ts'

const world = planWorld()

test('a throttle answers which plans hold which of its keys to what, where, and in which stages', async () => {
  await world.serve([
    { id: 'plan-live', limits: original, keys: ['key-a', 'key-b'], stages: ['api1:live'] },
    { id: 'plan-test', limits: limits(3, 200), keys: ['key-a'], stages: ['api1:test'] },
  ])
  const { performer } = await world.start()
  const keys = [
    { keyId: 'key-a', limits: low },
    { keyId: 'key-b', limits: low },
  ]
  expect(await performer.perform(throttle('throttle-1', low, { keyId: 'tenant:one', keys }), never)).toMatchObject({
    kind: 'applied',
    plans: [
      { region: 'eu-west-1', planId: 'plan-live', stages: ['api1/live'], limits: low, keys: ['key-a', 'key-b'] },
      { planId: 'plan-test', stages: ['api1/test'], limits: limits(3, 10), keys: ['key-a'] },
    ],
  })
})

test('a plan that could not be lowered is not among them', async () => {
  await world.serve([
    { id: 'plan-a', limits: original, keys: ['key-a'], stages: ['api1:live'] },
    { id: 'plan-shared', limits: original, keys: ['key-a', 'key-z'], stages: ['api1:test'] },
  ])
  const { performer } = await world.start()
  const outcome = await performer.perform(throttle('throttle-1'), never)
  expect(outcome).toMatchObject({ missed: expect.stringContaining('plan-shared'), plans: [{ planId: 'plan-a' }] })
})

test('a key that was moved is held by the penalty plan', async () => {
  await world.serve([
    { id: 'plan-s', limits: original, keys: ['key-a', 'key-z'], stages: ['api1:live'] },
    { id: 'penalty', limits: low, stages: ['api1:live'] },
  ])
  const { performer } = await world.start({ way: 'penalty-plan', penaltyPlan: 'penalty' })
  expect(await performer.perform(throttle('throttle-1'), never)).toMatchObject({
    kind: 'applied',
    plans: [{ region: 'eu-west-1', planId: 'penalty', stages: ['api1/live'], limits: low, keys: ['key-a'] }],
  })
})

test('where a method has a limit of its own, what all let through together is not known, and nothing is told to verify', async () => {
  const methods = [{ apiStage: 'api1:live', method: '/pay/POST', limits: limits(50, 100) }]
  await world.serve([{ id: 'plan-a', limits: original, keys: ['key-a'], stages: ['api1:live'], methods }])
  const { performer } = await world.start()
  const outcome = await performer.perform(throttle('throttle-1'), never)
  expect(outcome).toMatchObject({ kind: 'applied', after: low })
  expect(outcome).not.toHaveProperty('plans')
})

test('a plan that is lower already holds its key all the same', async () => {
  await world.serve([{ id: 'plan-a', limits: limits(2, 4), keys: ['key-a'] }])
  const { performer } = await world.start()
  expect(await performer.perform(throttle('throttle-1'), never)).toMatchObject({
    kind: 'already',
    plans: [{ planId: 'plan-a', limits: limits(2, 4), keys: ['key-a'] }],
  })
})

test('a throttle whose tries fail says why the last one did', async () => {
  const troubles: string[] = []
  const { performer } = await world.start({ onTrouble: ({ error }) => troubles.push(error) })
  world.failNext('GetUsagePlan', 'InternalFailure', { times: 1_000, status: 500 })
  const stop = new AbortController()
  const performing = performer.perform(throttle('throttle-1'), stop.signal)
  while (troubles.length === 0) await clock.sleep(1_000)
  expect(performer.progress?.('key-a#1/throttle-1')?.because).toContain('InternalFailure')
  stop.abort()
  await Promise.allSettled([performing])
})

test('a restore whose tries fail says why the last one did, and how a person gives the limit back', async () => {
  const troubles: string[] = []
  const { performer } = await world.start({ onTrouble: ({ error }) => troubles.push(error), region: 'eu-west-1' })
  await performer.perform(throttle('throttle-1'), never)
  world.failNext('GetUsagePlan', 'InternalFailure', { times: 1_000, status: 500 })
  const stop = new AbortController()
  const performing = performer.perform(restore('full'), stop.signal)
  while (troubles.length === 0) await clock.sleep(1_000)
  expect(performer.progress?.('key-a#1/full')).toMatchObject({
    because: expect.stringContaining('InternalFailure'),
    byHand: [{ giveBack: { kind: 'plan', planId: 'plan-a', original }, region: 'eu-west-1' }],
  })
  stop.abort()
  await Promise.allSettled([performing])
})
