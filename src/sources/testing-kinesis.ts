/**
 * A stream in memory that is as strict as the API reference: iterators expire, five reads a second, page tokens stand
 * alone, a time must be past, and a sequence number must be one of the shard's own. Time passes only when everybody sleeps.
 */
import { setImmediate as turn } from 'node:timers/promises'
import {
  DescribeStreamSummaryCommand,
  GetRecordsCommand,
  type GetRecordsCommandInput,
  GetShardIteratorCommand,
  type GetShardIteratorCommandInput,
  KinesisClient,
  KinesisServiceException,
  ListShardsCommand,
  type ListShardsCommandInput,
} from '@aws-sdk/client-kinesis'
import { mockClient } from 'aws-sdk-client-mock'
import type { Clock } from '../clock.ts'
import type { PartitionId, Position } from '../core/vocabulary.ts'
import { kinesisSource } from './kinesis.ts'
import type { Positions, SourceBatch, SourceEvent } from './source.ts'

type Operation = 'ListShards' | 'GetShardIterator' | 'GetRecords' | 'DescribeStreamSummary'

interface World {
  readonly shards: Readonly<Record<string, readonly string[]>>
  /** At most so many records an answer. */
  readonly answerRecords?: number
  readonly iteratorLifeMs?: number
  /** Of the reader's clock, past the stream's. */
  readonly clockAheadMs?: number
  /** What the end of a shard says of its children: AWS names them, simulations do not. */
  readonly namesChildren?: boolean
  readonly retentionHours?: number
  /** What the first calls of an operation answer. */
  readonly failures?: Partial<Record<Operation, readonly Error[]>>
}

interface FakeShard {
  readonly records: { text: string; at: number }[]
  readonly parents: readonly string[]
  closed: boolean
  /** So many of its first records are older than what the stream keeps. */
  trimmed: number
}

