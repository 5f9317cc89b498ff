/** Inflates a record within a bound, and gives back what came out before a break. */
import { constants, gunzipSync } from 'node:zlib'

export interface Inflated {
  readonly bytes: Buffer
  /** `bad-gzip`, `bad-zstd`: `bytes` is what came out before the data ended or broke. `too-large`: it is empty. */
  readonly fault: 'bad-gzip' | 'bad-zstd' | 'too-large' | undefined
}

export const isGzip = (bytes: Uint8Array): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b

/** Never inflates to more than `maxBytes`: a kilobyte can hold a gigabyte. Several members one after another are one. */
export function inflate(payload: Uint8Array, maxBytes: number): Inflated {
  const whole = attempt(payload, maxBytes, constants.Z_FINISH)
  if (whole === 'too-large') return { bytes: Buffer.alloc(0), fault: 'too-large' }
  if (whole !== 'broken') return { bytes: whole, fault: undefined }

  const beforeBreak = largestReadable(payload, maxBytes)
  return beforeBreak === 'too-large'
    ? { bytes: Buffer.alloc(0), fault: 'too-large' }
    : { bytes: beforeBreak, fault: 'bad-gzip' }
}

/**
 * zlib's synchronous form gives nothing when it fails, but flushes whatever a prefix holds. A truncated record is such a
 * prefix itself; of a damaged one the longest that passes is searched by halves, to within a few bytes.
 */
function largestReadable(payload: Uint8Array, maxBytes: number): Buffer | 'too-large' {
  let [passes, fails] = [0, payload.length + 1]
  let best: Buffer | 'too-large' = Buffer.alloc(0)
  for (let length = payload.length; fails - passes > 8; length = (passes + fails) >> 1) {
    const part = attempt(payload.subarray(0, length), maxBytes, constants.Z_SYNC_FLUSH)
    if (part === 'too-large') return part
    if (part === 'broken') fails = length
    else [passes, best] = [length, part]
    if (passes === payload.length) break
  }
  return best
}

function attempt(payload: Uint8Array, maxBytes: number, finishFlush: number): Buffer | 'broken' | 'too-large' {
  try {
    return gunzipSync(payload, { maxOutputLength: maxBytes, finishFlush, chunkSize: roomFor(payload) })
  } catch (cause) {
    return cause instanceof RangeError && 'code' in cause && cause.code === 'ERR_BUFFER_TOO_LARGE'
      ? 'too-large'
      : 'broken'
  }
}

/** A member ends with its inflated length (RFC 1952, section 2.3.1): room for as much is one piece, which nobody has to join. */
function roomFor(payload: Uint8Array): number {
  const [low = 0, second = 0, third = 0, high = 0] = payload.subarray(-4)
  const claimed = low + second * 2 ** 8 + third * 2 ** 16 + high * 2 ** 24
  // One byte more, or zlib would ask for another piece to see that there is nothing to put in it. It is a claim only.
  return Math.min(Math.max(claimed + 1, leastRoom), mostRoom)
}

const leastRoom = 256
const mostRoom = 1024 * 1024
