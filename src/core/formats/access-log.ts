/**
 * What the fields of an access-log line mean: one call more in the batch's columns, or why not. Both readers' lines
 * come through here. On the hot path: no string and no object a call, where the fields are plain digits and ids.
 */
import { type CallBatch, nextRow, type RejectionReason } from '../call-batch.ts'
import type { EpochMs } from '../vocabulary.ts'
import { chosen, decided, type FieldSlots, isPresent, type Spans, sourceOf } from './field-slots.ts'
import { parseNumber, parseTime } from './field-text.ts'
import type { KeyNames } from './key-names.ts'
import type { Places } from './places.ts'

/** What the values of a call become numbers by; `places` where routes and sources are asked for. */
export interface CallNumbers {
  readonly names: KeyNames
  readonly places: Places | undefined
}

/** Status where a line has none. */
const noStatus = 0
const unmeasured = -1

/**
 * Counts the call. A reason says why it was not, except `no-key`: that one counts, as anonymous. `eventTime` stands in
 * where the line has no time of its own.
 */
export function addCall(
  batch: CallBatch,
  line: Buffer,
  { roles }: FieldSlots,
  spans: Spans,
  { names, places }: CallNumbers,
  eventTime: EpochMs | undefined,
): RejectionReason | undefined {
  const timeSlot = chosen(spans, roles.time)
  const time = timeSlot < 0 ? eventTime : numberAt(parseTime, line, spans, timeSlot)
  if (time === undefined) return 'no-time'
  if (Number.isNaN(time)) return 'bad-time'

  const statusSlot = chosen(spans, roles.status)
  const status = statusSlot < 0 ? noStatus : numberAt(parseNumber, line, spans, statusSlot)
  // 0 is how Envoy and nginx write that the client was gone before an answer began.
  if (status !== noStatus && !(status >= 100 && status <= 599 && Number.isInteger(status))) return 'bad-status'

  const key = keyOf(line, roles, spans, names)
  const row = nextRow(batch)
  batch.time[row] = time
  batch.status[row] = status
  batch.latencyMs[row] = measured(line, spans, chosen(spans, roles.latencyMs))
  batch.bytes[row] = measured(line, spans, chosen(spans, roles.bytes))
  if (places !== undefined) {
    batch.route[row] = placeAt(places.routeOf, line, spans, chosen(spans, roles.route))
    batch.source[row] = placeAt(places.sourceOf, line, spans, chosen(spans, roles.source))
  }
  batch.key[row] = key ?? names.anonymous()
  return key === undefined ? 'no-key' : undefined
}

/** Whether a line that breaks off is a call all the same: whose it was, when, and how it went stood before the break. */
export function isSalvageable({ roles }: FieldSlots, spans: Spans): boolean {
  const hasKey = isPresent(spans, roles.keyId) || chosen(spans, roles.apiKey) >= 0
  return hasKey && chosen(spans, roles.time) >= 0 && chosen(spans, roles.status) >= 0
}

/** Whether anything on the line is a field of an access log. */
export const hasCallField = ({ roles }: FieldSlots, spans: Spans): boolean =>
  callRoles.some(role => isPresent(spans, roles[role]))

/** A path or an address alone is no sign of a call: much else has one. */
const callRoles = ['keyId', 'apiKey', 'time', 'status', 'latencyMs', 'bytes'] as const

function keyOf(line: Buffer, roles: FieldSlots['roles'], spans: Spans, names: KeyNames): number | undefined {
  const id = decided(spans, roles.keyId)
  if (id >= 0) return names.ofId(sourceOf(spans, id, line), spans.from[id] ?? 0, spans.to[id] ?? 0)
  const secret = chosen(spans, roles.apiKey)
  if (secret >= 0) return names.ofSecret(sourceOf(spans, secret, line), spans.from[secret] ?? 0, spans.to[secret] ?? 0)
  return undefined
}

function measured(line: Buffer, spans: Spans, slot: number): number {
  if (slot < 0) return unmeasured
  const value = numberAt(parseNumber, line, spans, slot)
  return Number.isNaN(value) ? unmeasured : value
}

/** 0 where there is none. */
function placeAt(numberOf: Places['routeOf'], line: Buffer, spans: Spans, slot: number): number {
  if (slot < 0) return 0
  const bytes = sourceOf(spans, slot, line)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  return numberOf(view, spans.from[slot] ?? 0, spans.to[slot] ?? 0)
}

type Parse = (bytes: Buffer, from: number, to: number) => number

function numberAt(parse: Parse, line: Buffer, spans: Spans, slot: number): number {
  return parse(sourceOf(spans, slot, line), spans.from[slot] ?? 0, spans.to[slot] ?? 0)
}
