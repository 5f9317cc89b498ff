/**
 * The first word with a broker, before kafkajs speaks to it. kafkajs takes every broken connection for passing trouble
 * and tries again; of a port that speaks TLS, a certificate that it does not trust or a password that nobody asked it
 * for it says "Closed connection" after ten seconds. Here the broker is asked one question that each listener answers in
 * its own way, and what will not pass by itself is told at once and by its name.
 *
 *     SaslHandshake → ILLEGAL_SASL_STATE               no password is wanted here
 *                   → UNSUPPORTED_SASL_MECHANISM, [..] one is wanted, in one of these ways
 *                   → NONE                             ours is one of them
 */
import { connect, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { StreamError } from '../core/errors.ts'
import { given, type KafkaSecurity, mechanismName } from './kafka-security.ts'

/** How long a broker may take to connect and answer before we leave it to kafkajs and its patience. */
const patienceMs = 5_000

/**
 * Throws SOURCE_UNREADABLE when the first broker that answers wants to be spoken to otherwise. Brokers that do not answer
 * are no reason: they may be starting.
 */
export async function greet(brokers: readonly string[], security: KafkaSecurity, signal: AbortSignal): Promise<void> {
  for (const broker of brokers) {
    if (signal.aborted) return
    const answer = await ask(broker, security)
    if (answer.kind === 'away') continue
    const complaint = await complaintOf(broker, security, answer)
    if (complaint === 'away') continue
    if (complaint === undefined) return
    const [what, hint] = complaint
    throw new StreamError('SOURCE_UNREADABLE', `Kafka broker ${broker} ${what}`, { retry: 'never', hint })
  }
}

type Answer =
  | { readonly kind: 'handshake'; readonly errorCode: number; readonly mechanisms: readonly string[] }
  /** It ended the connection, or answered in no way that Kafka does. */
  | { readonly kind: 'closed' }
  | { readonly kind: 'tls-refused'; readonly code: string; readonly message: string }
  | { readonly kind: 'away' }

type Complaint = readonly [what: string, hint: string]

async function complaintOf(
  broker: string,
  security: KafkaSecurity,
  answer: Exclude<Answer, { kind: 'away' }>,
): Promise<Complaint | 'away' | undefined> {
  const { tls, sasl } = security
  switch (answer.kind) {
    case 'handshake': {
      const { errorCode, mechanisms } = answer
      if (errorCode === illegalSaslState) return sasl && noPasswordWanted
      const enabled = [...mechanisms].sort().join(', ')
      if (sasl === undefined) return [`asks for a password (${enabled})`, 'Set source.sasl']
      return errorCode === unsupportedMechanism
        ? [`does not take ${mechanismName(sasl)}: it takes ${enabled}`, 'Set source.sasl.mechanism']
        : undefined
    }
    case 'tls-refused':
      return (await isPlain(broker, answer, security)) ? speaksPlain : tlsComplaint(answer, security)
    case 'closed':
      if (tls === undefined) return (await speaksTls(broker)) ? wantsTls : 'away'
      return (await isPlain(broker, { code: 'ECONNRESET' }, security)) ? speaksPlain : 'away'
    default:
      return answer satisfies never
  }
}

const noPasswordWanted: Complaint = [
  'wants no password here',
  'Leave out source.sasl, or name the port that asks for it',
]
const speaksPlain: Complaint = ['does not speak TLS here', 'Leave out source.tls, or name the port that speaks it']
const wantsTls: Complaint = ['speaks TLS here, and we do not', 'Set source.tls: true, or {caFile: …}']

/** A connection that broke off within the handshake may be a broker that knows no TLS, or one that is just stopping. */
async function isPlain(broker: string, { code }: { code: string }, { sasl }: KafkaSecurity): Promise<boolean> {
  if (hintOf(code) !== undefined) return false
  return (await ask(broker, { sasl })).kind === 'handshake'
}

async function speaksTls(broker: string): Promise<boolean> {
  const answer = await ask(broker, { tls: {} })
  return answer.kind === 'handshake' || (answer.kind === 'tls-refused' && hintOf(answer.code) !== undefined)
}

const untrusted = 'Set source.tls.caFile to the PEM file of the authority that signed it'
const ownCertificate = 'Set source.tls.certFile and keyFile to a certificate that the broker trusts'
const notOurs: Complaint = ['does not take our certificate', ownCertificate]

/** By the names that Node and OpenSSL give them. */
const certificateHints: Readonly<Record<string, Complaint>> = {
  SELF_SIGNED_CERT_IN_CHAIN: ['has a certificate of an authority that we do not know', untrusted],
  DEPTH_ZERO_SELF_SIGNED_CERT: ['has a certificate that it signed itself', untrusted],
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: ['has a certificate of an authority that we do not know', untrusted],
  UNABLE_TO_GET_ISSUER_CERT: ['has a certificate of an authority that we do not know', untrusted],
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: ['has a certificate of an authority that we do not know', untrusted],
  CERT_SIGNATURE_FAILURE: ['has a certificate that the authority we know did not sign', untrusted],
  CERT_HAS_EXPIRED: ['has a certificate that has expired', 'Renew it, and check the clock of this machine'],
  CERT_NOT_YET_VALID: ['has a certificate that is not valid yet', 'Check the clock of this machine'],
  ERR_TLS_CERT_ALTNAME_INVALID: [
    'has a certificate for another name',
    'Name it in source.brokers as its certificate does, or set source.tls.servername',
  ],
}

/** The broker's word, by which version of which library is told differs: `ERR_SSL_SSLV3_ALERT_…`, `ERR_SSL_SSL/TLS_ALERT_…`. */
const alertAgainstUs = /_ALERT_(CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE|BAD_CERTIFICATE|CERTIFICATE_UNKNOWN|UNKNOWN_CA)$/

const hintOf = (code: string): Complaint | undefined =>
  certificateHints[code] ?? (alertAgainstUs.test(code) ? notOurs : undefined)

function tlsComplaint(
  { code, message }: { code: string; message: string },
  { tls }: KafkaSecurity,
): Complaint | 'away' {
  const known = hintOf(code)
  if (known === undefined) return 'away'
  if (known === notOurs && tls?.cert === undefined) return ['asks for a certificate of ours', ownCertificate]
  const [what, hint] = known
  return [`${what} (${message.replaceAll('\n', ' ')})`, hint]
}

async function ask(broker: string, { tls, sasl }: KafkaSecurity): Promise<Answer> {
  const [host = '', port] = broker.split(':')
  const socket = await connected(connect({ host, port: Number(port) }), 'connect')
  if (!('socket' in socket)) return { kind: 'away' }
  try {
    const mechanism = sasl ? mechanismName(sasl) : 'NONE'
    if (tls === undefined) return await handshake(socket.socket, mechanism)
    const name = isIP(host) ? {} : { servername: host }
    // Resolved by name: an address is checked against the certificate as an address.
    const secure = connectTls({ socket: socket.socket, host, ...name, ...given(tls) })
    const encrypted = await connected(secure, 'secureConnect')
    return 'socket' in encrypted ? await handshake(encrypted.socket, mechanism) : encrypted
  } finally {
    socket.socket.destroy()
  }
}

type Connected = { readonly socket: Socket } | Extract<Answer, { kind: 'tls-refused' }>

async function connected(socket: Socket, event: 'connect' | 'secureConnect'): Promise<Connected> {
  return new Promise(resolve => {
    const timer = setTimeout(() => refuse('ETIMEDOUT', 'it takes too long'), patienceMs)
    const refuse = (code: string, message: string) => {
      clearTimeout(timer)
      socket.destroy()
      resolve({ kind: 'tls-refused', code, message })
    }
    socket.once(event, () => {
      clearTimeout(timer)
      resolve({ socket })
    })
    // Stays for as long as the socket does: what comes after this promise is settled is told by the reader's own listener.
    socket.on('error', error => refuse('code' in error ? String(error.code) : '', error.message))
    socket.once('close', () => refuse('ECONNRESET', 'it closed the connection'))
  })
}

const illegalSaslState = 34
const unsupportedMechanism = 33

async function handshake(socket: Socket, mechanism: string): Promise<Answer> {
  const chunks: Buffer[] = []
  return new Promise(resolve => {
    const timer = setTimeout(() => settle({ kind: 'closed' }), patienceMs)
    const settle = (answer: Answer) => {
      clearTimeout(timer)
      resolve(answer)
    }
    socket.on('data', chunk => {
      chunks.push(chunk)
      const answer = readAnswer(Buffer.concat(chunks))
      if (answer) settle(answer)
    })
    socket.once('error', error =>
      settle({ kind: 'tls-refused', code: 'code' in error ? String(error.code) : '', message: error.message }),
    )
    socket.once('close', () => settle({ kind: 'closed' }))
    socket.write(saslHandshake(mechanism))
  })
}

const correlationId = 1

/** SaslHandshake (17) of version 1, by "weir". */
function saslHandshake(mechanism: string): Buffer {
  const request = Buffer.alloc(20 + mechanism.length)
  request.writeInt32BE(request.length - 4, 0)
  request.writeInt16BE(17, 4)
  request.writeInt16BE(1, 6)
  request.writeInt32BE(correlationId, 8)
  request.writeInt16BE(4, 12)
  request.write('weir', 14, 'latin1')
  request.writeInt16BE(mechanism.length, 18)
  request.write(mechanism, 20, 'latin1')
  return request
}

/** Far beyond what an answer takes. A TLS alert, read as a length, says hundreds of megabytes. */
const longestAnswer = 64_000

function readAnswer(bytes: Buffer): Answer | undefined {
  if (bytes.length < 4) return undefined
  const length = bytes.readInt32BE(0)
  if (length < 10 || length > longestAnswer) return { kind: 'closed' }
  if (bytes.length < 4 + length) return undefined
  if (bytes.readInt32BE(4) !== correlationId) return { kind: 'closed' }
  const mechanisms: string[] = []
  let at = 14
  for (let count = bytes.readInt32BE(10); count > 0 && at + 2 <= bytes.length; count--) {
    const end = at + 2 + bytes.readInt16BE(at)
    mechanisms.push(bytes.toString('latin1', at + 2, end))
    at = end
  }
  return { kind: 'handshake', errorCode: bytes.readInt16BE(8), mechanisms }
}
