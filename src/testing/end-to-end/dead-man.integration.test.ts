/**
 * Weir dies for good while a limit is lowered: `weir run` is killed, its folder is lost, and nobody starts it again. What it left
 * behind is a schedule at EventBridge Scheduler (moto's, which keeps schedules and calls nobody), whose input the built function gets.
 */
import { execFile } from 'node:child_process'
import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { APIGatewayClient, UpdateUsagePlanCommand } from '@aws-sdk/client-api-gateway'
import { GetScheduleCommand, ListSchedulesCommand, SchedulerClient } from '@aws-sdk/client-scheduler'
import { afterEach, expect, test } from 'vitest'
import { DAY_MS, MINUTE_MS, SECOND_MS } from '../../core/vocabulary.ts'
import { describeWith } from '../servers/requirements.ts'
import { until } from '../until.ts'
import { accessLogLine } from './access-log-line.ts'
import { keyWithItsPlan, type PlanWatch, region } from './aws-account.ts'
import { weirOnMoto } from './weir-on-moto.ts'
import { startWorker, type WorkerProcess } from './worker-process.ts'

const original = { rateLimit: 100, burstLimit: 200 }
const built = fileURLToPath(new URL('../../../dist/src/dead-man/function.js', import.meta.url))
const account = '123456789012'
const neighbours = Array.from({ length: 9 }, (_, n) => `neighbour${n}`)

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

describeWith('moto', 'a worker that is killed while a limit is lowered, and never comes back', () => {
  const moto = weirOnMoto()

  test('its limit returns to the digit when the schedule comes due; a second call changes nothing', async () => {
    const { plan, dies } = await lowered('lost')
    const { input, at } = await dies()
    expect(at).toBeGreaterThan(Date.now() + 2 * MINUTE_MS)
    expect(await calledWith(input)).toMatchObject({ level: 'warn', event: 'limitGivenBack' })
    expect(await plan.limits()).toEqual(original)
    expect(await calledWith(input)).toMatchObject({ level: 'info', event: 'limitLeft', because: 'back' })
  }, 180_000)

  test('a limit that a person has set meanwhile stays', async () => {
    const { plan, dies } = await lowered('taken')
    const { input } = await dies()
    const patchOperations = [{ op: 'replace', path: '/throttle/rateLimit', value: '60' } as const]
    const gateway = new APIGatewayClient({ region, endpoint: moto.endpoint })
    await gateway.send(new UpdateUsagePlanCommand({ usagePlanId: plan.planId, patchOperations }))
    const theirs = await plan.limits()
    expect(await calledWith(input)).toMatchObject({ event: 'limitLeft', because: 'others' })
    expect(await plan.limits()).toEqual(theirs)
  }, 180_000)

  test('that gives the limit back itself leaves no schedule behind', async () => {
    const { plan, schedules, worker } = await lowered('alive', { expiresAfter: '5s', probation: '2s' })
    await until(
      'the limit to be back',
      async () => ((await plan.limits()).rateLimit === original.rateLimit ? true : undefined),
      90_000,
    )
    await until('the schedule to be gone', async () => ((await schedules()).length === 0 ? true : undefined), 10_000)
    expect(await worker.stop()).toBe(0)
  }, 180_000)

  /** A worker that has just lowered the limit of a client that storms. */
  async function lowered(name: string, throttle: object = { expiresAfter: '1m' }) {
    const folder = await mkdtemp(join(tmpdir(), 'weir-dead-man-'))
    closing.push(() => rm(folder, { recursive: true, force: true }))
    const { endpoint } = moto
    const plan = await keyWithItsPlan(endpoint, name, original)
    const log = join(folder, 'access.log')
    await writeFile(log, '')
    await writeFile(join(folder, 'week.ndjson'), weekOf([plan.keyId, ...neighbours]))
    const deadMansSwitch = {
      functionArn: `arn:aws:lambda:${region}:${account}:function:weir-dead-man`,
      schedulerRoleArn: `arn:aws:iam::${account}:role/weir-scheduler`,
      margin: '2m',
      endpoint,
    }
    const config = {
      mode: 'enforce',
      source: { kind: 'files', paths: [log], follow: true },
      time: { delivery: '2s' },
      gateway: { region, endpoint, deadMansSwitch },
      throttle,
      incident: { closesAfter: '5s' },
    }
    const configPath = join(folder, 'weir.yaml')
    await writeFile(configPath, JSON.stringify(config))
    const worker = await startWorker({
      config: configPath,
      history: join(folder, 'week.ndjson'),
      logFile: join(folder, 'life.log'),
    })
    closing.push(() => worker.kill())
    closing.push(traffic(log, plan.keyId))
    await until(
      'the limit to be lowered',
      async () => {
        if (worker.hasEnded()) throw new Error(await worker.output())
        return isKnown(worker)
      },
      60_000,
    )
    expect((await plan.limits()).rateLimit).toBeLessThan(original.rateLimit)
    const schedules = () => schedulesOf(plan)
    return {
      ...{ plan, worker, schedules },
      /** What is left of it. */
      async dies() {
        const [schedule, ...others] = await schedules()
        expect(others).toEqual([])
        await worker.kill()
        await rm(join(folder, '.weir'), { recursive: true })
        return schedule!
      },
    }
  }

  async function schedulesOf({ planId }: PlanWatch) {
    const scheduler = new SchedulerClient({ region, endpoint: moto.endpoint })
    const { Schedules = [] } = await scheduler.send(new ListSchedulesCommand({}))
    const names = Schedules.flatMap(({ Name }) => (Name === `weir-plan-${planId}` ? [Name] : []))
    return Promise.all(
      names.map(async Name => {
        const { ScheduleExpression = '', Target } = await scheduler.send(new GetScheduleCommand({ Name }))
        return { input: Target?.Input ?? '', at: Date.parse(`${ScheduleExpression.slice(3, -1)}Z`) }
      }),
    )
  }

  /** As Lambda would call it; its one line of log. */
  async function calledWith(input: string): Promise<unknown> {
    const call = `const { handler } = await import(${JSON.stringify(built)})
      await handler(JSON.parse(process.argv[1]), { getRemainingTimeInMillis: () => 300000 })`
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', call, input], {
      env: { ...process.env, AWS_REGION: region, AWS_ENDPOINT_URL_API_GATEWAY: moto.endpoint },
    })
    return JSON.parse(stdout)
  }
})

