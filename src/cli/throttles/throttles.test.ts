/** Limits given back where no worker runs, and where one runs that is told: against the strict simulated gateway. */
import { writeFileSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { controlPlaneQueue } from '../../actions/control-plane-queue.ts'
import { usagePlanPerformer } from '../../actions/usage-plan.ts'
import { apiGatewayClient } from '../../actions/usage-plan-client.ts'
import type { GatewayControl } from '../../actions/ways/way.ts'
import { type Clock, scaledClock } from '../../clock.ts'
import type { CommandAnswer, OperatorCommand } from '../../core/operator.ts'
import { commandRoute } from '../../server/command-route.ts'
import { createServer, type Server } from '../../server/server.ts'
import { createGateway, type Gateway } from '../../simulation/gateway.ts'
import { type ServedGateway, serveGateway } from '../../simulation/gateway-server.ts'
import { openAudit, readAudit } from '../../stores/audit.ts'
import { lockDirectory } from '../../stores/checkpoint-lock.ts'
import { journalIndex, openEffectJournal, readEffectJournal } from '../../stores/effect-journal.ts'
import { spokenWords } from '../../stores/spoken-words.ts'
import { live, newFolder, noon, removeFolders } from '../../worker/testing-life.ts'
import { type Act, type ActOptions, type ActSurroundings, actIn } from './act.ts'
import { keptState } from './kept-throttles.ts'
import { listThrottles } from './list-throttles.ts'
import { showThrottle } from './show-throttle.ts'
import { noAws } from './testing-no-aws.ts'

const original = { rateLimit: 100.25, burstLimit: 200 }
const low = { rateLimit: 5, burstLimit: 10 }
const keys = ['key-a', 'key-b', 'key-c']

let folder: string
let gateway: Gateway
let served: ServedGateway
/** Twenty seconds of the gateway take ten milliseconds. */
let clock: ReturnType<typeof scaledClock>
const closing: (() => Promise<void>)[] = []

beforeEach(async () => {
  kept = () => join(folder, 'kept')
  folder = await mkdtemp(join(tmpdir(), 'weir-throttles-'))
  clock = scaledClock({ startsAt: noon, speed: 2_000 })
  gateway = createGateway({
    clock,
    plans: keys.map(key => ({ id: `plan-${key}`, limits: original, keys: [key] })),
  })
  served = await serveGateway(gateway)
  await writeFile(
    join(folder, 'weir.yaml'),
    `{source: {kind: kafka, brokers: ['nowhere.invalid:9092'], topic: t}, gateway: {endpoint: '${served.endpoint}', region: eu-west-1}, state: {directory: kept}, server: {listen: 'off'}}`,
  )
  await writeFile(join(folder, 'tenants.yaml'), 'tenants: {client-a: {name: Client A, keys: [key-a]}}')
})
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
  await served.close()
  await rm(folder, { recursive: true, force: true })
  await removeFolders()
})

let kept = () => join(folder, 'kept')

/** What a worker leaves behind that had lowered these and was killed. */
async function lowered(...given: readonly (string | Partial<GatewayControl>)[]): Promise<void> {
  const keyIds = given.filter(one => typeof one === 'string')
  const ways = given.filter(one => typeof one !== 'string')
  const journal = await openEffectJournal(kept())
  const client = apiGatewayClient({ endpoint: served.endpoint, region: 'eu-west-1' })
  const performer = usagePlanPerformer({
    gateways: new Map([[undefined, Object.assign({ client, queue: controlPlaneQueue({ clock }) }, ...ways)]]),
    ...{ clock, random: () => 0.5, journal },
  })
  for (const keyId of keyIds) {
    const effect = {
      kind: 'throttle' as const,
      ...{ id: `${keyId}#1/throttle-1`, incidentId: `${keyId}#1`, keyId, decidedAt: clock.now() },
      ...{ limits: low, keys: [{ keyId, limits: low }], siblings: [], urgency: 1 },
      expiresAt: clock.now() + 600_000,
    }
    await journal.append([{ kind: 'intent', at: clock.now(), effect }])
    const outcome = await performer.perform(effect, new AbortController().signal)
    await journal.append([{ kind: 'outcome', at: clock.now(), effectId: effect.id, outcome }])
  }
  await journal.close()
}

