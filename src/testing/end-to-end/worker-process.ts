/**
 * `weir run` as a process of its own, as a user starts it: the built command, a configuration, a log of JSON lines. It can
 * be asked to stop and it can be killed; and it never outlives whoever started it, since their end of its input ends with them.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { open, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
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
  /** SIGKILL: no last word, no checkpoint. */
  kill(): Promise<void>
}

/** The shell tells the worker's id, waits for it, and kills it when its own standard input ends. */
const leash = `
exec 4<&0
"$@" 3>&- 4<&- &
worker=$!
echo $worker >&3
exec 3>&-
{ read -r _ <&4; kill -9 $worker; } 2>/dev/null &
watcher=$!
wait $worker
code=$?
kill $watcher 2>/dev/null
exit $code
`

export interface WorkerOptions {
  readonly config: string
  /** A file's path, or what else `--history` takes; without it the worker begins knowing nothing. */
  readonly history?: string
  readonly logFile: string
  /** Further words for the command line. */
  readonly more?: readonly string[]
}

export async function startWorker({ config, history, logFile, more = [] }: WorkerOptions): Promise<WorkerProcess> {
  const output = await open(logFile, 'w')
  const command = [process.execPath, `${root}bin/weir.js`, 'run', '--log', 'json']
  const taught = history === undefined ? [] : ['--history', history]
  const child = spawn('sh', ['-c', leash, 'sh', ...command, '--config', config, ...taught, ...more], {
    stdio: ['pipe', output.fd, output.fd, 'pipe'],
    env: { ...process.env, WEIR_LOG_LEVEL: 'debug', AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' },
  })
  await output.close()
  const ended = once(child, 'exit').then(([code]): number => Number(code))
  const told = child.stdio[3]
  if (told === null || told === undefined) throw new Error('The shell has no way to tell the id of its worker')
  const [chunk] = await once(told, 'data')
  const pid = Number(String(chunk).trim())

  const text = (): Promise<string> => readFile(logFile, 'utf8')
  return {
    output: text,
    hasEnded: () => child.exitCode !== null,
    async events() {
      const lines = (await text()).split('\n').slice(0, -1)
      return lines.filter(line => line.startsWith('{')).map(line => logLine.parse(JSON.parse(line)))
    },
    async stop() {
      signal('SIGTERM')
      return ended
    },
    async kill() {
      signal('SIGKILL')
      await ended
    },
  }

  function signal(name: NodeJS.Signals): void {
    // Once its shell has ended the id may be another's.
    if (child.exitCode === null) process.kill(pid, name)
  }
}
