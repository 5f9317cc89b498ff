/**
 * CloudWatch in memory, as strict as its API reference: what it refuses is refused here. Only tests import this file.
 */
import {
  CloudWatchClient,
  CloudWatchServiceException,
  type Dimension,
  GetMetricDataCommand,
  type GetMetricDataCommandInput,
  type GetMetricDataCommandOutput,
  ListMetricsCommand,
  type ListMetricsCommandInput,
  type ListMetricsCommandOutput,
  type MetricDatum,
  PutMetricDataCommand,
  type PutMetricDataCommandInput,
} from '@aws-sdk/client-cloudwatch'
import { mockClient } from 'aws-sdk-client-mock'
import { DAY_MS, type EpochMs, HOUR_MS, MINUTE_MS } from '../core/vocabulary.ts'

interface Series {
  readonly namespace: string
  readonly metric: string
  readonly dimensions: readonly Dimension[]
  /** Values by minute, in the order sent: a statistic is of all of them. */
  readonly minutes: Map<EpochMs, number[]>
}

export interface CloudWatchWorld {
  readonly client: CloudWatchClient
  /** Requests that were taken, each with its datums. */
  readonly puts: MetricDatum[][]
  readonly reads: GetMetricDataCommandInput[]
  /** The next requests fail so, one after another. */
  failNext(...failures: readonly Error[]): void
  put(metric: string, dimensions: Readonly<Record<string, string>>, at: EpochMs, value: number): void
  /** `minute ISO → values` of a series. */
  values(metric: string, dimension: string, value: string): ReadonlyMap<string, readonly number[]>
}

const meta = { httpStatusCode: 200 }

