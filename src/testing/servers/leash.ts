/**
 * A process that never outlives whoever started it: their end of its shell's standard input ends with them, however sudden
 * that is (a test runner kills its workers, a person their bench). Nothing is ever ended by name.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { open } from 'node:fs/promises'

export interface LeashedProcess {
  readonly pid: number
  /** Its exit code; 128 and more where a signal ended it. */
  readonly ended: Promise<number>
  hasEnded(): boolean
  /** Nothing where it has ended: its id may be another's by then. */
  signal(name: NodeJS.Signals): void
}

export interface LeashOptions {
  /** Takes all that it writes. */
  readonly logFile: string
  /** Beside ours. */
  readonly environment?: Readonly<Record<string, string>>
}

/** The shell tells the process's id, waits for it, and kills it when its own standard input ends. */
const leash = `
exec 4<&0
"$@" 3>&- 4<&- &
leashed=$!
echo $leashed >&3
exec 3>&-
{ read -r _ <&4; kill -9 $leashed; } 2>/dev/null &
watcher=$!
wait $leashed
code=$?
kill $watcher 2>/dev/null
exit $code
`

export async function startLeashed(
  command: readonly [string, ...string[]],
  { logFile, environment = {} }: LeashOptions,
): Promise<LeashedProcess> {
  const output = await open(logFile, 'w')
  const shell = spawn('sh', ['-c', leash, 'sh', ...command], {
    stdio: ['pipe', output.fd, output.fd, 'pipe'],
    env: { ...process.env, ...environment },
  })
  const told = shell.stdio[3]
  if (told === null || told === undefined) throw new Error('The shell has no way to tell the id of its process')
  // Listened to at once: of a shell that has ended by then Node throws away what nobody has listened to.
  const first = Promise.all([once(told, 'data'), once(shell, 'spawn')])
  const ended = new Promise<number>(resolve => shell.once('exit', code => resolve(code ?? 128)))
  const [[chunk]] = await first.finally(() => output.close())
  const pid = Number(String(chunk).trim())
  const hasEnded = (): boolean => shell.exitCode !== null || shell.signalCode !== null
  return {
    pid,
    ended,
    hasEnded,
    signal(name) {
      if (hasEnded()) return
      try {
        process.kill(pid, name)
      } catch {
        // It has just ended, and its shell is about to say so.
      }
    },
  }
}
