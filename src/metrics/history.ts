/**
 * The last seven days from CloudWatch: a metric that has one series a key, as count rows of a minute. Each window of time is
 * asked for all keys before the next, so that rows come in the order of their time and a window is all that is in memory.
 *
 *   ListMetrics ─► keys ─► for each window: GetMetricData, 500 keys a request, page by page ─► rows by minute ─► pieces
 *
 * A minute without a datapoint has no row. Whoever learns from the rows takes a key without one for silent if others have
 * one in that minute, and the minute for undelivered (or quiet, as on a stream) if nobody has: a metric that Weir sends has
 * zeros, and of one that is written with each call a missing minute is a zero.
 *
 * Bounds: 8 bytes a key and minute of a window, 128 MB at most. Facts about limits: API reference, GetMetricData, ListMetrics.
 */
import {
  type CloudWatchClient,
  GetMetricDataCommand,
  type GetMetricDataCommandInput,
  type GetMetricDataCommandOutput,
  ListMetricsCommand,
  type ListMetricsCommandOutput,
  type Statistic,
} from '@aws-sdk/client-cloudwatch'
import type { Clock } from '../clock.ts'
import { StreamError } from '../core/errors.ts'
import { DAY_MS, type EpochMs, MINUTE_MS, type PartitionId, type Position } from '../core/vocabulary.ts'
import { pauseMs, refusalOf, textOf, tried } from './cloudwatch-client.ts'
import { readingUsd } from './cost.ts'

export interface HistorySettings {
  readonly namespace: string
  readonly metric: string
  /** The one dimension of the series that are read; its value is the key's id. */
  readonly dimension: string
  readonly statistic: Statistic
}

export interface HistorySurroundings {
  readonly client: CloudWatchClient
  readonly clock: Clock
  readonly random: () => number
  readonly onEvent: (event: HistoryEvent) => void
}

export type HistoryEvent =
  /** Told before any data are asked for. `otherSeries`: of the same metric, with other dimensions beside or instead. */
  | { readonly name: 'historyFound'; readonly keys: number; readonly otherSeries: number; readonly usd: number }
  | {
      readonly name: 'historyFetched'
      readonly until: EpochMs
      /** Of the seven days, 0..1. */
      readonly share: number
      readonly datapoints: number
    }
  | { readonly name: 'historyTroubled'; readonly because: string }

/** A record as a source or a file brings it: lines of NDJSON in the `panes` format. */
export interface CountsPiece {
  readonly kind: 'record'
  readonly record: { readonly partition: PartitionId; readonly position: Position; readonly payload: Buffer }
}

const mostQueries = 500
const windowMinutes = 1_440
const mostCells = 16 * 1_024 * 1_024
/** What is newer may still be on its way to CloudWatch, and a stream that follows begins before now. */
const settleMs = 15 * MINUTE_MS
const pieceBytes = 1_024 * 1_024
const attempts = 8
/** More calls than this are no calls (formats/panes.ts). */
const mostCalls = 2 ** 32 - 1

/**
 * Seven days that end a quarter of an hour ago. Throws NOTHING_READ when there is no such metric, SOURCE_UNREADABLE when
 * CloudWatch refuses or does not answer. Ends early, without a word, when `signal` aborts.
 */
