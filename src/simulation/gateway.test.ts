import {
  APIGatewayClient,
  GetApiKeyCommand,
  GetApiKeysCommand,
  GetUsagePlanCommand,
  GetUsagePlanKeyCommand,
  GetUsagePlanKeysCommand,
  GetUsagePlansCommand,
  UpdateUsagePlanCommand,
} from '@aws-sdk/client-api-gateway'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type ControlPlaneCall, createGateway, type GatewaySetup } from './gateway.ts'
import { type ServedGateway, serveGateway } from './gateway-server.ts'

function worldWith(setup: Omit<GatewaySetup, 'clock'>) {
  let now = 1_000_000
  const clock = { now: () => now, sleep: async () => {} }
  const later = (ms: number) => {
    now += ms
  }
  return { gateway: createGateway({ clock, ...setup }), later, now: () => now }
}

const replace = (path: string, value: unknown) => ({ op: 'replace', path, value })
const lowered = [replace('/throttle/rateLimit', '2.5'), replace('/throttle/burstLimit', '5')]
const planA = { id: 'plan-a', limits: { rateLimit: 100.5, burstLimit: 200 }, keys: ['key-a'] }

const update = (patch: unknown, planId = 'plan-a'): ControlPlaneCall => ({
  operation: 'UpdateUsagePlan',
  planId,
  patch,
})

test('a leaky plan takes every limit and enforces none', () => {
  const { gateway, later, now } = worldWith({ plans: [planA], leaky: ['plan-a'] })
  gateway.call(update(lowered))
  later(3_600_000)
  expect(gateway.planLimits('plan-a')).toEqual({ rateLimit: 2.5, burstLimit: 5 })
  const admitted = Array.from({ length: 100 }, () => gateway.admit('key-a', now())).filter(Boolean)
  expect(admitted).toHaveLength(100)
})

describe('the control plane', () => {
  test('takes one UpdateUsagePlan in 20 seconds an account, and says when to come again', () => {
    const { gateway, later } = worldWith({ plans: [planA, { id: 'plan-b', keys: ['key-b'] }] })
    expect(gateway.call(update(lowered))).toMatchObject({ kind: 'answer' })
    later(15_000)
    expect(gateway.call(update(lowered, 'plan-b'))).toEqual({
      kind: 'error',
      name: 'TooManyRequestsException',
      message: 'Too Many Requests',
      retryAfterSeconds: 5,
    })
    later(5_000)
    expect(gateway.call(update(lowered, 'plan-b'))).toMatchObject({ kind: 'answer' })
  })

  test('takes ten calls a second of all kinds, and forty at once', () => {
    const { gateway, later } = worldWith({ plans: [planA] })
    const answered = () => gateway.call({ operation: 'GetUsagePlan', planId: 'plan-a' }).kind === 'answer'
    expect(Array.from({ length: 41 }, answered).filter(Boolean)).toHaveLength(40)
    later(500)
    expect(Array.from({ length: 10 }, answered).filter(Boolean)).toHaveLength(5)
  })

  test.each([
    ['a path it does not know', [replace('/throttle/rate', '5')]],
    ['a number that is not text', [replace('/throttle/rateLimit', 5)]],
    ['a rate below zero', [replace('/throttle/rateLimit', '-1')]],
    ['half a call of burst', [replace('/throttle/burstLimit', '2.5')]],
    ['removing half a throttle', [{ op: 'remove', path: '/throttle/rateLimit' }]],
    ['one bad operation after a good one', [lowered[0], replace('/nothing', '1')]],
    ['no operations', []],
    ['no patch', undefined],
  ])('refuses %s, and changes nothing', (_, patch) => {
    const { gateway } = worldWith({ plans: [planA] })
    expect(gateway.call(update(patch))).toMatchObject({ kind: 'error', name: 'BadRequestException' })
    expect(gateway.planLimits('plan-a')).toEqual(planA.limits)
  })

  test('sets and removes a throttle, fractions and all', () => {
    const { gateway, later } = worldWith({ plans: [planA] })
    gateway.call(update(lowered))
    expect(gateway.planLimits('plan-a')).toEqual({ rateLimit: 2.5, burstLimit: 5 })
    later(20_000)
    gateway.call(update([{ op: 'remove', path: '/throttle' }]))
    expect(gateway.planLimits('plan-a')).toBeUndefined()
  })

  test('has no key in two plans for one stage', () => {
    const plans = [planA, { id: 'plan-b', keys: ['key-a'] }]
    expect(() => worldWith({ plans })).toThrow('ConflictException')
    expect(() => worldWith({ plans: [planA, { ...plans[1]!, stages: ['api:test'] }] })).not.toThrow()
  })
})

