/** Decoding, and what came of it, for the tests of formats. */
import { type CallBatch, createBatch } from '../call-batch.ts'
import { createDecoder, type ReadPlaces } from './decoder.ts'
import type { FieldSettings, FormatName } from './field-names.ts'

export interface Decoding {
  readonly format?: FormatName
  readonly fields?: FieldSettings
  readonly maxRecordBytes?: number
  readonly hashSecret?: string
  readonly reads?: ReadPlaces
}

/** One decoder reads all `payloads`, each as the record at position `7`. */
export function decode(
  payloads: string | Uint8Array | readonly (string | Uint8Array)[],
  { format = 'auto', fields = {}, maxRecordBytes = 1 << 20, hashSecret = 'a secret of the test', reads }: Decoding = {},
): CallBatch {
  const decoder = createDecoder({ format, fields, hashSecret, maxRecordBytes, reads })
  const batch = createBatch(decoder.keys)
  for (const payload of [payloads].flat()) decoder.decode(Buffer.from(payload), '7', batch)
  return batch
}

export interface Call {
  readonly key: string
  readonly time: number
  readonly status: number
  readonly latencyMs: number
  readonly bytes: number
}

export const callsOf = ({ length, keys, key, time, status, latencyMs, bytes }: CallBatch): readonly Call[] =>
  Array.from({ length }, (_, row) => ({
    key: keys.ids[key[row] ?? 0] ?? '',
    time: time[row] ?? 0,
    status: status[row] ?? 0,
    latencyMs: latencyMs[row] ?? 0,
    bytes: bytes[row] ?? 0,
  }))

export const keysOf = (batch: CallBatch): readonly string[] => callsOf(batch).map(call => call.key)

export const rejectedOf = (batch: CallBatch): Readonly<Record<string, number>> => Object.fromEntries(batch.rejected)
