/**
 * What the fields of a pane line mean: how counts and histories of other tools come in.
 * `{"key":"k1","start":1767225600000,"seconds":60,"calls":420,"status2xx":400,"status5xx":3}`: key, start, seconds and
 * calls are needed, what is left out is 0.
 */
import type { PaneRow } from '../call-batch.ts'
import { absent, empty, type FieldSlots, type PaneField, plain, type Spans, sourceOf } from './field-slots.ts'
import { parseNumber, parseTime } from './field-text.ts'
import type { KeyNames } from './key-names.ts'

/** These three together are what no access log has; a key alone is in every one. */
export function looksLikePane({ pane }: FieldSlots, spans: Spans): boolean {
  if (pane === undefined) return false
  return [pane.start, pane.seconds, pane.calls].every(slot => spans.kind[slot] !== absent)
}

/** A row is spread over its seconds, so one of years would stop the stream for as long. */
const longestSeconds = 86_400
/** What a pane can count of a key; more is a unit or a field mixed up. */
const mostCalls = 2 ** 32 - 1

/** undefined: something needed is missing, is no count or beyond what a row may hold, or there is more of a part than of the whole. */
export function paneOf(line: Buffer, { pane }: FieldSlots, spans: Spans, names: KeyNames): PaneRow | undefined {
  if (
    pane === undefined ||
    ![pane.key, pane.start, pane.seconds, pane.calls].every(slot => (spans.kind[slot] ?? 0) >= plain)
  )
    return undefined
  const spanOf = (field: PaneField): [Buffer, number, number] => {
    const slot = pane[field]
    return [sourceOf(spans, slot, line), spans.from[slot] ?? 0, spans.to[slot] ?? 0]
  }
  const amount = (field: PaneField): number =>
    (spans.kind[pane[field]] ?? 0) <= empty ? 0 : parseNumber(...spanOf(field))
  const counts = {
    start: parseTime(...spanOf('start')),
    seconds: amount('seconds'),
    calls: amount('calls'),
    status2xx: amount('status2xx'),
    status4xx: amount('status4xx'),
    status429: amount('status429'),
    status5xx: amount('status5xx'),
    latencySumMs: amount('latencySumMs'),
    latencyCount: amount('latencyCount'),
    bytes: amount('bytes'),
  }
  if (!isPossible(counts)) return undefined
  return { key: names.ofId(...spanOf('key')) ?? names.anonymous(), ...counts }
}

/** Whether a row may say this. */
export function isPossible(counts: Omit<PaneRow, 'key'>): boolean {
  const { start, seconds, calls, status2xx, status4xx, status429, status5xx, latencySumMs, latencyCount, bytes } =
    counts
  // A sum of fractions of milliseconds need not be whole.
  if (!Number.isFinite(start) || !Number.isFinite(latencySumMs)) return false
  const areCounts =
    Number.isSafeInteger(seconds) &&
    Number.isSafeInteger(calls) &&
    Number.isSafeInteger(status2xx) &&
    Number.isSafeInteger(status4xx) &&
    Number.isSafeInteger(status429) &&
    Number.isSafeInteger(status5xx) &&
    Number.isSafeInteger(latencyCount) &&
    Number.isSafeInteger(bytes)
  if (!areCounts || seconds < 1 || seconds > longestSeconds || calls > mostCalls) return false
  return status2xx + status4xx + status429 + status5xx <= calls && latencyCount <= calls
}
