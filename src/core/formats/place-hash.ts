/**
 * Hashes of paths and of sources as they are written. Each twice: of a text whose end is known, and of one whose end the fast
 * reader is still looking for, so that it goes over the text once; both say the same. On the hot path: four bytes a step,
 * found and hashed as line-match.ts explains.
 */
import type { Found } from './found.ts'

const questions = 0x3f3f3f3f
const backslashes = 0x5c5c5c5c
const belowHash = 0x23232323
const ones = 0x01010101
const highBits = 0x80808080 | 0

const question = 0x3f
const quote = 0x22
const space = 0x20
const backslash = 0x5c

const pathSeed = 0x811c9dc5 | 0

/** Of the path from `from` to `to`, up to its first question mark; never 0. */
export function pathHash(view: DataView, from: number, to: number): number {
  let hash = pathSeed
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

/**
 * The same of the path that begins at `found.at`, which is left at what ends it: a question mark, a quote, a backslash or a
 * control character. 0 where it holds what is seldom in a path, and costs a step: a space, or an exclamation mark.
 */
export function readPath(view: DataView, found: Found): number {
  let hash = pathSeed
  for (let at = found.at; ; at = (at + 4) | 0) {
    const word = view.getInt32(at, true)
    const slashed = word ^ backslashes
    const asked = word ^ questions
    const hits = (((word - belowHash) & ~word) | ((slashed - ones) & ~slashed) | ((asked - ones) & ~asked)) & highBits
    if (hits === 0) {
      hash = mixed(hash, word)
      continue
    }
    const plain = lowest(hits)
    for (let shift = 0; shift < 8 * plain; shift += 8) hash = mixed(hash, (word >>> shift) & 0xff)
    found.at = (at + plain) | 0
    return isInText((word >>> (8 * plain)) & 0xff) ? 0 : spread(hash) || 1
  }
}

/** Of a source from `from` to `to`. It is remembered by this, so whoever does not know the seed cannot make two alike. */
export function sourceHash(seed: number, view: DataView, from: number, to: number): number {
  let hash = seed
  let at = from
  for (; at + 4 <= to; at += 4) hash = mixed(hash, view.getInt32(at, true))
  let rest = 0
  for (let shift = 32 - 8 * (to - at); at < to; at++, shift += 8) rest |= view.getUint8(at) << shift
  return spread(mixed(hash, rest) ^ (to - from))
}

/** The same of one that begins at `found.at`, which is left where its plain text ends. */
export function readSourceHash(view: DataView, found: Found): number {
  const from = found.at
  let hash = found.sourceSeed
  for (let at = from; ; at = (at + 4) | 0) {
    const word = view.getInt32(at, true)
    const slashed = word ^ backslashes
    const hits = (((word - belowHash) & ~word) | ((slashed - ones) & ~slashed)) & highBits
    if (hits === 0) {
      hash = mixed(hash, word)
      continue
    }
    const plain = lowest(hits)
    const to = (at + plain) | 0
    found.at = to
    return spread(mixed(hash, plain === 0 ? 0 : word << (32 - 8 * plain)) ^ (to - from))
  }
}

/** Whether a byte that was stopped at is part of the text all the same. */
const isInText = (byte: number): boolean => byte >= space && byte !== quote && byte !== backslash && byte !== question

/** Offset of the lowest byte whose highest bit is set. */
const lowest = (hits: number): number => (31 - Math.clz32(hits & -hits)) >> 3

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
