import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { describe, expect, test } from 'vitest'
import { deadManWorld } from '../actions/testing-dead-man.ts'
import { limits, low, original, planWorld } from '../actions/testing-plans.ts'
import type { MethodPlace } from '../core/incident/plan-story.ts'
import { type OrderedGiveBack, standingOrder } from '../core/incident/standing-order.ts'
import { updateUsagePlanEveryMs } from '../simulation/gateway.ts'

const world = planWorld()
const aws = deadManWorld(world)

const expiresAt = Date.parse('2026-11-20T14:10:00Z')
const plan: OrderedGiveBack = { kind: 'plan', planId: 'plan-a', original, mayHave: [low, limits(22, 45)], methods: [] }
const order = (giveBack: OrderedGiveBack = plan) =>
  standingOrder({ effectId: 'key-a#1/throttle-1', holders: ['key-a'], expiresAt, giveBack })

const lowered = () => world.serve([{ id: 'plan-a', limits: low, keys: ['key-a'] }])

describe('a plan', () => {
  test.each([
    ['that has what we set', low, { kind: 'given-back' }],
    ['that has half of its limit', limits(22, 45), { kind: 'given-back' }],
    ['that has its original', original, { kind: 'left', because: 'back' }],
    ['that has another rate', limits(6, 10), { kind: 'left', because: 'others' }],
    ['that has another burst', limits(5, 11), { kind: 'left', because: 'others' }],
    ['whose throttle was removed', undefined, { kind: 'left', because: 'others' }],
  ])('%s', async (_, has, came) => {
    await world.serve([{ id: 'plan-a', limits: has, keys: ['key-a'] }])
    expect(await aws.deployed().call(order())).toEqual(came)
    expect(world.gateway.planLimits('plan-a')).toEqual(came.kind === 'given-back' ? original : has)
  })

  test('that is gone is told, and nothing is done', async () => {
    await world.serve([{ id: 'plan-b', limits: low }])
    expect(await aws.deployed().call(order())).toEqual({ kind: 'left', because: 'gone' })
    expect(aws.notices()).toMatchObject([{ kind: 'limit-left', text: expect.stringContaining('is gone') }])
  })

  test('is given back once, however often the function is called', async () => {
    await lowered()
    const { call } = aws.deployed()
    await call(order())
    expect(await call(order())).toEqual({ kind: 'left', because: 'back' })
    expect(world.gateway.changes()).toHaveLength(1)
    expect(aws.notices()).toHaveLength(1)
  })

  test.each([
    'silent',
    'server-error',
    'ConflictException',
    'TooManyRequestsException',
  ] as const)('%s: it is tried again', async fault => {
    await lowered()
    world.served.failNext('UpdateUsagePlan', fault)
    world.served.failNext('GetUsagePlan', fault)
    const { call, lines } = aws.deployed()
    expect(await call(order())).toEqual({ kind: 'given-back' })
    expect(lines.map(({ event }) => event)).toEqual(['tryFailed', 'tryFailed', 'limitGivenBack'])
    expect(world.gateway.planLimits('plan-a')).toEqual(original)
  })

  test('that was changed and not answered was given back all the same', async () => {
    await lowered()
    world.served.failNext('UpdateUsagePlan', 'silent-after')
    expect(await aws.deployed().call(order())).toEqual({ kind: 'given-back' })
    expect(world.gateway.changes()).toHaveLength(1)
    expect(aws.notices()).toMatchObject([{ kind: 'limit-given-back' }])
  })

  test('that a person changes between two tries is theirs', async () => {
    await lowered()
    world.served.failNext('UpdateUsagePlan', 'ConflictException')
    const { call } = aws.deployed()
    const carried = call(order())
    world.gateway.changeByPerson('plan-a', limits(60, 70))
    expect(await carried).toEqual({ kind: 'left', because: 'others' })
    expect(world.gateway.planLimits('plan-a')).toEqual(limits(60, 70))
  })
})

describe('methods with limits of their own', () => {
  const place = (method: string) => ({ apiStage: 'api:live', method })
  const methods = ['/pay/POST', '/pay/GET', '/refunds/{id}/POST'].map(place)
  const [pay, read, refund] = methods as [MethodPlace, MethodPlace, MethodPlace]
  const withMethods: OrderedGiveBack = {
    ...plan,
    methods: methods.map(method => ({ ...method, original: limits(50, 60), mayHave: [limits(5, 10)] })),
  }

  test.each([
    'raw',
    'escaped',
  ] as const)('come back with the plan, however their paths are written (%s); what a person changed stays', async methodPaths => {
    const has = [
      { ...pay, limits: limits(5, 10) },
      { ...read, limits: limits(7, 7) },
      { ...refund, limits: limits(5, 10) },
    ]
    await world.serve([{ id: 'plan-a', limits: low, keys: ['key-a'], methods: has }], undefined, { methodPaths })
    expect(await aws.deployed().call(order(withMethods))).toEqual({ kind: 'given-back' })
    expect(world.gateway.planLimits('plan-a')).toEqual(original)
    const now = world.gateway.planMethods('plan-a')
    expect(methods.map(({ method }) => now.find(one => one.method === method)?.limits)).toEqual([
      limits(50, 60),
      limits(7, 7),
      limits(50, 60),
    ])
  })

  test('that the gateway does not take keep the plan’s own from nothing, and a person is told which they are', async () => {
    const has = [{ ...pay, limits: limits(5, 10) }]
    await world.serve([{ id: 'plan-a', limits: low, keys: ['key-a'], methods: has }], undefined, {
      methodPaths: 'ignored',
    })
    await expect(aws.deployed().call(order(withMethods))).rejects.toThrow(
      'does not take the limits of /pay/POST of api:live',
    )
    expect(world.gateway.planLimits('plan-a')).toEqual(original)
  })
})

