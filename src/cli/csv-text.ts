/**
 * Rows as CSV (RFC 4180), for spreadsheets. A cell that a spreadsheet would take for a formula begins with an apostrophe
 * instead: names and ids in it are others' text.
 */

export function csvText(header: readonly string[], rows: readonly (readonly string[])[]): string {
  return [header, ...rows].map(row => `${row.map(cellText).join(',')}\r\n`).join('')
}

/** Also the wide forms, which spreadsheets of East Asia take for the same. */
const beginsFormula = /^[=+\-@＝＋－＠]/

function cellText(text: string): string {
  // What steers a terminal or turns text round says nothing in a table; a line break would be another row to who reads by lines.
  const plain = text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' ')
  const safe = beginsFormula.test(plain.trimStart()) && !Number.isFinite(Number(plain)) ? `'${plain}` : plain
  return /[",]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
