/**
 * Amazon Kinesis: one poller a shard, all shards of the stream, parents before children as it splits and merges.
 *
 *   shard: iterator → read → hand over → (behind: read on at once · caught up: pause) → … → its end → its children
 *          └ throttled, 5xx, no answer: back off, same iterator    └ iterator expired: a new one after the last record
 *
 * A poller reads on only when its batch was taken, so that what waits is one answer a shard (at most 10 MiB), and batches
 * are taken in the order they were offered: a hot shard has no more turns than a quiet one. Which shard may begin, and
 * where, is kinesis-shards.ts. Facts about limits and errors: the Kinesis API reference, GetRecords and GetShardIterator.
 */
import { setMaxListeners } from 'node:events'
import {
  GetRecordsCommand,
  type GetRecordsCommandOutput,
  GetShardIteratorCommand,
  KinesisClient,
} from '@aws-sdk/client-kinesis'
import { type AwsClientSettings, awsClientOptions } from '../aws-client.ts'
import type { Clock } from '../clock.ts'
import { type EpochMs, HOUR_MS, MINUTE_MS, type PartitionId, type Position, SECOND_MS } from '../core/vocabulary.ts'
import { createHandoff } from './handoff.ts'
import { kinesisCalls, listShards, nameOf, retentionMs, Stopped, streamId, tried } from './kinesis-calls.ts'
import { createShardTree, foundShard, SHARD_END, type ShardTree, type Start, sinceTime } from './kinesis-shards.ts'
import type { Source, SourceBatch, SourceEvent, SourceRecord } from './source.ts'

export interface KinesisSettings {
  /** Name, or ARN. */
  readonly stream: string
  /** Where a shard with no position starts: `LATEST`, `TRIM_HORIZON` or a time as ISO 8601. */
  readonly from: string
  readonly pollEveryMs: number
}

export interface KinesisSurroundings {
  readonly client: KinesisClient
  readonly clock: Clock
  /** 0 ≤ x < 1, for the jitter. */
  readonly random: () => number
  readonly onEvent?: (event: SourceEvent) => void
}

export interface KinesisClientSettings extends AwsClientSettings {
  readonly stream?: string
}

/**
 * Retries are made here, where they are told and jittered over shards; the client makes none of its own. A stream is only
 * in its own region: an ARN knows it better than the environment does.
 */
export function kinesisClient({ stream, region, ...settings }: KinesisClientSettings): KinesisClient {
  const own = stream?.startsWith('arn:') ? stream.split(':')[3] : undefined
  return new KinesisClient(
    awsClientOptions({ ...settings, region: region ?? own }, { answerWithinMs: answerTimeoutMs }),
  )
}

/** A connection that died silently would otherwise be waited for as long as the system keeps it. */
const answerTimeoutMs = 20_000
const mostRecords = 10_000
/** AWS allows five reads a second and shard, shared by all who read it, and two mebibytes a second. */
const readGapMs = 200
const bytesPerSecond = 2 * 1024 * 1024
const findShardsEveryMs = MINUTE_MS
/** So often the very first call is tried, about 20 s: after that the stream was there, and is worth waiting for. */
const attemptsToStart = 8
/** No stream keeps less. */
const leastRetentionMs = 24 * HOUR_MS
/** AWS refuses who signs with a clock that is further off than this, so that is how far ours may be ahead. */
const clockSkewMs = 5 * MINUTE_MS

