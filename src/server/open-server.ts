/**
 * The worker's server with all that belongs to it: its own routes, the metrics that follow the telemetry, and a port that
 * another may have, which must not stop detection and is asked for again.
 */
import type { Clock } from '../clock.ts'
import type { RejectionReason } from '../core/call-batch.ts'
import { type PartitionId, SECOND_MS } from '../core/vocabulary.ts'
import { ofPartition, type Telemetry } from '../worker/telemetry.ts'
import type { GuardRules, Refusal } from './guard.ts'
import { type Limits, liveness, readiness } from './health.ts'
import { addressText, type ListenAddress } from './listen-address.ts'
import { added, type Life, type LifeStatus, type SourceStatus, viewOf } from './lives.ts'
import { createMetrics } from './metrics.ts'
import { ownRoutes } from './own-routes.ts'
import { createPulse, follow } from './pulse.ts'
import type { Route } from './route.ts'
import { createServer } from './server.ts'

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
  /** To be told what the process tells beside its lives: it is passed on. */
  readonly telemetry: Telemetry
  /** Whom to ask of the source from now on. */
  reads(source: () => SourceStatus): void
  /** One more life (lives.ts), of a partition where the stream is shared. */
  lives(partition: PartitionId | undefined): ObservedLife
  /** From now on the worker is not ready, though it goes on for a moment. */
  stopping(): void
  close(): Promise<void>
}

export interface ObservedLife {
  /** To be told all that the life tells. */
  readonly telemetry: Telemetry
  /** Whom to ask from now on. */
  readonly follows: (status: () => LifeStatus) => void
  readonly over: () => void
}

const tryAgainMs = 10 * SECOND_MS
const unknown: LifeStatus = { effectWaits: [], rejected: new Map() }

/** Listens when this resolves, or has told why it cannot. */
export async function openServer(settings: WorkerServerSettings): Promise<WorkerServer> {
  const { clock, version, mode, telemetry, routes, ...rules } = settings
  const closing = new AbortController()
  const startedAt = clock.now()
  const lives = new Set<Life>()
  let source = (): SourceStatus | undefined => undefined
  let isStopping = false
  let rejectedBefore: ReadonlyMap<RejectionReason, number> = new Map()
  const view = () => viewOf({ lives: [...lives], source: source(), startedAt, isStopping, rejectedBefore }, clock.now())
  const ready = () => readiness(view(), rules, clock.now())
  const metrics = createMetrics({ clock, version, mode, view, ready })
  /** Since the last minute. */
  let refused = new Map<Refusal, number>()

  const own = ownRoutes({ metrics, ready, live: () => liveness(view(), clock.now()) })
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
  const teller = metrics.newTeller()
  return {
    telemetry(event) {
      teller(event)
      telemetry(event)
    },
    reads(ask) {
      source = ask
    },
    lives(partition) {
      const life: Life = { pulse: createPulse(clock.now()), status: () => unknown }
      const tell = metrics.newTeller()
      const next = ofPartition(telemetry, partition)
      lives.add(life)
      return {
        telemetry(event) {
          follow(life.pulse, event, clock.now(), rules)
          tell(event)
          next(event)
          if (event.name === 'minuteSummarised') tellRefused()
        },
        follows(ask) {
          life.status = ask
        },
        over() {
          lives.delete(life)
          rejectedBefore = added([rejectedBefore, life.status().rejected])
        },
      }
    },
    stopping() {
      isStopping = true
    },
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
