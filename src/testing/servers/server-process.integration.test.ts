import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import ts from 'typescript'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { freePorts, startProcess, throwAwayDirectory } from './server-process.ts'

let directory: string
beforeEach(async () => {
  directory = await throwAwayDirectory('leash')
})
afterEach(() => rm(directory, { recursive: true }))

/** Says its process id and would run for a minute. */
const server = ['node', '-e', 'console.log("ready as " + process.pid + "."); setTimeout(() => {}, 60_000)'] as const
const readyAs = (log: string) => /ready as (\d+)\./.exec(log)?.[1]

test('a stopped server is gone, with all that it was', async () => {
  const running = await startProcess([...server], { logFile: join(directory, 'log') })
  const pid = Number(await running.ready(readyAs))
  expect(isAlive(pid)).toBe(true)

  await running.stop()
  await expect.poll(() => isAlive(pid)).toBe(false)
})

test('a server dies with whoever started it, however sudden that was', async () => {
  const log = join(directory, 'log')
  // Node 20 reads no TypeScript, so the starter gets what the compiler makes of the module.
  const source = await readFile(new URL('./server-process.ts', import.meta.url), 'utf8')
  const { outputText } = ts.transpileModule(source, {
    compilerOptions: { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext },
  })
  await writeFile(join(directory, 'server-process.mjs'), outputText)
  const starter = join(directory, 'starter.mjs')
  await writeFile(
    starter,
    `import { startProcess } from './server-process.mjs'
await startProcess(${JSON.stringify(server)}, { logFile: ${JSON.stringify(log)} })
setTimeout(() => {}, 60_000)
`,
  )
  const child = spawn('node', [starter], { stdio: ['ignore', 'inherit', 'inherit'] })
  const read = () => readFile(log, 'utf8').catch(() => '')
  await expect.poll(async () => readyAs(await read()), { timeout: 20_000 }).toBeDefined()
  const pid = Number(readyAs(await read()))

  child.kill('SIGKILL')
  await once(child, 'exit')
  await expect.poll(() => isAlive(pid), { timeout: 10_000 }).toBe(false)
})

test('a server that ends before it is ready is told with the end of its log', async () => {
  const running = await startProcess(['sh', '-c', 'echo no such option >&2; exit 3'], {
    logFile: join(directory, 'log'),
  })

  await expect(running.ready(readyAs)).rejects.toThrow('no such option')
})

test('ports that are found together differ', async () => {
  const ports = await freePorts(20)
  expect(new Set(ports).size).toBe(20)
})

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
