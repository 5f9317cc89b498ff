/**
 * The bytes of a checkpoint:
 *
 *   magic `WEIRCKPT` (8) · format (4, little endian) · length of the body (8, little endian) · SHA-256 of the body (32) · body
 *   body: length of the contents (4, little endian) · contents (JSON: which slabs, which pieces of the log, lengths of the
 *         values) · values (V8's own format)
 */
import { createHash } from 'node:crypto'
import { setImmediate as breathe } from 'node:timers/promises'
import { Deserializer, Serializer } from 'node:v8'
import type { Piece, SlabSize } from './cell-log.ts'

const magic = Buffer.from('WEIRCKPT')
/** Of the state as well: a change of what the engine's state is made of is another format, and the old one is refused. */
const format = 8
const headerBytes = magic.length + 4 + 8 + 32
/** So many bytes are hashed in a few milliseconds. */
const hashedBytes = 4 * 1024 * 1024

export interface Contents {
  readonly slabs: readonly SlabSize[]
  readonly pieces: readonly Piece[]
}

export type Decoded<T> =
  | ({ readonly kind: 'good' } & T)
  | { readonly kind: 'damaged'; readonly because: string }
  | { readonly kind: 'other-format'; readonly because: string }

/** `values`: each as `serialized` made it. Gives way to others while it hashes. */
export async function encode(contents: Contents, values: readonly Buffer[]): Promise<readonly Buffer[]> {
  const json = Buffer.from(JSON.stringify({ ...contents, values: values.map(({ length }) => length) }))
  const length = Buffer.alloc(4)
  length.writeUInt32LE(json.length)
  const body = [length, json, ...values]
  const header = Buffer.alloc(headerBytes)
  magic.copy(header)
  header.writeUInt32LE(format, 8)
  header.writeBigUInt64LE(BigInt(body.reduce((sum, part) => sum + part.length, 0)), 12)
  const hash = createHash('sha256')
  let sinceBreath = 0
  for (const part of body) {
    for (let at = 0; at < part.length; at += hashedBytes) {
      const some = part.subarray(at, at + hashedBytes)
      sinceBreath += some.length
      if (sinceBreath > hashedBytes) {
        await breathe()
        sinceBreath = some.length
      }
      hash.update(some)
    }
  }
  hash.digest().copy(header, 20)
  return [header, ...body]
}

export function decode(file: Buffer): Decoded<{ readonly contents: Contents; readonly values: readonly Buffer[] }> {
  if (file.length < headerBytes) return { kind: 'damaged', because: `it has only ${file.length} bytes` }
  if (!file.subarray(0, magic.length).equals(magic)) return { kind: 'damaged', because: 'it does not begin as one' }
  const found = file.readUInt32LE(8)
  if (found !== format)
    return { kind: 'other-format', because: `it is of format ${found}, this version reads ${format}` }

  const body = file.subarray(headerBytes)
  const announced = file.readBigUInt64LE(12)
  if (BigInt(body.length) !== announced)
    return { kind: 'damaged', because: `it has ${body.length} of ${announced} bytes` }
  if (!createHash('sha256').update(body).digest().equals(file.subarray(20, headerBytes)))
    return { kind: 'damaged', because: 'its checksum does not fit' }
  let at = 4 + body.readUInt32LE(0)
  const { values: lengths, ...contents } = JSON.parse(body.subarray(4, at).toString()) as Contents & {
    readonly values: readonly number[]
  }
  const values = lengths.map(length => {
    at += length
    return body.subarray(at - length, at)
  })
  return { kind: 'good', contents, values }
}

/** As `v8.serialize` but for typed arrays: those come back with buffers of their own, and not as views of the whole file. */
export function serialized(value: unknown): Buffer {
  const serializer = new Serializer()
  serializer.writeHeader()
  serializer.writeValue(value)
  return serializer.releaseBuffer()
}

/** Undefined: a newer runtime wrote it. */
export function deserialized(bytes: Buffer): { readonly value: unknown } | undefined {
  try {
    const deserializer = new Deserializer(bytes)
    deserializer.readHeader()
    return { value: deserializer.readValue() }
  } catch {
    return undefined
  }
}
