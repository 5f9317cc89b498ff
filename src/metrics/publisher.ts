/**
 * Sends metrics to CloudWatch beside the stream, which never waits for it.
 *
 *   closed(minutes) ─► uncovered ─ checkpoint on disk ─► queue ─► PutMetricData, ≤ 1,000 datums ─► sent
 *   health(reading) ──────────────────────────────────────┘         └ throttled, 5xx, no answer: back off, same request
 *
 * A minute is sent when a checkpoint holds that it has closed: it never closes again, so it is never sent twice, and no list
 * of what was sent has to be kept. What a crash finds in the queue is not sent at all. A lost answer is the exception: that
 * request is made again, with the same values.
 *
 * Bounds: `mostWaiting` datums wait; at the bound the oldest minute gives way. CloudWatch takes what is two weeks old at most.
 * All that is not sent is counted by reason.
 */
import { type CloudWatchClient, type MetricDatum, PutMetricDataCommand } from '@aws-sdk/client-cloudwatch'
import type { Clock } from '../clock.ts'
import type { MeasuredMinute } from '../core/measured-minute.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../core/vocabulary.ts'
import { pauseMs, refusalOf, textOf, tried } from './cloudwatch-client.ts'
import { mostDatumsPerRequest } from './cost.ts'
import { type Health, type HealthNames, healthDatums, type RateNames, rateDatums } from './datums.ts'

/** About 20 hours of 200 keys, some megabytes. */
const mostWaiting = 500_000
/** API reference, PutMetricData; a minute less, for what passes on the way. */
const oldestMs = 14 * DAY_MS - MINUTE_MS
const furthestMs = 2 * HOUR_MS - MINUTE_MS

export interface Publisher {
  /** Minutes that have closed, oldest first. */
  closed(minutes: readonly MeasuredMinute[]): void
  /** Marks what has closed so far. The answer is to be called when a checkpoint that covers it is on disk. */
  covering(): () => void
  health(reading: Health): void
  /** What became of metrics since this was asked last. */
  summary(): PublishingSummary
  /** Gives what waits a moment, then gives it up. Nothing is sent after it; to ask twice does no harm. */
  finish(graceMs: number): Promise<void>
}

export type DropReason =
  /** More waited than may. */
  | 'overflow'
  /** Older than two weeks, or two hours ahead. */
  | 'untimely'
  /** A key whose id CloudWatch does not take as a dimension. */
  | 'unnameable'
  | 'refused'
  /** The worker stopped before it was sent. */
  | 'stopped'

export interface PublishingSummary {
  readonly sent: number
  readonly requests: number
  /** Datums that wait for their turn, and for their checkpoint. */
  readonly waiting: number
  readonly dropped: Readonly<Partial<Record<DropReason, number>>>
  /** What CloudWatch said last when it did not take a request; `isTried`: it is tried again, and is told until it gets through. */
  readonly trouble: { readonly because: string; readonly isTried: boolean } | undefined
  /** Keys that nothing is sent of, because there are more than may be: when it has come to that, and not again while it lasts. */
  readonly leftOutNow: number | undefined
}

export interface PublisherOptions {
  readonly client: CloudWatchClient
  readonly namespace: string
  readonly rates: RateNames
  /** undefined: the worker's own state is not sent. */
  readonly health: HealthNames | undefined
  readonly clock: Clock
  /** 0 ≤ x < 1, for the jitter. */
  readonly random: () => number
  readonly mostWaiting?: number
}

/** A minute's rates, or a moment's health, still as it came. */
type Waiting =
  | { readonly kind: 'rates'; readonly datums: number; readonly minute: MeasuredMinute }
  | { readonly kind: 'health'; readonly datums: number; readonly made: readonly MetricDatum[] }

