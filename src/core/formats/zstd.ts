/**
 * Zstandard within bounds: a record at once, or a file piece by piece. A frame says itself how much memory its window
 * takes, and four bytes may become 128 KiB, so frames are walked before they are inflated (RFC 8878, section 3.1.1).
 *
 * By `fzstd` alone, though Node has had zstd of its own since 22.15: that is four times as fast, but its synchronous form
 * gives the first frame of several without a word, and the half of a truncated one too; and the same log must give the
 * same answers on every Node. Content checksums are not verified: Kafka, Kinesis and S3 have their own.
 */
import { Decompress } from 'fzstd'
import type { Inflated } from './gzip.ts'
import { hasEndlessWeights, longestWeights } from './zstd-weights.ts'

export const isZstd = (bytes: Uint8Array): boolean => bytes.length >= 4 && kindOfMagic(bytes) !== undefined

/** What `zstd` itself accepts unless told otherwise (windowLog 27): for files, which are the user's own. */
export const longestFileWindow = 128 * 1024 * 1024
/** A record of more frames than this is no log: each may ask for a window. */
const mostFramesOfRecord = 1000
/** Inflated at a time, so that no more than 32 MiB come out of one step, and frames nest no call too deep in `fzstd`. */
const stepBytes = 1024

export interface ZstdInflater {
  /** Hands what comes out to `out`, as soon as it does. After anything but `open` nothing more may be written. */
  write(bytes: Uint8Array, out: (plain: Uint8Array) => void): 'open' | 'damaged' | 'too-large'
  /** After the last bytes: hands out what was still waiting for more. `damaged` if a frame has not ended. */
  end(out: (plain: Uint8Array) => void): 'ended' | 'damaged'
}

/** `too-large`: a window of more than `maxWindowBytes`, or more than `maxFrames` frames. */
export function createZstdInflater({
  maxWindowBytes,
  maxFrames = Number.POSITIVE_INFINITY,
}: {
  readonly maxWindowBytes: number
  readonly maxFrames?: number
}): ZstdInflater {
  const frames = createFrameWalk()
  let out: (plain: Uint8Array) => void = () => {}
  const inflater = new Decompress(plain => {
    if (plain.length > 0) out(plain)
  })
  /** False for damage. What `out` throws is not of the data and goes to who gave it. */
  const push = (bytes: Uint8Array, isLast: boolean, taken: (plain: Uint8Array) => void): boolean => {
    let thrown: { readonly cause: unknown } | undefined
    out = plain => {
      try {
        taken(plain)
      } catch (cause) {
        thrown = { cause }
        throw cause
      }
    }
    try {
      inflater.push(bytes, isLast)
      return true
    } catch {
      if (thrown !== undefined) throw thrown.cause
      return false
    }
  }
  return {
    write(bytes, taken) {
      for (let at = 0; at < bytes.length; at += stepBytes) {
        const step = bytes.subarray(at, at + stepBytes)
        const found = frames.walk(step)
        if (frames.largestWindow() > maxWindowBytes || frames.count() > maxFrames) return 'too-large'
        if (found === 'endless' || !push(step, false, taken) || found === 'broken') return 'damaged'
      }
      return 'open'
    },
    end: taken => (push(new Uint8Array(0), true, taken) && frames.isBetween() ? 'ended' : 'damaged'),
  }
}

/** As `inflate` of gzip.ts does: within `maxBytes`, several frames as one text, and what came out before a break. */
export function inflateZstd(payload: Uint8Array, maxBytes: number): Inflated {
  const parts: Uint8Array[] = []
  let length = 0
  const take = (plain: Uint8Array): void => {
    length += plain.length
    if (length > maxBytes) throw tooMuch
    parts.push(plain)
  }
  const inflater = createZstdInflater({ maxWindowBytes: maxBytes, maxFrames: mostFramesOfRecord })
  const tooLarge: Inflated = { bytes: Buffer.alloc(0), fault: 'too-large' }
  try {
    const state = inflater.write(payload, take)
    if (state === 'too-large') return tooLarge
    const isWhole = state === 'open' && inflater.end(take) === 'ended'
    return { bytes: Buffer.concat(parts, length), fault: isWhole ? undefined : 'bad-zstd' }
  } catch (cause) {
    if (cause === tooMuch) return tooLarge
    throw cause
  }
}

const tooMuch = new Error('More came out than is allowed')

type FrameKind = 'frame' | 'skippable'