async function isKnown(worker: WorkerProcess): Promise<true | undefined> {
  const events = await worker.events()
  return events.some(({ event, effect }) => event === 'effectPerformed' && isThrottle(effect)) || undefined
}

const isThrottle = (effect: unknown): boolean =>
  typeof effect === 'object' && effect !== null && 'kind' in effect && effect.kind === 'throttle'

/** Every key calls once a second, and did so for a week. */
function weekOf(keys: readonly string[]): string {
  const to = Math.floor(Date.now() / MINUTE_MS - 1) * MINUTE_MS
  const rows: string[] = []
  for (let start = to - 7 * DAY_MS; start < to; start += 5 * MINUTE_MS)
    for (const key of keys)
      rows.push(JSON.stringify({ key, start: new Date(start).toISOString(), seconds: 300, calls: 300, status2xx: 300 }))
  return `${rows.join('\n')}\n`
}

/** One of them storms for twenty seconds. */
function traffic(log: string, stormingKey: string): () => Promise<void> {
  let ordinal = 0
  let stopped = false
  const beganAt = Date.now()
  const lines = (keyId: string, calls: number, at: number): string[] =>
    Array.from({ length: calls }, () =>
      accessLogLine({
        ...{ answeredAt: at, keyId, sourceIp: '203.0.113.7', method: 'POST', path: '/v1/payments' },
        ...{ status: 200, bytes: 100, userAgent: 'test', ordinal: ordinal++ },
      }),
    )
  const writing = (async () => {
    while (!stopped) {
      const at = Date.now()
      const isStorm = at > beganAt + 3 * SECOND_MS && at < beganAt + 23 * SECOND_MS
      const all = [...neighbours.flatMap(key => lines(key, 1, at)), ...lines(stormingKey, isStorm ? 400 : 1, at)]
      await appendFile(log, `${all.join('\n')}\n`)
      await new Promise(resolve => setTimeout(resolve, SECOND_MS))
    }
  })()
  return async () => {
    stopped = true
    await writing
  }
}
