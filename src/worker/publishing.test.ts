import { afterEach, expect, test } from 'vitest'
import type { Clock } from '../clock.ts'
import { weirSchema } from '../core/config/config.ts'
import { engineSettings } from '../core/engine.ts'
import { createPublisher } from '../metrics/publisher.ts'
import { type CloudWatchWorld, createCloudWatch, failure } from '../metrics/testing-cloudwatch.ts'
import type { TelemetryEvent } from './telemetry.ts'
import { levelOf } from './telemetry.ts'
import { sentenceOf } from './telemetry-text.ts'
import { live, newFolder, noon, removeFolders } from './testing-life.ts'
import { untilQuiet } from './testing-world.ts'

afterEach(removeFolders)

const rates = { enabled: true, metric: 'Rate', usualMetric: 'Usual', dimension: 'ApiKey' }
const engine = engineSettings(
  weirSchema.parse({ time: { delivery: '2s' }, metrics: { cloudWatch: { rates: { enabled: true } } } }),
  {},
)
const publishing = (cloudWatch: CloudWatchWorld) => (clock: Clock) =>
  createPublisher({
    ...{ client: cloudWatch.client, namespace: 'PayflowAPI', rates, clock, random: () => 0 },
    health: { dimension: 'Worker', worker: 'weir-1' },
  })

/** `12:01 60`: every value that was sent of a key, twice if it was sent twice. */
const sent = (cloudWatch: CloudWatchWorld, key: string, metric = 'Rate') =>
  [...cloudWatch.values(metric, 'ApiKey', key)]
    .map(([at, values]) => `${at.slice(11, 16)} ${values.join(' ')}`)
    .toSorted()

/** The checkpoint before it is a real file: how long that takes is the disk's to say. */
async function untilSent(cloudWatch: CloudWatchWorld, minutes: number): Promise<void> {
  for (let round = 0; round < 200 && sent(cloudWatch, 'k1').length < minutes; round++) await untilQuiet()
}

const named = (told: readonly TelemetryEvent[], name: TelemetryEvent['name']) =>
  told.filter(event => event.name === name)

test('each closed minute is sent once, also when the worker is killed and what came after its checkpoint closes again', async () => {
  const cloudWatch = createCloudWatch(() => noon)
  const metrics = publishing(cloudWatch)
  const folder = newFolder()
  const first = await live({ folder, engine, metrics })
  await first.bring(140, 1, 10)
  await untilSent(cloudWatch, 2)
  // Minute 12:01 has closed by then, and the checkpoint after that is written: it is sent.
  expect(sent(cloudWatch, 'k1')).toEqual(['12:00 60', '12:01 60'])
  const image = await first.crashImage()
  const { given } = first.source
  await first.bring(50, 1, 10)
  await first.stop()
  expect(sent(cloudWatch, 'k1')).toEqual(['12:00 60', '12:01 60', '12:02 60'])

  // Another world saw the first life up to the image only, and sees the next from there on.
  const later = createCloudWatch(() => noon)
  const second = await live({ folder: image, startsAt: noon + 190_000, given, engine, metrics: publishing(later) })
  await second.bring(60, 1, 10)
  await second.stop()
  expect(sent(later, 'k1')).toEqual(['12:02 60', '12:03 60'])
  expect(sent(later, 'k2')).toEqual(['12:02 120', '12:03 120'])
  const usual = sent(later, 'k1', 'Usual').map(line => Number(line.slice(6)))
  expect(usual).toEqual([expect.closeTo(60, -1), expect.closeTo(60, -1)])
})

test('a minute that closed after the last checkpoint waits for the next one, in this life or the next', async () => {
  const cloudWatch = createCloudWatch(() => noon)
  const life = await live({ folder: newFolder(), engine, metrics: publishing(cloudWatch), checkpointEveryMs: 600_000 })
  await life.bring(130, 1, 10)
  expect(sent(cloudWatch, 'k1')).toEqual([])
  const image = await life.crashImage()
  const given = [...life.source.given]
  await life.stop()
  expect(sent(cloudWatch, 'k1')).toEqual(['12:00 60', '12:01 60'])

  const other = createCloudWatch(() => noon)
  const next = await live({ folder: image, startsAt: noon + 130_000, given, engine, metrics: publishing(other) })
  await next.bring(10, 1, 10)
  await next.stop()
  expect(sent(other, 'k1')).toEqual(['12:00 60', '12:01 60'])
})