async function say(what: Act, options: Partial<ActOptions & ActSurroundings> = {}): Promise<string> {
  const { config = join(folder, 'weir.yaml'), state, as = 'ann', yes, ...surroundings } = options
  let text = ''
  const out = {
    write: (more: string) => {
      text += more
    },
  }
  await actIn(
    what,
    { config, as, ...(state !== undefined && { state }), ...(yes !== undefined && { yes }) },
    {
      ...{ out, clock, random: () => 0.5, env: {}, confirm: undefined, signal: new AbortController().signal },
      ...surroundings,
    },
  )
  return text
}

const limitsNow = () => keys.map(key => gateway.planLimits(`plan-${key}`)?.rateLimit)
const releaseAll = { kind: 'release-all' } as const

describe('with no worker', () => {
  test('all limits are given back from the journal alone, at AWS’s pace, and written down with who asked', async () => {
    await lowered('key-a', 'key-b')
    expect(limitsNow()).toEqual([5, 5, 100.25])
    const told = await say(releaseAll, { yes: true })
    expect(limitsNow()).toEqual([100.25, 100.25, 100.25])
    expect(told).toMatch(/2 usage plans: AWS takes one change in 20 s/)
    expect(told).toMatch(/\d\d:\d\d:\d\d {2}key-b: given back, 5\/s, burst 10 → 100.25\/s, burst 200/)
    const changes = gateway.changes().map(({ at }) => at)
    expect(changes[3]! - changes[2]!).toBeGreaterThanOrEqual(20_000)

    const { recovered } = await readEffectJournal(kept())
    const { stories, openIntents } = journalIndex(recovered)
    expect([stories.size, openIntents.length]).toEqual([0, 0])
    expect(recovered.flatMap(entry => (entry.kind === 'commanded' ? [[entry.by, entry.command]] : []))).toEqual([
      ['ann', { kind: 'release', keyId: 'key-a' }],
      ['ann', { kind: 'release', keyId: 'key-b' }],
    ])
    const audited = await readAudit(kept(), entry => entry.change !== 'command')
    expect(audited).toMatchObject([
      { by: 'ann', change: 'restore-full', keyId: 'key-a', incidentId: 'key-a#1', to: original, result: 'applied' },
      { by: 'ann', change: 'restore-full', keyId: 'key-b' },
    ])
  })

  test('no limit is changed by one who was frozen, while a worker has taken the state over', async () => {
    await lowered('key-a', 'key-b')
    const out = {
      write(text: string) {
        if (text.includes('2 usage plans')) writeFileSync(join(kept(), 'lock'), '{"pid":1,"host":"elsewhere"}')
      },
    }
    await expect(say(releaseAll, { yes: true, out })).rejects.toMatchObject({ code: 'STATE_HELD' })
    expect(limitsNow()).toEqual([5, 5, 100.25])
  })

  test('one is released by its key, its incident or its tenant’s name, and the others stay lowered', async () => {
    for (const name of ['key-a', 'key-a#1', 'client a', 'client-a']) {
      await lowered('key-a', 'key-b')
      await say({ kind: 'release', name })
      expect([name, ...limitsNow()]).toEqual([name, 100.25, 5, 100.25])
    }
  })

  test('that the checkpoint is damaged and the stream is gone is no hindrance', async () => {
    await lowered('key-a')
    await writeFile(join(kept(), 'checkpoint-000000000001'), 'WEIRCKPT, or what is left of it')
    await say(releaseAll, { yes: true })
    expect(limitsNow()).toEqual([100.25, 100.25, 100.25])
  })

  test('a journal with a damaged line gives back what the others say, names the line, and stays as it is', async () => {
    await lowered('key-a')
    const path = join(kept(), 'effects.ndjson')
    const lines = (await readFile(path, 'utf8')).trimEnd().split('\n')
    await writeFile(path, ['{"crc":"damaged"}', ...lines.slice(1), ''].join('\n'))
    const { throttles, notes } = await keptState(kept(), { tenants: {}, planned: [] })
    expect(throttles.map(({ place }) => place)).toEqual(['plan-key-a'])
    expect(notes).toEqual([expect.stringContaining('damaged: what its line 1 said is not known')])
    await say(releaseAll, { yes: true })
    expect(limitsNow()).toEqual([100.25, 100.25, 100.25])
    await expect(openEffectJournal(kept())).rejects.toMatchObject({ code: 'CHECKPOINT_DAMAGED' })
  })

  test.each([
    ['a region', { AWS_REGION: undefined }, 'Set AWS_REGION'],
    ['credentials', { AWS_REGION: 'eu-west-1' }, 'Give AWS credentials'],
  ])('without %s nothing is begun: nobody would wait for what never comes', async (_, env, hint) => {
    await lowered('key-a')
    const before = await readFile(join(kept(), 'effects.ndjson'), 'utf8')
    for (const [name, value] of Object.entries({ ...noAws, ...env })) vi.stubEnv(name, value)
    const nowhere = { yes: true, config: join(folder, 'lost.yaml'), state: kept() }
    await expect(say(releaseAll, nowhere)).rejects.toMatchObject({ hint: expect.stringContaining(hint) })
    vi.unstubAllEnvs()
    expect(await readFile(join(kept(), 'effects.ndjson'), 'utf8')).toBe(before)
  })

  test('a state on a full disk is given back from a copy on another, and that is said', async () => {
    await lowered('key-a')
    const state = join(folder, 'copy')
    await cp(kept(), state, { recursive: true })
    await mkdir(join(kept(), 'effects.ndjson.new'))
    await expect(say(releaseAll, { yes: true })).rejects.toMatchObject({ hint: expect.stringContaining('cp -r') })
    await say(releaseAll, { yes: true, state })
    expect(limitsNow()[0]).toBe(100.25)
  })

  test('stopped in the middle it says so, and the next time does the rest', async () => {
    await lowered('key-a', 'key-b')
    const stop = new AbortController()
    // Once one of them is back, the twenty seconds until the next last until somebody stops it.
    const standing: Clock = {
      now: clock.now,
      sleep: (ms, signal) =>
        limitsNow()[0] === 5 || signal === undefined
          ? clock.sleep(ms, signal)
          : new Promise(resolve => signal.addEventListener('abort', () => resolve(), { once: true })),
    }
    const out = { write: (text: string) => void (text.includes('given back,') && stop.abort()) }
    await expect(say(releaseAll, { yes: true, out, clock: standing, signal: stop.signal })).rejects.toMatchObject({
      code: 'GATEWAY_UNREACHABLE',
      hint: expect.stringContaining('run the same command again'),
    })
    expect(limitsNow()).toEqual([100.25, 5, 100.25])
    await say(releaseAll, { yes: true })
    expect(limitsNow()).toEqual([100.25, 100.25, 100.25])
  })

  test('what a person has set meanwhile is left, and that is told', async () => {
    await lowered('key-a')
    gateway.changeByPerson('plan-key-a', { rateLimit: 7, burstLimit: 7 })
    await expect(say(releaseAll, { yes: true })).rejects.toMatchObject({ code: 'GATEWAY_REFUSED' })
    expect(limitsNow()[0]).toBe(7)
  })

  test('all of them only on a word: --yes, or an answer at a terminal', async () => {
    await lowered('key-a')
    await expect(say(releaseAll)).rejects.toMatchObject({
      code: 'COMMAND_REFUSED',
      hint: expect.stringContaining('--yes'),
    })
    await expect(say(releaseAll, { confirm: async () => false })).rejects.toMatchObject({ code: 'COMMAND_REFUSED' })
    expect(limitsNow()[0]).toBe(5)
    await say(releaseAll, { confirm: async question => question.startsWith('Give this limit back now?') })
    expect(limitsNow()[0]).toBe(100.25)
  })

  test('what only a worker can do is refused, with what to do instead; so is a name that nobody has', async () => {
    await lowered('key-a')
    for (const what of [
      { kind: 'extend', name: 'key-a', byMs: 1 },
      { kind: 'hold', name: 'key-a', forMs: 1 },
    ] as const)
      await expect(say(what)).rejects.toMatchObject({ code: 'COMMAND_REFUSED', hint: expect.stringContaining('weir ') })
    await expect(say({ kind: 'release', name: 'key-x' })).rejects.toMatchObject({ code: 'KEY_UNKNOWN' })
    await say(releaseAll, { yes: true })
    expect(await say(releaseAll)).toBe('No limit is lowered: there is nothing to give back.\n')
  })

  test('to halt is left for the next worker, which begins so; it gives back what is lowered, and until then that is listed', async () => {
    await mkdir(kept())
    expect(await say({ kind: 'halt' })).toContain('the next begins halted')
    let text = ''
    await listThrottles({ config: join(folder, 'weir.yaml') }, { write: more => (text += more) }, clock.now())
    expect(text).toContain('Throttling is HALTED by ann')
    const words = spokenWords(kept())
    const life = await live({ folder: kept(), words })
    expect(life.told).toContainEqual(expect.objectContaining({ name: 'operatorCommanded', command: { kind: 'halt' } }))
    await life.bring(5, 1)
    await life.bring(5, 200)
    expect(life.asked().filter(id => id.includes('throttle'))).toEqual([])
    await life.stop()
    expect(await say({ kind: 'go-on' })).toContain('may throttle again')
  })

  test('without a configuration the state is asked for, and is enough', async () => {
    await lowered('key-a')
    const config = join(folder, 'lost.yaml')
    await expect(say(releaseAll, { config })).rejects.toMatchObject({ hint: expect.stringContaining('--state') })
    let text = ''
    await listThrottles({ config, state: kept() }, { write: more => (text += more) }, clock.now())
    expect(text).toContain('plan-key-a')
    expect(text).toContain('AWS_REGION')
  })
})

