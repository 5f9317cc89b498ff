/**
 * What producers and brokers compress batches of records with, inflated within a bound. A batch of a megabyte may hold a
 * gigabyte, and the libraries for snappy, lz4 and zstd write all of it before they return: so each stream is walked
 * first, block by block, for the most that it can become, and refused unread when that is too much.
 *
 * A library is loaded when the first batch of its codec comes: most topics have one codec, and many have none.
 */
import { promisify } from 'node:util'
import * as zlib from 'node:zlib'
import { hasEndlessWeights, longestWeights } from '../core/formats/zstd-weights.ts'

/** By Kafka's numbers: the lowest three bits of a batch's attributes. */
const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
export type Codec = (typeof codecs)[number]

/** `undefined` for a number that Kafka gives to none. */
export const codecOf = (attributes: number): Codec | undefined => codecs[attributes & 7]

/** More than the reader is willing to hold. Any other error of `inflate` says that the bytes are broken. */
export class TooLarge extends Error {
  override name = 'TooLarge'
}

/** The codec's library cannot be loaded here: not the batch's fault, and true of every batch of that codec. */
export class CodecMissing extends Error {
  override name = 'CodecMissing'
}

/** Throws TooLarge, CodecMissing, or an error that says what is broken. */
export async function inflate(codec: Codec, bytes: Buffer, maxBytes: number): Promise<Buffer> {
  switch (codec) {
    case 'none':
      return bytes
    case 'gzip':
      return inflateGzip(bytes, maxBytes)
    case 'snappy':
      return inflateSnappy(bytes, maxBytes)
    case 'lz4': {
      withinBound(lz4Bound(bytes), maxBytes)
      const { decompressFrame } = await load('lz4-napi', () => import('lz4-napi'))
      return decompressFrame(bytes)
    }
    case 'zstd': {
      const { length, window } = zstdBound(bytes)
      withinBound(window, maxBytes)
      return inflateZstd(bytes, withinBound(length, maxBytes))
    }
    default:
      return codec satisfies never
  }
}

const gunzipInThread = promisify<Buffer, { maxOutputLength: number }, Buffer>(zlib.gunzip)

async function inflateGzip(bytes: Buffer, maxOutputLength: number): Promise<Buffer> {
  try {
    return await gunzipInThread(bytes, { maxOutputLength })
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE') tooLarge(maxOutputLength)
    throw error
  }
}

/** Java's clients write blocks of 32 KiB behind a header of their own (xerial's); others write one raw block. */
const xerialMagic = Buffer.from('\x82SNAPPY\0', 'latin1')
const xerialHeaderBytes = 16

async function inflateSnappy(bytes: Buffer, maxBytes: number): Promise<Buffer> {
  const blocks = snappyBlocks(bytes)
  let total = 0
  for (const block of blocks) total += snappyLength(block)
  withinBound(total, maxBytes)
  const { uncompress } = await load('snappy', () => import('snappy'))
  const parts = await Promise.all(blocks.map(block => uncompress(block)))
  return Buffer.concat(parts.map(part => Buffer.from(part)))
}

function snappyBlocks(bytes: Buffer): readonly Buffer[] {
  if (!bytes.subarray(0, xerialMagic.length).equals(xerialMagic)) return [bytes]
  const blocks: Buffer[] = []
  for (let at = xerialHeaderBytes; at < bytes.length; ) {
    const length = bytes.readInt32BE(at)
    const end = at + 4 + length
    if (length < 0 || end > bytes.length) throw new Error('a snappy block is cut off')
    blocks.push(bytes.subarray(at + 4, end))
    at = end
  }
  return blocks
}

/** A raw block begins with what it becomes, as a varint. */
function snappyLength(block: Buffer): number {
  let length = 0
  for (let at = 0; at < 5; at++) {
    const byte = block.readUInt8(at)
    length += (byte & 0x7f) * 2 ** (7 * at)
    if (byte < 0x80) return length
  }
  throw new Error('a snappy block has no length')
}

const lz4Magic = 0x184d2204
const lz4BlockBytes: Readonly<Record<number, number>> = { 4: 64 << 10, 5: 256 << 10, 6: 1 << 20, 7: 4 << 20 }

