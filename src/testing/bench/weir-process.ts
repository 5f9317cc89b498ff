/** `weir run` as the bench starts it: a process of its own in a folder with a weir.yaml, which tells every second how far it is. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { weirProgram } from './part.ts'

/** What it read in about a second. */
export interface Tick {
  readonly calls: number
  readonly overMs: number
  readonly totalCalls: number
}

export interface WeirProcess {
  ticks(): Promise<readonly Tick[]>
  /** Processor time it has used so far, all threads, ms; undefined where the system does not say. */
  cpuMs(): Promise<number | undefined>
  stop(): Promise<void>
}

/** Resolves when it has its partitions. `more`: further words for the command line. */
export async function startWeir(folder: string, more: readonly string[] = []): Promise<WeirProcess> {
  const log = join(folder, 'worker.log')
  const output = await open(log, 'w')
  const args = ['run', '--log', 'json', '--config', join(folder, 'weir.yaml'), ...more]
  const weir = spawn(process.execPath, [weirProgram, ...args], {
    stdio: ['ignore', output.fd, output.fd],
    env: { ...process.env, WEIR_LOG_LEVEL: 'debug' },
  })
  const ended = once(weir, 'exit')
  await output.close()

  const stop = async (): Promise<void> => {
    if (weir.exitCode === null) weir.kill('SIGTERM')
    await ended
  }
  const text = async (): Promise<string> => {
    const written = await readFile(log, 'utf8')
    if (weir.exitCode !== null && weir.exitCode !== 0) throw new Error(`weir run ended:\n${written}`)
    return written
  }
  for (let waited = 0; !(await text()).includes('"partitionsChanged"'); waited++) {
    if (waited === 1_200) {
      await stop()
      throw new Error(`weir run did not get its partitions within a minute:\n${await text()}`)
    }
    await sleep(50)
  }
  return {
    stop,
    async ticks() {
      const lines = (await text()).split('\n').filter(line => line.includes('"batchesRead"') && line.endsWith('}'))
      return lines.map(line => JSON.parse(line) as Tick)
    },
    async cpuMs() {
      // Linux: fields 14 and 15 of the line, in hundredths of a second; the name before them may hold spaces.
      const line = await readFile(`/proc/${weir.pid}/stat`, 'latin1').catch(() => undefined)
      const fields = line?.slice(line.lastIndexOf(')') + 2).split(' ')
      return fields === undefined ? undefined : (Number(fields[11]) + Number(fields[12])) * 10
    },
  }
}
