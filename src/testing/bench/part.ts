/**
 * What all parts of the bench share: how a part is asked, what it answers, and how a program is timed. A part's answer is
 * data; the lines on the terminal and the table in the documentation are both made of it.
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Figure } from './figure.ts'

export interface BenchOptions {
  /** A few seconds of work for CI: says whether a ratio has broken, not how good it is. */
  readonly small: boolean
  /** Each measurement is made so many times. */
  readonly rounds: number
  readonly say: (line: string) => void
}

export interface BenchPart {
  readonly name: string
  /** One sentence: what is compared with what. */
  readonly compares: string
  /** Throws when one of the programs did not do its work: what fails at once is quick. */
  run(options: BenchOptions): Promise<readonly Figure[]>
}

export interface Timed {
  readonly ms: number
  readonly output: string
}

/** Runs a built program of ours as a process, start and all. */
export function timed(program: string, args: readonly string[]): Timed {
  const from = performance.now()
  const child = spawnSync(process.execPath, [program, ...args], { encoding: 'utf8', maxBuffer: 64 << 20 })
  const ms = performance.now() - from
  if (child.status === 0) return { ms, output: child.stdout }
  throw new Error(`${program} ended with ${child.status ?? child.signal}:\n${child.stderr}`)
}

/** Beside this file, as it was built. */
export const built = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

/** dist/src/testing/bench → the project's root. */
export const weirProgram = built('../../../../bin/weir.js')
