/** `weir run` as the bench starts it: a process of its own in a folder with a weir.yaml, which tells every second how far it is. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startLeashed } from '../servers/leash.ts'
import { weirProgram } from './part.ts'

/** What it read in about a second. */
export interface Tick {
  readonly calls: number
  readonly overMs: number
  readonly totalCalls: number
}

export interface WeirProcess {
  readonly pid: number
  ticks(): Promise<readonly Tick[]>
  /** Processor time it has used so far, all threads, ms; undefined where the system does not say. */
  cpuMs(): Promise<number | undefined>
  /** Resolves with the exit code. */
  stop(): Promise<number>
}

/** Resolves when it has its partitions. `more`: further words for the command line. */
export async function startWeir(folder: string, more: readonly string[] = []): Promise<WeirProcess> {
  const logFile = join(folder, 'worker.log')
  const weir = await startLeashed(
    [process.execPath, weirProgram, 'run', '--log', 'json', '--config', join(folder, 'weir.yaml'), ...more],
    { logFile, environment: { WEIR_LOG_LEVEL: 'debug' } },
  )
  const stop = async (): Promise<number> => {
    weir.signal('SIGTERM')
    return weir.ended
  }
  const text = async (): Promise<string> => {
    const written = await readFile(logFile, 'utf8')
    if (weir.hasEnded() && (await weir.ended) !== 0) throw new Error(`weir run ended:\n${written}`)
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
    pid: weir.pid,
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