export function kinesisSource(
  settings: KinesisSettings,
  { client, clock, random, onEvent = () => {} }: KinesisSurroundings,
): Source {
  const { stream, from, pollEveryMs } = settings
  const streamInput = streamId(stream)
  const handoff = createHandoff<SourceBatch>()
  const closing = new AbortController()
  /** Shards that are being read, and those that have ended until their children are. */
  const open = new Set<string>()
  let held: ReadonlySet<string> = new Set()
  let heldChanged = new AbortController()
  let retained: Promise<number | undefined> | undefined
  let heardAt: EpochMs | undefined
  const stopped = closing.signal
  // Every shard listens to it while it waits, and there may be hundreds: that is no leak to be warned of.
  setMaxListeners(0, stopped)
  const { insist, hasRead } = kinesisCalls({ stream, clock, random, onEvent, stopped })

  const findShards = async (tree: ShardTree, attempts: number): Promise<void> =>
    tree.add(
      (await insist('list the shards', attempts, () => listShards(client, streamInput, stopped))).map(foundShard),
    )

  /** Reads all shards that may be read by now and are not. */
  function beginShards(tree: ShardTree): void {
    const ready = tree.begin()
    for (const { id, start } of ready) {
      open.add(id)
      poll(tree, id, start).catch(handoff.end)
    }
    const detail = ready.map(({ id }) => id).join(', ')
    if (ready.length > 0) onEvent({ level: 'info', name: 'shardsFound', detail })
  }

  /** Looks for new shards for as long as the source is read. Most are known before, from the end of their parents. */
  async function watchShards(tree: ShardTree): Promise<void> {
    while (!stopped.aborted) {
      await clock.sleep(findShardsEveryMs, stopped)
      if (stopped.aborted) return
      // It may have been changed, or may be asked by now.
      retained = undefined
      await findShards(tree, Number.POSITIVE_INFINITY)
      beginShards(tree)
    }
  }

  async function poll(tree: ShardTree, shard: string, first: Start): Promise<void> {
    let start = first
    let iterator = await iteratorAt(shard, start)
    let children: GetRecordsCommandOutput['ChildShards'] = []
    while (iterator !== undefined && !stopped.aborted) {
      const answer = await readShard(shard, iterator)
      if (stopped.aborted) return
      if (answer === 'expired') {
        onEvent({ level: 'info', name: 'iteratorRenewed', detail: shard })
        iterator = await iteratorAt(shard, start)
        continue
      }
      hasRead()
      heardAt = clock.now()
      const { reply, askedAt } = answer
      const { Records: records = [], MillisBehindLatest: behindMs = 0 } = reply
      const last = records.at(-1)?.SequenceNumber
      if (last !== undefined) {
        start = { ShardIteratorType: 'AFTER_SEQUENCE_NUMBER', StartingSequenceNumber: last }
        await handOver(tree, asBatch(shard, reply, clock.now()))
      } else if (start.ShardIteratorType === 'LATEST') {
        // `LATEST` moves: had its iterator to be renewed, all that came since would be lost. So it becomes a time, which
        // is handed over too: a worker that starts again before the shard's first record goes on from there. By the
        // stream's clock it may be earlier than by ours; what a shard of no records brings again was never counted.
        start = { ShardIteratorType: 'AT_TIMESTAMP', Timestamp: new Date(askedAt - clockSkewMs) }
        await handOver(tree, positionOf(shard, sinceTime(start.Timestamp), { at: askedAt, behindMs }))
      }
      if (last === undefined && start.ShardIteratorType === 'AFTER_SEQUENCE_NUMBER' && (await isOutrun(behindMs))) {
        // Where the record is gone, an iterator after it brings nothing, however often it is moved on: it stays as far
        // behind as the stream reaches (github.com/harlow/kinesis-consumer/issues/125). All that there is came later.
        const detail = `${shard} was left where the stream does not reach back to any more: reading goes on with the oldest there is`
        onEvent({ level: 'warn', name: 'positionOutrun', detail })
        start = { ShardIteratorType: 'TRIM_HORIZON' }
        iterator = await iteratorAt(shard, start)
        continue
      }
      iterator = reply.NextShardIterator
      children = reply.ChildShards ?? []
      const spentMs = clock.now() - askedAt
      const gapMs = Math.max(behindMs > 0 ? readGapMs : pollEveryMs, (bytesOf(reply) / bytesPerSecond) * SECOND_MS)
      if (iterator !== undefined && gapMs > spentMs) await clock.sleep(gapMs - spentMs, stopped)
    }
    if (stopped.aborted) return
    await handOver(tree, positionOf(shard, SHARD_END, { at: clock.now(), behindMs: 0 }))
    if (!stopped.aborted) await succeed(tree, shard, children)
  }

  /** Whether a place so far behind is older than all that the stream keeps. */
  async function isOutrun(behindMs: number): Promise<boolean> {
    if (behindMs < leastRetentionMs) return false
    retained ??= retentionMs(client, streamInput, stopped)
    const retainedMs = await retained
    return retainedMs !== undefined && behindMs >= retainedMs
  }

  /** Its children take its place in one step: whoever waits for it to come as far as others now waits for them. */
  async function succeed(
    tree: ShardTree,
    shard: string,
    children: GetRecordsCommandOutput['ChildShards'] = [],
  ): Promise<void> {
    onEvent({ level: 'info', name: 'shardEnded', detail: shard })
    tree.end(shard)
    tree.add(children.map(({ ShardId: id = '', ParentShards: parents = [] }) => ({ id, parents, isClosed: false })))
    if (!tree.hasChildren(shard)) await findShards(tree, Number.POSITIVE_INFINITY)
    open.delete(shard)
    beginShards(tree)
  }

  /** Waits while the shard is held, and until the batch is taken. */
  async function handOver(tree: ShardTree, batch: SourceBatch): Promise<void> {
    const { partition } = batch
    for (let isTaken = false; !isTaken; ) {
      while (held.has(partition) && !stopped.aborted)
        await clock.sleep(HOUR_MS, AbortSignal.any([stopped, heldChanged.signal]))
      isTaken = true
      const offer = handoff.offer(() => {
        isTaken = !held.has(partition)
        return isTaken ? { ...batch, over: tree.positioned(partition) } : undefined
      })
      await offer.settled
    }
  }

  /** Undefined: the shard is older than what the stream keeps, and gone. */
  async function iteratorAt(shard: string, start: Start): Promise<string | undefined> {
    const command = new GetShardIteratorCommand({ ...streamInput, ShardId: shard, ...start })
    return await insist(`find a place in ${shard}`, Number.POSITIVE_INFINITY, async () => {
      try {
        return (await tried(abortSignal => client.send(command, { abortSignal }), stopped)).ShardIterator
      } catch (error) {
        if (nameOf(error) !== 'ResourceNotFoundException') throw error
        // The shard is not there, or the stream is not: only then the list is refused too.
        const listed = await listShards(client, streamInput, stopped)
        if (listed.some(({ ShardId }) => ShardId === shard)) throw error
        tellForgotten([shard])
        return undefined
      }
    })
  }

  async function readShard(
    shard: string,
    iterator: string,
  ): Promise<{ readonly reply: GetRecordsCommandOutput; readonly askedAt: EpochMs } | 'expired'> {
    const arn = 'StreamARN' in streamInput ? streamInput : {}
    const command = new GetRecordsCommand({ ...arn, ShardIterator: iterator, Limit: mostRecords })
    return await insist(`read ${shard}`, Number.POSITIVE_INFINITY, async () => {
      const askedAt = clock.now()
      try {
        return { reply: await tried(abortSignal => client.send(command, { abortSignal }), stopped), askedAt }
      } catch (error) {
        // Five minutes old: the reader was busy for so long.
        if (nameOf(error) === 'ExpiredIteratorException') return 'expired'
        throw error
      }
    })
  }

  function tellForgotten(shards: readonly string[]): void {
    const detail = `the stream does not keep ${shards.join(', ')} any more: what was not read of it is lost`
    if (shards.length > 0) onEvent({ level: 'warn', name: 'shardForgotten', detail })
  }

  return {
    description: `kinesis stream ${stream}`,
    // A tenant's calls are spread over all shards by whoever writes them: by log stream or at random, never by key.
    keyed: false,
    async *read(positions, signal) {
      const stop = () => closing.abort()
      signal.addEventListener('abort', stop, { once: true })
      if (signal.aborted) stop()
      const tree = createShardTree(positions, asStart(from))
      try {
        await findShards(tree, attemptsToStart)
        tellForgotten(tree.forgotten())
        beginShards(tree)
        watchShards(tree).catch(handoff.end)
        for (;;) {
          const batch = await handoff.take(signal)
          if (batch === undefined) return
          yield batch
        }
      } catch (error) {
        if (!(error instanceof Stopped)) throw error
      } finally {
        signal.removeEventListener('abort', stop)
        stop()
        handoff.end()
      }
    },
    partitions: () => [...open].map(shard => shard as PartitionId),
    hold(partitions) {
      held = new Set(partitions)
      heldChanged.abort()
      heldChanged = new AbortController()
    },
    heardAt: () => heardAt,
    retainedMs: () => retentionMs(client, streamInput, stopped),
    // The checkpoint is all there is.
    commit: async () => {},
    async close() {
      closing.abort()
      handoff.end()
      client.destroy()
    },
  }
}

