/**
 * Which names are looked for on a line, and where what stands there is put: every wanted name has a numbered slot. A
 * reader fills the slots with spans of bytes, the meaning is read out of them afterwards, so that a faster reader cannot
 * understand a line otherwise than a slower one.
 */
import type { FieldNames } from './field-names.ts'

export const paneFields = [
  'key',
  'start',
  'seconds',
  'calls',
  'status2xx',
  'status4xx',
  'status429',
  'status5xx',
  'latencySumMs',
  'latencyCount',
  'bytes',
] as const
export type PaneField = (typeof paneFields)[number]

export type Role = 'keyId' | 'apiKey' | 'time' | 'status' | 'latencyMs' | 'bytes' | 'route' | 'source'
/** With a value of each of these a call is complete; the raw key is only asked for where the id is missing. */
const settlingRoles = ['keyId', 'time', 'status', 'latencyMs', 'bytes'] as const
/** What a call may have besides: it is read wherever it stands, also behind what completes the call. */
const placeRoles = ['route', 'source'] as const

/**
 * Names that are looked for in an object, and in the objects within it. What is left of a dotted name at any depth may
 * also stand as one name with its dots.
 */
export interface NameNode {
  readonly values: Map<string, readonly number[]>
  readonly objects: Map<string, NameNode>
  /** By length in bytes, whether any of these names has it: most names on a line need no further look. */
  readonly lengths: Uint8Array
}

/** Names of this length and longer share a place in `lengths`. */
export const longName = 255

export interface FieldSlots {
  readonly count: number
  /** Whole names, dots and all. */
  readonly byName: ReadonlyMap<string, readonly number[]>
  /** The same, where dots lead into objects. */
  readonly root: NameNode
  /** Slots of a role's candidate names, the preferred first. Empty where access-log lines are not looked for. */
  readonly roles: Readonly<Record<Role, readonly number[]>>
  /** Slots below this belong to roles; from `placeSlots` on to those of places. */
  readonly placeSlots: number
  readonly roleSlots: number
  /** By slot: the bit of the role that a value there settles, since no other candidate can come before it; else 0. */
  readonly settles: Int32Array
  /** All the bits of a complete call; 0 where nothing is ever settled. */
  readonly allSettled: number
  /** The bits of the places that are asked for: with these too nothing more on a line matters. */
  readonly placesSettled: number
  readonly pane: Readonly<Record<PaneField, number>> | undefined
  readonly envelope: { readonly messageType: number; readonly logEvents: number } | undefined
}

export interface LookedFor {
  readonly calls: boolean
  readonly panes: boolean
  readonly envelopes: boolean
}

export function createFieldSlots(names: FieldNames, lookedFor: LookedFor): FieldSlots {
  const root = emptyNode()
  let count = 0
  const slotOf = (name: string): number => {
    addName(root, name, count)
    return count++
  }
  const candidates = (of: readonly string[]): readonly number[] =>
    lookedFor.calls
      ? of.map(name => {
          const slot = slotOf(name)
          lead(root, name, slot)
          return slot
        })
      : []
  const required = {
    keyId: candidates(names.keyId),
    apiKey: candidates(names.apiKey),
    time: candidates(names.time),
    status: candidates(names.status),
    latencyMs: candidates(names.latency),
    bytes: candidates(names.bytes),
  }
  const placeSlots = count
  const roles = { ...required, route: candidates(names.route), source: candidates(names.source) }
  const roleSlots = count
  const pane = lookedFor.panes
    ? (Object.fromEntries(paneFields.map(name => [name, slotOf(name)])) as Record<PaneField, number>)
    : undefined
  const envelope = lookedFor.envelopes
    ? { messageType: slotOf('messageType'), logEvents: slotOf('logEvents') }
    : undefined

  const settles = new Int32Array(count)
  let placesSettled = 0
  for (const [bit, role] of [...settlingRoles, ...placeRoles].entries()) {
    const preferred = roles[role][0]
    if (preferred === undefined) continue
    settles[preferred] = 1 << bit
    if (preferred >= placeSlots) placesSettled |= 1 << bit
  }
  const allSettled = lookedFor.calls ? (1 << settlingRoles.length) - 1 : 0
  const byName = root.values
  return { count, byName, root, roles, placeSlots, roleSlots, settles, allSettled, placesSettled, pane, envelope }
}

const emptyNode = (): NameNode => ({ values: new Map(), objects: new Map(), lengths: new Uint8Array(longName + 1) })

function addName({ values, lengths }: NameNode, name: string, slot: number): void {
  values.set(name, [...(values.get(name) ?? []), slot])
  lengths[Math.min(Buffer.byteLength(name), longName)] = 1
}

/** Makes `a.b.c` known as `b.c` in the object `a`, and as `c` in its object `b`. */
function lead(from: NameNode, name: string, slot: number): void {
  const dot = name.indexOf('.')
  if (dot < 0) return
  const [object, rest] = [name.slice(0, dot), name.slice(dot + 1)]
  const node = from.objects.get(object) ?? emptyNode()
  from.objects.set(object, node)
  from.lengths[Math.min(Buffer.byteLength(object), longName)] = 1
  addName(node, rest, slot)
  lead(node, rest, slot)
}

/** What a slot holds. `-` and the empty string are the gateway's way to say that there is nothing. */
export const absent = 0
export const empty = 1
/** A value that stands in the line as it is. */
export const plain = 2
/** A value that was written with escapes: it stands decoded beside the line. */
export const decoded = 3

/** What one line put into the slots. Reused from line to line. */
export interface Spans {
  readonly kind: Uint8Array
  readonly from: Int32Array
  readonly to: Int32Array
  /** Bytes of the `decoded` ones, from 0. */
  readonly decoded: (Buffer | undefined)[]
}

export function createSpans({ count }: FieldSlots): Spans {
  return {
    kind: new Uint8Array(count),
    from: new Int32Array(count),
    to: new Int32Array(count),
    decoded: Array.from({ length: count }, () => undefined),
  }
}

const dash = 0x2d

export function put(spans: Spans, slot: number, bytes: Buffer, from: number, to: number): void {
  spans.kind[slot] = to === from || (to === from + 1 && bytes[from] === dash) ? empty : plain
  spans.from[slot] = from
  spans.to[slot] = to
}

/** A value that does not stand in the line as it was written. */
export function putDecoded(spans: Spans, slot: number, text: Buffer): void {
  put(spans, slot, text, 0, text.length)
  if (spans.kind[slot] === plain) spans.kind[slot] = decoded
  spans.decoded[slot] = text
}

/** The first candidate that has a value, or -1. */
export function chosen(spans: Spans, candidates: readonly number[]): number {
  for (const slot of candidates) if ((spans.kind[slot] ?? absent) >= plain) return slot
  return -1
}

/**
 * The first candidate that is there at all, or -1 where it says that there is nothing. For what must not be forged: the
 * gateway's own `-` counts, so that another name smuggled in by a client (an unescaped quote in its user agent) does not.
 */
export function decided(spans: Spans, candidates: readonly number[]): number {
  const first = candidates.find(slot => spans.kind[slot] !== absent)
  return first !== undefined && (spans.kind[first] ?? absent) >= plain ? first : -1
}

export const isPresent = (spans: Spans, candidates: readonly number[]): boolean =>
  candidates.some(slot => spans.kind[slot] !== absent)

/** The bytes that a slot's `from` and `to` speak of. */
export function sourceOf(spans: Spans, slot: number, line: Buffer): Buffer {
  return spans.kind[slot] === decoded ? (spans.decoded[slot] ?? line) : line
}
