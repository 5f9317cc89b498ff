/**
 * What a configuration file may be, looked at before it is parsed: the parser's memory grows with the square of how deeply things
 * stand in each other, and a file of 60 KB that is nothing but opening braces would end the worker that reads it again.
 */

import type { Document } from 'yaml'

/** Fifty thousand tenants. */
const longestCharacters = 8 * 1024 * 1024
const marks: ReadonlySet<string> = new Set(['\u0002', '\u0018', '\u001f', '\ufeff'])
/** No setting stands deeper than six. */
const deepest = 100

/** Why it is not parsed, if so. */
export function beyondBounds(
  { Lexer }: Pick<typeof import('yaml'), 'Lexer'>,
  text: string,
): { readonly offset: number; readonly says: string } | undefined {
  if (text.length > longestCharacters)
    return { offset: 0, says: `the file is longer than ${longestCharacters} characters` }
  let offset = 0
  let depth = 0
  /** Of a line: each `- - -` is a list in a list. */
  let indicators = 0
  for (const token of new Lexer().lex(text)) {
    if (token === '[' || token === '{') depth++
    else if ((token === ']' || token === '}') && depth > 0) depth--
    else if (token === '-' || token === '?') indicators++
    else if (token.startsWith('\n') || token.startsWith('\r')) indicators = 0
    if (depth > deepest || indicators > deepest)
      return { offset, says: `something stands more than ${deepest} deep in others here` }
    // Tokens of the lexer's own, which mark where documents and plain text begin, stand for no character.
    if (!marks.has(token)) offset += token.length
  }
  return undefined
}

/** Names that stand twice in one mapping: what is wrong, and where the second one is. */
export function namesTwice(
  { visit, isScalar }: Pick<typeof import('yaml'), 'visit' | 'isScalar'>,
  document: Document.Parsed,
): readonly (readonly [message: string, offset: number])[] {
  const found: (readonly [string, number])[] = []
  visit(document, {
    Map(_, { items }) {
      const names = new Set<unknown>()
      for (const { key } of items) {
        if (!isScalar(key)) continue
        const isMerge = key.value === '<<' && key.type === 'PLAIN'
        // 1 and "1" are one name of what the file says.
        const name = String(key.value)
        if (names.has(name) && !isMerge) found.push(['Map keys must be unique', key.range?.[0] ?? 0])
        names.add(name)
      }
    },
  })
  return found
}