function asStart(from: string): Start {
  if (from === 'LATEST' || from === 'TRIM_HORIZON') return { ShardIteratorType: from }
  return { ShardIteratorType: 'AT_TIMESTAMP', Timestamp: new Date(from) }
}

function bytesOf({ Records: records = [] }: GetRecordsCommandOutput): number {
  let bytes = 0
  for (const { Data } of records) bytes += Data?.length ?? 0
  return bytes
}

/** A record of no bytes: it holds no call, and moves the position all the same. */
function positionOf(
  shard: string,
  position: Position,
  { at: arrivedAt, behindMs: ms }: { readonly at: EpochMs; readonly behindMs: number },
): SourceBatch {
  const partition = shard as PartitionId
  return { partition, records: [{ partition, position, payload: new Uint8Array() }], arrivedAt, lag: { ms } }
}

function asBatch(
  shard: string,
  { Records: records = [], MillisBehindLatest: ms = 0 }: GetRecordsCommandOutput,
  arrivedAt: EpochMs,
): SourceBatch {
  const partition = shard as PartitionId
  return {
    partition,
    records: records.map(
      ({ SequenceNumber = '', Data = new Uint8Array() }): SourceRecord => ({
        partition,
        position: SequenceNumber as Position,
        payload: Data,
      }),
    ),
    arrivedAt,
    lag: { ms },
  }
}
