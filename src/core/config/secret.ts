/**
 * What must not be shown. A key's value pasted where its id belongs is the likeliest secret in a configuration, so a
 * complaint, a path or a parser's message goes through here before a person or a log sees it.
 */

/** Shortest run of letters and digits that may be a key's value: API Gateway takes values of 20 to 128 characters. */
const shortestSecret = 20

/**
 * From one character to the next, random text changes its kind (digit, upper, lower) in 0.4 to 0.6 of the places. Names
 * that people write stay under 0.25; under 0.35 where they hold no digit but capitals (`APIGatewayForUSAEast`).
 */
const randomChanges = { withDigits: 0.25, lettersOnly: 0.35 } as const

const secretName = /secret|token|pass|pwd|credential|private|sasl|^tls$|(api|access).?key$/i
const hidden = '<hidden: looks like a secret>'

/**
 * Whether a run of letters and digits in `text` looks drawn at random, as API Gateway's 40-character key values are.
 * UUIDs and ids in parts (`client-7-prod`) have no such run.
 */
export function looksLikeSecret(text: string): boolean {
  return (text.match(/[A-Za-z0-9]+/g) ?? []).some(isRandom)
}

/** `value` fit to be shown: text in quotes, long text cut, mappings and lists named only, secrets hidden. */
export function shownValue(value: unknown, name: string): string | undefined {
  if (value === undefined) return undefined
  if (value === null) return 'empty'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'a mapping'
  const text = String(value)
  if (secretName.test(name) || looksLikeSecret(text) || holdsCredentials(text)) return hidden
  const cut = text.length > 60 ? `${text.slice(0, 57)}...` : text
  return typeof value === 'string' ? JSON.stringify(cut) : cut
}

/** Text of others (a parser's message, a path) with what looks like a secret taken out. */
export function withoutSecrets(text: string): string {
  return text.replace(/[A-Za-z0-9]+/g, run => (isRandom(run) ? '<hidden>' : run))
}

function isRandom(run: string): boolean {
  if (run.length < shortestSecret) return false
  let changes = 0
  for (let i = 1; i < run.length; i++) if (characterKind(run.charAt(i)) !== characterKind(run.charAt(i - 1))) changes++
  return changes / (run.length - 1) >= (/\d/.test(run) ? randomChanges.withDigits : randomChanges.lettersOnly)
}

function characterKind(character: string): 'digit' | 'upper' | 'lower' {
  if (character <= '9') return 'digit'
  return character <= 'Z' ? 'upper' : 'lower'
}

/** `https://user:password@host` */
function holdsCredentials(text: string): boolean {
  return /:\/\/[^/\s]*@/.test(text)
}
