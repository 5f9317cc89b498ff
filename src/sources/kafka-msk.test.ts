import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Clock } from '../clock.ts'
import { mskTokens, reusedTokens } from './kafka-msk.ts'

const brokers = ['b-1.payments.abc123.c2.kafka.eu-west-1.amazonaws.com:9098']

function handClock(startsAt: number): Clock & { set(at: number): void } {
  let now = startsAt
  return {
    now: () => now,
    sleep: async () => {},
    set(at) {
      now = at
    },
  }
}

beforeEach(() => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIAMADEUPFORTHETEST')
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'made up for the test')
  vi.stubEnv('AWS_SESSION_TOKEN', '')
})
afterEach(() => {
  vi.unstubAllEnvs()
})

test('a token is a presigned request to connect, in the region that the brokers’ names tell, for 900 seconds', async () => {
  const token = await mskTokens({ brokers }, handClock(Date.now()))()
  const request = new URL(Buffer.from(token, 'base64url').toString())
  expect(request.host).toBe('kafka.eu-west-1.amazonaws.com')
  expect(request.searchParams.get('Action')).toBe('kafka-cluster:Connect')
  expect(request.searchParams.get('X-Amz-Expires')).toBe('900')
  expect(request.searchParams.get('X-Amz-Credential')).toMatch(
    /^AKIAMADEUPFORTHETEST\/\d{8}\/eu-west-1\/kafka-cluster\//,
  )
  expect(request.searchParams.get('X-Amz-Signature')).toMatch(/^[0-9a-f]{64}$/)
  expect(request.href).not.toContain('made up')
})

test('the region that is set wins, serverless brokers name theirs too, and without either there is no token', async () => {
  const regionIn = async (names: readonly string[], region?: string) => {
    const token = await mskTokens({ brokers: names, region }, handClock(Date.now()))()
    return new URL(Buffer.from(token, 'base64url').toString()).host
  }
  expect(await regionIn(brokers, 'us-east-2')).toBe('kafka.us-east-2.amazonaws.com')
  expect(await regionIn(['boot-x.c1.kafka-serverless.us-west-2.amazonaws.com:9098'])).toBe(
    'kafka.us-west-2.amazonaws.com',
  )
  expect(() => mskTokens({ brokers: ['kafka.internal:9098'] }, handClock(0))).toThrow(
    'tell no AWS region: kafka.internal:9098',
  )
})

test('connections that are opened together share one token, and it is not handed out when less than ten minutes are left', async () => {
  const clock = handClock(0)
  let signed = 0
  const token = reusedTokens(async () => ({ token: `token ${++signed}`, expiryTime: clock.now() + 900_000 }), clock)
  expect(await Promise.all([token(), token(), token()])).toEqual(['token 1', 'token 1', 'token 1'])
  clock.set(300_000)
  expect(await token()).toBe('token 1')
  clock.set(300_001)
  expect(await token()).toBe('token 2')
})

test('credentials that are not there are said so, and the next time is another try', async () => {
  let tries = 0
  const token = reusedTokens(async () => {
    if (++tries === 1) throw new Error('Could not load credentials from any providers')
    return { token: 'token', expiryTime: 900_000 }
  }, handClock(0))
  await expect(token()).rejects.toMatchObject({
    code: 'SOURCE_UNREADABLE',
    message: 'Could not sign in to MSK: Could not load credentials from any providers',
  })
  expect(await token()).toBe('token')
})
