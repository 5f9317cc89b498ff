/**
 * moto, a simulation of AWS that others wrote: Kinesis, CloudWatch Logs, SNS, SQS and API Gateway at one HTTP/1.1
 * endpoint on loopback. It lets through much that AWS refuses, so that strictness is tested elsewhere, against fakes of
 * our own. From PyPI into an environment of its own, once.
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { cached, type Progress, runToEnd, startProcess, throwAwayDirectory } from './server-process.ts'

export interface MotoServer {
  /** `http://127.0.0.1:port`, for `endpoint`. Any credentials do. */
  readonly endpoint: string
  /** It stands still with all its connections, until it is told to go on. What it holds is in memory only: a moto that is killed has forgotten it. */
  standStill(): void
  goOn(): void
  stop(): Promise<void>
}

const version = '5.2.5'
export const motoEnvironment = `moto-${version}`

export async function startMoto(progress: Progress = () => {}): Promise<MotoServer> {
  const environment = await cached(motoEnvironment, async directory => {
    progress(`Installing moto ${version} from PyPI (once, 320 MB)`)
    await runToEnd(['python3', '-m', 'venv', directory])
    await runToEnd([join(directory, 'bin', 'python'), '-m', 'pip', 'install', '--quiet', `moto[server]==${version}`])
  })

  const directory = await throwAwayDirectory('moto')
  // `-m`, not the script that pip made: that one names the directory in which the environment was built.
  // Port 0: the system picks a free one, and the log tells which.
  const server = await startProcess(
    [join(environment, 'bin', 'python'), '-m', 'moto.server', '--host', '127.0.0.1', '--port', '0'],
    {
      logFile: join(directory, 'moto.log'),
      environment: { PYTHONUNBUFFERED: '1', AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' },
    },
  )
  progress('Starting moto')
  const endpoint = await server.ready(log => /Running on (http:\/\/127\.0\.0\.1:[1-9]\d*)/.exec(log)?.[1])
  return {
    endpoint,
    standStill: () => server.signal('SIGSTOP'),
    goOn: () => server.signal('SIGCONT'),
    async stop() {
      await server.stop()
      await rm(directory, { recursive: true, force: true })
    },
  }
}
