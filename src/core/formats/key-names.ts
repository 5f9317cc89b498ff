/**
 * What a call's key is called. Its id is its name; a raw key value, if the log (wrongly) carries it, becomes a keyed hash
 * here and goes no further: it is in no table, log, message or file. A plain hash would not do, because a short key can
 * be found from its hash by trying.
 */
import { createHmac } from 'node:crypto'
import { ANONYMOUS } from '../vocabulary.ts'
import { createKeyIndex, type KeyIndex } from './key-index.ts'

export interface KeyNames {
  readonly table: KeyIndex
  /** Number of the key id at `from` to `to`. Undefined when the table is full: such a call counts as anonymous. */
  ofId(bytes: Buffer, from: number, to: number): number | undefined
  /** The same for a raw key value, under its hash. */
  ofSecret(bytes: Buffer, from: number, to: number): number | undefined
  /** The number of calls without a key. */
  anonymous(): number
}

/** No gateway makes a longer id; what is longer (or holds control characters) is shown by its hash, still apart from others. */
const longestId = 256
/** Raw values remembered with their number, in memory only; at the bound all are forgotten and hashed anew. */
const mostSecrets = 100_000

export function createKeyNames(hashSecret: string): KeyNames {
  const table = createKeyIndex(createHmac('sha256', hashSecret).update('key table').digest().readInt32LE(0))
  const secrets = new Map<string, number | undefined>()
  const anonymousBytes = Buffer.from(ANONYMOUS)
  // First in the table, so that it has a number when the table is full.
  const anonymousNumber = table.numberOf(anonymousBytes, 0, anonymousBytes.length) ?? 0

  const ofText = (text: string): number | undefined => {
    const bytes = Buffer.from(text)
    return table.numberOf(bytes, 0, bytes.length)
  }
  const hashed = (text: string): string =>
    `hash:${createHmac('sha256', hashSecret).update(text).digest('hex').slice(0, 16)}`

  return {
    table,
    anonymous: () => anonymousNumber,
    ofId(bytes, from, to) {
      if (isPlain(bytes, from, to)) return table.numberOf(bytes, from, to)
      const text = bytes.toString('utf8', from, to)
      return ofText(to - from > longestId || hasControl(text) ? hashed(text) : text)
    },
    ofSecret(bytes, from, to) {
      const text = bytes.toString('utf8', from, to)
      if (secrets.has(text)) return secrets.get(text)
      const number = ofText(hashed(text))
      if (secrets.size === mostSecrets) secrets.clear()
      // A long one is hashed each time: the bound above is then one on bytes too.
      if (text.length <= longestId) secrets.set(text, number)
      return number
    },
  }
}

/** Printable ASCII of a usual length: its bytes are its identity. Two other spellings may decode to the same text. */
function isPlain(bytes: Buffer, from: number, to: number): boolean {
  if (to - from > longestId) return false
  for (let at = from; at < to; at++) {
    const byte = bytes[at] ?? 0
    if (byte < 0x20 || byte > 0x7e) return false
  }
  return true
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const hasControl = (text: string): boolean => /[\u0000-\u001f\u007f-\u009f]/.test(text)
