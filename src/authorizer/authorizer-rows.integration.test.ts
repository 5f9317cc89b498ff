/** What Weir writes and the authorizer reads, over DynamoDB's own API. */
import { CreateTableCommand, DynamoDBClient, GetItemCommand, UpdateTimeToLiveCommand } from '@aws-sdk/client-dynamodb'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { authorizerRows, type Row } from '../actions/ways/authorizer-rows.ts'
import { type MotoServer, startMoto } from '../testing/servers/moto.ts'
import { limitedKeys } from './limited-keys.ts'

let moto: MotoServer
let client: DynamoDBClient
const never = new AbortController().signal
const table = 'weir-limits'
const now = 1_000_000_000

beforeAll(async () => {
  moto = await startMoto()
  client = new DynamoDBClient({
    ...{ endpoint: moto.endpoint, region: 'us-east-1', maxAttempts: 1 },
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  })
  await client.send(
    new CreateTableCommand({
      ...{ TableName: table, BillingMode: 'PAY_PER_REQUEST' },
      AttributeDefinitions: [{ AttributeName: 'keyId', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'keyId', KeyType: 'HASH' }],
    }),
  )
  const TimeToLiveSpecification = { AttributeName: 'expiresAt', Enabled: true }
  await client.send(new UpdateTimeToLiveCommand({ TableName: table, TimeToLiveSpecification }))
})

afterAll(async () => {
  client?.destroy()
  await moto?.stop()
})

const rows = () => authorizerRows({ table, endpoint: moto.endpoint, region: 'us-east-1' })
const row = (name: string, version: string, fence = 1): Row => ({
  ...{ row: name, version, fence, incidentId: `${name}#1`, expiresAt: now + 600_000 },
  penaltyKey: { id: `slow of ${version}`, rateLimit: 5, burstLimit: 10 },
})
/** As a container that has just started sees it. */
const penaltyKeyOf = (name: string, at = now) => limitedKeys({ client, table, now: () => at }).penaltyKeyOf(name)
const ok = { kind: 'ok' }
const others = { kind: 'others', hasEnded: false }

describe('a row of the authorizer’s table', () => {
  test('limits a key until it ends, by its restore or by itself', async () => {
    expect(await rows().put(row('a', 'v1'), [], now, never)).toEqual(ok)
    expect(await penaltyKeyOf('a')).toBe('slow of v1')
    expect(await penaltyKeyOf('a', now + 600_000)).toBeUndefined()
    expect(await rows().end({ row: 'a', version: 'v2', fence: 2 }, ['v1'], now, never)).toEqual(ok)
    expect(await penaltyKeyOf('a')).toBeUndefined()
    // Nor by an authorizer whose clock is behind the worker's.
    expect(await penaltyKeyOf('a', now - 60_000)).toBeUndefined()
  })

  test('is complete, and its end is what the table’s time to live goes by', async () => {
    await rows().put(row('b', 'v1', 7), [], now, never)
    const { Item: item } = await client.send(new GetItemCommand({ TableName: table, Key: { keyId: { S: 'b' } } }))
    expect(item).toEqual({
      ...{ keyId: { S: 'b' }, penaltyKeyId: { S: 'slow of v1' }, rateLimit: { N: '5' }, burstLimit: { N: '10' } },
      ...{ incidentId: { S: 'b#1' }, expiresAt: { N: '1000600' }, version: { S: 'v1' }, fence: { N: '7' } },
    })
  })

  test('is written once more by whoever did not hear that it was, and changed by whoever wrote it', async () => {
    await rows().put(row('c', 'v1'), [], now, never)
    expect(await rows().put(row('c', 'v1'), [], now, never)).toEqual(ok)
    expect(await rows().put(row('c', 'v2', 2), ['v1'], now, never)).toEqual(ok)
    expect(await penaltyKeyOf('c')).toBe('slow of v2')
  })

  test('that another wrote is neither changed nor ended; one that has ended is in nobody’s way', async () => {
    await rows().put(row('d', 'of another'), [], now, never)
    expect(await rows().put(row('d', 'v1', 9), [], now, never)).toEqual(others)
    expect(await rows().end({ row: 'd', version: 'v2', fence: 9 }, ['v1'], now, never)).toEqual(others)
    expect(await penaltyKeyOf('d')).toBe('slow of of another')
    expect(await rows().put(row('d', 'v1', 9), [], now + 600_001, never)).toEqual(ok)
  })

  test('that was given back is not written by a worker that was thought dead and decided before that', async () => {
    await rows().put(row('e', 'v1', 1), [], now, never)
    await rows().end({ row: 'e', version: 'v2', fence: 5 }, ['v1'], now, never)
    expect(await rows().put(row('e', 'late', 4), ['v1'], now + 1_000, never)).toEqual({
      kind: 'others',
      hasEnded: true,
    })
    expect(await penaltyKeyOf('e', now + 1_000)).toBeUndefined()
    expect(await rows().put(row('e', 'v3', 6), [], now + 1_000, never)).toEqual(ok)
  })

  test('that is not there is ended already', async () => {
    expect(await rows().end({ row: 'nobody', version: 'v2', fence: 2 }, ['v1'], now, never)).toEqual({
      ...{ kind: 'others', hasEnded: true },
    })
  })

  test('of a table that is not there is refused in words', async () => {
    const elsewhere = authorizerRows({ table: 'no-such-table', endpoint: moto.endpoint, region: 'us-east-1' })
    expect(await elsewhere.put(row('a', 'v1'), [], now, never)).toEqual({
      ...{ kind: 'refused', because: 'the authorizer’s table does not exist' },
    })
    expect(await limitedKeys({ client, table: 'no-such-table', now: () => now }).penaltyKeyOf('a')).toBeUndefined()
  })
})
