/**
 * One text for all that an engine's state holds: equal for equal states and, but for chance, for no others. The order of
 * maps, sets and fields counts, since `advance` goes by it. Who shares an object with whom does not: an outcome that was
 * read back shares nothing with the effect that it answers, and nobody may ask.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'

/** `state`: plain data as `snapshot` gives it: objects, arrays, maps, sets and typed arrays, without cycles. */
export function stateDigest(state: unknown): string {
  /** Shared objects are looked at once. */
  const known = new Map<object, string>()

  function digestOf(value: unknown): string {
    if (typeof value !== 'object' || value === null) return leafText(value)
    const before = known.get(value)
    if (before !== undefined) return before
    const hash = createHash('sha256')
    if (ArrayBuffer.isView(value))
      hash.update(`${value.constructor.name} `).update(new Uint8Array(value.buffer, value.byteOffset, value.byteLength))
    else hash.update(partsOf(value, digestOf).join('\n'))
    const digest = hash.digest('base64')
    known.set(value, digest)
    return digest
  }

  return digestOf(state)
}

function partsOf(value: object, digestOf: (part: unknown) => string): readonly string[] {
  if (value instanceof Map) return ['map', ...[...value].flatMap(([key, item]) => [digestOf(key), digestOf(item)])]
  if (value instanceof Set) return ['set', ...[...value].map(digestOf)]
  if (Array.isArray(value)) return ['array', ...value.map(digestOf)]
  return ['object', ...Object.entries(value).flatMap(([name, item]) => [JSON.stringify(name), digestOf(item)])]
}

function leafText(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value)
  assert(typeof value !== 'function' && typeof value !== 'symbol', 'A state is plain data')
  return String(value)
}
