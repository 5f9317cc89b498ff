/** A project file as the house rules see it, and what they say of it. Paths are from the project's root, with `/`. */

export interface SourceText {
  readonly path: string
  readonly text: string
}

/** One place where a file breaks a rule. */
export interface Breach {
  readonly path: string
  readonly line: number
  readonly rule: string
  readonly says: string
}

export type Rule = (file: SourceText) => readonly Breach[]

/** Tests, benches and what only tests use: they may reach for anything, the code they test may not reach for them. */
export const isTest = (path: string): boolean =>
  /\.(test|bench)\.ts$/.test(path) || /(^|\/)testing-[^/]*\.ts$/.test(path) || path.startsWith('src/testing/')

export const isCode = (path: string): boolean => /\.(ts|js|mjs)$/.test(path)

export const render = ({ path, line, rule, says }: Breach): string => `${path}:${line} ${rule}: ${says}`
