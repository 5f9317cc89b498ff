/** Against a broker that asks who we are on each of its ports, in its own way, and says no in its own way too. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { systemClock } from '../clock.ts'
import { type KafkaServer, startKafka } from '../testing/servers/kafka.ts'
import {
  type KafkaSecurity as BrokerSecurity,
  makeKafkaSecurity,
  type SecuredListener,
  tokenMaxMs,
} from '../testing/servers/kafka-security.ts'
import { makeTopic, produceTo } from '../testing/servers/kafka-topics.ts'
import { describeWith } from '../testing/servers/requirements.ts'
import { kafkaSource } from './kafka.ts'
import { reusedTokens } from './kafka-msk.ts'
import type { KafkaSasl, KafkaSecurity, KafkaTls } from './kafka-security.ts'
import type { Source, SourceBatch, SourceEvent } from './source.ts'

const topic = 'secured'
/** A person who has set up something wrongly is watching. */
const toldWithinMs = 6_000

describeWith(['kafka', 'openssl'], 'a Kafka broker that asks who we are', () => {
  let folder: string
  let broker: BrokerSecurity
  let server: KafkaServer
  const opened: Source[] = []
  const pem = { ca: '', otherCa: '', cert: '', key: '' }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'weir-kafka-security-'))
    broker = await makeKafkaSecurity(folder)
    server = await startKafka(undefined, { security: broker })
    pem.ca = await readFile(broker.caFile, 'utf8')
    pem.otherCa = await readFile(broker.otherCaFile, 'utf8')
    pem.cert = await readFile(broker.certFile, 'utf8')
    pem.key = await readFile(broker.keyFile, 'utf8')
    await makeTopic([server.bootstrap], { topic, numPartitions: 1 })
    await produceTo([server.bootstrap], topic, [{ partition: 0, value: 'a line' }])
  })
  afterEach(async () => {
    await Promise.all(opened.splice(0).map(source => source.close()))
  })
  afterAll(async () => {
    await server?.stop()
    await rm(folder, { recursive: true, force: true })
  })

  const tls = (): KafkaTls => ({ ca: pem.ca })
  const ours = (): KafkaTls => ({ ca: pem.ca, cert: pem.cert, key: pem.key })
  const password = (mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'): KafkaSasl => ({
    ...{ mechanism, username: broker.username, password: broker.password },
  })

  test.each<[string, SecuredListener, () => KafkaSecurity]>([
    ['over TLS', 'TLS', () => ({ tls: tls() })],
    ['with a certificate of ours', 'MUTUAL', () => ({ tls: ours() })],
    ['with a password as it is', 'PASSWORD', () => ({ sasl: password('plain') })],
    ['with a password proved by SHA-256', 'PASSWORD', () => ({ sasl: password('scram-sha-256') })],
    ['with a password proved by SHA-512', 'PASSWORD', () => ({ sasl: password('scram-sha-512') })],
    ['with a password over TLS', 'PASSWORD_TLS', () => ({ tls: tls(), sasl: password('scram-sha-512') })],
    ['with a token', 'TOKEN', () => ({ sasl: { mechanism: 'oauthbearer', token: async () => unsignedToken() } })],
  ])('is read %s', async (_, listener, security) => {
    const [batch] = await readSome(listener, security(), 1)
    expect(batch?.records.map(({ payload }) => Buffer.from(payload).toString())).toEqual(['a line'])
  })

  test.each<[string, SecuredListener, () => KafkaSecurity, string, string]>([
    [
      'a wrong password',
      'PASSWORD_TLS',
      () => ({ tls: tls(), sasl: { ...password('scram-sha-512'), password: 'guessed' } as KafkaSasl }),
      'Could not read Kafka topic secured at BROKER: the broker refused user weir (SCRAM-SHA-512)',
      'Check source.sasl.username, and the password that source.sasl.password names',
    ],
    [
      'a wrong password as it is',
      'PASSWORD',
      () => ({ sasl: { ...password('plain'), password: 'guessed' } as KafkaSasl }),
      'Could not read Kafka topic secured at BROKER: the broker refused user weir (PLAIN)',
      'Check source.sasl.username, and the password that source.sasl.password names',
    ],
    [
      'a token that the broker does not take',
      'TOKEN',
      () => ({ sasl: { mechanism: 'oauthbearer', token: async () => 'no.token.' } }),
      'Could not read Kafka topic secured at BROKER: the broker refused our token',
      'Check that the role may kafka-cluster:Connect, and source.sasl.region',
    ],
    [
      'an authority that we do not know',
      'TLS',
      () => ({ tls: { ca: pem.otherCa } }),
      'Kafka broker BROKER has a certificate of an authority that we do not know (unable to verify the first certificate',
      'Set source.tls.caFile to the PEM file of the authority that signed it',
    ],
    [
      'a certificate for another name',
      'TLS',
      () => ({ tls: { ...tls(), servername: 'kafka.internal' } }),
      "Kafka broker BROKER has a certificate for another name (Hostname/IP does not match certificate's altnames: Host: kafka.internal. is not in the cert's altnames: DNS:localhost, IP Address:127.0.0.1)",
      'Name it in source.brokers as its certificate does, or set source.tls.servername',
    ],
    [
      'no certificate of ours where one is asked for',
      'MUTUAL',
      () => ({ tls: tls() }),
      'Kafka broker BROKER asks for a certificate of ours',
      'Set source.tls.certFile and keyFile to a certificate that the broker trusts',
    ],
    [
      'a way to sign in that is not enabled',
      'PASSWORD_TLS',
      () => ({ tls: tls(), sasl: password('plain') }),
      'Kafka broker BROKER does not take PLAIN: it takes SCRAM-SHA-512',
      'Set source.sasl.mechanism',
    ],
    [
      'no password where one is asked for',
      'PASSWORD',
      () => ({}),
      'Kafka broker BROKER asks for a password (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512)',
      'Set source.sasl',
    ],
    [
      'a password that nobody asks for',
      'TLS',
      () => ({ tls: tls(), sasl: password('plain') }),
      'Kafka broker BROKER wants no password here',
      'Leave out source.sasl, or name the port that asks for it',
    ],
    [
      'plain text to a port that speaks TLS',
      'TLS',
      () => ({}),
      'Kafka broker BROKER speaks TLS here, and we do not',
      'Set source.tls: true, or {caFile: …}',
    ],
    [
      'TLS to a port that speaks plain text',
      'PASSWORD',
      () => ({ tls: tls(), sasl: password('plain') }),
      'Kafka broker BROKER does not speak TLS here',
      'Leave out source.tls, or name the port that speaks it',
    ],
  ])('says so at once: %s', async (_, listener, security, message, hint) => {
    const events: SourceEvent[] = []
    const startedAt = performance.now()
    const failure: unknown = await readSome(listener, security(), 1, events).catch((error: unknown) => error)
    expect(performance.now() - startedAt).toBeLessThan(toldWithinMs)
    expect(failure).toMatchObject({ code: 'SOURCE_UNREADABLE', retry: 'never', hint })
    const told = String(failure instanceof Error && failure.message).replace(server.secured(listener), 'BROKER')
    expect(told.slice(0, message.length)).toBe(message)
    const all = JSON.stringify([events, failure, failure instanceof Error && [failure.message, failure.stack]])
    expect(all).not.toContain('guessed')
    expect(all).not.toContain(broker.password)
  })

  test('is read on when the token that we came with has expired', async () => {
    const startedAt = performance.now()
    let signed = 0
    const sign = async () => {
      signed++
      // No longer than the broker lets one stand, and so never handed out twice.
      return { token: unsignedToken(), expiryTime: Date.now() + tokenMaxMs }
    }
    const events: SourceEvent[] = []
    const token = reusedTokens(sign, systemClock())
    const reading = readSome('TOKEN', { sasl: { mechanism: 'oauthbearer', token } }, 1 + tokenMaxMs / 1_000 + 4, events)
    reading.catch(() => {})
    while (performance.now() - startedAt < tokenMaxMs + 5_000) {
      await produceTo([server.bootstrap], topic, [{ partition: 0, value: 'another line' }])
      await new Promise(resolve => setTimeout(resolve, 500))
    }
    await reading

    expect(signed).toBeGreaterThan(3)
    expect(events.filter(({ name }) => name !== 'partitionsAssigned')).toEqual([])
  })

  async function readSome(
    listener: SecuredListener,
    security: KafkaSecurity,
    wanted: number,
    events: SourceEvent[] = [],
  ): Promise<readonly SourceBatch[]> {
    const source = kafkaSource(
      {
        ...{ brokers: [server.secured(listener)], topic, groupId: `weir-${listener}`, keyed: false },
        ...{ from: 'earliest', security },
      },
      { clock: systemClock(), onEvent: event => events.push(event) },
    )
    opened.push(source)
    const batches: SourceBatch[] = []
    for await (const batch of source.read(new Map(), new AbortController().signal)) {
      batches.push(batch)
      if (batches.reduce((sum, { records }) => sum + records.length, 0) >= wanted) break
    }
    return batches
  }
})

/** As Kafka's own validator for development takes it: a JSON web token that nobody has signed. */
function unsignedToken(): string {
  const part = (claims: object) => Buffer.from(JSON.stringify(claims)).toString('base64url')
  const now = Date.now() / 1_000
  return `${part({ alg: 'none' })}.${part({ sub: 'weir', iat: now - 1, exp: now + tokenMaxMs / 1_000 })}.`
}
