/**
 * What is known of the lines of one shape, as a program of integers for the fast reader: what stands before each value, as
 * words of four bytes, and what part the value plays. Learned from a line that `readMembers` understood.
 */
import { EMPTY_HASH, hashOn } from '../byte-hash.ts'
import type { FieldSlots, PaneField, Role } from './field-slots.ts'
import type { Members } from './json-members.ts'
import {
  amountPart,
  apiKeyPart,
  bareForm,
  bytesPart,
  escapedForm,
  keyIdPart,
  latencyPart,
  nothingPart,
  routePart,
  type Shape,
  slackBytes,
  sourcePart,
  statusPart,
  strictForm,
  tailPart,
  timePart,
} from './line-match.ts'

/** The amounts of a count row, in the order of their parts. */
export const amounts = [
  'seconds',
  'calls',
  'status2xx',
  'status4xx',
  'status429',
  'status5xx',
  'latencySumMs',
  'latencyCount',
  'bytes',
] as const satisfies readonly PaneField[]

export interface Layout extends Shape {
  readonly hash: number
  readonly isPane: boolean
}

const quote = 0x22

/** Of all that is not a value, and of what form the values have. */
export function shapeHash(bytes: Buffer, from: number, to: number, { valueFrom, valueTo }: Members): number {
  let hash = EMPTY_HASH
  let at = from
  for (let member = 0; member <= valueFrom.length; member++) {
    const end = valueFrom[member] ?? to
    for (; at < end; at++) hash = hashOn(hash, bytes[at] ?? 0)
    hash = hashOn(hash, bytes[end] === quote ? quote : 0)
    at = valueTo[member] ?? to
  }
  return hash
}

export interface LayoutKind {
  readonly isPane: boolean
  /** The line is to be read as it stands in an envelope, as a string; it is shown as it is without. */
  readonly isEscaped: boolean
}

/** Undefined for a shape that only the thorough reader can tell the meaning of. */
export function layoutOf(
  bytes: Buffer,
  from: number,
  to: number,
  members: Members,
  fields: FieldSlots,
  { isPane, isEscaped }: LayoutKind,
): Layout | undefined {
  const { valueFrom, valueTo, isFlat } = members
  const played = isFlat ? partsOf(members, fields, isPane) : undefined
  if (played === undefined || valueFrom.length === 0) return undefined

  const code: number[] = []
  const texts: number[] = []
  let begin = from
  for (const [member, valueAt] of valueFrom.entries()) {
    const isText = bytes[valueAt] === quote
    // A string's quotes belong to what stands around it.
    const before = textOf(bytes, begin, isText ? valueAt + 1 : valueAt, isEscaped)
    if (before === undefined || before.length < 4) return undefined
    const { length } = before
    const { part, settles, isStrict } = played[member] ?? silent
    const form = (isText ? 0 : bareForm) | (isStrict ? strictForm : 0) | (isEscaped ? escapedForm : 0)
    const steps = length < 8 ? 0 : 1 + ((length - 1) >> 3)
    code.push(part, form, settles, length, texts.length, steps)
    if (steps === 0) texts.push(before.readInt32LE(0), before.readInt32LE(length - 4))
    else texts.push(before.readDoubleLE(length - 8))
    for (let step = 1; step < steps; step++) texts.push(before.readDoubleLE(8 * (step - 1)))
    const valueEnd = valueTo[member] ?? to
    begin = isText ? valueEnd - 1 : valueEnd
  }
  const after = textOf(bytes, begin, to, isEscaped)
  if (after === undefined) return undefined
  return {
    hash: shapeHash(bytes, from, to, members),
    code: Int32Array.from([...code, tailPart]),
    texts: Float64Array.from(texts),
    tail: after,
    allSettled: isPane || fields.allSettled === 0 ? 0 : fields.allSettled | fields.placesSettled,
    isPane,
    isEscaped,
  }
}

/** What stands around values; undefined where it is nothing that is compared, or too long for it. */
function textOf(bytes: Buffer, from: number, to: number, isEscaped: boolean): Buffer | undefined {
  const text = bytes.toString('latin1', from, to)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a string in an envelope holds them otherwise
  if (isEscaped && /[\u0000-\u001f\\]/.test(text)) return undefined
  const written = Buffer.from(isEscaped ? text.replaceAll('"', '\\"') : text, 'latin1')
  // As a double, 0x7f or more could be NaN, which is like nothing.
  return written.length > slackBytes - 8 || written.some(byte => byte > 0x7e) ? undefined : written
}

interface Played {
  readonly part: number
  readonly settles: number
  readonly isStrict: boolean
}
const silent: Played = { part: nothingPart, settles: 0, isStrict: false }

/** By member; undefined where it takes more than the place of a value to tell what it means. */
function partsOf({ slots }: Members, fields: FieldSlots, isPane: boolean): readonly Played[] | undefined {
  const memberOf = new Map<number, number>()
  for (const [member, named] of slots.entries()) {
    for (const slot of named) {
      // Of a name that stands twice the first counts, if it is a value.
      if (memberOf.has(slot)) return undefined
      memberOf.set(slot, member)
    }
  }
  const { pane, envelope } = fields
  const has = (slot: number): boolean => memberOf.has(slot)
  if (envelope !== undefined && (has(envelope.messageType) || has(envelope.logEvents))) return undefined
  const mayBePane = pane !== undefined && [pane.start, pane.seconds, pane.calls].every(has)
  const settled = [...memberOf.keys()].reduce((bits, slot) => bits | (fields.settles[slot] ?? 0), 0)
  const mayBeSettled = fields.allSettled !== 0 && (settled & fields.allSettled) === fields.allSettled
  if (isPane ? mayBeSettled : mayBePane) return undefined

  const played: Played[] = slots.map(() => silent)
  const give = (slot: number, what: Played): boolean => {
    const member = memberOf.get(slot)
    if (member === undefined) return true
    const isFree = played[member] === silent
    played[member] = what
    return isFree
  }
  if (isPane) {
    if (pane === undefined) return undefined
    give(pane.key, { ...silent, part: keyIdPart })
    give(pane.start, { ...silent, part: timePart })
    for (const [index, field] of amounts.entries()) give(pane[field], { ...silent, part: amountPart + index })
    return played
  }
  for (const role of callRoles) {
    const present = fields.roles[role].filter(has)
    const [preferred] = present
    if (preferred === undefined) continue
    // Where a key id stands, no other name for it is asked, whatever it says.
    const isStrict = present.length > 1 && role !== 'keyId'
    if (!give(preferred, { part: partOf[role], settles: fields.settles[preferred] ?? 0, isStrict })) return undefined
  }
  return played
}

const partOf: Readonly<Record<Role, number>> = {
  time: timePart,
  status: statusPart,
  keyId: keyIdPart,
  apiKey: apiKeyPart,
  latencyMs: latencyPart,
  bytes: bytesPart,
  route: routePart,
  source: sourcePart,
}
const callRoles = Object.keys(partOf) as readonly Role[]
