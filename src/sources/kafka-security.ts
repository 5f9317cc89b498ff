/**
 * How we speak to brokers that ask who we are. Whoever opens the source has read the files and the environment: in here
 * are the secrets themselves, and none of them is ever part of a description, a message or an event.
 */
import type { KafkaConfig, Mechanism, SASLOptions } from 'kafkajs'

export interface KafkaTls {
  /** PEM; without it the authorities that Node knows. */
  readonly ca?: string | undefined
  /** PEM: who we are, where the broker asks for a certificate. */
  readonly cert?: string | undefined
  readonly key?: string | undefined
  /** The name that the brokers' certificates are checked against, where it is not the host that we connect to. */
  readonly servername?: string | undefined
}

interface PasswordSasl<Mechanism> {
  readonly mechanism: Mechanism
  readonly username: string
  readonly password: string
}

export type KafkaSasl =
  | PasswordSasl<'plain'>
  | PasswordSasl<'scram-sha-256'>
  | PasswordSasl<'scram-sha-512'>
  /** A bearer token, asked for at each authentication; the broker asks again before it expires. */
  | { readonly mechanism: 'oauthbearer'; readonly token: () => Promise<string> }

export interface KafkaSecurity {
  readonly tls?: KafkaTls | undefined
  readonly sasl?: KafkaSasl | undefined
}

/**
 * kafkajs proves itself again this long before the broker would close the connection, with the next request on it. There
 * is one at least every second: a fetch, or a heartbeat.
 */
const reauthenticationThreshold = 10_000

export function clientSecurity({ tls, sasl }: KafkaSecurity): Pick<KafkaConfig, 'ssl' | 'sasl'> & object {
  return {
    ...(tls && { ssl: given(tls) }),
    ...(sasl && { sasl: clientSasl(sasl), reauthenticationThreshold }),
  }
}

/** As Kafka spells it. */
export const mechanismName = (sasl: KafkaSasl): string => sasl.mechanism.toUpperCase()

/** kafkajs hands these to `tls.connect`, for which a name that is there and undefined is not a name left out. */
export function given(tls: KafkaTls): KafkaTls {
  return Object.fromEntries(Object.entries(tls).filter(([, value]) => value !== undefined))
}

function clientSasl(sasl: KafkaSasl): SASLOptions | Mechanism {
  if (sasl.mechanism !== 'oauthbearer') return { ...sasl }
  const { mechanism, token } = sasl
  return {
    mechanism,
    authenticationProvider: ({ saslAuthenticate }) => ({
      async authenticate() {
        const request = { encode: bearerRequest(await token()) }
        const response = { decode: (bytes: Buffer) => bytes, parse: (bytes: Buffer) => bytes }
        const refusal = await saslAuthenticate({ request, response })
        if (refusal !== undefined && refusal.length > lengthBytes) throw new TokenRefused()
      },
    }),
  }
}

/**
 * The broker's no comes as an answer, not as an error (RFC 7628, section 3.2.2), which kafkajs takes for a yes: then it
 * meets a connection that is closed on it, and tries again. What the broker says in it is told nobody: it may quote.
 */
class TokenRefused extends Error {
  override name = 'KafkaJSSASLAuthenticationError'
  readonly retriable = false

  constructor() {
    super('SASL OAUTHBEARER authentication failed')
  }
}

const lengthBytes = 4

/** kafkajs sends what it is given, length and all. */
const bearerRequest = (token: string) => (): Buffer => {
  const message = Buffer.from(`n,,\x01auth=Bearer ${token}\x01\x01`)
  const length = Buffer.alloc(lengthBytes)
  length.writeInt32BE(message.length)
  return Buffer.concat([length, message])
}
