/** Times, limits and texts of others in words, for whoever tells people something: it knows nothing but what it is given. */
import type { EpochMs, PlanLimits } from '../vocabulary.ts'

const longestText = 200

export function limitsText(limits: PlanLimits | undefined): string {
  return limits === undefined
    ? 'no limit of its plan'
    : `${withThousands(limits.rateLimit)} req/s with a burst of ${withThousands(limits.burstLimit)}`
}

/** `2026-11-20 14:03:07 UTC` */
export function timeText(at: EpochMs): string {
  return `${new Date(at).toISOString().slice(0, 19).replace('T', ' ')} UTC`
}

export function withThousands(value: number): string {
  const [whole = '', fraction] = String(value).split('.')
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ',')
  return fraction === undefined ? grouped : `${grouped}.${fraction}`
}

/**
 * Text of others on one line: terminal sequences, control characters, line and direction marks become a space, and what
 * is too long is cut.
 */
export function cleanText(text: string): string {
  const clean = text
    // A whole colour or cursor sequence first, so that its `[31m` does not stay behind as text.
    .replace(/\p{Cc}\[[\d;?]*[A-Za-z]/gu, ' ')
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' ')
    .replace(/ {2,}/g, ' ')
    .trim()
  if (clean.length <= longestText) return clean
  const characters = [...clean]
  return characters.length > longestText ? `${characters.slice(0, longestText - 1).join('')}…` : clean
}
