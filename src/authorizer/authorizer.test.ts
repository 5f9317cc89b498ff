import { DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb'
import { mockClient } from 'aws-sdk-client-mock'
import { describe, expect, test } from 'vitest'
import { createKeyNames } from '../core/formats/key-names.ts'
import { createAuthorizer } from './authorizer.ts'
import { limitedKeys } from './limited-keys.ts'

const methodArn = 'arn:aws:execute-api:eu-west-1:123456789012:a1b2c3/prod/POST/payments'
const hashSecret = 'of the deployment'
const ownKey = 'raw-key-of-client-a'

function world(answer: (row: string) => unknown, { withinMs = 300 } = {}) {
  let now = 1_000_000
  const asked: string[] = []
  const troubles: unknown[] = []
  const client = new DynamoDBClient({ region: 'eu-west-1' })
  mockClient(client)
    .on(GetItemCommand)
    .callsFake(async ({ Key: key }: { Key: { keyId: { S: string } } }) => {
      asked.push(key.keyId.S)
      return answer(key.keyId.S)
    })
  const limited = limitedKeys({
    ...{ client, table: 'limits', now: () => now, withinMs, onTrouble: failure => troubles.push(failure) },
  })
  const penaltyKeys = new Map([['slow-1', 'raw-penalty-key']])
  const authorize = createAuthorizer({ limited, hashSecret, penaltyKeys })
  const usedKey = async (headers: Record<string, string> = { 'X-Api-Key': ownKey }) =>
    (await authorize({ methodArn, headers })).usageIdentifierKey
  const later = (ms: number) => {
    now += ms
  }
  return { authorize, usedKey, asked, troubles, later }
}

const rowUntil = (seconds: number, penaltyKeyId = 'slow-1') => ({
  Item: { penaltyKeyId: { S: penaltyKeyId }, expiresAt: { N: String(seconds) } },
})

describe('the authorizer', () => {
  test('answers with the caller’s own key, and with a principal that is Weir’s hash of it', async () => {
    const { authorize, asked } = world(() => ({}))
    const answer = await authorize({ methodArn, headers: { 'x-api-key': ownKey } })
    const names = createKeyNames(hashSecret)
    const asWeirNamesIt = names.table.ids[names.ofSecret(Buffer.from(ownKey), 0, ownKey.length)!]
    expect(answer).toEqual({
      ...{ principalId: asWeirNamesIt, usageIdentifierKey: ownKey },
      policyDocument: {
        Version: '2012-10-17',
        Statement: [
          {
            ...{ Action: 'execute-api:Invoke', Effect: 'Allow' },
            Resource: 'arn:aws:execute-api:eu-west-1:123456789012:a1b2c3/prod/*',
          },
        ],
      },
    })
    expect(asked).toEqual([asWeirNamesIt])
  })

  test('answers with the penalty key while a row says so, and asks the table once in five seconds', async () => {
    const { usedKey, asked, later } = world(() => rowUntil(1_020))
    expect(await usedKey()).toBe('raw-penalty-key')
    later(4_999)
    await usedKey()
    expect(asked).toHaveLength(1)
    later(1)
    await usedKey()
    expect(asked).toHaveLength(2)
  })

  test('lets a row end at its expiresAt, also between two looks and though the table still has it', async () => {
    const { usedKey, later } = world(() => rowUntil(1_002))
    expect(await usedKey()).toBe('raw-penalty-key')
    later(2_000)
    expect(await usedKey()).toBe(ownKey)
    later(60_000)
    expect(await usedKey()).toBe(ownKey)
  })

  test.each([
    ['fails', () => Promise.reject(new Error('down'))],
    ['never answers', () => new Promise(() => {})],
  ])('limits nobody where the table %s, and does not ask for each call', async (_, answer) => {
    const { usedKey, troubles, asked } = world(answer, { withinMs: 10 })
    expect([await usedKey(), await usedKey()]).toEqual([ownKey, ownKey])
    expect([troubles.length, asked.length]).toEqual([1, 1])
  })

  test('limits nobody by a row that is damaged, or names a key that it does not know', async () => {
    for (const row of [rowUntil(1_020, 'slow-9'), { Item: { penaltyKeyId: { S: 'slow-1' } } }, { Item: {} }])
      expect(await world(() => row).usedKey()).toBe(ownKey)
  })

  test('asks who sends no key to say who they are', async () => {
    const { usedKey, authorize } = world(() => ({}))
    await expect(usedKey({})).rejects.toThrow('Unauthorized')
    expect((await authorize({ methodArn, authorizationToken: ownKey })).usageIdentifierKey).toBe(ownKey)
  })
})
