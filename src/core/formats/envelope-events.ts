/**
 * Walks an envelope as it stands, without making objects or strings of it: where each event's message begins, and when it
 * was written. Knows envelopes as CloudWatch Logs writes them, `messageType` first and events of id, timestamp and
 * message; of any other it says so, and envelope.ts reads it. A walk that ends well has seen all of the envelope, and
 * `JSON.parse` would have agreed: what a message holds is for whoever takes it to be sure of.
 */
import { endOfValue, skipSpace } from './json-members.ts'

/**
 * Takes the message whose text begins at `at`, just behind its quote, and answers where the quote stands that ends it; -1: it
 * cannot be taken. `timestamp` is epoch ms.
 */
export type TakeMessage = (at: number, timestamp: number, index: number) => number

const quote = 0x22
const comma = 0x2c
const colon = 0x3a
const openBracket = 0x5b
const closeBracket = 0x5d
const openBrace = 0x7b
const closeBrace = 0x7d

const beginsEnvelope = Buffer.from('{"messageType":"DATA_MESSAGE",')
const beforeId = Buffer.from('{"id":"')
const beforeTimestamp = Buffer.from('","timestamp":')
const beforeMessage = Buffer.from(',"message":"')

/** What else stands in an envelope; with any other name it may be something else. */
const otherNames = new Set(['owner', 'logGroup', 'logStream', 'subscriptionFilters', 'policyLevel'])

/** Just after the envelope that begins at `from`, or -1: it is none that is known, or a message could not be taken. */
export function walkEnvelope(bytes: Buffer, from: number, to: number, take: TakeMessage): number {
  if (!standsAt(bytes, from, beginsEnvelope)) return -1
  let at = from + beginsEnvelope.length
  const seen = new Set<string>()
  for (;;) {
    const nameEnd = bytes[at] === quote ? bytes.indexOf(quote, at + 1) : -1
    if (nameEnd < 0 || nameEnd >= to || nameEnd - at > 32 || bytes[nameEnd + 1] !== colon) return -1
    const name = bytes.toString('latin1', at + 1, nameEnd)
    if (seen.has(name)) return -1
    seen.add(name)
    if (name === 'logEvents') at = walkEvents(bytes, nameEnd + 2, to, take)
    else at = otherNames.has(name) ? afterStrictValue(bytes, nameEnd + 2, to) : -1
    if (at < 0) return -1
    if (bytes[at] === closeBrace) return seen.has('logEvents') ? at + 1 : -1
    if (bytes[at] !== comma) return -1
    at++
  }
}

/** `[{"id":"…","timestamp":…,"message":"…"},…]`. Just after it, or -1. */
function walkEvents(bytes: Buffer, from: number, to: number, take: TakeMessage): number {
  if (bytes[from] !== openBracket) return -1
  let at = from + 1
  if (bytes[at] === closeBracket) return at + 1
  for (let index = 0; at < to; index++) {
    if (!standsAt(bytes, at, beforeId)) return -1
    at += beforeId.length
    while (isIdByte(bytes[at] ?? 0)) at++
    if (!standsAt(bytes, at, beforeTimestamp)) return -1
    at += beforeTimestamp.length
    const begin = at
    let timestamp = 0
    for (let digit = digitAt(bytes, at); digit >= 0; digit = digitAt(bytes, ++at)) timestamp = timestamp * 10 + digit
    // More digits are no double, and JSON knows no number that begins with 0.
    if (at - begin > 15 || (bytes[begin] === 0x30 && at - begin > 1) || at === begin) return -1
    if (!standsAt(bytes, at, beforeMessage)) return -1
    at = take(at + beforeMessage.length, timestamp, index)
    if (at < 0 || bytes[at] !== quote || bytes[at + 1] !== closeBrace) return -1
    at += 2
    if (bytes[at] === closeBracket) return at + 1
    if (bytes[at] !== comma) return -1
    at++
  }
  return -1
}

function standsAt(bytes: Buffer, at: number, text: Buffer): boolean {
  for (let index = 0; index < text.length; index++) if (bytes[at + index] !== text[index]) return false
  return true
}

/** Letters and digits. */
const isIdByte = (byte: number): boolean =>
  (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a)

function digitAt(bytes: Buffer, at: number): number {
  const digit = (bytes[at] ?? 0) - 0x30
  return digit >= 0 && digit <= 9 ? digit : -1
}

function afterStrictValue(bytes: Buffer, from: number, to: number): number {
  const end = endOfValue(bytes, from, to)
  if (end < 0) return -1
  try {
    JSON.parse(bytes.toString('utf8', from, end))
    return end
  } catch {
    return -1
  }
}

/** Where an envelope's line goes on: after its newline, or at the next envelope, which follows directly; -1: something else does. */
export function afterEnvelope(bytes: Buffer, end: number, lineEnd: number): number {
  if (end < lineEnd && bytes[end] === openBrace) return end
  return skipSpace(bytes, end, lineEnd) === lineEnd ? lineEnd + 1 : -1
}
