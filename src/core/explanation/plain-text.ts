/** Numbers, times and limits as people read them, and text of others made safe to show. */
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

/** `45 s`, `6 min 5 s`, `2 h 3 min`: two units are enough. */
export function durationText(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000))
  const [minutes, hours] = [Math.floor(seconds / 60), Math.floor(seconds / 3_600)]
  if (hours > 0) return `${withThousands(hours)} h ${minutes % 60} min`
  return minutes > 0 ? `${minutes} min ${seconds % 60} s` : `${seconds} s`
}

/** `50,000`, `1.25`, `0.003`: what a person can take in, and no more than was measured. */
export function threeFigures(value: number): string {
  return withThousands(Number(value.toPrecision(3)))
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

/**
 * What is in quotes, made safe to show: JSON escapes the old control characters only, and the others that steer a terminal are
 * written as escapes too. Of JSON the same value.
 */
export function terminalSafe(json: string): string {
  return json.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, character =>
    // Of those beyond the first 65,536 both halves.
    [...Array(character.length).keys()]
      .map(at => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`)
      .join(''),
  )
}
