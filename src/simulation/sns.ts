/**
 * A minimal SNS on loopback that speaks the AWS Query protocol for Publish, so that the real SDK publishes to it. It refuses
 * what SNS refuses (API reference of Publish): unknown topics, messages over 262,144 bytes with their attributes,
 * subjects that an e-mail could not carry, malformed attributes. It can be told to fail, as SNS does on a bad day.
 */
import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type LoopbackServer, readBody, serveOnLoopback } from './loopback-server.ts'

export interface PublishedMessage {
  readonly messageId: string
  readonly topicArn: string
  readonly subject: string | undefined
  readonly message: string
  readonly attributes: Readonly<Record<string, { readonly type: string; readonly value: string }>>
}

/** A throttled call, a 500, or no answer at all: `silent` before the message was taken, `silent-after` after it. */
export type SnsFault = 'throttled' | 'server-error' | 'silent' | 'silent-after'

export interface ServedSns extends LoopbackServer {
  /** What was published, oldest first; the last 10,000. */
  messages(): readonly PublishedMessage[]
  /** The next call fails so; told several times, the next several. */
  failNext(fault: SnsFault): void
  /** From now on every call fails so, until told otherwise. */
  failAll(fault: SnsFault | undefined): void
  /** How many calls came, failed ones too. */
  calls(): number
}

const keptMessages = 10_000
const maxMessageBytes = 262_144
/** Form encoding takes up to three bytes for one. */
const maxBodyBytes = 3 * maxMessageBytes + 64 * 1024

/** Why a publication is refused, with SNS's error code and status. */
interface Refusal {
  readonly kind: 'refused'
  readonly status: number
  readonly code: string
  readonly because: string
}

export async function serveSns({
  topics,
  onPublished = () => {},
}: {
  readonly topics: readonly string[]
  /** Told of each message as it is taken. */
  readonly onPublished?: (message: PublishedMessage) => void
}): Promise<ServedSns> {
  const published: PublishedMessage[] = []
  const faults: SnsFault[] = []
  let always: SnsFault | undefined
  let calls = 0

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readBody(request, maxBodyBytes)
    calls++
    const fault = faults.shift() ?? always
    if (fault === 'silent') return
    if (fault === 'throttled')
      return replyError(response, { status: 400, code: 'Throttling', because: 'Rate exceeded' })
    if (fault === 'server-error')
      return replyError(response, { status: 500, code: 'InternalError', because: 'simulated' })
    const read = body === undefined ? tooLong : readPublication(new URLSearchParams(body), topics)
    if (read.kind === 'refused') return replyError(response, read)
    const message = { messageId: randomUUID(), ...read.publication }
    published.push(message)
    onPublished(message)
    if (published.length > keptMessages) published.shift()
    if (fault !== 'silent-after') replyPublished(response, message.messageId)
  }

  const server = await serveOnLoopback(respond)
  return {
    ...server,
    messages: () => [...published],
    failNext: fault => {
      faults.push(fault)
    },
    failAll: fault => {
      always = fault
    },
    calls: () => calls,
  }
}

type Read = Refusal | { readonly kind: 'publication'; readonly publication: Omit<PublishedMessage, 'messageId'> }

function readPublication(form: URLSearchParams, topics: readonly string[]): Read {
  if (form.get('Action') !== 'Publish')
    return refused('InvalidAction', `Could not find operation ${form.get('Action')}`)
  const topicArn = form.get('TopicArn') ?? ''
  if (!/^arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}$/.test(topicArn))
    return invalid('TopicArn Reason: An ARN must have at least 6 elements')
  if (!topics.includes(topicArn))
    return { kind: 'refused', status: 404, code: 'NotFound', because: 'Topic does not exist' }
  const subject = form.get('Subject') ?? undefined
  if (subject !== undefined && !/^[!-~][ -~]{0,98}$/.test(subject)) return invalid('Subject')
  const message = form.get('Message') ?? ''
  if (message === '') return invalid('Empty message')
  const attributes = readAttributes(form)
  if (attributes === undefined) return invalid('MessageAttributes')
  const attributeText = Object.entries(attributes).map(([name, { type, value }]) => name + type + value)
  if (Buffer.byteLength(message + attributeText.join('')) > maxMessageBytes) return tooLong
  return { kind: 'publication', publication: { topicArn, subject, message, attributes } }
}

/** undefined: one of them is not as SNS wants it. */
function readAttributes(form: URLSearchParams): PublishedMessage['attributes'] | undefined {
  const attributes: Record<string, { type: string; value: string }> = {}
  for (let n = 1; form.has(`MessageAttributes.entry.${n}.Name`); n++) {
    const name = form.get(`MessageAttributes.entry.${n}.Name`) ?? ''
    const type = form.get(`MessageAttributes.entry.${n}.Value.DataType`) ?? ''
    const value =
      form.get(`MessageAttributes.entry.${n}.Value.${type === 'Binary' ? 'BinaryValue' : 'StringValue'}`) ?? ''
    const named = /^(?!\.)(?!.*\.\.)(?!(aws|amazon)\.)[A-Za-z0-9_.-]{1,256}$/i.test(name) && !name.endsWith('.')
    if (!named || name in attributes || !isTyped(type, value)) return undefined
    attributes[name] = { type, value }
  }
  return attributes
}

function isTyped(type: string, value: string): boolean {
  if (value === '') return false
  if (type === 'Number') return Number.isFinite(Number(value))
  if (type === 'String.Array') return isArrayText(value)
  return type === 'String' || type === 'Binary'
}

function isArrayText(value: string): boolean {
  try {
    const parsed: unknown = JSON.parse(value)
    return Array.isArray(parsed) && parsed.every(one => one === null || typeof one !== 'object')
  } catch {
    return false
  }
}

const tooLong: Refusal = refused('InvalidParameter', 'Invalid parameter: Message too long')

function invalid(what: string): Refusal {
  return refused('InvalidParameter', `Invalid parameter: ${what}`)
}

function refused(code: string, because: string): Refusal {
  return { kind: 'refused', status: 400, code, because }
}

const namespace = 'http://sns.amazonaws.com/doc/2010-03-31/'

function replyPublished(response: ServerResponse, messageId: string): void {
  const result = `<PublishResult><MessageId>${messageId}</MessageId></PublishResult>`
  const metadata = `<ResponseMetadata><RequestId>${randomUUID()}</RequestId></ResponseMetadata>`
  send(response, 200, `<PublishResponse xmlns="${namespace}">${result}${metadata}</PublishResponse>`)
}

function replyError(response: ServerResponse, { status, code, because }: Omit<Refusal, 'kind'>): void {
  const type = status < 500 ? 'Sender' : 'Receiver'
  const error = `<Error><Type>${type}</Type><Code>${code}</Code><Message>${escapeXml(because)}</Message></Error>`
  send(
    response,
    status,
    `<ErrorResponse xmlns="${namespace}">${error}<RequestId>${randomUUID()}</RequestId></ErrorResponse>`,
  )
}

function send(response: ServerResponse, status: number, xml: string): void {
  response.writeHead(status, { 'content-type': 'text/xml' })
  response.end(xml)
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
