/**
 * The worker's server with all that belongs to it: its own routes, the metrics that follow the telemetry, and a port that
 * another may have, which must not stop detection and is asked for again.
 */
import type { Clock } from '../clock.ts'
import { SECOND_MS } from '../core/vocabulary.ts'
import type { Telemetry } from '../worker/telemetry.ts'
import type { GuardRules, Refusal } from './guard.ts'
import { type Limits, liveness, readiness } from './health.ts'
import { addressText, type ListenAddress } from './listen-address.ts'
import { createMetrics } from './metrics.ts'
import { ownRoutes } from './own-routes.ts'
import { createPulse, enter, follow } from './pulse.ts'
import type { Route } from './route.ts'
import { createServer } from './server.ts'
import type { WorkerStatus } from './worker-status.ts'

export interface WorkerServerSettings extends GuardRules, Limits {
  /** Beside the server's own. */
  readonly routes: readonly Route[]
  readonly clock: Clock
  readonly version: string
  readonly mode: string
  /** What the worker tells goes on to here; what the server itself has to tell, too. */
  readonly telemetry: Telemetry
}

export interface WorkerServer {
  /** To be told all that the worker tells: it is passed on. */
  readonly telemetry: Telemetry
  /** Whom to ask from now on. */
  follows(status: () => WorkerStatus): void
  /** From now on the worker is not ready, though it goes on for a moment. */
  stopping(): void
  close(): Promise<void>
}

const tryAgainMs = 10 * SECOND_MS
const unknown: WorkerStatus = { effectWaits: [], rejected: new Map(), heardAt: undefined, partitions: 0 }

/** Listens when this resolves, or has told why it cannot. */
export async function openServer(settings: WorkerServerSettings): Promise<WorkerServer> {
  const { clock, version, mode, telemetry, routes, ...rules } = settings
  const closing = new AbortController()
  const pulse = createPulse(clock.now())
  let status = (): WorkerStatus => unknown
  const ready = () => readiness(pulse, status(), rules, clock.now())
  const metrics = createMetrics({ clock, version, mode, pulse, status: () => status(), ready })
  /** Since the last minute. */
  let refused = new Map<Refusal, number>()

  const own = ownRoutes({ metrics, ready, live: () => liveness(pulse, clock.now()) })
  const server = createServer({
    ...rules,
    ...{ clock, routes: [...own, ...routes], answered: metrics.answered },
    refused(because) {
      refused.set(because, (refused.get(because) ?? 0) + 1)
      metrics.refused(because)
    },
    failed: failure => telemetry({ name: 'requestFailed', ...failure }),
  })

  async function tryToListen(): Promise<'listening' | { readonly because: string }> {
    try {
      telemetry({ name: 'serverListening', address: addressText(await server.listen()) })
      return 'listening'
    } catch (cause) {
      return { because: because(cause, settings.listen) }
    }
  }

  /** Told once: whoever has the port may keep it for days. */
  async function insist(): Promise<void> {
    while (!closing.signal.aborted) {
      await clock.sleep(tryAgainMs, closing.signal)
      if (closing.signal.aborted || (await tryToListen()) === 'listening') return
    }
  }

  function tellRefused(): void {
    if (refused.size === 0) return
    telemetry({ name: 'requestsRefused', refused: Object.fromEntries(refused) })
    refused = new Map()
  }

  const first = await tryToListen()
  let insisting: Promise<void> | undefined
  if (first !== 'listening') {
    telemetry({ name: 'serverUnavailable', listen: addressText(settings.listen), because: first.because })
    insisting = insist()
  }
  return {
    telemetry(event) {
      follow(pulse, event, clock.now(), rules)
      metrics.tell(event)
      telemetry(event)
      if (event.name === 'minuteSummarised') tellRefused()
    },
    follows(ask) {
      status = ask
    },
    stopping: () => enter(pulse, 'stopping', clock.now()),
    async close() {
      closing.abort()
      await insisting
      await server.close()
      tellRefused()
    },
  }
}

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another process listens there',
  EACCES: 'this user may not listen there',
  EADDRNOTAVAIL: 'this machine has no such address',
  ENOTFOUND: 'no address is known by this name',
}

function because(cause: unknown, { host }: ListenAddress): string {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  return reasons[code] ?? (cause instanceof Error ? cause.message : `cannot listen on ${host}`)
}
