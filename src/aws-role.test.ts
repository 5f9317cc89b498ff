/** Roles against an STS on loopback that is as strict as it must be: who asks, for which role, with which external id. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ListShardsCommand } from '@aws-sdk/client-kinesis'
import { afterEach, expect, test } from 'vitest'
import { awsClientOptions, credentialsHint, RoleRefusedError } from './aws-client.ts'
import { kinesisClient } from './sources/kinesis.ts'

const roleArn = 'arn:aws:iam::123456789012:role/weir-reader'
const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

test('a role is assumed with its external id, in a name that says who it is', async () => {
  const sts = await startSts({ externalId: 'partner-7' })
  const client = kinesisClient({ endpoint: sts.endpoint, roleArn, externalId: 'partner-7' })
  await client.send(new ListShardsCommand({ StreamName: 'calls' }))

  expect(sts.asked).toEqual([
    { Action: 'AssumeRole', RoleArn: roleArn, RoleSessionName: 'weir', ExternalId: 'partner-7' },
  ])
  expect(sts.callers).toEqual(['ROLE1'])
})

test('what a role gives is kept while it is good, and asked for again before it expires', async () => {
  const sts = await startSts({ lifeMs: 3_600_000 })
  const client = kinesisClient({ endpoint: sts.endpoint, roleArn })
  for (let call = 0; call < 3; call++) await client.send(new ListShardsCommand({ StreamName: 'calls' }))
  expect(sts.callers).toEqual(['ROLE1', 'ROLE1', 'ROLE1'])

  const brief = await startSts({ lifeMs: 60_000 })
  const renewing = kinesisClient({ endpoint: brief.endpoint, roleArn })
  await renewing.send(new ListShardsCommand({ StreamName: 'calls' }))
  // Less than five minutes are left of it: what it is used for may take as long.
  await renewing.send(new ListShardsCommand({ StreamName: 'calls' }))
  await expect.poll(() => brief.asked.length).toBeGreaterThan(1)
})

test('a role that may not be assumed is told with both sides that must allow it', async () => {
  const sts = await startSts({ externalId: 'partner-7' })
  const client = kinesisClient({ endpoint: sts.endpoint, roleArn, externalId: 'someone else' })
  const refused = await client.send(new ListShardsCommand({ StreamName: 'calls' })).catch((error: unknown) => error)

  expect(refused).toBeInstanceOf(RoleRefusedError)
  expect(refused).toMatchObject({ message: expect.stringContaining(`May not assume ${roleArn}: `) })
  expect(credentialsHint(refused)).toMatch(/sts:AssumeRole.*trust policy.*externalId/)
})

test('an STS that is busy is no refusal', async () => {
  const sts = await startSts({
    answers: [
      { status: 400, code: 'Throttling' },
      { status: 503, code: 'ServiceUnavailable' },
    ],
  })
  const client = kinesisClient({ endpoint: sts.endpoint, roleArn })
  for (const name of ['Throttling', 'ServiceUnavailable'])
    await expect(client.send(new ListShardsCommand({ StreamName: 'calls' }))).rejects.toMatchObject({ name })
  await client.send(new ListShardsCommand({ StreamName: 'calls' }))
})

test('without a role the SDK finds credentials itself, and a simulation on loopback is asked with made-up ones', () => {
  const answerWithinMs = 1_000
  expect(awsClientOptions({ region: 'eu-west-1' }, { answerWithinMs })).not.toHaveProperty('credentials')
  expect(awsClientOptions({ endpoint: 'http://127.0.0.1:4567' }, { answerWithinMs })).toMatchObject({
    credentials: { accessKeyId: 'simulated' },
  })
  expect(awsClientOptions({ endpoint: 'https://kinesis.example.org' }, { answerWithinMs })).not.toHaveProperty(
    'credentials',
  )
})

interface StsOptions {
  readonly externalId?: string
  readonly lifeMs?: number
  /** What the first calls are answered instead. */
  readonly answers?: readonly { readonly status: number; readonly code: string }[]
}

/** Answers AssumeRole, and to any other call an empty list of shards, noting whose key signed it. */
async function startSts({ externalId, lifeMs = 3_600_000, answers = [] }: StsOptions) {
  const asked: Record<string, string>[] = []
  const callers: string[] = []
  const pending = [...answers]
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    if (request.headers['x-amz-target'] !== undefined) {
      callers.push(/Credential=([^/]+)/.exec(request.headers.authorization ?? '')?.[1] ?? '')
      response.setHeader('Content-Type', 'application/x-amz-json-1.1')
      response.end('{"Shards":[]}')
      return
    }
    const { Version: _, ...given } = Object.fromEntries(new URLSearchParams(body))
    asked.push(given)
    const trouble =
      pending.shift() ?? (given.ExternalId === externalId ? undefined : { status: 403, code: 'AccessDenied' })
    response.setHeader('Content-Type', 'text/xml')
    response.statusCode = trouble?.status ?? 200
    response.end(trouble ? refusal(trouble.code) : assumed(asked.length, new Date(Date.now() + lifeMs)))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { endpoint: `http://127.0.0.1:${port}`, asked, callers }
}

const namespace = 'https://sts.amazonaws.com/doc/2011-06-15/'

const refusal = (code: string): string =>
  `<ErrorResponse xmlns="${namespace}"><Error><Type>Sender</Type><Code>${code}</Code><Message>User is not authorized to perform: sts:AssumeRole</Message></Error></ErrorResponse>`

const assumed = (ordinal: number, expiration: Date): string =>
  `<AssumeRoleResponse xmlns="${namespace}"><AssumeRoleResult><Credentials><AccessKeyId>ROLE${ordinal}</AccessKeyId><SecretAccessKey>made-up</SecretAccessKey><SessionToken>made-up</SessionToken><Expiration>${expiration.toISOString()}</Expiration></Credentials><AssumedRoleUser><AssumedRoleId>A:weir</AssumedRoleId><Arn>${roleArn}</Arn></AssumedRoleUser></AssumeRoleResult></AssumeRoleResponse>`