export function createCloudWatch(
  now: () => EpochMs,
  { namespace = 'PayflowAPI', datapointsPerPage = 100_800, metricsPerPage = 500 } = {},
): CloudWatchWorld {
  const client = new CloudWatchClient({ region: 'us-east-1' })
  const mock = mockClient(client)
  const all = new Map<string, Series>()
  const failures: Error[] = []
  const puts: MetricDatum[][] = []
  const reads: GetMetricDataCommandInput[] = []
  const pages = new Map<string, { readonly of: string; readonly from: number }>()

  const failIfTold = (): void => {
    const failure = failures.shift()
    if (failure !== undefined) throw failure
  }
  const seriesOf = (namespace: string, metric: string, dimensions: readonly Dimension[]): Series => {
    const name = JSON.stringify([namespace, metric, dimensions.map(({ Name, Value }) => [Name, Value]).sort()])
    const series = all.get(name) ?? { namespace, metric, dimensions, minutes: new Map() }
    all.set(name, series)
    return series
  }
  const add = (series: Series, at: EpochMs, value: number): void => {
    const minute = Math.floor(at / MINUTE_MS) * MINUTE_MS
    const values = series.minutes.get(minute)
    if (values === undefined) series.minutes.set(minute, [value])
    else values.push(value)
  }

  mock.on(PutMetricDataCommand).callsFake((input: PutMetricDataCommandInput) => {
    failIfTold()
    const { Namespace = '', MetricData = [] } = input
    demand(/^[\w.\-/#: ]{1,255}$/.test(Namespace) && !Namespace.startsWith('AWS/'), 'Namespace')
    demand(MetricData.length > 0 && MetricData.length <= 1_000, `MetricData: ${MetricData.length} of at most 1000`)
    demand(JSON.stringify(input).length <= 1_000_000, 'the request is larger than 1 MB')
    for (const datum of MetricData) checkDatum(datum, now())
    for (const { MetricName = '', Dimensions = [], Timestamp, Value } of MetricData)
      add(seriesOf(Namespace, MetricName, Dimensions), Timestamp?.getTime() ?? now(), Value ?? Number.NaN)
    puts.push([...MetricData])
    return { $metadata: meta }
  })

  mock.on(ListMetricsCommand).callsFake((input: ListMetricsCommandInput): ListMetricsCommandOutput => {
    failIfTold()
    const found = [...all.values()].filter(
      ({ namespace, metric, dimensions, minutes }) =>
        namespace === input.Namespace &&
        metric === input.MetricName &&
        (input.Dimensions ?? []).every(({ Name }) => dimensions.some(dimension => dimension.Name === Name)) &&
        Math.max(...minutes.keys()) > now() - 14 * DAY_MS,
    )
    const from = Number(input.NextToken ?? 0)
    const Metrics = found.slice(from, from + metricsPerPage).map(({ namespace, metric, dimensions }) => ({
      ...{ Namespace: namespace, MetricName: metric, Dimensions: [...dimensions] },
    }))
    const isLast = from + metricsPerPage >= found.length
    return { $metadata: meta, Metrics, ...(isLast ? {} : { NextToken: String(from + metricsPerPage) }) }
  })

  mock.on(GetMetricDataCommand).callsFake((input: GetMetricDataCommandInput): GetMetricDataCommandOutput => {
    failIfTold()
    reads.push(input)
    const { StartTime, EndTime, MetricDataQueries = [], NextToken, ...rest } = input
    const start = StartTime?.getTime() ?? Number.NaN
    const end = EndTime?.getTime() ?? Number.NaN
    demand(start < end && start % MINUTE_MS === 0, 'StartTime')
    demand(MetricDataQueries.length > 0 && MetricDataQueries.length <= 500, 'MetricDataQueries: at most 500')
    const ids = new Set(MetricDataQueries.map(({ Id }) => Id))
    demand(
      ids.size === MetricDataQueries.length && [...ids].every(id => /^[a-z]\w{0,254}$/.test(id ?? '')),
      'Id: unique, and beginning with a small letter',
    )
    // A page goes on only with the request that it is a page of.
    const whole = JSON.stringify([start, end, MetricDataQueries, rest])
    const page = NextToken === undefined ? { of: whole, from: 0 } : pages.get(NextToken)
    demand(page?.of === whole, 'NextToken')

    const points = MetricDataQueries.flatMap(({ Id = '', MetricStat }) => {
      const { Metric, Period = 0, Stat = '' } = MetricStat ?? {}
      demand(Period === 60, 'Period')
      const { minutes } = seriesOf(Metric?.Namespace ?? '', Metric?.MetricName ?? '', Metric?.Dimensions ?? [])
      return [...minutes]
        .filter(([at]) => at >= start && at < end && at > now() - 15 * DAY_MS)
        .sort(([one], [other]) => one - other)
        .map(([at, values]) => ({ Id, at, value: statistic(Stat, values) }))
    })
    const from = page?.from ?? 0
    const to = from + datapointsPerPage
    const shown = new Map<string, typeof points>()
    for (const point of points.slice(from, to)) shown.set(point.Id, [...(shown.get(point.Id) ?? []), point])
    const token = `page-${pages.size}`
    if (to < points.length) pages.set(token, { of: whole, from: to })
    return {
      $metadata: meta,
      MetricDataResults: MetricDataQueries.map(({ Id = '' }) => ({
        Id,
        Label: Id,
        Timestamps: (shown.get(Id) ?? []).map(({ at }) => new Date(at)),
        Values: (shown.get(Id) ?? []).map(({ value }) => value),
        StatusCode: to < points.length ? 'PartialData' : 'Complete',
      })),
      ...(to < points.length ? { NextToken: token } : {}),
    }
  })

  return {
    client,
    puts,
    reads,
    failNext: (...next) => void failures.push(...next),
    put(metric, dimensions, at, value) {
      const named = Object.entries(dimensions).map(([Name, Value]) => ({ Name, Value }))
      add(seriesOf(namespace, metric, named), at, value)
    },
    values(metric, dimension, value) {
      const { minutes } = seriesOf(namespace, metric, [{ Name: dimension, Value: value }])
      return new Map([...minutes].map(([at, values]) => [new Date(at).toISOString(), values]))
    },
  }
}

function checkDatum({ MetricName = '', Dimensions = [], Timestamp, Value, Unit }: MetricDatum, now: EpochMs): void {
  const isText = (text: string | undefined, longest: number): boolean =>
    text !== undefined && text.length <= longest && /^[ -~]+$/.test(text) && text.trim() !== ''
  demand(isText(MetricName, 255), `MetricName ${MetricName}`)
  demand(Dimensions.length <= 30, 'Dimensions: at most 30')
  for (const { Name, Value } of Dimensions) {
    demand(isText(Name, 255) && Name?.startsWith(':') === false, `Dimension name ${Name}`)
    demand(isText(Value, 1_024), `Dimension value ${Value}`)
  }
  demand(Value !== undefined && Number.isFinite(Value) && Math.abs(Value) <= 2 ** 360, `Value ${Value}`)
  const at = Timestamp?.getTime() ?? Number.NaN
  demand(at >= now - 14 * DAY_MS && at <= now + 2 * HOUR_MS, `Timestamp ${at - now} ms from now`)
  demand(['Count', 'Milliseconds'].includes(Unit ?? ''), `Unit ${Unit}`)
}

function demand(holds: boolean, what: string): void {
  if (!holds) throw failure('InvalidParameterValueException', 400, `The parameter ${what} is not valid`)
}

export function failure(name: string, status: number, message = 'as told by the test'): CloudWatchServiceException {
  return new CloudWatchServiceException({
    ...{ name, message, $fault: status < 500 ? 'client' : 'server', $metadata: { httpStatusCode: status } },
  })
}

function statistic(stat: string, values: readonly number[]): number {
  const sum = values.reduce((total, value) => total + value, 0)
  const known: Readonly<Record<string, number>> = {
    ...{ Maximum: Math.max(...values), Sum: sum, Average: sum / values.length, SampleCount: values.length },
  }
  demand(known[stat] !== undefined, `Stat ${stat}`)
  return known[stat] ?? Number.NaN
}