/** FD2FB528, or 184D2A50 to 184D2A5F for what is to be skipped; little-endian. */
function kindOfMagic(head: ArrayLike<number>): FrameKind | undefined {
  if (head[0] === 0x28 && head[1] === 0xb5 && head[2] === 0x2f && head[3] === 0xfd) return 'frame'
  const isSkippable = ((head[0] ?? 0) & 0xf0) === 0x50 && head[1] === 0x2a && head[2] === 0x4d && head[3] === 0x18
  return isSkippable ? 'skippable' : undefined
}

/**
 * Where frames and their blocks begin and end, whatever pieces they come in:
 *
 *   magic 4 | descriptor 1 | window 0-1 | dictionary 0-4 | content size 0-8 | (block header 3 | body)* | checksum 0 or 4
 */
function createFrameWalk() {
  let expects: 'header' | 'block' | 'literals' = 'header'
  let head: number[] = []
  let skip = 0
  /** Of a compressed block: its body, and what of that is looked at. */
  let block = { bytes: 0, looked: 0, isLast: false }
  let hasChecksum = false
  let largest = 0
  let frames = 0

  /** Takes a header once it is whole; false where there can be none such. */
  const takeHeader = (): boolean => {
    if (head.length < 4) return true
    const kind = kindOfMagic(head)
    if (kind === undefined) return false
    if (kind === 'skippable') {
      if (head.length < 8) return true
      skip = numberAt(head, 4, 4)
      frames++
      head = []
      return true
    }
    const header = frameHeader(head)
    if (header === undefined) return true
    largest = Math.max(largest, header.windowBytes)
    hasChecksum = header.hasChecksum
    frames++
    expects = 'block'
    head = []
    return true
  }
  const takeBlock = (): boolean => {
    if (head.length < 3) return true
    const header = numberAt(head, 0, 3)
    const [isLast, type, size] = [(header & 1) === 1, (header >> 1) & 3, header >> 3]
    head = []
    block = { bytes: size, looked: Math.min(size, longestWeights), isLast }
    if (type === 2 && size > 0) expects = 'literals'
    // A run of one byte has that byte as its body; type 3 is reserved.
    else skipBody(type === 1 ? 1 : size)
    return type !== 3
  }
  const skipBody = (bytes: number): void => {
    skip = bytes + (block.isLast && hasChecksum ? 4 : 0)
    expects = block.isLast ? 'header' : 'block'
    head = []
  }
  const takeLiterals = (): boolean => {
    if (head.length < block.looked) return true
    const isSound = !hasEndlessWeights(head)
    skipBody(block.bytes - block.looked)
    return isSound
  }

  return {
    /** `endless` must not be given to `fzstd`; of what is `broken` there may be something good before the break. */
    walk(bytes: Uint8Array): 'sound' | 'broken' | 'endless' {
      for (let at = 0; at < bytes.length; ) {
        if (skip > 0) {
          const skipped = Math.min(skip, bytes.length - at)
          skip -= skipped
          at += skipped
          continue
        }
        head.push(bytes[at++] ?? 0)
        if (expects === 'literals') {
          if (!takeLiterals()) return 'endless'
        } else if (!(expects === 'header' ? takeHeader() : takeBlock())) return 'broken'
      }
      return 'sound'
    },
    largestWindow: () => largest,
    count: () => frames,
    isBetween: () => expects === 'header' && head.length === 0 && skip === 0,
  }
}

/** undefined: not yet whole. */
function frameHeader(head: readonly number[]): { windowBytes: number; hasChecksum: boolean } | undefined {
  const descriptor = head[4]
  if (descriptor === undefined) return undefined
  const isSingle = (descriptor & 0x20) !== 0
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] ?? 0
  const sizeFlag = descriptor >> 6
  const sizeBytes = sizeFlag === 0 ? (isSingle ? 1 : 0) : 1 << sizeFlag
  const sizeAt = 5 + (isSingle ? 0 : 1) + dictionaryBytes
  if (head.length < sizeAt + sizeBytes) return undefined
  const window = head[5] ?? 0
  const base = 2 ** (10 + (window >> 3))
  const contentBytes = numberAt(head, sizeAt, sizeBytes) + (sizeFlag === 1 ? 256 : 0)
  return {
    windowBytes: isSingle ? contentBytes : base + (base / 8) * (window & 7),
    hasChecksum: (descriptor & 4) !== 0,
  }
}

const numberAt = (bytes: readonly number[], at: number, length: number): number =>
  bytes.slice(at, at + length).reduceRight((value, byte) => value * 256 + byte, 0)
