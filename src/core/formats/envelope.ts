/**
 * The wrapping in which a CloudWatch Logs subscription delivers: `{"messageType":"DATA_MESSAGE", …, "logEvents":[{"id",
 * "timestamp", "message"}, …]}`, one or several after another. Its messages are lines of a log.
 */
import type { EpochMs } from '../vocabulary.ts'
import { endOfValue, skipSpace } from './json-members.ts'

export interface LogEvent {
  /** Undefined: the event has none, or one that is no string. */
  readonly message: string | undefined
  /** When the event was written, epoch ms. */
  readonly timestamp: EpochMs | undefined
}

export type Envelope =
  | { readonly kind: 'data'; readonly events: readonly LogEvent[] }
  /** A probe whether we can be reached. */
  | { readonly kind: 'control' }
  | { readonly kind: 'bad' }

export function parseEnvelope(text: string): Envelope {
  const envelope = parsed(text)
  if (!isRecord(envelope)) return { kind: 'bad' }
  if (envelope.messageType === 'CONTROL_MESSAGE') return { kind: 'control' }
  if (envelope.messageType !== 'DATA_MESSAGE' || !Array.isArray(envelope.logEvents)) return { kind: 'bad' }
  return { kind: 'data', events: envelope.logEvents.map(eventOf) }
}

const openBracket = 0x5b
const comma = 0x2c

/** The events that stand whole in an envelope that is cut off or broken somewhere. */
export function eventsBeforeBreak(bytes: Buffer, from: number, to: number): readonly LogEvent[] {
  const events: LogEvent[] = []
  const begin = bytes.subarray(from, to).indexOf('"logEvents"')
  let at = begin < 0 ? to : bytes.subarray(0, to).indexOf(openBracket, from + begin)
  while (at >= 0 && at < to && (bytes[at] === openBracket || bytes[at] === comma)) {
    const start = skipSpace(bytes, at + 1, to)
    const end = endOfValue(bytes, start, to)
    const event = end < 0 ? undefined : parsed(bytes.toString('utf8', start, end))
    if (!isRecord(event)) break
    events.push(eventOf(event))
    at = skipSpace(bytes, end, to)
  }
  return events
}

function eventOf(event: unknown): LogEvent {
  if (!isRecord(event)) return { message: undefined, timestamp: undefined }
  const { message, timestamp } = event
  return {
    message: typeof message === 'string' ? message : undefined,
    timestamp: typeof timestamp === 'number' && Number.isFinite(timestamp) ? timestamp : undefined,
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
