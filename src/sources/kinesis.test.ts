import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { RoleRefusedError } from '../aws-client.ts'
import { createWorld, failure } from './testing-kinesis.ts'

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

test.each([
  [new RoleRefusedError('arn:aws:iam::123456789012:role/weir', new Error('denied')), /trust policy/],
  [failure('ExpiredTokenException', 400), /have expired/],
  [failure('UnrecognizedClientException', 400), /unknown or its secret is wrong/],
])('credentials that are no good at the start are told at once: %s', async (error, hint) => {
  const world = createWorld({ shards: { a: ['a1'] }, failures: { ListShards: [error] } })

  await expect(world.read({ from: 'TRIM_HORIZON', records: 1 })).rejects.toMatchObject({
    code: 'SOURCE_UNREADABLE',
    hint: expect.stringMatching(hint),
  })
})

test('credentials that expire later are waited for, and told with what renews them', async () => {
  const world = createWorld({ shards: { a: ['a1'] } })
  world.afterRead(1, () => {
    world.put('a', 'a2')
    world.fail('GetRecords', failure('ExpiredTokenException', 400))
  })

  expect(await world.read({ from: 'TRIM_HORIZON', records: 2 })).toEqual(['a1', 'a2'])
  expect(world.events).toContainEqual(
    expect.objectContaining({ name: 'readRetried', detail: expect.stringContaining('aws sso login') }),
  )
})

test('a closed shard ends, and the children that took its place are read from their beginning', async () => {
  const world = createWorld({ shards: { a: ['a1'] } })
  world.afterRead(1, () => world.split('a', { b: ['b1'], c: ['c1'] }))

  expect(sorted(await world.read({ from: 'LATEST', records: 2 }))).toEqual(['b1', 'c1'])
  expect(world.source.partitions()).toEqual(['b', 'c'])
})

test('after a restart the descendants of a shard with a position are read from their beginning', async () => {
  const world = createWorld({ shards: { a: ['a1'] } })
  world.split('a', { b: ['b1'] })
  world.split('b', { c: ['c1'] })

  const texts = await world.read({ from: 'LATEST', positions: { a: world.sequenceNumber('a', 0) }, records: 2 })

  expect(texts).toEqual(['b1', 'c1'])
})

test.each([
  true,
  false,
])('no child begins before its parents have ended (named by their end: %s)', async namesChildren => {
  const world = createWorld({ shards: { a: ['a1', 'a2', 'a3'], b: ['b1'] }, answerRecords: 1, namesChildren })
  world.merge(['a', 'b'], 'c', ['c1'])
  world.split('c', { d: ['d1'], e: ['e1'] })

  const texts = await world.read({ from: 'TRIM_HORIZON', records: 7 })
  expect(texts.slice(-3, -2)).toEqual(['c1'])
  expect(sorted(texts)).toEqual(['a1', 'a2', 'a3', 'b1', 'c1', 'd1', 'e1'])
  expect(world.iteratorsOf).toEqual(['a', 'b', 'c', 'd', 'e'])
})

test('a reader of the newest begins with the open shards alone, whatever came before them', async () => {
  const world = createWorld({ shards: { a: ['old'] } })
  world.split('a', { b: ['old too'], c: [] })
  world.afterRead(2, () => world.put('b', 'new'))

  expect(await world.read({ from: 'LATEST', records: 1 })).toEqual(['new'])
  expect(world.iteratorsOf).toEqual(['b', 'c'])
})

test('the position of a parent is kept until each of its children has one, and no longer', async () => {
  const world = createWorld({ shards: { a: ['a1'] } })
  world.split('a', { b: ['b1'], c: [] })
  await world.read({ from: 'TRIM_HORIZON', records: 2 })
  expect(world.positions()).toEqual({ a: 'SHARD_END', b: world.sequenceNumber('b', 0) })

  world.put('c', 'c1')
  await world.read({ from: 'LATEST', positions: world.positions(), records: 1 })
  expect(world.positions()).toEqual({ b: world.sequenceNumber('b', 0), c: world.sequenceNumber('c', 0) })
})

test('a restart anywhere in the middle of splits and merges reads everything once', async () => {
  const all = ['a1', 'a2', 'b1', 'c1', 'c2', 'd1', 'e1', 'f1', 'g1']
  for (let first = 1; first < all.length; first++) {
    const world = createWorld({ shards: { a: ['a1', 'a2'], b: ['b1'] }, answerRecords: 1 })
    world.split('a', { c: ['c1', 'c2'], d: ['d1'] })
    world.merge(['d', 'b'], 'e', ['e1'])
    world.split('e', { f: ['f1'], g: ['g1'] })
    const before = await world.read({ from: 'TRIM_HORIZON', records: first })
    const after = await world.read({ from: 'LATEST', positions: world.positions(), records: all.length - first })
    expect(sorted([...before, ...after])).toEqual(all)
  }
})