export async function* countsFromCloudWatch(
  settings: HistorySettings,
  surroundings: HistorySurroundings,
  signal: AbortSignal,
): AsyncGenerator<CountsPiece> {
  const { clock, onEvent } = surroundings
  const to = Math.floor((clock.now() - settleMs) / MINUTE_MS) * MINUTE_MS
  const from = to - 7 * DAY_MS
  const ask = asker(surroundings, settings, signal)
  try {
    const { keys, otherSeries } = await listKeys(settings, ask)
    if (keys.length === 0) throw noSuchMetric(settings, otherSeries)
    const windowMs = minutesOfWindow(keys.length) * MINUTE_MS
    const windows = Math.ceil((to - from) / windowMs)
    onEvent({ name: 'historyFound', keys: keys.length, otherSeries, usd: readingUsd(keys.length * windows) })
    for (let start = from; start < to; start += windowMs) {
      const end = Math.min(to, start + windowMs)
      const { calls, datapoints } = await readWindow(settings, ask, keys, { start, end })
      yield* piecesOf(settings, keys, calls, { start, end })
      onEvent({ name: 'historyFetched', until: end, share: (end - from) / (to - from), datapoints })
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

interface Ask {
  list(nextToken: string | undefined): Promise<ListMetricsCommandOutput>
  data(input: GetMetricDataCommandInput): Promise<GetMetricDataCommandOutput>
}

interface Window {
  readonly start: EpochMs
  readonly end: EpochMs
}

const minutesOfWindow = (keys: number): number =>
  Math.max(60, Math.min(windowMinutes, Math.floor(mostCells / keys / 60) * 60))

/** Lists what was sent in the last two weeks. */
async function listKeys({ dimension }: HistorySettings, ask: Ask): Promise<{ keys: string[]; otherSeries: number }> {
  const keys = new Set<string>()
  let otherSeries = 0
  let page: string | undefined
  do {
    const { Metrics = [], NextToken } = await ask.list(page)
    for (const { Dimensions = [] } of Metrics) {
      const [only, ...others] = Dimensions
      if (only?.Name === dimension && only.Value !== undefined && others.length === 0) keys.add(only.Value)
      else otherSeries++
    }
    page = NextToken
  } while (page !== undefined)
  return { keys: [...keys].sort(), otherSeries }
}

/** Calls by minute, then key; NaN where there is no datapoint. */
async function readWindow(
  settings: HistorySettings,
  ask: Ask,
  keys: readonly string[],
  { start, end }: Window,
): Promise<{ calls: Float64Array; datapoints: number }> {
  const calls = new Float64Array(((end - start) / MINUTE_MS) * keys.length).fill(Number.NaN)
  let datapoints = 0
  for (let first = 0; first < keys.length; first += mostQueries) {
    const asked = keys.slice(first, first + mostQueries)
    let page: string | undefined
    do {
      const reply = await ask.data({ ...request(settings, asked, { start, end }), NextToken: page })
      for (const { Id = '', Timestamps = [], Values = [] } of reply.MetricDataResults ?? []) {
        const key = first + Number(Id.slice(1))
        for (const [index, timestamp] of Timestamps.entries()) {
          const minute = (timestamp.getTime() - start) / MINUTE_MS
          const value = Values[index] ?? Number.NaN
          if (!Number.isInteger(minute) || !(value >= 0 && value <= mostCalls)) continue
          calls[minute * keys.length + key] = Math.round(value)
          datapoints++
        }
      }
      page = reply.NextToken
    } while (page !== undefined)
  }
  return { calls, datapoints }
}

function request(
  { namespace, metric, dimension, statistic }: HistorySettings,
  keys: readonly string[],
  { start, end }: Window,
): GetMetricDataCommandInput {
  return {
    StartTime: new Date(start),
    EndTime: new Date(end),
    ScanBy: 'TimestampAscending',
    MetricDataQueries: keys.map((key, index) => ({
      Id: `k${index}`,
      MetricStat: {
        Metric: { Namespace: namespace, MetricName: metric, Dimensions: [{ Name: dimension, Value: key }] },
        Period: 60,
        Stat: statistic,
      },
    })),
  }
}

function* piecesOf(
  { namespace, metric }: HistorySettings,
  keys: readonly string[],
  calls: Float64Array,
  { start, end }: Window,
): Generator<CountsPiece> {
  const partition = `cloudwatch:${namespace}/${metric}` as PartitionId
  const names = keys.map(key => JSON.stringify(key))
  let lines: string[] = []
  let length = 0
  const piece = (until: EpochMs): CountsPiece => ({
    kind: 'record',
    record: { partition, position: String(until) as Position, payload: Buffer.from(lines.join('\n')) },
  })
  for (let at = start, cell = 0; at < end; at += MINUTE_MS) {
    for (const name of names) {
      const counted = calls[cell++] ?? Number.NaN
      if (Number.isNaN(counted)) continue
      const line = `{"key":${name},"start":${at},"seconds":60,"calls":${counted}}`
      lines.push(line)
      length += line.length + 1
    }
    if (length < pieceBytes) continue
    yield piece(at + MINUTE_MS)
    lines = []
    length = 0
  }
  if (lines.length > 0) yield piece(end)
}

/** Asks until it is answered, backing off with full jitter, as long as trying again can help. */
function asker(
  { client, clock, random, onEvent }: HistorySurroundings,
  settings: HistorySettings,
  signal: AbortSignal,
): Ask {
  async function insist<T>(permission: string, call: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      signal.throwIfAborted()
      try {
        return await call()
      } catch (error) {
        signal.throwIfAborted()
        if (error instanceof StreamError) throw error
        const isUnequipped = error instanceof Error && error.name === 'CredentialsProviderError'
        const refusal = isUnequipped ? textOf(error) : refusalOf(error, permission)
        if (refusal !== undefined || attempt === attempts) throw unreadable(settings, refusal ?? textOf(error), error)
        onEvent({ name: 'historyTroubled', because: textOf(error) })
        await clock.sleep(pauseMs(attempt, random), signal)
      }
    }
  }
  const { namespace: Namespace, metric: MetricName, dimension } = settings
  return {
    list: NextToken =>
      insist('cloudwatch:ListMetrics', () =>
        tried(
          abortSignal =>
            client.send(
              new ListMetricsCommand({ Namespace, MetricName, Dimensions: [{ Name: dimension }], NextToken }),
              {
                abortSignal,
              },
            ),
          signal,
        ),
      ),
    data: input =>
      insist('cloudwatch:GetMetricData', async () => {
        const reply = await tried(abortSignal => client.send(new GetMetricDataCommand(input), { abortSignal }), signal)
        // Said inside of an answer that is otherwise good; taken as it is, a part of the past would be missing.
        const failed = reply.MetricDataResults?.find(({ StatusCode }) => StatusCode === 'InternalError')
        if (failed !== undefined) throw new Error(`CloudWatch could not read ${failed.Label ?? 'a series'}`)
        const forbidden = reply.MetricDataResults?.find(({ StatusCode }) => StatusCode === 'Forbidden')
        if (forbidden === undefined) return reply
        throw unreadable(settings, `access to ${forbidden.Label ?? 'a series'} is forbidden`, undefined)
      }),
  }
}

const seriesOf = ({ namespace, metric, dimension }: HistorySettings): string =>
  `metric ${metric} by ${dimension} in namespace ${namespace}`

function noSuchMetric(settings: HistorySettings, otherSeries: number): StreamError {
  const others = otherSeries === 0 ? '' : `; ${otherSeries} series of it have other dimensions`
  return new StreamError('NOTHING_READ', `CloudWatch has no ${seriesOf(settings)} of the last two weeks${others}`, {
    retry: 'never',
    hint: 'Set metrics.cloudWatch.history to a metric whose only dimension is the key’s id, and look at the region; a new metric is listed after up to 15 minutes',
  })
}

function unreadable(settings: HistorySettings, because: string, cause: unknown): StreamError {
  return new StreamError('SOURCE_UNREADABLE', `Could not read ${seriesOf(settings)}: ${because}`, {
    retry: 'later',
    hint: 'Check metrics.cloudWatch.region and the credentials; the role needs cloudwatch:ListMetrics and cloudwatch:GetMetricData',
    cause,
  })
}
