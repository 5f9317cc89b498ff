/** Keys whose ids are like one that is not known: who typed it at night meant one of these. */
import type { ApiKeyId } from '../vocabulary.ts'

/** So many letters may differ. */
const mostDifferent = 3

/** The few most alike, best first: a part of the other in it, or few letters off. */
export function likeKeys(wanted: string, known: Iterable<ApiKeyId>, most = 5): readonly ApiKeyId[] {
  const word = wanted.toLowerCase()
  const found: { readonly keyId: ApiKeyId; readonly distance: number }[] = []
  for (const keyId of known) {
    const distance = distanceOf(word, keyId.toLowerCase())
    if (distance <= mostDifferent) found.push({ keyId, distance })
  }
  found.sort((one, other) => one.distance - other.distance || (one.keyId < other.keyId ? -1 : 1))
  return found.slice(0, most).map(({ keyId }) => keyId)
}

function distanceOf(word: string, other: string): number {
  const shorter = Math.min(word.length, other.length)
  if (shorter >= mostDifferent && (other.includes(word) || word.includes(other))) return 1
  return Math.abs(word.length - other.length) > mostDifferent ? Number.POSITIVE_INFINITY : edits(word, other)
}

/** Letters put in, left out or changed to make one of the other (Levenshtein). */
function edits(word: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index)
  for (let at = 1; at <= word.length; at++) {
    const next = [at]
    for (let index = 1; index <= other.length; index++) {
      const changed = (row[index - 1] ?? 0) + (word[at - 1] === other[index - 1] ? 0 : 1)
      next.push(Math.min(changed, (row[index] ?? 0) + 1, (next[index - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[other.length] ?? 0
}