describe('a key’s plans', () => {
  const into = (planId: string, keyId = 'key-a'): ControlPlaneCall => {
    return { operation: 'CreateUsagePlanKey', planId, key: { keyId, keyType: 'API_KEY' } }
  }
  const outOf = (planId: string, keyId = 'key-a'): ControlPlaneCall => {
    return { operation: 'DeleteUsagePlanKey', planId, keyId }
  }
  const error = (name: string) => ({ kind: 'error', name })
  const slow = { id: 'plan-slow', limits: { rateLimit: 1, burstLimit: 1 } }
  const plans = [planA, slow, { id: 'plan-test', stages: ['api:test'] }]

  test('are one for each stage: a key is taken out of one before it is put into another', () => {
    const { gateway } = worldWith({ plans })
    expect(gateway.call(into('plan-slow'))).toMatchObject(error('ConflictException'))
    expect(gateway.call(into('plan-test'))).toMatchObject({ kind: 'answer', status: 201 })
    expect(gateway.call(outOf('plan-a'))).toMatchObject({ kind: 'answer', status: 202 })
    expect(gateway.call(into('plan-slow'))).toMatchObject({ kind: 'answer' })
    expect(gateway.plansOfKey('key-a')).toEqual(['plan-slow', 'plan-test'])
  })

  test('are left a while after the answer: until then it is there, and in conflict with another', () => {
    const { gateway, later } = worldWith({ plans, leavingDelayMs: () => 30_000 })
    gateway.call(outOf('plan-a'))
    expect(gateway.plansOfKey('key-a')).toEqual(['plan-a'])
    expect(gateway.call(into('plan-slow'))).toMatchObject(error('ConflictException'))
    expect(gateway.call(outOf('plan-a'))).toMatchObject(error('NotFoundException'))
    later(30_000)
    expect(gateway.call(into('plan-slow'))).toMatchObject({ kind: 'answer' })
  })

  test('reach the data plane later still, and in none of them all calls are forbidden', () => {
    const { gateway, later, now } = worldWith({ plans, leavingDelayMs: () => 1_000, propagationDelayMs: () => 5_000 })
    const answers = () => gateway.answerTo('key-a', now())
    gateway.call(outOf('plan-a'))
    later(5_999)
    gateway.call(into('plan-slow'))
    expect(answers()).toBe('admitted')
    later(1)
    expect(answers()).toBe('forbidden')
    later(4_999)
    expect([answers(), answers()]).toEqual(['admitted', 'throttled'])
  })

  test('know neither a key that is deleted nor a plan that is', () => {
    const { gateway } = worldWith({ plans })
    gateway.deleteByPerson({ keyId: 'key-a' })
    gateway.deleteByPerson({ planId: 'plan-slow' })
    const answers = [into('plan-a'), outOf('plan-a'), into('plan-slow'), outOf('plan-slow')].map(gateway.call)
    expect(answers).toMatchObject(answers.map(() => error('NotFoundException')))
  })

  test('are changed as often as any call is taken: ten a second and not one in twenty', () => {
    const { gateway } = worldWith({ plans })
    const answered = Array.from({ length: 20 }, () => [outOf('plan-a'), into('plan-a')].map(gateway.call)).flat()
    expect(answered.every(({ kind }) => kind === 'answer')).toBe(true)
    expect(gateway.call(into('plan-a'))).toMatchObject(error('TooManyRequestsException'))
  })
})

