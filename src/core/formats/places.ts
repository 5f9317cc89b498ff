/**
 * What was called and from where, as numbers: of a call's path a hash, of its source's network a keyed one. Neither the path
 * nor the address goes any further.
 *
 * - A **route** is a path without its query: `/v1/items/7`, also where a method stands before it (`GET /v1/items/7 HTTP/1.1`).
 *   Its hash has no key: it is only ever counted in a bitmap, and never kept.
 * - A **source** is an address's network, the /24 of IPv4 and the /48 of IPv6, since a client's own machines share it and a
 *   stranger's do not. There are only 16 million of the former, so a plain hash would be found out by trying: HalfSipHash-2-4
 *   (Aumasson and Bernstein; the reference is github.com/veorq/SipHash), keyed by the secret that keys raw API keys.
 *
 * On the hot path, once a call each: a source that was met before is not worked out again.
 */
import { createHash, createHmac } from 'node:crypto'
import { pathHash, sourceHash } from './place-hash.ts'

export interface Places {
  /** The route that is written from `from` to `to`; never 0. */
  routeOf(view: DataView, from: number, to: number): number
  /** The same of one that is written with escapes; 0 where they are others than `\/`. */
  escapedRouteOf(view: DataView, from: number, to: number): number
  /** The network of the address that is written there, or of a name the name; never 0. */
  sourceOf(view: DataView, from: number, to: number): number
  /** The same, where the `sourceHash` of what is written there is known, under this seed. */
  sourceOfHash(hash: number, view: DataView, from: number, to: number): number
  readonly sourceSeed: number
}

const slash = 0x2f
const space = 0x20
const backslash = 0x5c

/**
 * Sources remembered with their number, by the hash of how they were written: two to a place, since of some hundred that call
 * in turns a few always share one, and each would be worked out for each call. A power of two.
 */
const mostRemembered = 4_096
/** Of an escaped route so many bytes are taken. */
const longestEscaped = 2_048

export function createPlaces(hashSecret: string): Places {
  const digest = createHmac('sha256', hashSecret).update('sources').digest()
  const key = [digest.readInt32LE(0), digest.readInt32LE(4)] as const
  const sourceSeed = digest.readInt32LE(8)
  const written = new Int32Array(mostRemembered)
  const numbers = new Int32Array(mostRemembered)
  const scratch = new DataView(new ArrayBuffer(longestEscaped))

  const sourceOfHash = (hash: number, view: DataView, from: number, to: number): number => {
    const place = hash & (mostRemembered - 2)
    // 0 is where nothing is remembered yet; a source that hashes to it is worked out each time.
    if (written[place] === hash && hash !== 0) return numbers[place] as number
    if (written[place + 1] === hash && hash !== 0) return numbers[place + 1] as number
    const number = numberOf(key, view, from, to)
    written[place + 1] = written[place] as number
    numbers[place + 1] = numbers[place] as number
    written[place] = hash
    numbers[place] = number
    return number
  }

  return {
    routeOf,
    escapedRouteOf(view, from, to) {
      const length = unescapeSlashes(view, from, to, scratch)
      return length < 0 ? 0 : routeOf(scratch, 0, length)
    },
    sourceOf: (view, from, to) => sourceOfHash(sourceHash(sourceSeed, view, from, to), view, from, to),
    sourceOfHash,
    sourceSeed,
  }
}

function routeOf(view: DataView, from: number, to: number): number {
  if (view.getUint8(from) === slash) return pathHash(view, from, to)
  let start = from
  const last = to - 1
  while (start < last && !(view.getUint8(start) === space && view.getUint8(start + 1) === slash)) start++
  // No path after a method: a full address, or a name of the user's own.
  if (start >= last) return pathHash(view, from, to)
  let end = start + 1
  while (end < to && view.getUint8(end) !== space) end++
  return pathHash(view, start + 1, end)
}

/** Writes the text without the backslashes before its slashes; -1 where other escapes or more than ASCII stand in it. */
function unescapeSlashes(view: DataView, from: number, to: number, out: DataView): number {
  let length = 0
  for (let at = from; at < to; at++) {
    let byte = view.getUint8(at)
    if (byte === backslash) {
      byte = view.getUint8(++at)
      if (byte !== slash) return -1
    }
    if (byte > 0x7e || length === longestEscaped) return -1
    out.setUint8(length++, byte)
  }
  return length
}

