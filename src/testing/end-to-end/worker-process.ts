/**
 * `weir run` as a process of its own, as a user starts it: the built command, a configuration, a log of JSON lines. It can
 * be asked to stop and it can be killed; and it never outlives whoever started it.
 */
import { readFile } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { startLeashed } from '../servers/leash.ts'
import { runToEnd } from '../servers/server-process.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))

/** Makes dist/ what the sources are; a second time it takes a moment. */
export async function buildWeir(): Promise<void> {
  await runToEnd([process.execPath, `${root}node_modules/typescript/bin/tsc`, '-p', `${root}tsconfig.build.json`])
}

const logLine = z.looseObject({ level: z.string(), event: z.string() })

/** A line of the worker's log: the name of what happened, and its fields. */
export type LoggedEvent = z.output<typeof logLine>

export interface WorkerProcess {
  /** What it has told so far, in order. */
  events(): Promise<readonly LoggedEvent[]>
  /** All that it has written, for a person. */
  output(): Promise<string>
  hasEnded(): boolean
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number>
  /** It stands still for so long, as a machine does that is out of memory or being moved, and goes on not knowing it. */
  freeze(ms: number): Promise<void>
  /** SIGKILL: no last word, no checkpoint. */
  kill(): Promise<void>
}

export interface WorkerOptions {
  readonly config: string
  /** A file's path, or what else `--history` takes; without it the worker begins knowing nothing. */
  readonly history?: string
  readonly logFile: string
  /** Further words for the command line. */
  readonly more?: readonly string[]
}

export async function startWorker({ config, history, logFile, more = [] }: WorkerOptions): Promise<WorkerProcess> {
  const taught = history === undefined ? [] : ['--history', history]
  const worker = await startLeashed(
    [process.execPath, `${root}bin/weir.js`, 'run', '--log', 'json', '--config', config, ...taught, ...more],
    { logFile, environment: { WEIR_LOG_LEVEL: 'debug', AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' } },
  )
  const text = (): Promise<string> => readFile(logFile, 'utf8')
  return {
    output: text,
    hasEnded: worker.hasEnded,
    async events() {
      const lines = (await text()).split('\n').slice(0, -1)
      return lines.filter(line => line.startsWith('{')).map(line => logLine.parse(JSON.parse(line)))
    },
    async stop() {
      worker.signal('SIGTERM')
      return worker.ended
    },
    async freeze(ms) {
      worker.signal('SIGSTOP')
      await pause(ms)
      worker.signal('SIGCONT')
    },
    async kill() {
      worker.signal('SIGKILL')
      await worker.ended
    },
  }
}