describe('the limits of a plan’s methods', () => {
  const pets = { apiStage: 'api:live', method: '/pets/GET' }
  const methods = [{ ...pets, limits: { rateLimit: 50, burstLimit: 50 } }]
  const to = (written: string) =>
    [
      ['rateLimit', '2'],
      ['burstLimit', '4'],
    ].map(([name, value]) => replace(`/apiStages/api:live/throttle/${written}/${name}`, value))
  const world = (methodPaths: 'raw' | 'escaped' | 'ignored') =>
    worldWith({ plans: [{ ...planA, methods }], methodPaths })

  test('are changed in the same call as the plan’s, by the one way to write a path that holds here', () => {
    for (const [paths, written] of [
      ['raw', '/pets/GET'],
      ['escaped', '~1pets/GET'],
    ] as const) {
      const { gateway } = world(paths)
      expect(gateway.call(update([...lowered, ...to(written)]))).toMatchObject({ kind: 'answer' })
      expect(gateway.planMethods('plan-a')).toEqual([{ ...pets, limits: { rateLimit: 2, burstLimit: 4 } }])
      const other = paths === 'raw' ? '~1pets/GET' : '/pets/GET'
      expect(world(paths).gateway.call(update([...lowered, ...to(other)]))).toMatchObject({ kind: 'error' })
    }
  })

  test('are taken and not stored by an emulator that knows no such path', () => {
    const { gateway } = world('ignored')
    expect(gateway.call(update([...lowered, ...to('/pets/GET')]))).toMatchObject({ kind: 'answer' })
    expect(gateway.planMethods('plan-a')).toEqual(methods)
    expect(gateway.planLimits('plan-a')).toEqual({ rateLimit: 2.5, burstLimit: 5 })
  })
})

describe('the data plane', () => {
  test('enforces a change only when it has arrived there', () => {
    const { gateway, later } = worldWith({ plans: [planA], propagationDelayMs: () => 60_000 })
    gateway.call(update(lowered))
    later(59_999)
    expect(gateway.effectiveLimits('key-a')).toEqual(planA.limits)
    later(1)
    expect(gateway.effectiveLimits('key-a')).toEqual({ rateLimit: 2.5, burstLimit: 5 })
  })

  test('admits the burst at once, and then the rate', () => {
    const { gateway, now } = worldWith({
      plans: [{ id: 'plan-a', limits: { rateLimit: 2, burstLimit: 5 }, keys: ['key-a'] }],
    })
    const admitted = (count: number, from: number, everyMs: number) =>
      Array.from({ length: count }, (_, n) => gateway.admit('key-a', now() + from + n * everyMs)).filter(Boolean).length
    expect(admitted(20, 0, 0)).toBe(5)
    expect(admitted(100, 100, 100)).toBe(20)
  })

  test('admits all of a key whose plan has no limits, and nothing of one that is disabled, unknown, in no plan or denied', () => {
    const denied = { id: 'plan-b', limits: { rateLimit: 0, burstLimit: 0 }, keys: ['key-b'] }
    const keys = [{ id: 'key-off', enabled: false }, { id: 'key-free' }]
    const { gateway, now } = worldWith({ plans: [denied, { id: 'plan-free', keys: ['key-a'] }], keys })
    const asked = ['key-a', 'key-off', 'nobody', 'key-free', 'key-b']
    expect(asked.map(key => gateway.answerTo(key, now()))).toEqual([
      ...['admitted', 'forbidden', 'forbidden', 'forbidden', 'throttled'],
    ])
  })

  test('holds a method that has limits of its own to those, also above the plan’s', () => {
    const pets = { apiStage: 'api:live', method: '/pets/GET' }
    const methods = [{ ...pets, limits: { rateLimit: 50, burstLimit: 50 } }]
    const plans = [{ id: 'plan-a', limits: { rateLimit: 1, burstLimit: 1 }, methods, keys: ['key-a'] }]
    const { gateway, now } = worldWith({ plans })
    const admitted = (method?: typeof pets) =>
      Array.from({ length: 60 }, () => gateway.answerTo('key-a', now(), method)).filter(one => one === 'admitted')
        .length
    expect([admitted(), admitted(pets)]).toEqual([1, 50])
  })

  test('limits each key of a plan by itself', () => {
    const shared = { id: 'plan-s', limits: { rateLimit: 1, burstLimit: 1 }, keys: ['key-1', 'key-2'] }
    const { gateway, now } = worldWith({ plans: [shared] })
    expect(['key-1', 'key-1', 'key-2'].map(key => gateway.admit(key, now()))).toEqual([true, false, true])
  })
})