test('a key that was moved is listed with where it was and is, its story told, and it is put back where no worker runs', async () => {
  gateway = createGateway({
    clock,
    plans: [
      { id: 'plan-s', limits: original, keys: ['key-a', 'key-z'] },
      { id: 'plan-p', limits: low },
    ],
  })
  await served.close()
  served = await serveGateway(gateway)
  const yaml = `{gateway: {endpoint: '${served.endpoint}', region: eu-west-1, way: penalty-plan, penaltyPlan: plan-p}, state: {directory: kept}, server: {listen: 'off'}}`
  await writeFile(join(folder, 'weir.yaml'), yaml)
  await lowered('key-a', { way: 'penalty-plan', penaltyPlan: 'plan-p' })
  expect(gateway.plansOfKey('key-a')).toEqual(['plan-p'])
  let text = ''
  const out = { write: (more: string) => (text += more) }
  await listThrottles({ config: join(folder, 'weir.yaml') }, out, clock.now())
  expect(text).toContain('key key-a: moved to plan-p (was in plan-s)')
  await listThrottles({ config: join(folder, 'weir.yaml'), json: true }, { write: more => (text = more) }, clock.now())
  expect(JSON.parse(text).throttles).toMatchObject([
    { plan: null, move: { movedKey: 'key-a', from: ['plan-s'], to: 'plan-p', state: 'there' } },
  ])
  text = ''
  await showThrottle('key-a', { config: join(folder, 'weir.yaml') }, out, clock.now())
  expect(text).toContain('key key-a is taken out of plan-s and put into plan-p (key-a#1/throttle-1)')
  expect(await say({ kind: 'release', name: 'key-a' })).toContain('key-a: given back')
  expect(gateway.plansOfKey('key-a')).toEqual(['plan-s'])
})

