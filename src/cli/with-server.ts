/** The worker's HTTP server for as long as the worker runs: opened before anything is read, closed when all else is. */
import type { Clock } from '../clock.ts'
import type { WeirConfig } from '../core/config/config.ts'
import { listenAddress } from '../server/listen-address.ts'
import type { Route } from '../server/route.ts'
import type { WorkerStatus } from '../server/worker-status.ts'
import type { Telemetry } from '../worker/telemetry.ts'
import { checkToken, loadOperatorToken } from './operator-token.ts'
import { readSecret } from './secret.ts'

export interface ServerSurroundings {
  /** Of the configuration: what it names is found from there. */
  readonly folder: string
  readonly stateDirectory: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly clock: Clock
  readonly version: string
  readonly telemetry: Telemetry
  /** What is answered beside metrics and health. */
  readonly routes: readonly Route[]
  /** Asked to stop: from then on the worker is not ready. */
  readonly signal: AbortSignal
}

export interface Watched {
  /** To be told in the place of the surroundings’. */
  readonly telemetry: Telemetry
  readonly follows: (status: () => WorkerStatus) => void
}

/** Throws CONFIG_INVALID where a token cannot be had; that it cannot listen is told, and detection goes on. */
export async function withServer(
  config: WeirConfig,
  { folder, stateDirectory, env, clock, version, telemetry, routes, signal }: ServerSurroundings,
  work: (watched: Watched) => Promise<void>,
): Promise<void> {
  const listen = listenAddress(config.server.listen)
  if (listen === undefined) return work({ telemetry, follows: () => {} })
  const { token, hosts, readyLag } = config.server
  const readerToken = token && checkToken('server.token', await readSecret('server.token', token, { folder, env }))
  const operatorToken = await loadOperatorToken(stateDirectory, env)
  // Loaded only where it listens: a third of a second of start.
  const { openServer } = await import('../server/open-server.ts')
  const server = await openServer({
    ...{ listen, hosts, readerToken, operatorToken, routes, clock, version, telemetry, mode: config.mode },
    ...{ readyLagMs: readyLag, checkpointEveryMs: config.state.checkpointEvery },
  })
  signal.addEventListener('abort', server.stopping, { once: true })
  if (signal.aborted) server.stopping()
  try {
    await work(server)
  } finally {
    signal.removeEventListener('abort', server.stopping)
    await server.close()
  }
}
