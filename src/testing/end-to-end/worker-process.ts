/**
 * `weir run` as a process of its own, as a user starts it: the built command, a configuration, a log of JSON lines. It can
 * be asked to stop and it can be killed; and it never outlives whoever started it.
 */
import { open, readFile } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { startLeashed } from '../servers/leash.ts'
import { runToEnd } from '../servers/server-process.ts'

/** Of the project: this file may be run as it is, or as it was built, which is one folder deeper. */
const root = fileURLToPath(
  new URL(import.meta.url.includes('/dist/src/') ? '../../../..' : '../../..', import.meta.url),
)

/** Makes dist/ what the sources are; a second time it takes a moment. */
export async function buildWeir(): Promise<void> {
  await runToEnd([process.execPath, `${root}node_modules/typescript/bin/tsc`, '-p', `${root}tsconfig.build.json`])
}

const logLine = z.looseObject({ level: z.string(), event: z.string() })

/** A line of the worker's log: the name of what happened, and its fields. */
export type LoggedEvent = z.output<typeof logLine>

export interface WorkerProcess {
  readonly pid: number
  /** What it has told so far, in order. */
  events(): Promise<readonly LoggedEvent[]>
  /** All that it has written, for a person. */
  output(): Promise<string>
  hasEnded(): boolean
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number>
  /** It stands still for so long, as a machine does that is out of memory or being moved, and goes on not knowing it. */
  freeze(ms: number): Promise<void>
  /** It stands still until it is told otherwise. */
  standStill(): void
  goOn(): void
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
  const standStill = (): void => worker.signal('SIGSTOP')
  const goOn = (): void => worker.signal('SIGCONT')
  return {
    pid: worker.pid,
    output: text,
    hasEnded: worker.hasEnded,
    events: followEvents(logFile),
    standStill,
    goOn,
    async stop() {
      worker.signal('SIGTERM')
      return worker.ended
    },
    async freeze(ms) {
      standStill()
      await pause(ms)
      goOn()
    },
    async kill() {
      worker.signal('SIGKILL')
      await worker.ended
    },
  }
}

/** Each line is read once, however often and for however long is asked: a worker tells something every second. */
function followEvents(logFile: string): () => Promise<readonly LoggedEvent[]> {
  const seen: LoggedEvent[] = []
  let readTo = 0
  let reading: Promise<void> = Promise.resolve()

  async function readOn(): Promise<void> {
    const file = await open(logFile)
    try {
      const { size } = await file.stat()
      const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(size - readTo), position: readTo })
      const whole = buffer.subarray(0, buffer.subarray(0, bytesRead).lastIndexOf('\n') + 1)
      readTo += whole.length
      for (const line of whole.toString().split('\n'))
        if (line.startsWith('{')) seen.push(logLine.parse(JSON.parse(line)))
    } finally {
      await file.close()
    }
  }

  return async () => {
    reading = reading.then(readOn)
    await reading
    return seen
  }
}
