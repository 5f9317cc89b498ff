/**
 * From bytes to columns. A decoder is made once for a stream and keeps its key table; it never throws: what cannot be
 * read is a counted rejection in the batch, and the good lines around it are all counted.
 */
import type { CallBatch, KeyTable } from '../call-batch.ts'
import type { FieldMapping, FormatName } from '../config.ts'
import type { Position } from '../vocabulary.ts'

export interface Decoder {
  readonly keys: KeyTable
  /** Appends what `payload` holds to `batch`, which must have been made with this decoder's `keys`. */
  decode(payload: Uint8Array, position: Position, batch: CallBatch): void
}

export interface DecoderOptions {
  readonly format: FormatName
  readonly fields: FieldMapping
  /** Keys the HMAC-SHA256 that a raw key value becomes (`hash:` + 16 hex digits). The raw value goes no further. */
  readonly hashSecret: string
  /** A record larger than this, as it came or inflated, is refused: 32 MiB guards against gzip bombs. */
  readonly maxRecordBytes: number
}