export function createPublisher(options: PublisherOptions): Publisher {
  const { client, namespace, rates, health: healthNames, clock, random } = options
  const bound = options.mostWaiting ?? mostWaiting
  const giveUp = new AbortController()
  let uncovered: Waiting[] = []
  let queue: Waiting[] = []
  let waiting = 0
  let inHand = 0
  let sending: Promise<void> | undefined
  let sent = 0
  let requests = 0
  let dropped = new Map<DropReason, number>()
  let trouble: PublishingSummary['trouble']
  let leftOut = 0
  let isLeftOutTold = false

  function drop(reason: DropReason, datums: number): void {
    if (datums > 0) dropped.set(reason, (dropped.get(reason) ?? 0) + datums)
  }

  /** The newest is what somebody looks at. */
  function makeRoom(): void {
    while (waiting > bound) {
      const oldest = queue.shift() ?? uncovered.shift()
      if (oldest === undefined) return
      waiting -= oldest.datums
      drop('overflow', oldest.datums)
    }
  }

  function enqueue(entries: readonly Waiting[]): void {
    if (entries.length === 0) return
    for (const entry of entries) queue.push(entry)
    sending ??= sendAll()
  }

  async function sendAll(): Promise<void> {
    let ready: MetricDatum[] = []
    // What comes in one turn goes in one request.
    await Promise.resolve()
    for (;;) {
      for (let entry = queue[0]; entry !== undefined && ready.length < mostDatumsPerRequest; entry = queue[0]) {
        queue.shift()
        waiting -= entry.datums
        for (const datum of datumsOf(entry)) ready.push(datum)
      }
      inHand = ready.length
      if (inHand === 0) {
        sending = undefined
        return
      }
      await send(ready.slice(0, mostDatumsPerRequest))
      ready = ready.slice(mostDatumsPerRequest)
    }
  }

  function datumsOf(entry: Waiting): readonly MetricDatum[] {
    if (entry.kind === 'health') return entry.made
    const { datums, unnameable } = rateDatums(entry.minute, rates)
    drop('unnameable', unnameable)
    return datums
  }

  async function send(datums: readonly MetricDatum[]): Promise<void> {
    let timely = datums
    for (let attempt = 1; ; attempt++) {
      const still = timely.filter(isTimely)
      drop('untimely', timely.length - still.length)
      timely = still
      if (timely.length === 0) return
      if (giveUp.signal.aborted) return drop('stopped', timely.length)
      try {
        const request = new PutMetricDataCommand({ Namespace: namespace, MetricData: [...timely] })
        await tried(abortSignal => client.send(request, { abortSignal }), giveUp.signal)
        sent += timely.length
        requests++
        if (trouble?.isTried) trouble = undefined
        return
      } catch (error) {
        if (giveUp.signal.aborted) return drop('stopped', timely.length)
        const refusal = refusalOf(error, 'cloudwatch:PutMetricData')
        trouble = { because: refusal ?? textOf(error), isTried: refusal === undefined }
        if (refusal !== undefined) return drop('refused', timely.length)
        await clock.sleep(pauseMs(attempt, random), giveUp.signal)
      }
    }
  }

  function isTimely({ Timestamp }: MetricDatum): boolean {
    const age = clock.now() - (Timestamp?.getTime() ?? 0)
    return age <= oldestMs && age >= -furthestMs
  }

  return {
    closed(minutes) {
      for (const minute of minutes) {
        const datums = minute.keys.length * 2
        uncovered.push({ kind: 'rates', datums, minute })
        waiting += datums
        leftOut = minute.leftOut
      }
      makeRoom()
    },
    covering() {
      const covered = uncovered
      uncovered = []
      return () => enqueue(covered)
    },
    health(reading) {
      if (healthNames === undefined) return
      const made = healthDatums(reading, healthNames)
      waiting += made.length
      enqueue([{ kind: 'health', datums: made.length, made }])
      makeRoom()
    },
    summary() {
      const leftOutNow = leftOut > 0 && !isLeftOutTold ? leftOut : undefined
      isLeftOutTold = leftOut > 0
      const told = {
        sent,
        requests,
        waiting: waiting + inHand,
        dropped: Object.fromEntries(dropped),
        trouble,
        leftOutNow,
      }
      sent = requests = 0
      dropped = new Map()
      if (trouble?.isTried === false) trouble = undefined
      return told
    },
    async finish(graceMs) {
      const patience = new AbortController()
      await Promise.race([sending, clock.sleep(graceMs, patience.signal)])
      patience.abort()
      giveUp.abort()
      drop(
        'stopped',
        queue.reduce((sum, { datums }) => sum + datums, 0),
      )
      queue = []
      await sending
      waiting = 0
      client.destroy()
    },
  }
}