type Key = readonly [one: number, other: number]

/** Two words and what they are of, so that no network of one kind is one of another. */
const [ofIpv4, ofIpv6, ofName] = [4, 6, 1]
const networkBytes = 12

/** Never 0. */
function numberOf(key: Key, view: DataView, from: number, to: number): number {
  const prefix = ipv4Prefix(view, from, to)
  if (prefix >= 0) return keyed(key, ofIpv4, 0, prefix) || 1
  const text = Buffer.from(view.buffer, view.byteOffset + from, Math.min(to - from, 256)).toString('latin1')
  const address = /^\[?([0-9A-Fa-f:.]+)/.exec(text)?.[1] ?? ''
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  if (mapped !== undefined) {
    const bytes = Buffer.from(mapped)
    return numberOf(key, new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 0, bytes.length)
  }
  // As good as an address: what else has so many colons is told from others all the same.
  if (!/^[0-9a-f]{0,4}(:[0-9a-f]{0,4}){2,7}$/i.test(address)) return ofNamed(key, text)
  const [first = 0, second = 0, third = 0] = hextetsOf(address)
  return keyed(key, ofIpv6, (first << 16) | second, third) || 1
}

/** The first three bytes of `192.0.2.1`, also with a port or further addresses behind it; -1 of anything else. */
function ipv4Prefix(view: DataView, from: number, to: number): number {
  let prefix = 0
  let part = 0
  let digits = 0
  let dots = 0
  for (let at = from; at < to; at++) {
    const byte = view.getUint8(at)
    if (byte >= 0x30 && byte <= 0x39) {
      part = part * 10 + byte - 0x30
      if (++digits > 3 || part > 255) return -1
    } else if (byte === 0x2e && digits > 0 && dots < 3) {
      prefix = (prefix << 8) | part
      dots++
      part = 0
      digits = 0
    } else if (dots === 3 && digits > 0 && (byte === 0x3a || byte === 0x2c || byte === space)) return prefix
    else return -1
  }
  return dots === 3 && digits > 0 ? prefix : -1
}

/** The first of an IPv6 address's eight numbers, up to where zeros are left out. */
const hextetsOf = (address: string): readonly number[] =>
  (address.split('::')[0] ?? '').split(':').map(part => Number.parseInt(part, 16) || 0)

function ofNamed(key: Key, text: string): number {
  const digest = createHash('sha256').update(text).digest()
  return keyed(key, ofName, digest.readInt32LE(0), digest.readInt32LE(4)) || 1
}

/** What is being hashed: three words and their length. */
const message = Int32Array.of(0, 0, 0, networkBytes << 24)

/** HalfSipHash-2-4 of the three words, 32 bits. */
function keyed([one, other]: Key, kind: number, high: number, low: number): number {
  message[0] = kind
  message[1] = high
  message[2] = low
  let v0 = one
  let v1 = other
  let v2 = one ^ 0x6c796765
  let v3 = other ^ 0x74656462
  for (let step = 0; step <= message.length; step++) {
    const isLast = step === message.length
    const word = isLast ? 0 : (message[step] as number)
    v3 ^= word
    if (isLast) v2 ^= 0xff
    for (let rounds = isLast ? 4 : 2; rounds > 0; rounds--) {
      v0 = (v0 + v1) | 0
      v1 = rotated(v1, 5) ^ v0
      v0 = rotated(v0, 16)
      v2 = (v2 + v3) | 0
      v3 = rotated(v3, 8) ^ v2
      v0 = (v0 + v3) | 0
      v3 = rotated(v3, 7) ^ v0
      v2 = (v2 + v1) | 0
      v1 = rotated(v1, 13) ^ v2
      v2 = rotated(v2, 16)
    }
    v0 ^= word
  }
  return v1 ^ v3
}

const rotated = (word: number, bits: number): number => (word << bits) | (word >>> (32 - bits))
