/** Made calls as rows of a batch: route and source become the numbers that a decoder would make of them. */
import { type CallBatch, nextRow, wantPlaces } from '../../core/call-batch.ts'
import { createPlaces } from '../../core/formats/places.ts'
import type { MadeCall } from './contract.ts'

/** No detector sees an address: any secret will do, as long as it stays the same. */
const { routeOf, sourceOf } = createPlaces('bench:quality')
/** The few that come again and again. */
const known = new Map<string, number>()
const mostKnown = 10_000

export function addMadeCall(batch: CallBatch, key: number, { at, status, latencyMs, route, source }: MadeCall): void {
  wantPlaces(batch)
  const row = nextRow(batch)
  batch.key[row] = key
  batch.time[row] = at
  batch.status[row] = status
  batch.latencyMs[row] = latencyMs
  batch.bytes[row] = -1
  batch.route[row] = numberOf(routeOf, route)
  batch.source[row] = numberOf(sourceOf, source)
}

function numberOf(hash: typeof routeOf, text: string): number {
  const before = known.get(text)
  if (before !== undefined) return before
  const bytes = Buffer.from(text)
  const number = hash(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 0, bytes.length)
  if (known.size < mostKnown) known.set(text, number)
  return number
}
