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
 * On the hot path, once a call each: four bytes in a step, and a source that was met before is not worked out again.
 */
import { createHash, createHmac } from 'node:crypto'

export interface Places {
  /** The route that is written from `from` to `to`; never 0. */
  routeOf(view: DataView, from: number, to: number): number
  /** The same of one that is written with escapes; 0 where they are others than `\/`. */
  escapedRouteOf(view: DataView, from: number, to: number): number
  /** The network of the address that is written there, or of a name the name; never 0. */
  sourceOf(view: DataView, from: number, to: number): number
}

const question = 0x3f
const slash = 0x2f
const space = 0x20
const backslash = 0x5c
const questions = 0x3f3f3f3f
const ones = 0x01010101
const highBits = 0x80808080 | 0

/** Sources remembered with their number, by the hash of how they were written. A power of two. */
const mostRemembered = 4_096
/** Of an escaped route so many bytes are taken. */
const longestEscaped = 2_048

export function createPlaces(hashSecret: string): Places {
  const digest = createHmac('sha256', hashSecret).update('sources').digest()
  const key = [digest.readInt32LE(0), digest.readInt32LE(4)] as const
  const seed = digest.readInt32LE(8)
  const written = new Int32Array(mostRemembered)
  const numbers = new Int32Array(mostRemembered)
  const scratch = new DataView(new ArrayBuffer(longestEscaped))

  return {
    routeOf,
    escapedRouteOf(view, from, to) {
      const length = unescapeSlashes(view, from, to, scratch)
      return length < 0 ? 0 : routeOf(scratch, 0, length)
    },
    sourceOf(view, from, to) {
      const hash = hashOf(seed, view, from, to)
      const place = hash & (mostRemembered - 1)
      // 0 is where nothing is remembered yet; a source that hashes to it is worked out each time.
      if (written[place] === hash && hash !== 0) return numbers[place] as number
      const number = keyed(key, networkOf(view, from, to)) || 1
      written[place] = hash
      numbers[place] = number
      return number
    },
  }
}

function routeOf(view: DataView, from: number, to: number): number {
  if (view.getUint8(from) === slash) return hashOfPath(view, from, to)
  let start = from
  const last = to - 1
  while (start < last && !(view.getUint8(start) === space && view.getUint8(start + 1) === slash)) start++
  // No path after a method: a full address, or a name of the user's own.
  if (start >= last) return hashOfPath(view, from, to)
  let end = start + 1
  while (end < to && view.getUint8(end) !== space) end++
  return hashOfPath(view, start + 1, end)
}

/** Up to the first question mark. */
function hashOfPath(view: DataView, from: number, to: number): number {
  let hash = 0x811c9dc5 | 0
  let at = from
  for (; at + 4 <= to; at += 4) {
    const word = view.getInt32(at, true)
    const asked = word ^ questions
    if (((asked - ones) & ~asked & highBits) !== 0) break
    hash = mixed(hash, word)
  }
  for (; at < to; at++) {
    const byte = view.getUint8(at)
    if (byte === question) break
    hash = mixed(hash, byte)
  }
  return spread(hash) || 1
}

function hashOf(seed: number, view: DataView, from: number, to: number): number {
  let hash = seed ^ (to - from)
  let at = from
  for (; at + 4 <= to; at += 4) hash = mixed(hash, view.getInt32(at, true))
  for (; at < to; at++) hash = mixed(hash, view.getUint8(at))
  return spread(hash)
}

/** A multiplication carries upwards only, so what it brought to the top is folded back in. */
function mixed(hash: number, part: number): number {
  const product = Math.imul(hash ^ part, 0x9e3779b1)
  return product ^ (product >>> 16)
}

/** Each bit of it depends on each bit of the hash (the finisher of MurmurHash3, which is in the public domain). */
function spread(hash: number): number {
  const once = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  const twice = Math.imul(once ^ (once >>> 13), 0xc2b2ae35)
  return twice ^ (twice >>> 16)
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

/** Two words and what they are of, so that no network of one kind is one of another. */
type Network = readonly [kind: number, high: number, low: number]
const networkBytes = 12
const [ofIpv4, ofIpv6, ofName] = [4, 6, 1]

function networkOf(view: DataView, from: number, to: number): Network {
  const prefix = ipv4Prefix(view, from, to)
  if (prefix >= 0) return [ofIpv4, 0, prefix]
  const text = Buffer.from(view.buffer, view.byteOffset + from, Math.min(to - from, 256)).toString('latin1')
  const address = /^\[?([0-9A-Fa-f:.]+)/.exec(text)?.[1] ?? ''
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  if (mapped !== undefined) {
    const bytes = Buffer.from(mapped)
    return networkOf(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 0, bytes.length)
  }
  // As good as an address: what else has so many colons is told from others all the same.
  if (!/^[0-9a-f]{0,4}(:[0-9a-f]{0,4}){2,7}$/i.test(address)) return nameOf(text)
  const [first = 0, second = 0, third = 0] = hextetsOf(address)
  return [ofIpv6, (first << 16) | second, third]
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

function nameOf(text: string): Network {
  const digest = createHash('sha256').update(text).digest()
  return [ofName, digest.readInt32LE(0), digest.readInt32LE(4)]
}

/** HalfSipHash-2-4 of the three words, 32 bits. */
function keyed([one, other]: readonly [number, number], network: Network): number {
  let v0 = one
  let v1 = other
  let v2 = one ^ 0x6c796765
  let v3 = other ^ 0x74656462
  const rounds = (times: number): void => {
    for (let round = 0; round < times; round++) {
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
  }
  for (const word of [...network, networkBytes << 24]) {
    v3 ^= word
    rounds(2)
    v0 ^= word
  }
  v2 ^= 0xff
  rounds(4)
  return v1 ^ v3
}

const rotated = (word: number, bits: number): number => (word << bits) | (word >>> (32 - bits))
