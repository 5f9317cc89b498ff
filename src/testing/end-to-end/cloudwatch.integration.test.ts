/**
 * Metrics out and history in, on moto, with `weir run` as a process: a day of traffic becomes metrics, and a fresh worker
 * that is taught from nothing but these metrics knows what is usual.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  CloudWatchClient,
  GetMetricDataCommand,
  ListMetricsCommand,
  PutMetricDataCommand,
} from '@aws-sdk/client-cloudwatch'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../core/vocabulary.ts'
import { describeWith } from '../servers/requirements.ts'
import { until } from '../until.ts'
import { accessLogLine } from './access-log-line.ts'
import { region } from './aws-account.ts'
import { weirOnMoto } from './weir-on-moto.ts'
import { type LoggedEvent, startWorker } from './worker-process.ts'

describeWith('moto', 'a worker whose metrics go to CloudWatch', () => {
  const moto = weirOnMoto()
  let folder: string

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'weir-cloudwatch-'))
  })
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true })
  })

  test('sends what each key called, minute by minute, and another that is taught from it knows the usual', async () => {
    const now = Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS
    const dayFrom = now - 26 * HOUR_MS
    const dayTo = now - 20 * MINUTE_MS
    const day = [
      ...calls('key_busy', { from: dayFrom, to: dayTo, everyMs: 15 * SECOND_MS }),
      ...calls('key_usual', { from: dayFrom, to: dayTo, everyMs: 30 * SECOND_MS }),
      ...calls('key_seldom', { from: dayFrom, to: dayTo, everyMs: 10 * MINUTE_MS }),
      ...calls('key_busy', { from: dayTo - 5 * MINUTE_MS, to: dayTo, everyMs: 100, status: 503 }),
    ]
    const cloudWatch = {
      endpoint: moto.endpoint,
      region,
      rates: { enabled: true },
      health: { enabled: true, worker: 'w1' },
    }
    const first = await run('first', { day, settings: { metrics: { cloudWatch } } })
    expect(first.told('metricsPriced')).toMatchObject([{ metrics: 407, requests: 43_200 }])
    expect(first.told('metricsDropped')).toEqual([])
    const opened = first.told('incidentChanged').map(({ explanation }) => explanation)
    expect(opened).toContainEqual(expect.objectContaining({ keyId: 'key_busy', phase: 'open' }))

    const client = new CloudWatchClient({ region, endpoint: moto.endpoint })
    const { Metrics = [] } = await client.send(new ListMetricsCommand({ Namespace: 'PayflowAPI' }))
    expect(
      Metrics.map(({ MetricName, Dimensions = [] }) =>
        [MetricName, Dimensions[0]?.Name, Dimensions[0]?.Value].join(' '),
      ).sort(),
    ).toEqual([
      ...['CallsRead Worker w1', 'CheckpointAge Worker w1', 'EffectsWaiting Worker w1', 'LinesRejected Worker w1'],
      ...['OpenIncidents Worker w1'],
      ...['key_busy', 'key_seldom', 'key_usual'].map(key => `PayflowClientRequestRate ApiKey ${key}`),
      ...['key_busy', 'key_seldom', 'key_usual'].map(key => `PayflowClientRequestRateUsual ApiKey ${key}`),
      ...['ThrottledTenants Worker w1'],
    ])
    for (const key of ['key_busy', 'key_usual', 'key_seldom']) {
      const sent = await valuesOf(client, key, { from: dayFrom, to: dayTo })
      expect({ key, sent }).toEqual({
        key,
        sent: countsOf(day, key, { from: dayFrom, to: dayTo }),
      })
    }

    const later = [
      ...calls('key_busy', { from: now - 14 * MINUTE_MS, to: now, everyMs: 15 * SECOND_MS }),
      ...calls('key_usual', { from: now - 14 * MINUTE_MS, to: now, everyMs: 30 * SECOND_MS }),
      ...calls('key_usual', { from: now - 4 * MINUTE_MS, to: now, everyMs: 200 }),
    ]
    const quiet = { endpoint: moto.endpoint, region }
    const second = await run('second', {
      day: later,
      settings: { metrics: { cloudWatch: quiet } },
      history: 'cloudwatch',
    })
    expect(second.told('historyFound')).toMatchObject([{ keys: 3, otherSeries: 0 }])
    expect(second.told('historyTaught')).toMatchObject([{ keys: 3, rejected: 0, paneRows: 3 * (26 * 60 - 20) }])
    const [surge] = second.told('incidentChanged').map(({ explanation }) => explanation)
    expect(surge).toMatchObject({ keyId: 'key_usual', phase: 'open', kind: 'surge', expected: { days: 1 } })
    expect(JSON.parse(JSON.stringify(surge)).expected.callsPerMinute).toBeCloseTo(2, 5)
    // Its own metrics are off, and cost nothing.
    expect(second.told('metricsPriced')).toEqual([])
  })

  test('is taught by somebody else’s metric of single calls as well', async () => {
    const now = Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS
    const client = new CloudWatchClient({ region, endpoint: moto.endpoint })
    const from = now - 25 * HOUR_MS
    const Dimensions = [{ Name: 'Consumer', Value: 'c1' }]
    const single = Array.from({ length: 24 * 60 * 3 }, (_, call) => ({
      ...{ MetricName: 'Requests', Dimensions, Value: 1, Unit: 'Count' as const },
      Timestamp: new Date(from + call * 20 * SECOND_MS),
    }))
    for (let sent = 0; sent < single.length; sent += 1_000)
      await client.send(new PutMetricDataCommand({ Namespace: 'Shop', MetricData: single.slice(sent, sent + 1_000) }))
    const history = { namespace: 'Shop', metric: 'Requests', dimension: 'Consumer', statistic: 'Sum' }
    const settings = { metrics: { cloudWatch: { endpoint: moto.endpoint, region, history } } }
    const day = calls('c1', { from: now - 5 * MINUTE_MS, to: now, everyMs: 20 * SECOND_MS })
    const taught = await run('others', { day, settings, history: 'cloudwatch' })
    expect(taught.told('historyTaught')).toMatchObject([{ keys: 1, paneRows: 24 * 60, rejected: 0 }])
  })

  test('and a metric that is not there is told before anything is begun', async () => {
    const settings = { metrics: { cloudWatch: { endpoint: moto.endpoint, region, namespace: 'Nowhere' } } }
    const { exitCode, output } = await run('nowhere', { day: [], settings, history: 'cloudwatch' })
    expect(exitCode).toBe(2)
    expect(output).toContain(
      'CloudWatch has no metric PayflowClientRequestRate by ApiKey in namespace Nowhere of the last two weeks',
    )
  })

  interface Run {
    readonly day: readonly Call[]
    readonly settings: object
    readonly history?: string
  }

  /** From the first line of a file to its end. */
  async function run(name: string, { day, settings, history }: Run) {
    const own = join(folder, name)
    const log = join(own, 'access.ndjson')
    const config = join(own, 'weir.yaml')
    await mkdir(own)
    await writeFile(
      log,
      day
        .toSorted((one, other) => one.at - other.at)
        .map(lineOf)
        .join('\n'),
    )
    await writeFile(
      config,
      JSON.stringify({ source: { kind: 'files', paths: [log] }, state: { directory: 'state' }, ...settings }),
    )
    const worker = await startWorker({ config, logFile: join(own, 'log'), ...(history !== undefined && { history }) })
    await until('the worker to end', () => worker.hasEnded() || undefined, 90_000)
    const events = await worker.events()
    return {
      exitCode: await worker.stop(),
      output: await worker.output(),
      told: (event: string): LoggedEvent[] => events.filter(told => told.event === event),
    }
  }
})

