/**
 * The bytes of one segment of a recording:
 *
 *   magic `WEIRRECD` (8) · format (4, little endian) · frames
 *   frame: length of the body (4) · length of what it inflates to (4) · CRC-32 of the body (4) · body
 *
 * A body is a value serialised as `node:v8` does and deflated at the quickest level. A frame is whole or it does not count:
 * a worker that was killed leaves a torn last one, which is cut off on reading.
 */
import type { FileHandle } from 'node:fs/promises'
import { promisify } from 'node:util'
import { deserialize } from 'node:v8'
import { crc32, deflateRaw, inflateRaw } from 'node:zlib'

const magic = Buffer.from('WEIRRECD')
export const recordingFormat = 5
const frameHeaderBytes = 12

const deflate = promisify<Uint8Array, { level: number }, Buffer>(deflateRaw)
const inflate = promisify<Uint8Array, { maxOutputLength: number }, Buffer>(inflateRaw)

export function segmentBeginning(): Buffer {
  const beginning = Buffer.alloc(magic.length + 4)
  magic.copy(beginning)
  beginning.writeUInt32LE(recordingFormat, magic.length)
  return beginning
}

/** `serialised`: at most 4 GiB, as node's buffers are. */
export async function frameOf(serialised: Buffer): Promise<readonly [header: Buffer, body: Buffer]> {
  const body = await deflate(serialised, { level: 1 })
  const header = Buffer.alloc(frameHeaderBytes)
  header.writeUInt32LE(body.length, 0)
  header.writeUInt32LE(serialised.length, 4)
  header.writeUInt32LE(crc32(body), 8)
  return [header, body]
}

export type FrameRead =
  | { readonly kind: 'frame'; readonly value: unknown }
  /** From here on nothing can be read; `lostBytes` are left. */
  | { readonly kind: 'torn'; readonly lostBytes: number }

/** What a file that is no segment of ours is instead; undefined: it is one. A file shorter than its beginning is torn. */
export async function readBeginning(file: FileHandle): Promise<string | undefined> {
  const { bytesRead, buffer } = await file.read(Buffer.alloc(magic.length + 4), 0, magic.length + 4, 0)
  if (bytesRead < buffer.length) return undefined
  if (!buffer.subarray(0, magic.length).equals(magic)) return 'it does not begin as one'
  const format = buffer.readUInt32LE(magic.length)
  return format === recordingFormat ? undefined : `it is of format ${format}, this version reads ${recordingFormat}`
}

/** Throws what the disk throws, and SyntaxError-like failures of a newer runtime's values as they are. */
export async function* readFrames(file: FileHandle): AsyncGenerator<FrameRead> {
  const { size } = await file.stat()
  for (let at = magic.length + 4; at < size; ) {
    const torn: FrameRead = { kind: 'torn', lostBytes: size - at }
    const { bytesRead, buffer: header } = await file.read(Buffer.alloc(frameHeaderBytes), 0, frameHeaderBytes, at)
    const length = header.readUInt32LE(0)
    at += frameHeaderBytes
    if (bytesRead < frameHeaderBytes || at + length > size) {
      yield torn
      return
    }
    const { buffer: body } = await file.read(Buffer.alloc(length), 0, length, at)
    if (crc32(body) !== header.readUInt32LE(8)) {
      yield torn
      return
    }
    at += length
    yield { kind: 'frame', value: deserialize(await inflate(body, { maxOutputLength: header.readUInt32LE(4) })) }
  }
}
