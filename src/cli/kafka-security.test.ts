import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { systemClock } from '../clock.ts'
import type { KafkaSourceConfig } from '../core/config/config.ts'
import { withKafkaSecurity } from './kafka-security.ts'

const kafka: KafkaSourceConfig = {
  ...{ kind: 'kafka', brokers: ['127.0.0.1:9092'], topic: 'calls', groupId: 'weir', from: 'latest', keyed: false },
}
const sasl = { mechanism: 'scram-sha-512', username: 'weir' } as const
let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-kafka-security-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const read = (settings: Partial<KafkaSourceConfig>, env: Readonly<Record<string, string>> = {}) =>
  withKafkaSecurity({ ...kafka, ...settings }, { folder, env, clock: systemClock() })

test('a password comes from the environment, or from a file without its line end', async () => {
  await writeFile(join(folder, 'password'), 'from a file \n')
  const fromFile = await read({ sasl: { ...sasl, password: { file: 'password' } } })
  expect(fromFile.security?.sasl).toEqual({ ...sasl, password: 'from a file ' })
  const fromEnv = await read(
    { sasl: { ...sasl, password: { env: 'KAFKA_PASSWORD' } } },
    { KAFKA_PASSWORD: 'from outside' },
  )
  expect(fromEnv.security?.sasl).toEqual({ ...sasl, password: 'from outside' })
})

test('a password that is not where it should be is said by its setting', async () => {
  await writeFile(join(folder, 'empty'), '\n')
  const failure = (password: { env: string } | { file: string }) => read({ sasl: { ...sasl, password } })
  await expect(failure({ env: 'KAFKA_PASSWORD' })).rejects.toThrow(
    'source.sasl.password names the environment variable KAFKA_PASSWORD, which is not set',
  )
  await expect(failure({ file: 'gone' })).rejects.toThrow(
    `source.sasl.password names ${folder}/gone, which cannot be read (ENOENT)`,
  )
  await expect(failure({ file: 'empty' })).rejects.toThrow('source.sasl.password names empty, which is empty')
})

test('a file that holds no certificate is told before a broker is asked', async () => {
  await writeFile(join(folder, 'notes.txt'), 'the certificate is on the other machine')
  for (const name of ['caFile', 'certFile', 'keyFile'])
    await expect(read({ tls: { [name]: 'notes.txt' } })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining(`source.tls.${name} should name a PEM file of `),
    })
})

test('MSK is spoken to over TLS without being told so, and a plain broker without anything', async () => {
  const sasl = { mechanism: 'aws-msk-iam', region: 'eu-west-1' } as const
  expect((await read({ sasl })).security).toEqual({
    tls: {},
    sasl: { mechanism: 'oauthbearer', token: expect.any(Function) },
  })
  expect((await read({})).security).toEqual({ tls: undefined, sasl: undefined })
  expect((await read({ tls: true })).security?.tls).toEqual({})
})
