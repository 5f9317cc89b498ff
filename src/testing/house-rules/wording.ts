/**
 * What holds for the text of every project file: a header that says why it exists, a length that can be read in one
 * sitting, nothing left to do later, and nothing that ties the project to one machine, registry or way of working.
 */
import { type Breach, isCode, type SourceText } from './source-text.ts'

const maxLines = 500

const bannedWords: readonly { readonly pattern: RegExp; readonly rule: string; readonly says: string }[] = [
  { pattern: /\b(TODO|FIXME|XXX)\b/, rule: 'no leftovers', says: 'do it, or open an issue' },
  {
    pattern: /(?<![\w.])\/(work|root|home|Users|tmp)\/[\w.-]/,
    rule: 'no machine paths',
    says: 'a path of one machine: take it from an option, or os.tmpdir()',
  },
  {
    pattern:
      /\b(registry\.npmjs\.org|registry\.yarnpkg\.com|(files\.)?pythonhosted\.org|pypi\.org\/simple|repo1?\.maven\.(apache\.)?org|proxy\.golang\.org)\b/,
    rule: 'no registry hosts',
    says: 'which registry serves a package is the machine’s configuration',
  },
  {
    pattern: /\bsessions?\b/i,
    rule: 'no workplace words',
    says: 'not in the glossary: how work is organised is no part of the project',
  },
]

/** Where a rule of this file does not hold, and why. */
const deviations: readonly { readonly path: RegExp; readonly rules: readonly string[]; readonly because: string }[] = [
  {
    path: /^src\/testing\/house-rules\/wording\.ts$/,
    rules: ['no leftovers', 'no workplace words'],
    because: 'it names the words it looks for',
  },
  {
    path: /^src\/architecture\.test\.ts$/,
    rules: ['no leftovers', 'no machine paths', 'no registry hosts', 'no workplace words'],
    because: 'it holds the bad examples',
  },
  { path: /kafka[^/]*\.ts$/, rules: ['no workplace words'], because: 'a member of a consumer group has a session' },
  {
    path: /\.test\.ts$/,
    rules: ['header'],
    because: 'the file it stands beside says what it is for, the names of its tests the rest',
  },
]

export function wordingBreaches({ path, text }: SourceText): readonly Breach[] {
  const lines = text.split('\n')
  const found: Breach[] = lines.flatMap((content, index) =>
    bannedWords
      .filter(({ pattern }) => pattern.test(content))
      .map(({ rule, says }) => ({ path, line: index + 1, rule, says: `${says} (${content.trim().slice(0, 80)})` })),
  )
  if (isCode(path)) {
    const length = text.endsWith('\n') ? lines.length - 1 : lines.length
    if (length > maxLines)
      found.push({
        path,
        line: length,
        rule: 'length',
        says: `${length} lines; at most ${maxLines}: it holds more than one idea`,
      })
    if (!/^(#![^\n]*\n)?\s*\/[/*]/.test(text))
      found.push({ path, line: 1, rule: 'header', says: 'it does not open with a comment that says why it exists' })
  }
  return found.filter(
    ({ rule }) => !deviations.some(deviation => deviation.path.test(path) && deviation.rules.includes(rule)),
  )
}