describe('with a worker that runs', () => {
  const token = 'operator-token-of-tests'
  let server: Server | undefined

  /** The state is locked, and commands are taken as told. */
  async function running(answer: (command: OperatorCommand) => CommandAnswer) {
    const said: unknown[] = []
    const lock = await lockDirectory(kept())
    server = createServer({
      ...{ listen: { host: '127.0.0.1', port: 0 }, hosts: [], clock, readerToken: undefined, operatorToken: token },
      ...{ answered: () => {}, refused: () => {}, failed: () => {} },
      routes: [
        commandRoute(async (command, by) => {
          said.push([command, by])
          return answer(command)
        }),
      ],
    })
    const { port } = await server.listen()
    closing.push(lock.release, () => server?.close() ?? Promise.resolve())
    const config = (await readFile(join(folder, 'weir.yaml'), 'utf8')).replace("'off'", `'127.0.0.1:${port}'`)
    await writeFile(join(folder, 'weir.yaml'), config)
    await writeFile(join(kept(), 'operator-token'), `${token}\n`)
    return said
  }

  test('it is told, with who said it, and its answer is what a person reads', async () => {
    await lowered('key-a')
    const said = await running(command =>
      command.kind === 'go-on'
        ? { kind: 'refused', because: 'Weir is not halted' }
        : { kind: 'obeyed', keyIds: ['key-a'], incidentIds: ['key-a#1'], until: Date.UTC(2026, 10, 21) },
    )
    expect(await say({ kind: 'hold', name: 'client a', forMs: 60_000 })).toBe(
      'key-a stays lowered until 2026-11-21 00:00:00 UTC, whatever it does. weir throttles release ends that.\n',
    )
    expect(await say({ kind: 'release', name: 'key-z#3' })).toContain('gets its limit back')
    await say(releaseAll, { yes: true })
    await expect(say({ kind: 'go-on' })).rejects.toMatchObject({
      code: 'COMMAND_REFUSED',
      message: 'The worker has not done it: Weir is not halted',
    })
    expect(said).toEqual([
      [{ kind: 'hold', keyId: 'key-a', forMs: 60_000 }, 'ann'],
      [{ kind: 'release', keyId: 'key-z' }, 'ann'],
      [releaseAll, 'ann'],
      [{ kind: 'go-on' }, 'ann'],
    ])
    // It is the worker's to do.
    expect(limitsNow()[0]).toBe(5)
  })

  test('one that cannot be reached is never gone around: its limits are its own', async () => {
    await lowered('key-a')
    await running(() => ({ kind: 'obeyed', keyIds: [], incidentIds: [] }))
    await expect(
      say(releaseAll, { yes: true, env: { WEIR_OPERATOR_TOKEN: 'another-token-of-tests' } }),
    ).rejects.toMatchObject({
      code: 'WORKER_UNREACHABLE',
      message: expect.stringContaining('401'),
    })
    await server?.close()
    server = undefined
    await expect(say(releaseAll, { yes: true })).rejects.toMatchObject({
      code: 'WORKER_UNREACHABLE',
      hint: expect.stringContaining('Stop the worker'),
    })
    expect(limitsNow()[0]).toBe(5)
  })
})

