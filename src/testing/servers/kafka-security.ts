/**
 * What a broker needs to demand TLS and passwords as companies do: certificates of an authority of our own, made by
 * openssl for a day, and listeners of which each asks for something else. Made anew for each run: no secret is kept.
 */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { runToEnd } from './server-process.ts'

/** TLS; TLS with a certificate of the client; a password in plain text and over TLS; a bearer token. */
export const securedListeners = ['TLS', 'MUTUAL', 'PASSWORD', 'PASSWORD_TLS', 'TOKEN'] as const
export type SecuredListener = (typeof securedListeners)[number]

export type ListenerProperties = Readonly<Record<string, string | number>> & {
  readonly listeners?: string
  readonly protocols?: string
}

export interface KafkaSecurity {
  /** Certificate of the authority that signed the broker's and the client's. */
  readonly caFile: string
  /** Of an authority that has signed nothing here. */
  readonly otherCaFile: string
  readonly certFile: string
  readonly keyFile: string
  readonly username: string
  /** In PLAIN, and in SCRAM. */
  readonly password: string
  /** For the tool that formats a node's storage. */
  readonly scram: readonly string[]
  listeners(at: ReadonlyMap<SecuredListener, string>): ListenerProperties
}

/** How long a token holds on the listener TOKEN before the broker wants a new one, if it holds longer itself. */
export const tokenMaxMs = 14_000

const protocolOf: Readonly<Record<SecuredListener, string>> = {
  TLS: 'SSL',
  MUTUAL: 'SSL',
  PASSWORD: 'SASL_PLAINTEXT',
  PASSWORD_TLS: 'SASL_SSL',
  TOKEN: 'SASL_PLAINTEXT',
}

export async function makeKafkaSecurity(directory: string): Promise<KafkaSecurity> {
  const path = (name: string) => join(directory, name)
  const authority = (name: string) =>
    openssl('-keyout', path(`${name}.key`), '-out', path(`${name}.pem`), ...subject(name))
  await authority('ca')
  await authority('other-ca')
  const signed = (name: string, ...more: string[]) =>
    openssl(
      '-CA',
      path('ca.pem'),
      '-CAkey',
      path('ca.key'),
      '-keyout',
      path(`${name}.key`),
      '-out',
      path(`${name}.pem`),
      ...subject(name),
      ...more,
    )
  await signed('broker', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1')
  await signed('client')
  await runToEnd([
    'sh',
    '-c',
    'cat "$1" "$2" > "$3"',
    'sh',
    path('broker.key'),
    path('broker.pem'),
    path('broker-store.pem'),
  ])

  const [username, password] = ['weir', randomBytes(18).toString('hex')]
  return {
    ...{ caFile: path('ca.pem'), otherCaFile: path('other-ca.pem'), username, password },
    ...{ certFile: path('client.pem'), keyFile: path('client.key') },
    scram: ['SCRAM-SHA-256', 'SCRAM-SHA-512'].map(mechanism => `${mechanism}=[name=${username},password=${password}]`),
    listeners(at) {
      const each = [...at.keys()].map(propertiesOf)
      return Object.assign(
        {
          listeners: [...at].map(([name, address]) => `,${name}://${address}`).join(''),
          protocols: [...at.keys()].map(name => `,${name}:${protocolOf[name]}`).join(''),
        },
        ...each,
      )
    },
  }

  function propertiesOf(name: SecuredListener): Readonly<Record<string, string | number>> {
    const of = (properties: Readonly<Record<string, string | number>>) =>
      Object.fromEntries(
        Object.entries(properties).map(([property, value]) => [
          `listener.name.${name.toLowerCase()}.${property}`,
          value,
        ]),
      )
    const tls = {
      ...{ 'ssl.keystore.type': 'PEM', 'ssl.keystore.location': path('broker-store.pem') },
      ...{ 'ssl.truststore.type': 'PEM', 'ssl.truststore.location': path('ca.pem') },
    }
    const modules = 'org.apache.kafka.common.security'
    const passwords = {
      'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
      'plain.sasl.jaas.config': `${modules}.plain.PlainLoginModule required user_${username}="${password}";`,
      'scram-sha-256.sasl.jaas.config': `${modules}.scram.ScramLoginModule required;`,
      'scram-sha-512.sasl.jaas.config': `${modules}.scram.ScramLoginModule required;`,
    }
    switch (name) {
      case 'TLS':
        return of(tls)
      case 'MUTUAL':
        return of({ ...tls, 'ssl.client.auth': 'required' })
      case 'PASSWORD':
        return of(passwords)
      case 'PASSWORD_TLS':
        return of({ ...tls, ...passwords, 'sasl.enabled.mechanisms': 'SCRAM-SHA-512' })
      case 'TOKEN':
        return of({
          'sasl.enabled.mechanisms': 'OAUTHBEARER',
          'oauthbearer.sasl.jaas.config': `${modules}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";`,
          'oauthbearer.connections.max.reauth.ms': tokenMaxMs,
        })
      default:
        return name satisfies never
    }
  }
}

const subject = (name: string): readonly string[] => ['-subj', `/CN=${name}.weir.test`]

async function openssl(...args: readonly string[]): Promise<void> {
  await runToEnd(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', ...args])
}
