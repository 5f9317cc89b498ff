/** How the answers of `replay` and `learn` spell what both of them tell. */

export const number = (value: number): string => value.toLocaleString('en-US')

/** `more` where the noun's plural is not made with an s. */
export const counted = (value: number, noun: string, more = `${noun}s`): string =>
  `${number(value)} ${value === 1 ? noun : more}`

/** ISO 8601, without milliseconds where there are none. */
export const iso = (at: number): string => new Date(at).toISOString().replace('.000Z', 'Z')

/** How many lines were rejected for each reason, and where the first of them stands. Nothing where none was. */
export function rejectedLines(
  rejected: ReadonlyMap<string, number>,
  firsts: ReadonlyMap<string, string>,
): readonly string[] {
  if (rejected.size === 0) return []
  const told = [...rejected].map(([reason, count]) => {
    const first = firsts.get(reason)
    return `${number(count)} ${reason}${first === undefined ? '' : ` (${count === 1 ? '' : 'the first: '}${first})`}`
  })
  return [`Rejected lines: ${told.join(', ')}.`]
}
