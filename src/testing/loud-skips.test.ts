/** The reporter is run by a real vitest, on a small test file of its own, since what it must survive is vitest's data. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { renderSkips } from './loud-skips.ts'

const vitest = fileURLToPath(new URL('../../node_modules/vitest/vitest.mjs', import.meta.url))
const reporter = fileURLToPath(new URL('./loud-skips.ts', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'weir-loud-skips-'))
afterAll(() => rmSync(folder, { recursive: true }))

const withSkips = `
test('runs', () => {})
console.warn('SKIPPED a whole suite: needs a broker (install one)')
test('needs a server', context => context.skip('Java 17 is missing: install a JDK'))
describe.skip('a whole suite', () => { test('one', () => {}); test('two', () => {}) })`

function run({ tests, skipsAllowed, filter }: { tests: string; skipsAllowed: boolean; filter?: string }) {
  writeFileSync(join(folder, 'some.test.js'), tests)
  writeFileSync(
    join(folder, 'vitest.config.ts'),
    `import { loudSkips } from ${JSON.stringify(reporter)}
     export default { test: { globals: true, reporters: ['default', loudSkips({ skipsAllowed: ${skipsAllowed} })] } }`,
  )
  const child = spawnSync(process.execPath, [vitest, 'run', '--root', folder, ...(filter ? ['-t', filter] : [])], {
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1' },
  })
  return { exitCode: child.status, skips: child.stderr }
}

describe('what did not run', () => {
  test('is told last, with the reason and what to install, and may pass on a developer’s machine', () => {
    const { exitCode, skips } = run({ tests: withSkips, skipsAllowed: true })
    expect(exitCode).toBe(0)
    expect(skips).toContain('SKIPPED some.test.js: needs a server\n          Java 17 is missing: install a JDK\n')
    expect(skips).toContain('SKIPPED some.test.js: a whole suite (2 tests)\n          needs a broker (install one)\n')
  })

  test('fails the run where nothing may skip', () => {
    expect(run({ tests: withSkips, skipsAllowed: false }).exitCode).toBe(1)
  })

  test('is nobody’s concern where nothing was skipped, or a name was asked for', () => {
    expect(run({ tests: `test('runs', () => {})`, skipsAllowed: false }).exitCode).toBe(0)
    expect(run({ tests: withSkips, skipsAllowed: false, filter: 'runs' }).exitCode).toBe(0)
  })

  test('counts one test as one', () => {
    const skip = { file: 'a.test.ts', name: 'a', tests: 1, reasons: ['no broker'] }
    expect(renderSkips([skip], { skipsAllowed: false })).toBe(
      '\n1 test did not run. Nothing may skip in CI: the run fails.\n  SKIPPED a.test.ts: a\n          no broker\n\n',
    )
  })
})
