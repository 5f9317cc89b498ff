/** The stretch of a page that a program writes, between two marks: what people wrote around it stays theirs. */

export interface Marks {
  readonly begin: string
  readonly end: string
}

/** `name`: the mark's word; `by`: the command that writes it. */
export const marksOf = (name: string, by: string): Marks => ({
  begin: `<!-- ${name}: made by \`${by}\` -->`,
  end: `<!-- /${name} -->`,
})

/** The page with what stands between its marks replaced. Throws where the two marks are not there. */
export function withSection(page: string, { begin, end }: Marks, section: string): string {
  const from = page.indexOf(begin)
  const to = page.indexOf(end)
  if (from < 0 || to < from) throw new Error(`the page should hold ${begin} and ${end}`)
  return `${page.slice(0, from + begin.length)}\n${section}\n${page.slice(to)}`
}