export function createWorld({
  shards: initial,
  answerRecords = 10_000,
  iteratorLifeMs = 300_000,
  clockAheadMs = 0,
  namesChildren = true,
  retentionHours = 24,
  failures = {},
}: World) {
  const shards = new Map<string, FakeShard>()
  const pending = new Map(Object.entries(failures).map(([operation, errors]) => [operation, [...errors]]))
  const readTimes: number[] = []
  /** Shards in the order in which they were begun or begun again. */
  const iteratorsOf: string[] = []
  const afterReads = new Map<number, () => void>()
  const afterLists = new Map<number, () => void>()
  let lists = 0
  const lastReads = new Map<string, number>()
  const events: SourceEvent[] = []
  const batches: SourceBatch[] = []
  /** By the stream's clock. */
  let nowMs = 0
  /** Who sleeps until when; time passes only when everybody sleeps, to the first who wakes. */
  const sleepers = new Map<() => void, number>()

  const add = (id: string, texts: readonly string[], ...parents: readonly string[]) =>
    shards.set(id, {
      records: texts.map(text => ({ text, at: nowMs - 3_600_000 })),
      parents,
      closed: false,
      trimmed: 0,
    })
  for (const [id, texts] of Object.entries(initial)) add(id, texts)

  const clock: Clock = {
    now: () => nowMs + clockAheadMs,
    sleep: (ms, signal) =>
      new Promise(resolve => {
        if (signal?.aborted) return resolve()
        const wake = () => {
          sleepers.delete(wake)
          signal?.removeEventListener('abort', wake)
          resolve()
        }
        sleepers.set(wake, nowMs + ms)
        signal?.addEventListener('abort', wake, { once: true })
      }),
  }
  const passTime = async () => {
    for (let turns = 0; turns < 3; turns++) await turn()
    const [first] = [...sleepers].sort(([, a], [, b]) => a - b)
    if (first === undefined) return
    nowMs = Math.max(nowMs, first[1])
    first[0]()
  }

  const shardOf = (id = ''): FakeShard => {
    const shard = shards.get(id)
    if (!shard) throw failure('ResourceNotFoundException', 400)
    return shard
  }
  /** 56 digits, as the real ones: nothing that a Number can hold. */
  const sequenceNumber = (id: string, index: number) =>
    `4959033827149025660855969253836157109592157598913658880${id.charCodeAt(0)}${String(index).padStart(5, '0')}`
  /** After a record that the stream does not keep any more: it never comes to one that is there. */
  const gone = -1
  const iteratorAt = (id: string, index: number) => `${id}:${index}:${nowMs}`
  /** Of a name or an ARN; the ARN alone reaches another account. */
  const streamOf = ({ StreamName, StreamARN }: { StreamName?: string | undefined; StreamARN?: string | undefined }) => {
    if (StreamARN?.endsWith(':stream/calls') || StreamName === 'calls') return
    throw failure('ResourceNotFoundException', 400)
  }
  const failIfTold = (operation: Operation) => {
    const error = pending.get(operation)?.shift()
    if (error) throw error
  }

  const childrenOf = (id: string) =>
    [...shards].flatMap(([ShardId, { parents }]) =>
      parents.includes(id)
        ? [{ ShardId, ParentShards: [...parents], HashKeyRange: { StartingHashKey: '0', EndingHashKey: '1' } }]
        : [],
    )

  const client = new KinesisClient({ region: 'us-east-1' })
  const fake = mockClient(client)
  fake.on(ListShardsCommand).callsFake((input: ListShardsCommandInput) => {
    failIfTold('ListShards')
    if (input.NextToken === undefined) streamOf(input)
    else if (input.StreamName !== undefined) throw failure('InvalidArgumentException', 400)
    const list = ++lists
    queueMicrotask(() => afterLists.get(list)?.())
    const from = Number(input.NextToken ?? 0)
    const page = [...shards].slice(from, from + 2)
    return {
      Shards: page.map(([ShardId, { parents, closed }]) => ({
        ShardId,
        ...(parents[0] ? { ParentShardId: parents[0] } : {}),
        ...(parents[1] ? { AdjacentParentShardId: parents[1] } : {}),
        SequenceNumberRange: { StartingSequenceNumber: '1', ...(closed ? { EndingSequenceNumber: '2' } : {}) },
      })),
      ...(from + 2 < shards.size ? { NextToken: String(from + 2) } : {}),
    }
  })
  fake.on(GetShardIteratorCommand).callsFake((input: GetShardIteratorCommandInput) => {
    failIfTold('GetShardIterator')
    const { ShardId = '', ShardIteratorType: type, StartingSequenceNumber, Timestamp } = input
    streamOf(input)
    const { records, trimmed } = shardOf(ShardId)
    iteratorsOf.push(ShardId)
    if (type === 'TRIM_HORIZON') return { ShardIterator: iteratorAt(ShardId, trimmed) }
    if (type === 'LATEST') return { ShardIterator: iteratorAt(ShardId, records.length) }
    if (type === 'AT_TIMESTAMP') {
      const sinceMs = Timestamp?.getTime() ?? 0
      if (sinceMs > nowMs) throw failure('InvalidArgumentException', 400, 'The timestampInMillis parameter cannot be …')
      const index = records.findIndex(({ at }) => at >= sinceMs)
      return { ShardIterator: iteratorAt(ShardId, index < 0 ? records.length : index) }
    }
    const index = records.findIndex((_, at) => sequenceNumber(ShardId, at) === StartingSequenceNumber)
    if (index < 0) throw failure('InvalidArgumentException', 400)
    return { ShardIterator: iteratorAt(ShardId, index + 1 < trimmed ? gone : index + 1) }
  })
  fake.on(GetRecordsCommand).callsFake(({ ShardIterator = '', Limit = 0 }: GetRecordsCommandInput) => {
    readTimes.push(nowMs)
    failIfTold('GetRecords')
    const [id = '', index = '', issuedAt = ''] = ShardIterator.split(':')
    const shard = shardOf(id)
    if (Limit < 1 || Limit > 10_000) throw failure('ValidationException', 400)
    if (nowMs - Number(issuedAt) > iteratorLifeMs) throw failure('ExpiredIteratorException', 400)
    if (nowMs - (lastReads.get(id) ?? -200) < 200) throw failure('ProvisionedThroughputExceededException', 400)
    lastReads.set(id, nowMs)
    const from = Number(index)
    const retentionMs = retentionHours * 3_600_000
    if (from === gone) return { Records: [], MillisBehindLatest: retentionMs, NextShardIterator: iteratorAt(id, gone) }
    const reads = readTimes.length
    queueMicrotask(() => afterReads.get(reads)?.())
    const end = Math.min(shard.records.length, from + Math.min(Limit, answerRecords))
    return {
      Records: shard.records.slice(from, end).map(({ text }, offset) => ({
        SequenceNumber: sequenceNumber(id, from + offset),
        Data: Buffer.from(text),
        PartitionKey: 'any',
      })),
      MillisBehindLatest: end < shard.records.length ? 1_000 : 0,
      ...(shard.closed && end === shard.records.length
        ? { ...(namesChildren && { ChildShards: childrenOf(id) }) }
        : { NextShardIterator: iteratorAt(id, end) }),
    }
  })

  fake.on(DescribeStreamSummaryCommand).callsFake(input => {
    streamOf(input)
    failIfTold('DescribeStreamSummary')
    return { StreamDescriptionSummary: { RetentionPeriodHours: retentionHours } }
  })

  const settings = { stream: 'calls', pollEveryMs: 1_000 }
  const surroundings = { client, clock, random: () => 0.5, onEvent: (event: SourceEvent) => events.push(event) }
  let source = kinesisSource({ ...settings, from: 'TRIM_HORIZON' }, surroundings)

  return {
    readTimes,
    iteratorsOf,
    events,
    batches,
    sequenceNumber,
    get source() {
      return source
    },
    put: (id: string, text: string) => shardOf(id).records.push({ text, at: nowMs }),
    split(id: string, children: Readonly<Record<string, readonly string[]>>) {
      shardOf(id).closed = true
      for (const [child, texts] of Object.entries(children)) add(child, texts, id)
    },
    merge(ids: readonly [string, string], child: string, texts: readonly string[]) {
      for (const id of ids) shardOf(id).closed = true
      add(child, texts, ...ids)
    },
    /** The first records of a shard, or the whole shard, are older than what the stream keeps. */
    trim: (id: string, records: number) => {
      shardOf(id).trimmed = records
    },
    drop: (id: string) => shards.delete(id),
    /** What a checkpoint would hold after all that was read. */
    positions(): Readonly<Record<string, string>> {
      const positions = new Map<string, string>()
      for (const { partition, records, over = [] } of batches) {
        const last = records.at(-1)
        if (last) positions.set(partition, last.position)
        for (const each of over) positions.delete(each)
      }
      return Object.fromEntries(positions)
    },
    /** What happens once so many reads were answered. */
    afterList: (lists: number, action: () => void) => afterLists.set(lists, action),
    afterRead: (reads: number, action: () => void) => afterReads.set(reads, action),
    fail: (operation: Operation, error: Error) => pending.set(operation, [error]),
    async until(isTrue: () => boolean) {
      while (!isTrue()) await passTime()
    },
    /** Reads until so many records came; the texts in the order they came. */
    async read(given: {
      from: string
      records: number
      positions?: Readonly<Record<string, string>>
      stream?: string
    }): Promise<string[]> {
      source = kinesisSource({ ...settings, from: given.from, stream: given.stream ?? 'calls' }, surroundings)
      const positions: Positions = new Map(
        Object.entries(given.positions ?? {}).map(([id, position]) => [id as PartitionId, position as Position]),
      )
      let over = false
      const reading = (async () => {
        const texts: string[] = []
        for await (const batch of source.read(positions, new AbortController().signal)) {
          batches.push(batch)
          const heard = batch.records.filter(({ payload }) => payload.length > 0)
          texts.push(...heard.map(({ payload }) => Buffer.from(payload).toString()))
          if (texts.length >= given.records) break
        }
        return texts
      })().finally(() => {
        over = true
      })
      reading.catch(() => {})
      while (!over) await passTime()
      return await reading
    },
  }
}

export function failure(
  name: string,
  httpStatusCode: number,
  message = 'as told by the test',
): KinesisServiceException {
  return new KinesisServiceException({
    name,
    message,
    $fault: httpStatusCode < 500 ? 'client' : 'server',
    $metadata: { httpStatusCode },
  })
}