/** The most that an lz4 frame can become (lz4_Frame_format.md of github.com/lz4/lz4). */
function lz4Bound(bytes: Buffer): number {
  if (bytes.readUInt32LE(0) !== lz4Magic) throw new Error('no lz4 frame begins here')
  const flags = bytes.readUInt8(4)
  const maxBlock = lz4BlockBytes[(bytes.readUInt8(5) >> 4) & 7]
  if (maxBlock === undefined) throw new Error('an lz4 frame names no size of its blocks')
  const hasContentSize = (flags & 8) !== 0
  const checksumBytes = (flags & 16) !== 0 ? 4 : 0
  let at = 7 + (hasContentSize ? 8 : 0) + ((flags & 1) !== 0 ? 4 : 0)
  let bound = 0
  for (;;) {
    const size = bytes.readUInt32LE(at)
    if (size === 0) break
    const stored = size & 0x7fffffff
    bound += size >>> 31 === 1 ? stored : maxBlock
    at += 4 + stored + checksumBytes
  }
  // What the header claims is what a library may set aside at once.
  if (hasContentSize && bytes.readBigUInt64LE(6) > bound) throw new Error('an lz4 frame claims more than it holds')
  return bound
}

const zstdMagic = 0xfd2fb528
const zstdSkippableMagic = 0x184d2a50
const zstdBlockBytes = 128 << 10

/** The most that zstd frames, one after another, can become, and the most that is set aside for looking back in one. */
function zstdBound(bytes: Buffer): { readonly length: number; readonly window: number } {
  let length = 0
  let window = 0
  for (let at = 0; at < bytes.length; ) {
    const frame = zstdFrame(bytes.subarray(at))
    length += frame.bound
    window = Math.max(window, frame.window)
    at += frame.length
  }
  return { length, window }
}

interface ZstdFrame {
  /** As it is, bytes. */
  readonly length: number
  /** What it becomes at most. */
  readonly bound: number
  readonly window: number
}

/** RFC 8878, section 3.1. */
function zstdFrame(bytes: Buffer): ZstdFrame {
  const magic = bytes.readUInt32LE(0)
  if ((magic & 0xfffffff0) >>> 0 === zstdSkippableMagic)
    return { length: 8 + bytes.readUInt32LE(4), bound: 0, window: 0 }
  if (magic !== zstdMagic) throw new Error('no zstd frame begins here')
  const descriptor = bytes.readUInt8(4)
  const isSingleSegment = (descriptor & 32) !== 0
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] ?? 0
  const sizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0
  const sizeAt = 5 + (isSingleSegment ? 0 : 1) + dictionaryBytes
  let at = sizeAt + sizeBytes
  let bound = 0
  for (let isLast = false; !isLast; ) {
    const header = bytes.readUIntLE(at, 3)
    const type = (header >> 1) & 3
    const size = header >> 3
    isLast = (header & 1) === 1
    if (type === 3) throw new Error('a zstd block is of no known type')
    if (type === 2 && hasEndlessWeights(bytes.subarray(at + 3, at + 3 + Math.min(size, longestWeights))))
      throw new Error('a zstd block has literals without an end')
    bound += type === 2 ? zstdBlockBytes : size
    at += 3 + (type === 1 ? 1 : size)
  }
  const length = at + ((descriptor & 4) !== 0 ? 4 : 0)
  const claimed = zstdContentSize(bytes.subarray(sizeAt, sizeAt + sizeBytes))
  if (claimed !== undefined && claimed > bound) throw new Error('a zstd frame claims more than it holds')
  return { length, bound: claimed ?? bound, window: isSingleSegment ? 0 : zstdWindow(bytes.readUInt8(5)) }
}

const zstdWindow = (descriptor: number): number => 2 ** (10 + (descriptor >> 3)) * (1 + (descriptor & 7) / 8)

function zstdContentSize(field: Buffer): number | undefined {
  switch (field.length) {
    case 0:
      return undefined
    case 2:
      return field.readUInt16LE(0) + 256
    case 8:
      return Number(field.readBigUInt64LE(0))
    default:
      return field.readUIntLE(0, field.length)
  }
}

/** Node has zstd from 22.15 on, three times as fast as the library that serves without. */
async function inflateZstd(bytes: Buffer, bound: number): Promise<Buffer> {
  if ('zstdDecompressSync' in zlib && typeof zlib.zstdDecompressSync === 'function')
    return zlib.zstdDecompressSync(bytes, { maxOutputLength: Math.max(1, bound) })
  const { decompress } = await load('fzstd', () => import('fzstd'))
  return asBuffer(decompress(bytes))
}

const asBuffer = ({ buffer, byteOffset, byteLength }: Uint8Array): Buffer => Buffer.from(buffer, byteOffset, byteLength)

async function load<Library>(name: string, work: () => Promise<Library>): Promise<Library> {
  try {
    return await work()
  } catch (cause) {
    throw new CodecMissing(`${name} cannot be loaded`, { cause })
  }
}

function withinBound(bytes: number, maxBytes: number): number {
  if (bytes > maxBytes) tooLarge(maxBytes)
  return bytes
}

function tooLarge(maxBytes: number): never {
  throw new TooLarge(`it would become more than ${maxBytes} bytes`)
}