test('a change by a person needs no leave, and is told apart in the history', () => {
  const { gateway, now } = worldWith({ plans: [planA] })
  gateway.call(update(lowered))
  gateway.changeByPerson('plan-a', undefined)
  expect(gateway.changes().map(({ by, before, after }) => ({ by, before, after }))).toEqual([
    { by: 'api', before: planA.limits, after: { rateLimit: 2.5, burstLimit: 5 } },
    { by: 'person', before: { rateLimit: 2.5, burstLimit: 5 }, after: undefined },
  ])
  expect(gateway.changes()[0]).toMatchObject({ at: now(), effectiveAt: now(), planId: 'plan-a' })
})

describe('the real SDK', () => {
  let served: ServedGateway
  let client: APIGatewayClient

  beforeEach(async () => {
    const many = Array.from({ length: 30 }, (_, n) => `key-${n}`)
    const plans = [planA, { id: 'plan-many', keys: many, stages: ['api:test'] }]
    const { gateway } = worldWith({ plans, keys: [{ id: 'key-a', name: 'Client A', tags: { tier: 'gold' } }] })
    served = await serveGateway(gateway)
    client = new APIGatewayClient({
      region: 'us-east-1',
      endpoint: served.endpoint,
      credentials: { accessKeyId: 'simulated', secretAccessKey: 'simulated' },
      maxAttempts: 1,
    })
  })

  afterEach(async () => {
    client.destroy()
    await served.close()
  })

  test('reads plans and keys, never a value', async () => {
    const plan = await client.send(new GetUsagePlanCommand({ usagePlanId: 'plan-a' }))
    expect(plan).toMatchObject({ id: 'plan-a', throttle: planA.limits, apiStages: [{ apiId: 'api', stage: 'live' }] })
    const { items = [] } = await client.send(new GetUsagePlansCommand({ keyId: 'key-a' }))
    expect(items.map(({ id }) => id)).toEqual(['plan-a'])
    const key = await client.send(new GetApiKeyCommand({ apiKey: 'key-a', includeValue: true }))
    expect(key).toMatchObject({ id: 'key-a', name: 'Client A', enabled: true, tags: { tier: 'gold' } })
    expect(key.value).toBeUndefined()
    const planKey = await client.send(new GetUsagePlanKeyCommand({ usagePlanId: 'plan-a', keyId: 'key-a' }))
    expect(planKey).toMatchObject({ id: 'key-a', type: 'API_KEY' })
  })

  test('reads in pages of 25', async () => {
    const first = await client.send(new GetUsagePlanKeysCommand({ usagePlanId: 'plan-many' }))
    expect(first.items).toHaveLength(25)
    const rest = await client.send(
      new GetUsagePlanKeysCommand({ usagePlanId: 'plan-many', ...(first.position && { position: first.position }) }),
    )
    expect(rest.items).toHaveLength(5)
    expect(rest.position).toBeUndefined()
    expect((await client.send(new GetApiKeysCommand({ limit: 500 }))).items).toHaveLength(31)
  })

  test('changes a plan, and understands why it may not', async () => {
    const patchOperations = [{ op: 'replace' as const, path: '/throttle/rateLimit', value: '0.5' }]
    const changed = await client.send(new UpdateUsagePlanCommand({ usagePlanId: 'plan-a', patchOperations }))
    expect(changed.throttle).toEqual({ rateLimit: 0.5, burstLimit: 200 })
    await expect(
      client.send(new UpdateUsagePlanCommand({ usagePlanId: 'plan-a', patchOperations })),
    ).rejects.toMatchObject({ name: 'TooManyRequestsException', retryAfterSeconds: '20' })
    await expect(client.send(new GetUsagePlanCommand({ usagePlanId: 'nowhere' }))).rejects.toMatchObject({
      name: 'NotFoundException',
    })
  })

  test('is failed as told', async () => {
    served.failNext('GetUsagePlan', 'AccessDeniedException')
    served.failNext('GetUsagePlan', 'server-error')
    const read = () => client.send(new GetUsagePlanCommand({ usagePlanId: 'plan-a' }))
    await expect(read()).rejects.toMatchObject({ name: 'AccessDeniedException' })
    await expect(read()).rejects.toMatchObject({ $metadata: { httpStatusCode: 500 } })
    await expect(read()).resolves.toMatchObject({ id: 'plan-a' })
  })
})