interface Call {
  readonly key: string
  readonly at: number
  readonly status: number
}

interface Stretch {
  readonly from: number
  readonly to: number
}

function calls(
  key: string,
  { from, to, everyMs, status = 200 }: Stretch & { everyMs: number; status?: number },
): Call[] {
  return Array.from({ length: Math.ceil((to - from) / everyMs) }, (_, call) => ({
    key,
    at: from + call * everyMs,
    status,
  }))
}

const lineOf = ({ key, at, status }: Call, ordinal: number): string =>
  // The log dates a call by when it was made: 20 ms before its answer.
  accessLogLine({
    ...{ answeredAt: at + 20, keyId: key, sourceIp: '192.0.2.1', method: 'POST', path: '/v1/payments', status },
    ...{ bytes: 36, userAgent: 'made-up', ordinal },
  })

/** Calls of each whole minute, zeros too. */
function countsOf(all: readonly Call[], key: string, { from, to }: Stretch): Readonly<Record<string, number>> {
  const minutes = Array.from({ length: (to - from) / MINUTE_MS }, (_, minute) => from + minute * MINUTE_MS)
  const counts = new Map(minutes.map(at => [at, 0]))
  for (const { key: own, at } of all) {
    const minute = Math.floor(at / MINUTE_MS) * MINUTE_MS
    const count = counts.get(minute)
    if (own === key && count !== undefined) counts.set(minute, count + 1)
  }
  return Object.fromEntries([...counts].map(([at, count]) => [new Date(at).toISOString(), count]))
}

async function valuesOf(
  client: CloudWatchClient,
  key: string,
  { from, to }: Stretch,
): Promise<Readonly<Record<string, number>>> {
  const Metric = {
    Namespace: 'PayflowAPI',
    MetricName: 'PayflowClientRequestRate',
    Dimensions: [{ Name: 'ApiKey', Value: key }],
  }
  const { MetricDataResults = [] } = await client.send(
    new GetMetricDataCommand({
      ...{ StartTime: new Date(from), EndTime: new Date(to), ScanBy: 'TimestampAscending' },
      // The sum: a minute that was sent twice would show.
      MetricDataQueries: [{ Id: 'rate', MetricStat: { Metric, Period: 60, Stat: 'Sum' } }],
    }),
  )
  const { Timestamps = [], Values = [] } = MetricDataResults[0] ?? {}
  return Object.fromEntries(Timestamps.map((at, index) => [at.toISOString(), Values[index] ?? Number.NaN]))
}