test('a parent that the stream does not keep any more is waited for by nobody', async () => {
  const world = createWorld({ shards: { a: ['a1', 'a2'] } })
  const positions = { a: world.sequenceNumber('a', 0) }
  world.split('a', { b: ['b1'] })
  world.split('b', { c: ['c1'] })
  world.drop('a')
  world.drop('b')

  expect(await world.read({ from: 'LATEST', positions, records: 1 })).toEqual(['c1'])
  expect(world.positions()).toEqual({ c: world.sequenceNumber('c', 0) })
  expect(world.events).toContainEqual(
    expect.objectContaining({ name: 'shardForgotten', detail: expect.stringContaining('does not keep a any more') }),
  )
})

test('a shard that goes out of the stream between the list and the first read is over, and its children are read', async () => {
  const world = createWorld({ shards: { a: ['a1'] } })
  world.split('a', { b: ['b1'] })
  world.fail('GetShardIterator', failure('ResourceNotFoundException', 400))
  world.afterList(1, () => world.drop('a'))

  expect(await world.read({ from: 'TRIM_HORIZON', records: 1 })).toEqual(['b1'])
  expect(world.events.map(({ name }) => name)).toContain('shardForgotten')
})

test('a position that is older than what the stream keeps goes on with the oldest that is there', async () => {
  const world = createWorld({ shards: { a: ['a1', 'a2', 'a3'] } })
  world.trim('a', 2)

  const texts = await world.read({ from: 'LATEST', positions: { a: world.sequenceNumber('a', 0) }, records: 1 })
  expect(texts).toEqual(['a3'])
  expect(world.events.filter(({ name }) => name === 'positionOutrun')).toHaveLength(1)
})

test('a clock that is ahead of the stream’s begins no shard in the future', async () => {
  const world = createWorld({ shards: { a: [] }, clockAheadMs: 240_000 })
  world.afterRead(2, () => world.source.close())
  await world.read({ from: 'LATEST', records: 1 })
  world.put('a', 'a1')

  expect(await world.read({ from: 'LATEST', positions: world.positions(), records: 1 })).toEqual(['a1'])
})

test('a start in the future is told as such', async () => {
  const world = createWorld({ shards: { a: ['a1'] } })

  await expect(world.read({ from: '2099-01-01T00:00:00Z', records: 1 })).rejects.toMatchObject({
    code: 'SOURCE_UNREADABLE',
    hint: expect.stringContaining('still to come'),
  })
})

test('a hot shard has no more turns than a quiet one', async () => {
  const hot = Array.from({ length: 40 }, (_, index) => `hot ${index}`)
  const world = createWorld({ shards: { a: hot, b: ['b1', 'b2', 'b3'] }, answerRecords: 1 })

  const texts = await world.read({ from: 'TRIM_HORIZON', records: 8 })
  expect(texts.filter(text => text.startsWith('b'))).toEqual(['b1', 'b2', 'b3'])
})

test('a full answer of ten mebibytes is followed by none for five seconds, as AWS has it', async () => {
  const mebibyte = 'x'.repeat(1024 * 1024)
  const world = createWorld({ shards: { a: [...Array(10).fill(mebibyte), 'a11'] }, answerRecords: 10 })
  await world.read({ from: 'TRIM_HORIZON', records: 11 })

  expect(world.readTimes.slice(0, 2)).toEqual([0, 5_000])
})

test('a shard that is held hands nothing over, and loses nothing', async () => {
  const world = createWorld({ shards: { a: ['a1', 'a2', 'a3'], b: ['b1', 'b2', 'b3'] }, answerRecords: 1 })
  world.afterRead(3, () => world.source.hold?.(['a']))
  world.afterRead(6, () => world.source.hold?.([]))

  const texts = await world.read({ from: 'TRIM_HORIZON', records: 6 })
  expect(texts.indexOf('a2')).toBeGreaterThan(texts.indexOf('b3'))
  expect(sorted(texts)).toEqual(['a1', 'a2', 'a3', 'b1', 'b2', 'b3'])
})

test('a stream named by its ARN, as another account’s must be, is named so in every request', async () => {
  const world = createWorld({ shards: { a: ['a1'], b: ['b1'], c: ['c1'] } })
  const stream = 'arn:aws:kinesis:eu-west-1:123456789012:stream/calls'

  let retained: Promise<number | undefined> | undefined
  world.afterRead(1, () => {
    retained = world.source.retainedMs?.()
  })

  expect(sorted(await world.read({ stream, from: 'TRIM_HORIZON', records: 3 }))).toEqual(['a1', 'b1', 'c1'])
  expect(await retained).toBe(24 * 3_600_000)
})

test('a stream that may not be described is read all the same', async () => {
  const world = createWorld({ shards: { a: ['a1'] } })
  world.fail('DescribeStreamSummary', failure('AccessDeniedException', 400))

  expect(await world.source.retainedMs?.()).toBeUndefined()
  expect(await world.read({ from: 'TRIM_HORIZON', records: 1 })).toEqual(['a1'])
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

function sorted(texts: readonly string[]): readonly string[] {
  return [...texts].sort()
}
