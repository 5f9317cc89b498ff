/** A server for tests: a process on a leash, which is ready when its log says so, and what all servers need beside it. */
import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, open, readFile, rename, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { homedir, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type LeashOptions, startLeashed } from './leash.ts'

export type Progress = (line: string) => void

/** Jars and Python environments are fetched once for a machine, into here. */
export const cacheDirectory = join(homedir(), '.cache', 'weir')

export interface ServerProcess {
  /** Everything that it has written so far. */
  log(): Promise<string>
  /** Resolves with what `find` found in the log. Throws, with the log's end, when it exits or takes longer than two minutes. */
  ready(find: (log: string) => string | undefined): Promise<string>
  signal(name: NodeJS.Signals): void
  stop(): Promise<void>
}

const startTimeoutMs = 120_000

export async function startProcess(
  command: readonly [string, ...string[]],
  options: LeashOptions,
): Promise<ServerProcess> {
  const server = await startLeashed(command, options)
  const log = () => readFile(options.logFile, 'utf8')
  const stop = async () => {
    server.signal('SIGKILL')
    await server.ended
  }

  return {
    log,
    stop,
    signal: server.signal,
    async ready(find) {
      const deadline = performance.now() + startTimeoutMs
      while (!server.hasEnded() && performance.now() < deadline) {
        const found = find(await log())
        if (found !== undefined) return found
        await sleep(50)
      }
      await stop()
      const lastLines = (await log()).split('\n').slice(-20).join('\n')
      throw new Error(`${command[0]} did not become ready. The end of its log:\n${lastLines}`)
    },
  }
}

/** Runs a command to its end; throws with what it wrote when it fails. */
export async function runToEnd(command: readonly [string, ...string[]]): Promise<void> {
  const [file, ...args] = command
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let written = ''
  child.stdout.on('data', chunk => (written += chunk))
  child.stderr.on('data', chunk => (written += chunk))
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  if (code !== 0) throw new Error(`${command.join(' ')} ended with code ${code}:\n${written.slice(-2_000)}`)
}

/**
 * Builds a directory of the cache once. It is built aside and renamed, so that two who start together never see half
 * of it: the second one's work is thrown away.
 */
export async function cached(name: string, build: (directory: string) => Promise<void>): Promise<string> {
  const path = join(cacheDirectory, name)
  if (await exists(path)) return path

  await mkdir(dirname(path), { recursive: true })
  const aside = await mkdtemp(`${path}.building-`)
  try {
    await build(aside)
    await rename(aside, path)
  } catch (error) {
    await rm(aside, { recursive: true, force: true })
    if (!(await exists(path))) throw error
  }
  return path
}

async function exists(path: string): Promise<boolean> {
  try {
    await (await open(path)).close()
    return true
  } catch {
    return false
  }
}

export function throwAwayDirectory(name: string): Promise<string> {
  return mkdtemp(join(tmpdir(), `weir-${name}-`))
}

/** Ports that were free a moment ago; all are held together while they are looked for, so that they differ. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer()
      await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
      return server
    }),
  )
  const ports = servers.map(server => {
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('A TCP server has no port')
    return address.port
  })
  await Promise.all(servers.map(server => new Promise(resolve => server.close(resolve))))
  return ports
}

/** For the command files: prints where the server is on standard output, and stops it on Ctrl-C. */
export async function serveUntilStopped(
  start: (progress: Progress) => Promise<{ readonly address: string; stop(): Promise<void> }>,
): Promise<void> {
  const server = await start(line => process.stderr.write(`${line}\n`))
  process.stdout.write(`${server.address}\n`)
  process.stderr.write('Running until Ctrl-C.\n')
  const keepAlive = setInterval(() => {}, 60_000)
  await new Promise<void>(resolve => {
    process.once('SIGINT', resolve)
    process.once('SIGTERM', resolve)
  })
  clearInterval(keepAlive)
  await server.stop()
}