test('where no worker listens, all that run on the state hear it all the same, and who does not is named', async () => {
  const part = (partition: string) => join(folder, 'kept/partitions', partition)
  const words = spokenWords(join(folder, 'kept'))
  const lives = await Promise.all(['t-0', 't-1'].map(async name => live({ folder: part(name), words })))
  for (const life of lives) {
    await life.bring(5, 1)
    await life.bring(5, 200)
    expect(life.asked()).toContain('k1#1/throttle-1')
  }
  // A second of theirs for each look at their journals.
  const looking: Clock = {
    now: clock.now,
    sleep: async () => {
      for (const life of lives) await life.pass(1_000)
    },
  }
  expect(await say({ kind: 'halt' }, { clock: looking })).toContain('The worker has heard it.')
  for (const life of lives) expect(life.asked()).toContain('k1#1/restore-1')
  expect(await say({ kind: 'go-on' }, { clock: looking })).toContain('The worker has heard it.')
  await lives[1]?.stop()
  const lock = await lockDirectory(part('t-1'))
  closing.push(lock.release)
  await expect(
    say(
      { kind: 'halt' },
      {
        clock: {
          ...clock,
          sleep: async () => {
            await lives[0]?.pass(1_000)
            await clock.sleep(1_000)
          },
        },
      },
    ),
  ).rejects.toMatchObject({
    code: 'WORKER_UNREACHABLE',
    message: expect.stringContaining('not heard within ten seconds'),
  })
  await lives[0]?.stop()
})

