/**
 * A test that did not run proves nothing, and nobody reads a grey line in the middle of a thousand green ones. So what
 * was skipped is printed last, with its reason and what to install; where skips are not allowed (CI) it fails the run.
 *
 * The reason is the note of `context.skip(note)`. A suite that is registered as skipped can carry none, so it says
 * `SKIPPED <its name>: <reason>` on the console while it is registered (servers/requirements.ts does), and is heard here.
 */
import type { Reporter, TestCase, TestModule, TestSuite } from 'vitest/node'

export interface Skip {
  readonly file: string
  /** Full name of the outermost suite that was skipped as a whole, or of the test. */
  readonly name: string
  readonly tests: number
  readonly reasons: readonly string[]
}

type Reasons = ReadonlyMap<string, readonly string[]>

export function loudSkips({ skipsAllowed }: { readonly skipsAllowed: boolean }): Reporter {
  const reasons = new Map<string, string[]>()
  // Asked for by `-t name`: then all other tests count as skipped, and nobody wants to hear of it.
  let filtered = false
  return {
    onInit(vitest) {
      filtered = vitest.config.testNamePattern !== undefined
    },
    onUserConsoleLog({ content }) {
      for (const [, name = '', reason = ''] of content.matchAll(/^SKIPPED (.+?): (.+)$/gm))
        reasons.set(name, [...(reasons.get(name) ?? []), reason])
    },
    onTestRunEnd(modules) {
      const skips = filtered ? [] : modules.flatMap(module => findSkips(module, reasons))
      if (skips.length === 0) return
      process.stderr.write(renderSkips(skips, { skipsAllowed }))
      if (!skipsAllowed) process.exitCode = 1
    },
  }
}

/** What was skipped in a file; a suite that was skipped as a whole is one entry. */
function findSkips(module: TestModule, reasons: Reasons): readonly Skip[] {
  return [...module.children].flatMap(child => skipsOf(child, reasons))
}

function skipsOf(task: TestSuite | TestCase, reasons: Reasons): readonly Skip[] {
  if (task.type === 'suite' && task.options.mode !== 'skip' && task.options.mode !== 'todo')
    return [...task.children].flatMap(child => skipsOf(child, reasons))

  const result = task.type === 'test' ? task.result() : undefined
  if (result !== undefined && result.state !== 'skipped') return []
  return [
    {
      file: task.module.relativeModuleId,
      name: task.fullName,
      tests: task.type === 'suite' ? [...task.children.allTests()].length : 1,
      reasons: result?.note === undefined ? (reasons.get(task.name) ?? ['no reason given']) : [result.note],
    },
  ]
}

export function renderSkips(skips: readonly Skip[], { skipsAllowed }: { readonly skipsAllowed: boolean }): string {
  const tests = skips.reduce((sum, skip) => sum + skip.tests, 0)
  const verdict = skipsAllowed ? 'They prove nothing about this machine.' : 'Nothing may skip in CI: the run fails.'
  const lines = skips.map(skip => {
    const count = skip.tests === 1 ? '' : ` (${skip.tests} tests)`
    const reasons = skip.reasons.map(reason => `          ${reason}\n`)
    return `  SKIPPED ${skip.file}: ${skip.name}${count}\n${reasons.join('')}`
  })
  return `\n${tests} ${tests === 1 ? 'test' : 'tests'} did not run. ${verdict}\n${lines.join('')}\n`
}
