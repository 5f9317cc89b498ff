/**
 * Amazon Kinesis: one poller a shard, all shards of the stream, new ones looked for as the stream splits and merges.
 *
 *   shard: iterator → read → hand over → (behind: read on at once · caught up: pause) → … → its end
 *          └ throttled, 5xx, no answer: back off, same iterator    └ iterator expired: a new one after the last record
 *
 * A poller reads on only when its batch was taken, so that what waits is one answer a shard (at most 10 MiB).
 * Facts about limits and errors: the Kinesis API reference, GetRecords and GetShardIterator.
 */
import { setMaxListeners } from 'node:events'
import {
  GetRecordsCommand,
  type GetRecordsCommandOutput,
  GetShardIteratorCommand,
  KinesisClient,
  ListShardsCommand,
  type Shard,
} from '@aws-sdk/client-kinesis'
import { type AwsClientSettings, awsClientOptions, isPassing, statusOf } from '../aws-client.ts'
import type { Clock } from '../clock.ts'
import { StreamError } from '../core/errors.ts'
import type { EpochMs, PartitionId, Position } from '../core/vocabulary.ts'
import { createHandoff } from './handoff.ts'
import type { Positions, Source, SourceBatch, SourceEvent, SourceRecord } from './source.ts'

export interface KinesisSettings {
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

/** Retries are made here, where they are told and jittered over shards; the client makes none of its own. */
export function kinesisClient(settings: AwsClientSettings): KinesisClient {
  return new KinesisClient(awsClientOptions(settings, { answerWithinMs: answerTimeoutMs }))
}

/** A connection that died silently would otherwise be waited for as long as the system keeps it. */
const answerTimeoutMs = 20_000
const mostRecords = 10_000
/** AWS allows five reads a second and shard, shared by all who read it. */
const readGapMs = 200
const findShardsEveryMs = 60_000
const backOff = { firstMs: 250, mostMs: 10_000 }
/** So often the very first call is tried, about 20 s: after that the stream was there, and is worth waiting for. */
const attemptsToStart = 8

/** Where a shard's next iterator begins. */
type Start =
  | { readonly ShardIteratorType: 'AFTER_SEQUENCE_NUMBER'; readonly StartingSequenceNumber: string }
  | { readonly ShardIteratorType: 'AT_TIMESTAMP'; readonly Timestamp: Date }
  | { readonly ShardIteratorType: 'LATEST' | 'TRIM_HORIZON' }

export function kinesisSource(
  settings: KinesisSettings,
  { client, clock, random, onEvent = () => {} }: KinesisSurroundings,
): Source {
  const { stream, from, pollEveryMs } = settings
  const handoff = createHandoff<SourceBatch>()
  const closing = new AbortController()
  /** Shards that are being read; in `seen` are also those that have ended. */
  const open = new Set<string>()
  const seen = new Set<string>()
  const stopped = closing.signal
  // Every shard listens to it while it waits, and there may be hundreds: that is no leak to be warned of.
  setMaxListeners(0, stopped)
  /** Wakes whoever looks for new shards: they begin where others end. */
  let ended = new AbortController()
  let hasRead = false

  /** Reads all shards that nobody reads yet. */
  async function findShards(positions: Positions, attempts: number, otherwise: Start): Promise<void> {
    const shards = await insist('list the shards', attempts, listShards)
    // Children have higher numbers than their parents, so that what is inherited from a grandparent is seen too.
    const inOrder = shards.toSorted((a, b) => ((a.ShardId ?? '') < (b.ShardId ?? '') ? -1 : 1))
    const known = new Set<string | undefined>(positions.keys())
    const found: string[] = []
    for (const { ShardId = '', ParentShardId, AdjacentParentShardId } of inOrder) {
      const position = positions.get(ShardId as PartitionId)
      // What came of a shard that we have read came after what we read: all of it is new, whatever `from` says.
      const isChild = known.has(ParentShardId) || known.has(AdjacentParentShardId)
      if (isChild) known.add(ShardId)
      if (seen.has(ShardId)) continue
      seen.add(ShardId)
      open.add(ShardId)
      found.push(ShardId)
      poll(
        ShardId,
        position !== undefined ? startAfter(position) : isChild ? { ShardIteratorType: 'TRIM_HORIZON' } : otherwise,
      ).catch(handoff.end)
    }
    if (found.length > 0) onEvent({ level: 'info', name: 'shardsFound', detail: found.join(', ') })
  }

  async function listShards(): Promise<readonly Shard[]> {
    const shards: Shard[] = []
    let page: string | undefined
    do {
      // A page's token stands for the stream too; naming both is an error.
      const input = page === undefined ? { StreamName: stream } : { NextToken: page }
      const reply = await client.send(new ListShardsCommand(input), { abortSignal: stopped })
      shards.push(...(reply.Shards ?? []))
      page = reply.NextToken
    } while (page !== undefined)
    return shards
  }

  /** Looks for new shards for as long as the source is read: every minute, and at once when a shard has ended. */
  async function watchShards(): Promise<void> {
    while (!stopped.aborted) {
      await clock.sleep(findShardsEveryMs, AbortSignal.any([stopped, ended.signal]))
      ended = new AbortController()
      if (!stopped.aborted) await findNewShards()
    }
  }

  // A shard that comes into being while we read has nothing that is too old for us: all of it, whatever `from` says.
  const findNewShards = () => findShards(new Map(), Number.POSITIVE_INFINITY, { ShardIteratorType: 'TRIM_HORIZON' })

  async function poll(shard: string, first: Start): Promise<void> {
    let start = first
    let iterator = await iteratorAt(shard, start)
    while (iterator !== undefined && !stopped.aborted) {
      const startedAt = clock.now()
      const reply = await readShard(shard, iterator)
      if (stopped.aborted) return
      if (reply === 'expired') {
        onEvent({ level: 'info', name: 'iteratorRenewed', detail: shard })
        iterator = await iteratorAt(shard, start)
        continue
      }
      hasRead = true
      const { Records: records = [], MillisBehindLatest: behindMs = 0 } = reply
      const last = records.at(-1)?.SequenceNumber
      if (last !== undefined) {
        start = { ShardIteratorType: 'AFTER_SEQUENCE_NUMBER', StartingSequenceNumber: last }
        const batch = asBatch(shard, reply, clock.now())
        await handoff.offer(() => batch).settled
      } else if (start.ShardIteratorType === 'LATEST') {
        // `LATEST` moves: had its iterator to be renewed, all that came since would be lost. So it becomes a time, which
        // is handed over too: a worker that starts again before the shard's first record goes on from there.
        start = { ShardIteratorType: 'AT_TIMESTAMP', Timestamp: new Date(startedAt) }
        const batch = asBatch(
          shard,
          { ...reply, Records: [{ ...noRecord, SequenceNumber: sinceTime(startedAt) }] },
          startedAt,
        )
        await handoff.offer(() => batch).settled
      }
      iterator = reply.NextShardIterator
      const pauseMs = behindMs > 0 ? readGapMs - (clock.now() - startedAt) : pollEveryMs
      if (iterator !== undefined && pauseMs > 0) await clock.sleep(pauseMs, stopped)
    }
    if (stopped.aborted) return
    open.delete(shard)
    onEvent({ level: 'info', name: 'shardEnded', detail: shard })
    ended.abort()
  }

  async function iteratorAt(shard: string, start: Start): Promise<string | undefined> {
    const command = new GetShardIteratorCommand({ StreamName: stream, ShardId: shard, ...start })
    const reply = await insist(`find a place in ${shard}`, Number.POSITIVE_INFINITY, () =>
      client.send(command, { abortSignal: stopped }),
    )
    return reply?.ShardIterator
  }

  async function readShard(shard: string, iterator: string): Promise<GetRecordsCommandOutput | 'expired'> {
    const command = new GetRecordsCommand({ ShardIterator: iterator, Limit: mostRecords })
    return await insist(`read ${shard}`, Number.POSITIVE_INFINITY, async () => {
      try {
        return await client.send(command, { abortSignal: stopped })
      } catch (error) {
        // Five minutes old: the reader was busy for so long.
        if (nameOf(error) === 'ExpiredIteratorException') return 'expired'
        throw error
      }
    })
  }

  /** Calls until it succeeds, backing off with full jitter, as long as trying again can help. */
  async function insist<T>(what: string, attempts: number, call: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await call()
      } catch (error) {
        if (stopped.aborted) throw new Stopped()
        // Where there have never been credentials, a person is waiting to be told so.
        const isUnequipped = !hasRead && nameOf(error) === 'CredentialsProviderError'
        if (isUnequipped || !mayHelpLater(error)) throw refused(what, error)
        if (attempt >= attempts) throw unanswered(what, error)
        const mostMs = Math.min(backOff.mostMs, backOff.firstMs * 2 ** (attempt - 1))
        onEvent({ level: 'warn', name: 'readRetried', detail: `could not ${what}: ${messageOf(error)}` })
        await clock.sleep(random() * mostMs, stopped)
        if (stopped.aborted) throw new Stopped()
      }
    }
  }

  function refused(what: string, error: unknown): StreamError {
    const name = nameOf(error)
    const code = hasRead ? 'SOURCE_LOST' : 'SOURCE_UNREADABLE'
    return new StreamError(code, `Could not ${what} of Kinesis stream ${stream}: ${messageOf(error)}`, {
      retry: 'never',
      hint: hints[name] ?? (name.startsWith('KMS') ? keyHint : 'Check source.stream, the region, and the credentials'),
      cause: error,
    })
  }

  function unanswered(what: string, error: unknown): StreamError {
    return new StreamError('SOURCE_UNREADABLE', `Could not ${what} of Kinesis stream ${stream}: ${messageOf(error)}`, {
      retry: 'later',
      hint: 'Check source.region and source.endpoint, and that Kinesis is reachable from here',
      cause: error,
    })
  }

  return {
    description: `kinesis stream ${stream}`,
    // A tenant's calls are spread over all shards by whoever writes them: by log stream or at random, never by key.
    keyed: false,
    async *read(positions, signal) {
      const stop = () => closing.abort()
      signal.addEventListener('abort', stop, { once: true })
      if (signal.aborted) stop()
      try {
        await findShards(positions, attemptsToStart, asStart(from))
        watchShards().catch(handoff.end)
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
    // The checkpoint is all there is.
    commit: async () => {},
    async close() {
      closing.abort()
      handoff.end()
      client.destroy()
    },
  }
}

/** Not an error: the call was given up because nobody reads any more. */
class Stopped extends Error {}

function asStart(from: string): Start {
  if (from === 'LATEST' || from === 'TRIM_HORIZON') return { ShardIteratorType: from }
  return { ShardIteratorType: 'AT_TIMESTAMP', Timestamp: new Date(from) }
}

/** Where a shard goes on of which nothing was read yet: all that came since then. No sequence number has this form. */
const sinceTime = (at: EpochMs): string => `since ${new Date(at).toISOString()}`

/** A record of no bytes: it holds no call, and moves the position all the same. */
const noRecord = { Data: new Uint8Array(), PartitionKey: undefined }

function startAfter(position: Position): Start {
  const [, since] = /^since (.+)$/.exec(position) ?? []
  if (since !== undefined) return { ShardIteratorType: 'AT_TIMESTAMP', Timestamp: new Date(since) }
  return { ShardIteratorType: 'AFTER_SEQUENCE_NUMBER', StartingSequenceNumber: position }
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

/** Passing here alone: too many lists of shards a second, and a page token that is too old, for which the list begins anew. */
const passingHere: ReadonlySet<string> = new Set(['LimitExceededException', 'ExpiredNextTokenException'])

/** Ours, or the machine's: asking again gives the same answer. */
const hopeless: ReadonlySet<string> = new Set(['TypeError', 'RangeError', 'ReferenceError'])

/** Throttled, broken on the other side, or without any answer. */
function mayHelpLater(error: unknown): boolean {
  const name = nameOf(error)
  if (isPassing(error) || passingHere.has(name)) return true
  const status = statusOf(error)
  if (status !== undefined) return status >= 500
  return !hopeless.has(name) && !messageOf(error).startsWith('Region is missing')
}

const keyHint = 'The stream is encrypted with a key that may not be used or is disabled: check its key policy'
const hints: Readonly<Record<string, string>> = {
  ResourceNotFoundException: 'Set source.stream and source.region; `aws kinesis list-streams` says which there are',
  AccessDeniedException:
    'The role needs kinesis:ListShards, kinesis:GetShardIterator and kinesis:GetRecords on the stream',
  InvalidArgumentException:
    'If a stream of this name was deleted and made anew, the checkpoint belongs to the old one: move state.directory away',
  CredentialsProviderError: 'Give AWS credentials: a role, a profile, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : ''
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.message === '' ? error.name : `${error.name}: ${error.message}`
}