describe('a key that was moved', () => {
  const move: OrderedGiveBack = {
    ...{ kind: 'move', movedKey: 'key-a', from: ['plan-a', 'plan-b'], to: 'plan-slow' },
    stages: ['api/live', 'api/test', 'api/more'],
  }
  const stages = { a: ['api:live'], b: ['api:test'], slow: ['api:live', 'api:test', 'api:more'] }
  const serve = (inPlan: 'own' | 'slow' | 'a' | 'none' | 'other' | 'home-gone', leavingDelayMs = () => 0) =>
    world.serve(
      [
        ...(inPlan === 'home-gone'
          ? []
          : [{ id: 'plan-a', stages: stages.a, keys: ['own', 'a'].includes(inPlan) ? ['key-a'] : [] }]),
        ...(inPlan === 'home-gone'
          ? []
          : [{ id: 'plan-b', stages: stages.b, keys: inPlan === 'own' ? ['key-a'] : [] }]),
        {
          id: 'plan-slow',
          stages: stages.slow,
          limits: low,
          keys: ['slow', 'home-gone'].includes(inPlan) ? ['key-a'] : ['key-z'],
        },
        { id: 'plan-other', stages: ['api:more'], keys: inPlan === 'other' ? ['key-a'] : ['key-y'] },
        { id: 'plan-elsewhere', stages: ['third:live'], keys: ['key-a'] },
      ],
      undefined,
      { leavingDelayMs },
    )
  const home = ['plan-a', 'plan-b', 'plan-elsewhere']

  test.each([
    ['is in the penalty plan', 'slow'],
    ['is in none of its plans: a move was cut short', 'none'],
    ['is in one of its two plans: a way back was cut short', 'a'],
  ] as const)('%s: it gets its plans back', async (_, where) => {
    await serve(where)
    expect(await aws.deployed().call(order(move))).toEqual({ kind: 'given-back' })
    expect([...world.gateway.plansOfKey('key-a')].sort()).toEqual(home)
  })

  test('leaves the penalty plan only after a while: until then it is tried again', async () => {
    await serve('slow', () => 600_000)
    const { call, lines } = aws.deployed()
    expect(await call(order(move))).toEqual({ kind: 'given-back' })
    expect([...world.gateway.plansOfKey('key-a')].sort()).toEqual(home)
    expect(lines[0]).toMatchObject({ event: 'tryFailed', because: expect.stringContaining('Conflict') })
  })

  test('is back already: nothing is done', async () => {
    await serve('own')
    expect(await aws.deployed().call(order(move))).toEqual({ kind: 'left', because: 'back' })
  })

  test('was put into another plan of these stages by somebody else: it stays there', async () => {
    await serve('other')
    expect(await aws.deployed().call(order(move))).toEqual({ kind: 'left', because: 'others' })
    expect([...world.gateway.plansOfKey('key-a')].sort()).toEqual(['plan-elsewhere', 'plan-other'])
  })

  test('has no plan any more that it came from: slow is better than refused', async () => {
    await serve('home-gone')
    expect(await aws.deployed().call(order(move))).toEqual({ kind: 'left', because: 'gone' })
    expect(world.gateway.plansOfKey('key-a')).toContain('plan-slow')
  })

  test('is gone: nothing is done', async () => {
    await serve('slow')
    world.gateway.deleteByPerson({ keyId: 'key-a' })
    expect(await aws.deployed().call(order(move))).toEqual({ kind: 'left', because: 'gone' })
  })

  test.each([
    'silent',
    'server-error',
    'ConflictException',
    'TooManyRequestsException',
  ] as const)('%s in between: it ends in its plans', async fault => {
    await serve('slow')
    world.served.failNext('CreateUsagePlanKey', fault)
    world.served.failNext('DeleteUsagePlanKey', fault)
    expect(await aws.deployed().call(order(move))).toEqual({ kind: 'given-back' })
    expect([...world.gateway.plansOfKey('key-a')].sort()).toEqual(home)
  })
})

