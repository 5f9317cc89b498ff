/**
 * The secrets of a Kafka source, fetched from where its configuration says that they are: environment variables and files.
 * What is wrong with them is told before a broker is asked, by the name of the setting, and never with what they hold.
 */
import { resolve } from 'node:path'
import { createSecureContext } from 'node:tls'
import type { Clock } from '../clock.ts'
import type { KafkaSourceConfig } from '../core/config/config.ts'
import type { KafkaSettings } from '../sources/kafka.ts'
import { mskTokens } from '../sources/kafka-msk.ts'
import type { KafkaSasl, KafkaTls } from '../sources/kafka-security.ts'
import { readSecret, readSetting, type SecretSurroundings, wrongSetting } from './secret.ts'

export interface KafkaSurroundings extends SecretSurroundings {
  readonly clock: Clock
}

/** Throws CONFIG_INVALID, naming the setting, for a file or variable that is not there or holds something else. */
export async function withKafkaSecurity(
  { tls, sasl, ...settings }: KafkaSourceConfig,
  surroundings: KafkaSurroundings,
): Promise<KafkaSettings> {
  const isMsk = sasl?.mechanism === 'aws-msk-iam'
  const security = {
    tls: await readTls(tls ?? isMsk, surroundings),
    sasl: sasl && (await readSasl(sasl, settings.brokers, surroundings)),
  }
  return { ...settings, security }
}

async function readTls(tls: KafkaSourceConfig['tls'], { folder }: KafkaSurroundings): Promise<KafkaTls | undefined> {
  if (tls === undefined || tls === false) return undefined
  if (tls === true) return {}
  const { caFile, certFile, keyFile, servername } = tls
  const read = (name: string, file: string | undefined) =>
    file && readSetting(`source.tls.${name}`, resolve(folder, file))
  const [ca, cert, key] = [
    await read('caFile', caFile),
    await read('certFile', certFile),
    await read('keyFile', keyFile),
  ]
  if (ca !== undefined)
    tryOut('source.tls.caFile', 'a certificate', () => createSecureContext({ ca: certificateIn(ca) }))
  if (cert !== undefined) tryOut('source.tls.certFile', 'a certificate', () => createSecureContext({ cert }))
  if (key !== undefined)
    tryOut('source.tls.keyFile', 'the key of that certificate, without a passphrase', () =>
      createSecureContext({ cert, key }),
    )
  return { ca, cert, key, servername }
}

/** Node takes a file without any for an authority's, and trusts nobody. */
function certificateIn(pem: string): string {
  if (!pem.includes('-----BEGIN CERTIFICATE-----')) throw new Error('no certificate begins in it')
  return pem
}

function tryOut(setting: string, wanted: string, use: () => unknown): void {
  try {
    use()
  } catch (cause) {
    const because = cause instanceof Error ? cause.message : String(cause)
    throw wrongSetting(`${setting} should name a PEM file of ${wanted}: ${because}`, 'Name another file', cause)
  }
}

async function readSasl(
  sasl: KafkaSourceConfig['sasl'] & object,
  brokers: readonly string[],
  surroundings: KafkaSurroundings,
): Promise<KafkaSasl> {
  if (sasl.mechanism === 'aws-msk-iam')
    return { mechanism: 'oauthbearer', token: mskTokens({ ...sasl, brokers }, surroundings.clock) }
  const { mechanism, username, password } = sasl
  return { mechanism, username, password: await readSecret('source.sasl.password', password, surroundings) }
}
