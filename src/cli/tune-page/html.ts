/** HTML made of text: whatever is put in is escaped, unless it was made here. */

import { terminalSafe } from '../../core/explanation/plain-text.ts'

/** Markup that is as it should be. */
export interface Markup {
  readonly markup: string
}

type Piece = Markup | string | number | undefined | readonly Piece[]

/** A template whose values are escaped; lists are put one after another, undefined is nothing. */
export const html = (strings: TemplateStringsArray, ...values: readonly Piece[]): Markup => ({
  markup: strings.reduce((text, string, index) => text + rendered(values[index - 1]) + string),
})

function rendered(piece: Piece): string {
  if (piece === undefined) return ''
  if (typeof piece === 'string' || typeof piece === 'number') return escaped(String(piece))
  return 'markup' in piece ? piece.markup : piece.map(rendered).join('')
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** What steers, hides or turns text round says nothing on a page either. */
const escaped = (text: string): string =>
  text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' ').replace(/[&<>"']/g, character => entities[character] ?? character)

/** What a script or a style sheet holds is not escaped as text is: only its end must not be in it. */
export const raw = (markup: string): Markup => ({ markup })

/** A value that a script reads: no character of it can end the element that it stands in. */
export const embeddedJson = (value: unknown): Markup =>
  raw(terminalSafe(JSON.stringify(value)).replaceAll('<', '\\u003c'))
