import { describe, expect, test } from 'vitest'
import { StreamError } from '../core/errors.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../core/vocabulary.ts'
import { countsFromCloudWatch, type HistoryEvent, type HistorySettings } from './history.ts'
import { createCloudWatch, failure } from './testing-cloudwatch.ts'

const noon = Date.UTC(2026, 10, 20, 12)
const metric = 'PayflowClientRequestRate'
const usual: HistorySettings = { namespace: 'PayflowAPI', metric, dimension: 'ApiKey', statistic: 'Maximum' }

function world(options: Parameters<typeof createCloudWatch>[1] = {}) {
  const cloudWatch = createCloudWatch(() => noon, options)
  const events: HistoryEvent[] = []
  const pauses: number[] = []
  const clock = { now: () => noon, sleep: async (ms: number) => void pauses.push(ms) }
  const stop = new AbortController()
  return {
    ...cloudWatch,
    events,
    pauses,
    stop,
    rate: (key: string, minutesAgo: number, value: number) =>
      cloudWatch.put(metric, { ApiKey: key }, noon - minutesAgo * MINUTE_MS, value),
    pieces: (settings = usual) =>
      countsFromCloudWatch(
        settings,
        { client: cloudWatch.client, clock, random: () => 0.5, onEvent: event => events.push(event) },
        stop.signal,
      ),
    /** `minutes before noon key calls`, in the order read. */
    async rows(settings = usual): Promise<string[]> {
      const lines: string[] = []
      for await (const { record } of this.pieces(settings)) lines.push(...record.payload.toString().split('\n'))
      return lines.map(line => {
        const { key, start, seconds, calls } = JSON.parse(line)
        expect(seconds).toBe(60)
        return `-${(noon - start) / MINUTE_MS} ${key} ${calls}`
      })
    },
  }
}

test('seven days of all keys come as count rows, in the order of their minutes', async () => {
  const w = world()
  for (const ago of [30, 2 * 1_440, 6 * 1_440]) {
    w.rate('b', ago, ago)
    w.rate('a', ago + 1, 7)
  }
  expect(await w.rows()).toEqual(['-8641 a 7', '-8640 b 8640', '-2881 a 7', '-2880 b 2880', '-31 a 7', '-30 b 30'])
})

test('a zero is a row, a minute without a datapoint is none: whether it was silent is for the learner to say', async () => {
  const w = world()
  w.rate('a', 22, 5)
  w.rate('a', 21, 0)
  w.rate('a', 19, 5)
  expect(await w.rows()).toEqual(['-22 a 5', '-21 a 0', '-19 a 5'])
})

test('it reaches seven days back, and ends a quarter of an hour ago: what is newer may still be on its way', async () => {
  const w = world()
  for (const ago of [15, 16, 7 * 1_440 + 15, 7 * 1_440 + 16]) w.rate('a', ago, 1)
  expect(await w.rows()).toEqual([`-${7 * 1_440 + 15} a 1`, '-16 a 1'])
})

test('a minute that was sent twice counts once; of somebody’s metric of single calls the sum counts', async () => {
  const w = world()
  for (const value of [40, 40, 1]) w.rate('a', 20, value)
  expect(await w.rows()).toEqual(['-20 a 40'])
  expect(await w.rows({ ...usual, statistic: 'Sum' })).toEqual(['-20 a 81'])
  expect(await w.rows({ ...usual, statistic: 'Average' })).toEqual(['-20 a 27'])
  expect(await w.rows({ ...usual, statistic: 'SampleCount' })).toEqual(['-20 a 3'])
})

test('series with other dimensions are not the key’s own: left, and counted', async () => {
  const w = world()
  w.rate('a', 20, 1)
  w.put(metric, { ApiKey: 'a', Stage: 'prod' }, noon - 20 * MINUTE_MS, 9)
  w.put(metric, { Worker: 'w' }, noon - 20 * MINUTE_MS, 9)
  w.put('OtherMetric', { ApiKey: 'z' }, noon - 20 * MINUTE_MS, 9)
  expect(await w.rows()).toEqual(['-20 a 1'])
  expect(w.events[0]).toMatchObject({ name: 'historyFound', keys: 1, otherSeries: 1 })
})

test('what cannot be a number of calls is no row', async () => {
  const w = world()
  w.rate('a', 20, -3)
  w.rate('a', 19, 2 ** 33)
  w.rate('a', 18, 2.6)
  expect(await w.rows()).toEqual(['-18 a 3'])
})

