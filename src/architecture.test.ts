/**
 * The house rules as an ordinary test: the arrows between the folders, the core's purity, and what every file owes its
 * reader. The rules are in testing/house-rules/; each is shown to bite on a bad example before it judges the project.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { arrowBreaches } from './testing/house-rules/arrows.ts'
import { type Breach, isCode, render, type SourceText } from './testing/house-rules/source-text.ts'
import { syntaxBreaches } from './testing/house-rules/syntax.ts'
import { wordingBreaches } from './testing/house-rules/wording.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const notOurs = new Set([
  'node_modules',
  'dist',
  'coverage',
  'cdk.out',
  '.git',
  '.weir',
  'package-lock.json',
  'LICENSE',
])
const isText = (path: string): boolean => /\.(ts|js|mjs|json|md|ya?ml|sh|html|css)$|^\.ci\/|^\.[\w-]+$/.test(path)

function projectFiles(folder = ''): readonly SourceText[] {
  return readdirSync(join(root, folder), { withFileTypes: true })
    .filter(({ name }) => !notOurs.has(name) && !/-results\.(json|html)$/.test(name))
    .flatMap(entry => {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`
      if (entry.isDirectory()) return projectFiles(path)
      return entry.isFile() && isText(path) ? [{ path, text: readFileSync(join(root, path), 'utf8') }] : []
    })
}

const rules = (breaches: readonly Breach[]): readonly string[] => breaches.map(({ rule, says }) => `${rule}: ${says}`)
const file = (path: string, text: string): SourceText => ({ path, text })

describe('the project', () => {
  const files = projectFiles()
  const code = files.filter(({ path }) => isCode(path))

  test('is found at all', () => {
    const paths = code.map(({ path }) => path)
    expect(paths).toContain('src/core/vocabulary.ts')
    expect(paths).toContain('detectors/contract.ts')
    expect(paths).toContain('bin/weir.js')
    expect(files.map(({ path }) => path)).toContain('package.json')
  })

  test('keeps the arrows between its folders, and has no import cycle', () => {
    expect(arrowBreaches(code).map(render)).toEqual([])
  })

  test('has a core that knows no clock, chance, environment, network or waiting, and says it in erasable syntax without any', () => {
    expect(code.flatMap(syntaxBreaches).map(render)).toEqual([])
  })

  test('opens each file with its reason, keeps it short, and names no machine, registry or leftover', () => {
    expect(files.flatMap(wordingBreaches).map(render)).toEqual([])
  })
})

describe('an arrow', () => {
  const imports = (path: string, line: string) => rules(arrowBreaches([file(path, line)]))

  test('points down: the core may ask a detector, a detector may not ask the core', () => {
    expect(imports('src/core/engine.ts', `import { detectors } from '../../detectors/index.ts'`)).toEqual([])
    expect(imports('detectors/a.ts', `import { engine } from '../src/core/engine.ts'`)).toEqual([
      'arrows: detectors may not import src/core/engine.ts (as a value)',
    ])
    expect(imports('src/stores/a.ts', `export { run } from '../worker/worker.ts'`)).toHaveLength(1)
    expect(imports('src/sources/a.ts', `const a = await import('../actions/sns.ts')`)).toHaveLength(1)
    expect(imports('src/core/a.ts', `type A = import('../stores/b.ts').B`)).toHaveLength(1)
    expect(imports('src/dashboard/a.ts', `import { kafka } from '../sources/kafka.ts'`)).toHaveLength(1)
    expect(imports('src/worker/a.ts', `import { read } from '../sources/kafka.ts'`)).toEqual([])
  })

  test('lets the simulation know the interfaces of sources and actions, and nothing else of them', () => {
    expect(imports('src/simulation/a.ts', `import type { Source } from '../sources/source.ts'`)).toEqual([])
    expect(imports('src/simulation/a.ts', `import { type Performer } from '../actions/performer.ts'`)).toEqual([])
    expect(imports('src/simulation/a.ts', `import { kafkaSource } from '../sources/kafka.ts'`)).toHaveLength(1)
  })

  test('hands an action the journal as an interface, and lets it read what the entries mean, but not open one', () => {
    expect(imports('src/actions/a.ts', `import type { AuditLog } from '../stores/audit.ts'`)).toEqual([])
    expect(imports('src/actions/a.ts', `import { journalIndex } from '../stores/journal-index.ts'`)).toEqual([])
    expect(imports('src/actions/a.ts', `import { openEffectJournal } from '../stores/effect-journal.ts'`)).toHaveLength(
      1,
    )
  })

  test('brings the clock to the shell and not to the core', () => {
    expect(imports('src/worker/a.ts', `import { systemClock } from '../clock.ts'`)).toEqual([])
    expect(imports('src/core/a.ts', `import type { Clock } from '../clock.ts'`)).toHaveLength(1)
  })

  test('leads to src/testing from tests only', () => {
    const line = `import { startKafka } from '../testing/servers/kafka.ts'`
    expect(imports('src/sources/kafka.integration.test.ts', line)).toEqual([])
    expect(imports('src/sources/kafka.ts', line)).toEqual(['arrows: only tests import src/testing/servers/kafka.ts'])
    expect(imports('src/core/a.ts', `import { view } from './testing-view.ts'`)).toHaveLength(1)
  })

  test('leads from the core to a few pure packages, and to the part of them that is a function', () => {
    expect(imports('src/core/a.ts', `import { createHmac } from 'node:crypto'`)).toEqual([])
    expect(imports('src/core/a.ts', `import { randomUUID } from 'node:crypto'`)).toHaveLength(1)
    expect(imports('src/core/a.ts', `import * as crypto from 'node:crypto'`)).toHaveLength(1)
    expect(imports('src/core/a.ts', `import { readFileSync } from 'node:fs'`)).toHaveLength(1)
    expect(imports('detectors/a.ts', `import { z } from 'zod'`)).toHaveLength(1)
  })

  test('starts in a folder that is on the drawing', () => {
    expect(imports('src/helpers/a.ts', `import { b } from './b.ts'`)).toHaveLength(1)
  })

  test('never comes back to where it started', () => {
    const files = [
      file('src/core/a.ts', `import { b } from './b.ts'`),
      file('src/core/b.ts', `export type { C } from './c.ts'`),
      file('src/core/c.ts', `import { a } from './a.ts'`),
    ]
    expect(rules(arrowBreaches(files))).toEqual([
      'cycles: src/core/a.ts → src/core/b.ts → src/core/c.ts → src/core/a.ts',
    ])
    expect(arrowBreaches(files.slice(0, 2))).toEqual([])
  })
})

describe('the core', () => {
  const inCore = (text: string) => syntaxBreaches(file('src/core/a.ts', text))

  test.each([
    'const now = Date.now()',
    'const now = new Date()',
    'const now = new Date',
    'const now = Date()',
    'const chance = Math.random()',
    'const home = process.argv',
    'setTimeout(go, 1)',
    'const at = performance.now()',
    'const page = fetch(url)',
    'console.log(1)',
    'const now = globalThis.Date',
    'const go = async () => 1',
    'async function go() {}',
    'const a = await b',
    'const all = { process }',
  ])('may not say: %s', line => {
    expect(inCore(line).map(({ rule }) => rule)).toContain('purity')
  })

  test.each([
    'const day = new Date(epochMs).getUTCDay()',
    'interface Source { fetch(url: string): void; readonly process: string }',
    'const a = view.process + options.performance',
    '// console.log(Date.now()) was here',
    `const text = 'setTimeout'`,
    'const parsed = Date.parse(text)',
  ])('may say: %s', line => {
    expect(inCore(line)).toEqual([])
  })

  test('is not the shell, which may wait but gets its clock, chance and environment from cli/', () => {
    const shell = (text: string) => syntaxBreaches(file('src/worker/a.ts', text)).length
    expect(shell('await read()')).toBe(0)
    expect(shell('const now = Date.now()')).toBe(1)
    expect(shell('const jitter = Math.random()')).toBe(1)
    expect(shell('const region = process.env.AWS_REGION')).toBe(1)
    expect(syntaxBreaches(file('src/cli/run.ts', 'const region = process.env.AWS_REGION'))).toEqual([])
    expect(syntaxBreaches(file('src/worker/a.test.ts', 'const now = Date.now()'))).toEqual([])
  })
})

describe('a file', () => {
  test.each([
    ['enum Phase { quiet }', 'erasable: an enum: use a union of strings'],
    ['namespace A { export const b = 1 }', 'erasable: a namespace: use a file'],
    ['class A { constructor(readonly b: number) {} }', 'erasable: a parameter property: use a field'],
    ['export = a', 'erasable: an import or export by `=`'],
    ['const a = <string>b', 'erasable: an angle-bracket assertion'],
    ['const a = (b: any) => b', 'types: `any` says nothing: use unknown and parse'],
    ['const a = b!.c', 'types: `!` outside a test: say what to do when it is undefined'],
  ])('may not say: %s', (text, says) => {
    expect(rules(syntaxBreaches(file('src/cli/a.ts', text)))).toEqual([says])
  })

  test('may say in a test that something is there', () => {
    expect(syntaxBreaches(file('src/core/a.test.ts', 'const a = b!.c'))).toEqual([])
  })

  const text = (body: string, path = 'src/core/a.ts') => wordingBreaches(file(path, body)).map(({ rule }) => rule)

  test('opens with a comment, after a shebang where it has one', () => {
    expect(text('export const a = 1')).toEqual(['header'])
    expect(text('/** Why. */\nexport const a = 1')).toEqual([])
    expect(text('#!/usr/bin/env node\n// Why.\n')).toEqual([])
    expect(text('# no code, no header', 'README.md')).toEqual([])
    expect(text('test(name, story)', 'src/core/a.test.ts')).toEqual([])
  })

  test('has at most 500 lines', () => {
    expect(text(`// Why.\n${'\n'.repeat(499)}`)).toEqual([])
    expect(text(`// Why.\n${'\n'.repeat(500)}`)).toEqual(['length'])
  })

  test.each([
    ['later', '// TODO: later', 'no leftovers'],
    ['a machine', `// Reads '/home/ann/access.ndjson'.`, 'no machine paths'],
    ['a registry', '// From https://registry.npmjs.org/weir', 'no registry hosts'],
    ['how work is organised', '// Written in the second Session.', 'no workplace words'],
  ])('does not speak of %s', (_, body, rule) => {
    expect(text(body)).toEqual([rule])
  })

  test('may speak of a path in a URL and, where it is about Kafka, of a member’s session', () => {
    expect(text('// https://example.org/home/page')).toEqual([])
    expect(text('// Longer than the session timeout.', 'src/sources/kafka.ts')).toEqual([])
    expect(text('// Longer than the session timeout.', 'src/sources/kinesis.ts')).toEqual(['no workplace words'])
  })
})
