/**
 * Against a stream in memory that is as strict as the API reference: iterators expire, five reads a second, page tokens
 * stand alone, and a sequence number must be one of the shard's own.
 */
import { setImmediate as turn } from 'node:timers/promises'
import {
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
import { expect, test } from 'vitest'
import type { Clock } from '../clock.ts'
import type { PartitionId, Position } from '../core/vocabulary.ts'
import { kinesisSource } from './kinesis.ts'
import type { Positions, SourceBatch, SourceEvent } from './source.ts'

test('every shard of every page of the list is read to its end', async () => {
  const world = createWorld({ shards: { a: ['a1', 'a2'], b: ['b1'], c: [], d: ['d1'], e: ['e1'] } })

  expect(sorted(await world.read({ from: 'TRIM_HORIZON', records: 5 }))).toEqual(['a1', 'a2', 'b1', 'd1', 'e1'])
  expect(world.source.partitions()).toEqual(['a', 'b', 'c', 'd', 'e'])
})

test('a shard goes on after its position, and one without begins where the configuration says', async () => {
  const world = createWorld({ shards: { a: ['a1', 'a2', 'a3'], b: ['b1'] } })
  const after = world.sequenceNumber('a', 1)

  const texts = await world.read({ from: 'TRIM_HORIZON', positions: { a: after }, records: 2 })

  expect(sorted(texts)).toEqual(['a3', 'b1'])
})

test('a batch says where its shard goes on, when it came and how far behind it is', async () => {
  const world = createWorld({ shards: { a: ['a1', 'a2', 'a3'] }, answerRecords: 2 })
  await world.read({ from: 'TRIM_HORIZON', records: 3 })

  expect(world.batches).toMatchObject([
    { partition: 'a', records: [{}, { position: world.sequenceNumber('a', 1) }], lag: { ms: 1_000 } },
    { partition: 'a', records: [{ position: world.sequenceNumber('a', 2) }], lag: { ms: 0 } },
  ])
})

test('what is behind is read on at once, within five reads a second; what is caught up is asked at the set pace', async () => {
  const world = createWorld({ shards: { a: ['a1', 'a2', 'a3', 'a4'] }, answerRecords: 1 })
  world.afterRead(6, () => world.put('a', 'a5'))
  await world.read({ from: 'TRIM_HORIZON', records: 5 })

  expect(world.readTimes.slice(0, 6)).toEqual([0, 200, 400, 600, 1_600, 2_600])
  expect(world.events).not.toContainEqual(expect.objectContaining({ name: 'readRetried' }))
})

test('throttled, failed and unanswered reads back off with full jitter and lose nothing', async () => {
  const failures = [
    failure('ProvisionedThroughputExceededException', 400),
    failure('InternalFailure', 500),
    failure('ServiceUnavailable', 503),
    Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:4567'), { code: 'ECONNREFUSED' }),
    failure('LimitExceededException', 400),
  ]
  const world = createWorld({ shards: { a: ['a1'] }, failures: { GetRecords: failures } })

  expect(await world.read({ from: 'TRIM_HORIZON', records: 1 })).toEqual(['a1'])
  // Half of 250 ms, doubled each time: the jitter of this world is always a half.
  expect(world.readTimes.slice(0, 6)).toEqual([0, 125, 375, 875, 1_875, 3_875])
  expect(world.events.filter(({ name }) => name === 'readRetried').map(({ detail }) => detail)).toHaveLength(5)
})

test('an iterator that expired is renewed after the last record that was handed over', async () => {
  const world = createWorld({ shards: { a: ['a1', 'a2'] }, answerRecords: 1, iteratorLifeMs: 100 })

  expect(await world.read({ from: 'TRIM_HORIZON', records: 2 })).toEqual(['a1', 'a2'])
  expect(world.events.map(({ name }) => name)).toContain('iteratorRenewed')
})

test('an iterator of LATEST that expired before any record loses nothing that came meanwhile', async () => {
  const world = createWorld({ shards: { a: ['old'] }, iteratorLifeMs: 900 })
  world.afterRead(1, () => world.put('a', 'new'))

  expect(await world.read({ from: 'LATEST', records: 1 })).toEqual(['new'])
  expect(world.events.map(({ name }) => name)).toContain('iteratorRenewed')
})

test('a shard of LATEST that was silent until a crash is resumed where it was begun', async () => {
  const world = createWorld({ shards: { a: ['old'], b: [] } })
  world.afterRead(2, () => world.put('b', 'b1'))
  await world.read({ from: 'LATEST', records: 1 })
  const positions = Object.fromEntries(
    world.batches.map(({ partition, records }): [string, string] => [partition, records.at(-1)?.position ?? '']),
  )
  world.put('a', 'while we were away')

  expect(await world.read({ from: 'LATEST', positions, records: 1 })).toEqual(['while we were away'])
})

test('credentials that are gone for a while are waited for, but for those that were never there', async () => {
  const noCredentials = Object.assign(new Error('could not load'), { name: 'CredentialsProviderError' })
  const unequipped = createWorld({ shards: { a: ['a1'] }, failures: { ListShards: [noCredentials] } })
  await expect(unequipped.read({ from: 'TRIM_HORIZON', records: 1 })).rejects.toMatchObject({
    code: 'SOURCE_UNREADABLE',
    hint: expect.stringContaining('AWS_ACCESS_KEY_ID'),
  })

  const world = createWorld({ shards: { a: ['a1'] } })
  world.afterRead(1, () => {
    world.put('a', 'a2')
    world.fail('GetRecords', noCredentials)
  })
  expect(await world.read({ from: 'TRIM_HORIZON', records: 2 })).toEqual(['a1', 'a2'])
})

test('a closed shard ends, and the children that took its place are read from their beginning', async () => {
  const world = createWorld({ shards: { a: ['a1'] } })
  world.afterRead(1, () => world.split('a', { b: ['b1'], c: ['c1'] }))

  expect(sorted(await world.read({ from: 'LATEST', records: 2 }))).toEqual(['b1', 'c1'])
  expect(world.source.partitions()).toEqual(['b', 'c'])
})

test('after a restart the descendants of a shard with a position are read from their beginning', async () => {
  const world = createWorld({ shards: { a: ['a1'], z: ['z1'] } })
  world.split('a', { b: ['b1'] })
  world.split('b', { c: ['c1'] })

  const texts = await world.read({ from: 'LATEST', positions: { a: world.sequenceNumber('a', 0) }, records: 2 })

  expect(sorted(texts)).toEqual(['b1', 'c1'])
})

test.each([
  ['ResourceNotFoundException', /aws kinesis list-streams/],
  ['AccessDeniedException', /kinesis:GetRecords/],
])('%s at the start is told with what mends it, and not tried again', async (name, hint) => {
  const world = createWorld({ shards: { a: [] }, failures: { ListShards: [failure(name, 400)] } })

  await expect(world.read({ from: 'LATEST', records: 1 })).rejects.toMatchObject({
    code: 'SOURCE_UNREADABLE',
    retry: 'never',
    hint: expect.stringMatching(hint),
  })
})

test('a stream that is deleted while it is read is lost', async () => {
  const world = createWorld({ shards: { a: ['a1'] } })
  world.afterRead(1, () => world.fail('GetRecords', failure('ResourceNotFoundException', 400)))

  await expect(world.read({ from: 'TRIM_HORIZON', records: 2 })).rejects.toMatchObject({ code: 'SOURCE_LOST' })
})

test('a position of another stream is told as such', async () => {
  const world = createWorld({ shards: { a: ['a1'] } })

  await expect(world.read({ from: 'LATEST', positions: { a: '123' }, records: 1 })).rejects.toMatchObject({
    code: 'SOURCE_UNREADABLE',
    hint: expect.stringContaining('made anew'),
  })
})

test('an endpoint that never answers is given up at the start, after some tries', async () => {
  const refused = Array.from({ length: 8 }, () => new Error('connect ECONNREFUSED'))
  const world = createWorld({ shards: { a: [] }, failures: { ListShards: refused } })

  await expect(world.read({ from: 'LATEST', records: 1 })).rejects.toMatchObject({
    code: 'SOURCE_UNREADABLE',
    retry: 'later',
  })
})

test('a reader that takes nothing is read nothing for, beyond one answer a shard', async () => {
  const world = createWorld({ shards: { a: ['a1', 'a2', 'a3', 'a4'] }, answerRecords: 1 })
  const reading = world.source.read(new Map(), new AbortController().signal)[Symbol.asyncIterator]()
  await reading.next()
  await world.until(() => world.readTimes.length > 1)
  for (let turns = 0; turns < 50; turns++) await turn()

  expect(world.readTimes).toHaveLength(2)
  await world.source.close()
})

test('reading ends when it is told to, also while nothing comes', async () => {
  const world = createWorld({ shards: { a: [] } })
  const stop = new AbortController()
  const next = world.source.read(new Map(), stop.signal)[Symbol.asyncIterator]().next()
  await world.until(() => world.readTimes.length > 0)
  stop.abort()

  expect((await next).done).toBe(true)
})

type Operation = 'ListShards' | 'GetShardIterator' | 'GetRecords'

interface World {
  readonly shards: Readonly<Record<string, readonly string[]>>
  /** At most so many records an answer. */
  readonly answerRecords?: number
  readonly iteratorLifeMs?: number
  /** What the first calls of an operation answer. */
  readonly failures?: Partial<Record<Operation, readonly Error[]>>
}

interface FakeShard {
  readonly records: { text: string; at: number }[]
  readonly parent: string | undefined
  closed: boolean
}

function createWorld({ shards: initial, answerRecords = 10_000, iteratorLifeMs = 300_000, failures = {} }: World) {
  const shards = new Map<string, FakeShard>()
  const pending = new Map(Object.entries(failures).map(([operation, errors]) => [operation, [...errors]]))
  const readTimes: number[] = []
  const afterReads = new Map<number, () => void>()
  const lastReads = new Map<string, number>()
  const events: SourceEvent[] = []
  const batches: SourceBatch[] = []
  let nowMs = 0
  /** Who sleeps until when; time passes only when everybody sleeps, to the first who wakes. */
  const sleepers = new Map<() => void, number>()

  const add = (id: string, texts: readonly string[], parent?: string) =>
    shards.set(id, { records: texts.map(text => ({ text, at: nowMs - 1 })), parent, closed: false })
  for (const [id, texts] of Object.entries(initial)) add(id, texts)

  const clock: Clock = {
    now: () => nowMs,
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
  const iteratorAt = (id: string, index: number) => `${id}:${index}:${nowMs}`
  const failIfTold = (operation: Operation) => {
    const error = pending.get(operation)?.shift()
    if (error) throw error
  }

  const client = new KinesisClient({ region: 'us-east-1' })
  const fake = mockClient(client)
  fake.on(ListShardsCommand).callsFake((input: ListShardsCommandInput) => {
    failIfTold('ListShards')
    if ((input.StreamName === undefined) === (input.NextToken === undefined))
      throw failure('InvalidArgumentException', 400)
    const from = Number(input.NextToken ?? 0)
    const page = [...shards].slice(from, from + 2)
    return {
      Shards: page.map(([ShardId, { parent }]) => ({ ShardId, ...(parent ? { ParentShardId: parent } : {}) })),
      ...(from + 2 < shards.size ? { NextToken: String(from + 2) } : {}),
    }
  })
  fake.on(GetShardIteratorCommand).callsFake((input: GetShardIteratorCommandInput) => {
    failIfTold('GetShardIterator')
    const { ShardId = '', ShardIteratorType: type, StartingSequenceNumber, Timestamp } = input
    const { records } = shardOf(ShardId)
    if (type === 'TRIM_HORIZON') return { ShardIterator: iteratorAt(ShardId, 0) }
    if (type === 'LATEST') return { ShardIterator: iteratorAt(ShardId, records.length) }
    if (type === 'AT_TIMESTAMP') {
      const index = records.findIndex(({ at }) => at >= (Timestamp?.getTime() ?? 0))
      return { ShardIterator: iteratorAt(ShardId, index < 0 ? records.length : index) }
    }
    const index = records.findIndex((_, at) => sequenceNumber(ShardId, at) === StartingSequenceNumber)
    if (index < 0) throw failure('InvalidArgumentException', 400)
    return { ShardIterator: iteratorAt(ShardId, index + 1) }
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
    queueMicrotask(() => afterReads.get(readTimes.length)?.())
    const end = Math.min(shard.records.length, from + Math.min(Limit, answerRecords))
    return {
      Records: shard.records.slice(from, end).map(({ text }, offset) => ({
        SequenceNumber: sequenceNumber(id, from + offset),
        Data: Buffer.from(text),
        PartitionKey: 'any',
      })),
      MillisBehindLatest: end < shard.records.length ? 1_000 : 0,
      ...(shard.closed && end === shard.records.length ? {} : { NextShardIterator: iteratorAt(id, end) }),
    }
  })

  const settings = { stream: 'calls', pollEveryMs: 1_000 }
  const surroundings = { client, clock, random: () => 0.5, onEvent: (event: SourceEvent) => events.push(event) }
  let source = kinesisSource({ ...settings, from: 'TRIM_HORIZON' }, surroundings)

  return {
    readTimes,
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
    /** What happens once so many reads were answered. */
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
    }): Promise<string[]> {
      source = kinesisSource({ ...settings, from: given.from }, surroundings)
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

function failure(name: string, httpStatusCode: number): KinesisServiceException {
  return new KinesisServiceException({
    name,
    message: 'as told by the test',
    $fault: httpStatusCode < 500 ? 'client' : 'server',
    $metadata: { httpStatusCode },
  })
}

function sorted(texts: readonly string[]): readonly string[] {
  return [...texts].sort()
}
