import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { buildWeir } from '../end-to-end/worker-process.ts'
import { startLeashed } from './leash.ts'
import { throwAwayDirectory } from './server-process.ts'

let directory: string
// Node 20 reads no TypeScript, so whoever starts processes here gets what the compiler makes of the modules.
beforeAll(buildWeir)
beforeEach(async () => {
  directory = await throwAwayDirectory('leash')
})
afterEach(() => rm(directory, { recursive: true }))

/** Would run for a minute. */
const server = [process.execPath, '-e', 'setTimeout(() => {}, 60_000)'] as const

test('a process that is killed is gone, and its end is told', async () => {
  const running = await startLeashed(server, { logFile: join(directory, 'log') })
  expect(isAlive(running.pid)).toBe(true)

  running.signal('SIGKILL')
  expect(await running.ended).toBe(128 + 9)
  expect(running.hasEnded()).toBe(true)
  expect(isAlive(running.pid)).toBe(false)
})

test('a process that ends at once is told too, each time', async () => {
  for (let run = 0; run < 100; run++) {
    const running = await startLeashed(['sh', '-c', 'exit 3'], { logFile: join(directory, 'log') })
    expect(await running.ended).toBe(3)
  }
})

test('a server dies with whoever started it, however sudden that was', async () => {
  const options = { logFile: join(directory, 'log') }
  const start = `startLeashed(${JSON.stringify(server)}, ${JSON.stringify(options)})`
  await expectToDieWithItsStarter('./leash.ts', start)
})

test('the worker of a bench dies with the bench', async () => {
  const log = join(directory, 'access.log')
  await writeFile(log, '')
  // JSON is YAML.
  await writeFile(
    join(directory, 'weir.yaml'),
    JSON.stringify({ source: { kind: 'files', paths: [log], follow: true } }),
  )
  await expectToDieWithItsStarter('../bench/weir-process.ts', `startWeir(${JSON.stringify(directory)})`)
})

/** `start` is a call of what `module` exports, and comes to a process with an id. */
async function expectToDieWithItsStarter(module: string, start: string): Promise<void> {
  const source = fileURLToPath(new URL(module, import.meta.url))
  const root = fileURLToPath(new URL('../../..', import.meta.url))
  const built = join(root, 'dist', source.slice(root.length).replace(/\.ts$/, '.js'))
  const starter = join(directory, 'starter.mjs')
  await writeFile(
    starter,
    `import * as module from ${JSON.stringify(built)}
console.log((await module.${start}).pid)
setTimeout(() => {}, 60_000)
`,
  )
  const child = spawn(process.execPath, [starter], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [told] = await once(child.stdout, 'data')
  const pid = Number(String(told))
  expect(isAlive(pid)).toBe(true)

  child.kill('SIGKILL')
  await once(child, 'exit')
  await expect.poll(() => isAlive(pid), { timeout: 10_000 }).toBe(false)
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