test('pages of the list and of the data are all read, at most 500 keys a request', async () => {
  const w = world({ metricsPerPage: 400, datapointsPerPage: 700 })
  const keys = Array.from({ length: 1_100 }, (_, key) => `key_${key}`)
  for (const key of keys) for (const ago of [20, 25]) w.rate(key, ago, 1)
  const rows = await w.rows()
  expect(rows).toHaveLength(2_200)
  expect(rows.slice(0, 1_100).every(row => row.startsWith('-25 '))).toBe(true)
  expect(Math.max(...w.reads.map(({ MetricDataQueries = [] }) => MetricDataQueries.length))).toBe(500)
  // Seven days of three requests, and two further pages on the last of them: 500 keys have 1,000 points.
  expect(w.reads).toHaveLength(7 * 3 + 2)
})

test('the cost is told before anything is read, and each day as it has come', async () => {
  const w = world()
  for (const key of ['a', 'b', 'c']) w.rate(key, 60, 1)
  await w.rows()
  const [found, ...read] = w.events
  expect(found).toEqual({ name: 'historyFound', keys: 3, otherSeries: 0, usd: expect.closeTo(21 * 1e-5, 12) })
  expect(read.map(event => event.name === 'historyFetched' && [Math.round(event.share * 7), event.datapoints])).toEqual(
    [
      ...[
        [1, 0],
        [2, 0],
        [3, 0],
        [4, 0],
        [5, 0],
        [6, 0],
        [7, 3],
      ],
    ],
  )
})

test('so many keys that a day of them would not fit are read in shorter windows', async () => {
  const w = world()
  for (let key = 0; key < 12_000; key++) w.rate(`key_${key}`, 20, 1)
  expect((await w.rows()).length).toBe(12_000)
  const windows = w.reads.map(({ StartTime, EndTime }) => (EndTime!.getTime() - StartTime!.getTime()) / HOUR_MS)
  expect(Math.max(...windows)).toBe(23)
})

describe('CloudWatch that does not answer', () => {
  test('for now, is asked again, and it is told', async () => {
    const w = world()
    w.rate('a', 20, 1)
    w.failNext(failure('Throttling', 400), new Error('ECONNRESET'))
    expect(await w.rows()).toEqual(['-20 a 1'])
    expect(w.pauses).toEqual([250, 500])
    expect(w.events.filter(({ name }) => name === 'historyTroubled')).toHaveLength(2)
  })

  test('after eight tries, is a failure that may pass', async () => {
    const w = world()
    w.failNext(...Array.from({ length: 8 }, () => failure('ServiceUnavailable', 503, 'busy')))
    const error = await w.rows().catch((error: unknown) => error)
    expect(error).toMatchObject({ code: 'SOURCE_UNREADABLE', retry: 'later' })
    expect(String(error)).toContain(
      'Could not read metric PayflowClientRequestRate by ApiKey in namespace PayflowAPI: ServiceUnavailable: busy',
    )
  })

  test('because it may not, is a failure at once that names the permission', async () => {
    const w = world()
    w.failNext(failure('AccessDenied', 403, 'not authorized'))
    const error = await w.rows().catch((error: unknown) => error)
    expect(error).toBeInstanceOf(StreamError)
    expect(String(error)).toContain('the worker’s role lacks cloudwatch:ListMetrics')
    expect(w.pauses).toEqual([])
  })
})

test('no such metric is a failure that says what was looked for, and whether it is there with other dimensions', async () => {
  const w = world()
  w.put(metric, { ApiKey: 'a', Stage: 'prod' }, noon - HOUR_MS, 9)
  await expect(w.rows()).rejects.toMatchObject({
    code: 'NOTHING_READ',
    message:
      'CloudWatch has no metric PayflowClientRequestRate by ApiKey in namespace PayflowAPI of the last two weeks; 1 series of it have other dimensions',
  })
})

test('a key that sent nothing for two weeks is gone', async () => {
  const w = world()
  w.put(metric, { ApiKey: 'gone' }, noon - 15 * DAY_MS, 9)
  await expect(w.rows()).rejects.toMatchObject({ code: 'NOTHING_READ' })
})

test('stopped while it reads, it ends without a word', async () => {
  const w = world()
  for (let day = 1; day < 7; day++) w.rate('a', day * 1_440, 1)
  const pieces: string[] = []
  for await (const { record } of w.pieces()) {
    pieces.push(record.position)
    w.stop.abort()
  }
  expect(pieces).toHaveLength(1)
})