test('the worker’s own state is sent once a minute, and that values were sent is told quietly', async () => {
  const cloudWatch = createCloudWatch(() => noon)
  const life = await live({ folder: newFolder(), engine, metrics: publishing(cloudWatch) })
  await life.bring(130, 1, 10)
  const health = (metric: string) => [...cloudWatch.values(metric, 'Worker', 'weir-1').values()].flat()
  const quiet = ['EffectsWaiting', 'OpenIncidents', 'ThrottledTenants', 'LinesRejected']
  expect(quiet.map(health)).toEqual(quiet.map(() => [0, 0]))
  expect(health('CallsRead').map(calls => Math.round(calls / 60))).toEqual([3, 3])
  expect(health('CheckpointAge')).toHaveLength(2)
  await life.stop()
  const told = named(life.told, 'metricsSent')
  expect([told.length > 0, new Set(told.map(levelOf))]).toEqual([true, new Set(['debug'])])
  expect(named(life.told, 'metricsDropped')).toEqual([])
})

test('a CloudWatch that refuses is an error a person must see, and the stream goes on', async () => {
  const cloudWatch = createCloudWatch(() => noon)
  cloudWatch.failNext(...Array.from({ length: 20 }, () => failure('AccessDenied', 403, 'not authorized')))
  const life = await live({ folder: newFolder(), engine, metrics: publishing(cloudWatch) })
  await life.bring(130, 1, 10)
  await life.stop()
  const [dropped] = named(life.told, 'metricsDropped')
  expect(dropped && levelOf(dropped)).toBe('error')
  expect(dropped && sentenceOf(dropped)).toMatch(
    /^Metrics that will not be sent: \d+ refused \(the worker’s role lacks cloudwatch:PutMetricData: AccessDenied: not authorized\)$/,
  )
  expect(life.told.at(-1)).toMatchObject({ name: 'workerStopped', totalCalls: 390 })
})

test('a CloudWatch that does not answer is told each minute, and at the end what was never sent', async () => {
  const cloudWatch = createCloudWatch(() => noon)
  cloudWatch.failNext(...Array.from({ length: 5_000 }, () => new Error('connect ECONNREFUSED')))
  const life = await live({ folder: newFolder(), engine, metrics: publishing(cloudWatch) })
  await life.bring(190, 1, 10)
  const delayed = named(life.told, 'metricsDelayed')
  expect(delayed.map(levelOf)).toEqual(['warn', 'warn'])
  expect(delayed[1] && sentenceOf(delayed[1])).toMatch(
    /^CloudWatch does not take metrics, and up to \d+ values wait: Error: connect ECONNREFUSED$/,
  )
  await life.stop()
  expect(named(life.told, 'metricsDropped').map(event => sentenceOf(event))).toEqual([
    expect.stringMatching(
      /^Metrics that will not be sent: \d+ still waiting when the worker stopped \(Error: connect ECONNREFUSED\)$/,
    ),
  ])
})

test('what metrics and history cost is told before it is spent', () => {
  expect(sentenceOf({ name: 'metricsPriced', metrics: 407, requests: 43_200, usd: 122.532 })).toBe(
    'CloudWatch metrics are on: up to 407 of them and 43,200 requests cost up to $122.53 a month (list prices of us-east-1)',
  )
  expect(sentenceOf({ name: 'historyFound', keys: 200, otherSeries: 2, usd: 0.014 })).toBe(
    'CloudWatch has the metric of 200 keys (and 2 series with other dimensions, which are left); reading seven days costs about $0.01 (list prices of us-east-1)',
  )
  expect(sentenceOf({ name: 'historyFound', keys: 3, otherSeries: 0, usd: 0.00021 })).toContain('costs about $0.0002 (')
})
