/**
 * What may be kept of a refused line: its shape. Letters become x, digits 9, and the names of fields that we know stay,
 * because they say what kind of line it was; punctuation shows where it broke. No value that the log held is in it.
 */

const longest = 160
/** Enough to see a name that begins before the cut and ends after it. */
const lookedAt = 1024

export function excerptOf(bytes: Buffer, from: number, to: number, known: ReadonlySet<string>): string {
  const text = bytes.toString('utf8', from, Math.min(to, from + lookedAt))
  return text
    .replace(/[\p{L}\p{N}_$.-]+/gu, (word, at: number) =>
      isName(text, at, word) && known.has(word) ? word : masked(word),
    )
    .replace(/[^\x20-\x7e]/g, '?')
    .slice(0, longest)
}

/** A known word within a value is still a value: only what stands as a member's name is kept. */
function isName(text: string, at: number, word: string): boolean {
  return text[at - 1] === '"' && /^\\?"\s*:/.test(text.slice(at + word.length, at + word.length + 8))
}

const masked = (word: string): string => word.replace(/\p{L}/gu, 'x').replace(/\p{N}/gu, '9')