test('ten limits that come due at once are all given back, as often as AWS lets a plan be changed', async () => {
  const ids = Array.from({ length: 10 }, (_, n) => `${n}`)
  await world.serve(ids.map(n => ({ id: `plan-${n}`, limits: low, keys: [`key-${n}`] })))
  const all = ids.map(n => aws.deployed().call(order({ ...plan, planId: `plan-${n}` })))
  expect(await Promise.all(all)).toEqual(ids.map(() => ({ kind: 'given-back' })))
  const times = world.gateway.changes().map(({ at }) => at)
  for (const [n, at] of times.entries())
    if (n > 0) expect(at - times[n - 1]!).toBeGreaterThanOrEqual(updateUsagePlanEveryMs)
})

describe('what cannot be done', () => {
  test.each([
    'AccessDeniedException',
    'LimitExceededException',
    'BadRequestException',
  ] as const)('%s: it fails at once and is told, so that Lambda calls again', async fault => {
    await lowered()
    world.served.failNext('UpdateUsagePlan', fault)
    const { call, lines } = aws.deployed()
    await expect(call(order())).rejects.toThrow()
    expect(lines).toMatchObject([{ level: 'error', event: 'limitStillLowered' }])
    expect(aws.notices()).toMatchObject([{ kind: 'limit-still-lowered' }])
    expect(await call(order())).toEqual({ kind: 'given-back' })
  })

  test('in the time that is given: it fails before Lambda ends it, and says what was in the way', async () => {
    await lowered()
    for (let n = 0; n < 20; n++) world.served.failNext('UpdateUsagePlan', 'TooManyRequestsException')
    let leftMs = 60_000
    const { call } = aws.deployed({
      leftMs: () => {
        leftMs -= 10_000
        return leftMs
      },
    })
    await expect(call(order())).rejects.toThrow('simulated')
    expect(aws.notices()).toMatchObject([{ text: expect.stringContaining('TooManyRequests') }])
  })

  test.each([
    ['another event', { detail: 'x' }],
    ['a newer version', { ...order(), schema: 'weir.standing-order/2' }],
    ['a limit below nothing', order({ ...plan, original: limits(-1, 2) })],
    ['nothing', undefined],
  ])('%s: nothing is done', async (_, event) => {
    await lowered()
    await expect(aws.deployed().call(event)).rejects.toThrow('nothing was done')
    expect(world.gateway.changes()).toEqual([])
  })
})

describe('people', () => {
  test('are told with attributes to filter by, and what to look at', async () => {
    await lowered()
    await aws.deployed().call(order())
    const [message] = aws.sns.messages()
    expect(message).toMatchObject({
      subject: "[high] Limit of key-a was given back by the dead man's switch: does Weir run?",
      attributes: {
        severity: { value: 'high' },
        kind: { value: 'limit-given-back' },
        keyId: { value: 'key-a' },
        format: { value: 'generic' },
      },
    })
    expect(JSON.parse(message!.message)).toEqual({
      schema: 'weir.notice/1',
      kind: 'limit-given-back',
      by: 'dead-mans-switch',
      text: 'Weir has not given back the limit of key-a in time (it was lowered until 2026-11-20 14:10:00 UTC); it was given back by the dead man’s switch: usage plan plan-a has 100.25 req/s with a burst of 200. Look whether Weir still runs.',
      incidentId: 'key-a#1',
      effectId: 'key-a#1/throttle-1',
      keyIds: ['key-a'],
      gateway: null,
      planIds: ['plan-a'],
      expiresAt: '2026-11-20T14:10:00.000Z',
      expiresAtMs: expiresAt,
      at: expect.any(String),
      atMs: expect.any(Number),
    })
  })

  test('may be out of reach: the limit is back all the same, and the log says that nobody heard', async () => {
    await lowered()
    for (let n = 0; n < 3; n++) aws.sns.failNext('server-error')
    const { call, lines } = aws.deployed()
    expect(await call(order())).toEqual({ kind: 'given-back' })
    expect(lines.map(({ event }) => event)).toEqual(['limitGivenBack', 'noticeUnsent'])
  })
})

test('the function needs nothing but the SDK’s two clients and pure files of ours: it can be bundled by itself', () => {
  const withoutTypes = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023, verbatimModuleSyntax: true }
  const seen = new Set<string>()
  const packages = new Set<string>()
  const visit = (path: string): void => {
    if (seen.has(path)) return
    seen.add(path)
    const { outputText } = ts.transpileModule(readFileSync(path, 'utf8'), { compilerOptions: withoutTypes })
    const { importedFiles } = ts.preProcessFile(outputText, true, true)
    for (const { fileName } of importedFiles) {
      if (fileName.startsWith('.')) visit(resolve(dirname(path), fileName))
      else packages.add(fileName)
    }
  }
  visit(fileURLToPath(new URL('function.ts', import.meta.url)))
  expect([...packages].filter(name => !name.startsWith('node:')).sort()).toEqual([
    '@aws-sdk/client-api-gateway',
    '@aws-sdk/client-sns',
  ])
  const ours = [...seen].map(path => path.replace(/.*\/(src|detectors)\//, '$1/'))
  expect(
    ours.filter(path => !/^(src\/(core|dead-man)\/|detectors\/|src\/actions\/ways\/own-plan-decision\.ts)/.test(path)),
  ).toEqual([])
})