test('where workers share the state, the one that runs is told, and what nobody holds is given back', async () => {
  const part = (partition: string) => join(folder, 'kept/partitions', partition)
  kept = () => part('t-0')
  await lowered('key-a')
  kept = () => part('t-1')
  await lowered('key-b')
  const lock = await lockDirectory(part('t-1'))
  closing.push(lock.release)
  let text = ''
  await listThrottles({ config: join(folder, 'weir.yaml') }, { write: more => (text += more) }, clock.now())
  expect(text).toMatch(/key-a .*\n.*key-b /)
  await say({ kind: 'release', name: 'key-a' })
  expect(limitsNow()).toEqual([100.25, 5, 100.25])
  await expect(say({ kind: 'release', name: 'key-b' })).rejects.toMatchObject({ code: 'WORKER_UNREACHABLE' })
})

test('what is lowered is listed and told while the worker runs, with expiry, who holds it, and all that was done', async () => {
  const state = newFolder()
  const life = await live({ folder: state })
  await life.bring(5, 1)
  await life.bring(10, 200)
  await life.say({ kind: 'hold', keyId: 'k1', forMs: 3_600_000 })
  await life.bring(6, 200)
  const { throttles } = await keptState(state, { tenants: {}, planned: [] })
  expect(throttles).toMatchObject([
    {
      keyId: 'k1',
      is: 'lowered',
      incidentId: 'k1#1',
      why: 'retry-storm',
      held: { by: 'ann' },
      expiresAt: noon + 3_615_000,
    },
  ])
  let text = ''
  const out = { write: (more: string) => (text += more) }
  await showThrottle('k1#1', { config: join(folder, 'weir.yaml'), state }, out, noon + 21_000)
  expect(text).toContain('Held by ann until 2026-11-20 13:00:15 UTC: neither calm nor expiry gives it back before.')
  expect(text).toContain('- 5xx in 10 s:')
  expect(text).toContain('k1#1/throttle-1: done')
  await life.say({ kind: 'halt' })
  text = ''
  await listThrottles({ config: join(folder, 'weir.yaml'), state, json: true }, out)
  // Also before the next checkpoint has it.
  expect(JSON.parse(text)).toMatchObject({ schema: 'weir.throttles/1', halted: { by: 'ann' } })
  await life.stop()
})

test('and whether the lowered limit holds, by the log: as of now, and as it was found', async () => {
  const state = newFolder()
  const life = await live({
    folder: state,
    answer: effect =>
      effect.kind === 'throttle'
        ? { kind: 'applied', after: low, plans: [{ planId: 'plan-k1', limits: low, keys: ['k1'] }] }
        : { kind: 'applied' },
  })
  await life.bring(5, 1)
  await life.bring(10, 200)
  await life.stop()
  const audit = await openAudit(state, failure => expect.fail(failure.message))
  const found = { by: 'weir', change: 'verified', keyId: 'k1', planId: 'plan-k1', incidentId: 'k1#1' } as const
  const limits = { from: undefined, to: low }
  await audit.record({ at: noon + 30_000, ...found, ...limits, result: 'cannot-tell', because: 'silent' })
  await audit.record({
    at: noon + 40_000,
    ...found,
    ...limits,
    result: 'bites',
    because: undefined,
    bitesAfterMs: 25_000,
  })
  await audit.close()
  let text = ''
  await showThrottle(
    'k1',
    { config: join(folder, 'weir.yaml'), state },
    { write: more => (text += more) },
    noon + 60_000,
  )
  expect(text).toContain('Whether it holds is looked for in the log: it may take until 2026-11-20 12:02')
  expect(text).toContain('weir: the lowered limit of plan plan-k1 could not be verified: silent')
  expect(text).toContain('weir: the lowered limit of plan plan-k1 holds, 25 s after the gateway had it')
})
