/**
 * The long-lived worker: read → decode → advance → journal the intents → hand them to the performers → checkpoint → commit.
 *
 *   source ─ batch ─┐                          ┌─ intents (fsync) ─► performing ─► SNS, usage plans
 *   clock ── tick ──┼─► one turn at a time ──► advance                   │
 *   outcomes ───────┘            │                                       │
 *        ▲                       └─ every few seconds: checkpoint {engine, positions}, then source.commit
 *        └──────────────── journaled, then an input of the core ─────────┘
 *
 * Killed anywhere and started again it ends with the same incidents: state and positions are one file, and whatever was
 * decided after it is in the journal, with what it leaves in the engine (core/incident/memo.ts): it is given back, and not decided again.
 */
import { setImmediate as breathe } from 'node:timers/promises'
import { StreamError } from '../core/errors.ts'
import { MINUTE_MS, SECOND_MS } from '../core/vocabulary.ts'
import { patientCheckpoint } from './checkpoint-patience.ts'
import type { FleetPart } from './fleet-exchange.ts'
import { type Keeper, type KeeperSettings, openKeeper } from './keeper.ts'

export interface WorkerSettings extends Omit<KeeperSettings, 'failed'> {
  readonly checkpointEveryMs: number
  /** Of a stream that is shared: joins its other parts, and answers how to leave them. */
  readonly joinFleet?: ((part: FleetPart) => () => void) | undefined
  /** The state is there, and may be asked and told. */
  readonly opened?: ((keeper: Keeper) => void) | undefined
  /** Hands over who owns which keys each time it has changed, until `signal` aborts. */
  readonly followTenants?: ((take: Keeper['tenants'], signal: AbortSignal) => Promise<void>) | undefined
}

/** How long running effects may take when the worker stops: an alert on its way gets there, a queue of hours does not. */
const stopGraceMs = 5 * SECOND_MS

/**
 * Runs until `signal` aborts, or the source has ended and every limit is given back. Stops cleanly in any case: running
 * effects get a moment, then checkpoint and commit. Throws what stopped it, if it was trouble (a StreamError is a person's).
 * The stores and the source stay open: whoever opened them closes them.
 */
export async function runWorker(settings: WorkerSettings, signal: AbortSignal): Promise<void> {
  const { source, clock, telemetry, checkpointEveryMs } = settings
  const stop = new AbortController()
  let trouble: { readonly cause: unknown } | undefined
  const failed = (cause: unknown): void => {
    trouble ??= { cause }
    stop.abort()
  }
  const asked = (): void => stop.abort()
  if (signal.aborted) return
  signal.addEventListener('abort', asked, { once: true })

  const keeper = await openKeeper({ ...settings, failed }, signal)
  if (keeper === undefined) {
    signal.removeEventListener('abort', asked)
    telemetry({ name: 'workerStopped', totalCalls: 0 })
    return
  }
  settings.opened?.(keeper)
  const beats = [
    every(SECOND_MS, keeper.tick),
    every(MINUTE_MS, keeper.minute),
    every(checkpointEveryMs, patientCheckpoint(keeper.checkpoint, { clock, telemetry })),
    settings.followTenants?.(keeper.tenants, stop.signal).catch(failed),
  ]
  const leaveFleet = settings.joinFleet?.({ sums: keeper.sums, take: keeper.takeOthers })
  try {
    await readAll(keeper)
  } catch (cause) {
    telemetry({ name: 'sourceTroubled', because: cause instanceof Error ? cause.message : String(cause) })
    failed(cause)
  }
  leaveFleet?.()
  const because = trouble ? 'trouble' : signal.aborted ? 'asked' : 'source-ended'
  stop.abort()
  await Promise.all(beats)
  telemetry({ name: 'workerStopping', because, effectsRunning: keeper.effectsRunning() })
  // Another has the state by now: nothing of it is ours to finish.
  const isTaken = trouble?.cause instanceof StreamError && trouble.cause.code === 'STATE_HELD'
  await keeper.finish(isTaken ? 0 : stopGraceMs).catch(failed)
  const lowered = keeper.lowered()
  // Of a shared stream the next owner of the partition gives them back, in seconds.
  if (lowered.length > 0 && !isTaken && settings.joinFleet === undefined)
    telemetry({ name: 'limitsStayLowered', keyIds: lowered })
  telemetry({ name: 'workerStopped', totalCalls: keeper.totalCalls() })
  signal.removeEventListener('abort', asked)
  if (trouble) throw trouble.cause

  async function readAll(into: Keeper): Promise<void> {
    for await (const batch of source.read(into.positions, stop.signal)) {
      await into.take(batch).catch(failed)
      if (stop.signal.aborted) return
      // A source that always has more would otherwise keep timers, and with them ticks and outcomes, from their turn.
      await breathe()
    }
    if (stop.signal.aborted) return
    telemetry({ name: 'sourceEnded' })
    await into.end()
    // The stream is over and the promise is not: what was taken from a tenant is given back when it expires.
    while (into.throttled() > 0 && !stop.signal.aborted) await clock.sleep(SECOND_MS, stop.signal)
  }

  async function every(ms: number, work: () => Promise<void>): Promise<void> {
    while (!stop.signal.aborted) {
      await clock.sleep(ms, stop.signal)
      if (!stop.signal.aborted) await work().catch(failed)
    }
  }
}
