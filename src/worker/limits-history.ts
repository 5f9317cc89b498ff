/**
 * Recorded logs played through token buckets, key by key and call by call, and through an engine beside them that learns
 * what is usual. One pass, whatever the size of the logs; what is kept is of a key and day (`core/limits/demand.ts`).
 */
import type { CallBatch, KeyTable } from '../core/call-batch.ts'
import { advance, type Engine, engineStatus } from '../core/engine.ts'
import type { Decoder } from '../core/formats/decoder.ts'
import { createCallOrder } from '../core/limits/call-order.ts'
import { createDemand, type Demand, type DemandOptions, noteCall, noteCounted } from '../core/limits/demand.ts'
import { ANONYMOUS, type ApiKeyId, type EpochMs, type PlanLimits } from '../core/vocabulary.ts'
import { type BareLog, type BatchInput, createTally, type LogTally, readCanonically } from './bare-log.ts'

export interface PlayedLogs {
  readonly demands: ReadonlyMap<ApiKeyId, Demand>
  readonly tally: LogTally
  /** Of the first and last call or row. */
  readonly span: { readonly from: EpochMs; readonly to: EpochMs } | undefined
  /** Calls of keys beyond the bound, which were not played. */
  readonly unplayed: number
}

export interface Playing {
  /** Made `withHistory`: learns from the same inputs. */
  readonly engine: Engine
  readonly decoder: Decoder
  readonly logs: readonly BareLog[]
  /** How long a call may be answered after it was made. */
  readonly deliveryMs: number
  /** What the plans of a key have now. */
  readonly presentOf: (keyId: ApiKeyId) => readonly (PlanLimits | undefined)[]
  readonly wantsLevels: boolean
  readonly progressed: (tally: LogTally, status: () => { readonly eventTime: EpochMs | undefined }) => void
}

/** Ten times as many as an account can have; 16 KB each with a week of calls. */
const mostKeys = 100_000

export async function playLogs(playing: Playing): Promise<PlayedLogs> {
  const { engine, decoder, logs, deliveryMs, presentOf, wantsLevels, progressed } = playing
  const demands = new Map<ApiKeyId, Demand>()
  const numbered: { readonly demand: Demand; readonly options: DemandOptions }[] = []
  const tables = new Map<KeyTable, number[]>()
  const numbers = new Map<ApiKeyId, number>()
  const tally = createTally()
  let unplayed = 0
  let from = Number.POSITIVE_INFINITY
  let to = Number.NEGATIVE_INFINITY

  const order = createCallOrder(deliveryMs, (number, time) => {
    const known = numbered[number]
    if (known !== undefined) noteCall(known.demand, time, known.options)
  })

  /** One number for a key, whichever decoder read it; -1 of calls that nobody can be given a limit for. */
  function numberOf(keys: KeyTable, local: number): number {
    let table = tables.get(keys)
    if (table === undefined) {
      table = []
      tables.set(keys, table)
    }
    const known = table[local]
    if (known !== undefined) return known
    const number = newNumber(keys.ids[local] as ApiKeyId)
    table[local] = number
    return number
  }

  function newNumber(keyId: ApiKeyId): number {
    if (keyId === ANONYMOUS) return -1
    const known = numbers.get(keyId)
    if (known !== undefined) return known
    if (numbered.length >= mostKeys) return -2
    const options = { present: presentOf(keyId), wantsLevels }
    const demand = createDemand(options)
    demands.set(keyId, demand)
    numbers.set(keyId, numbered.length)
    return numbered.push({ demand, options }) - 1
  }

  function play({ batch, from: first, to: end, panesFrom, panesTo }: BatchInput): void {
    for (let row = first; row < end; row++) playCall(batch, row)
    for (const row of batch.panes.slice(panesFrom, panesTo)) {
      const known = numbered[numberOf(batch.keys, row.key)]
      from = Math.min(from, row.start)
      to = Math.max(to, row.start + row.seconds * 1_000)
      if (known === undefined) continue
      noteLatency(known.demand, row.latencySumMs, row.latencyCount)
      if (row.seconds > 1) noteCounted(known.demand, row, known.options)
      // Of a second nobody knows how its calls lie in it: at once, which needs most.
      else for (let call = 0; call < row.calls; call++) order.add(numberOf(batch.keys, row.key), row.start)
    }
  }

  function playCall(batch: CallBatch, row: number): void {
    const time = batch.time[row] as number
    const number = numberOf(batch.keys, batch.key[row] as number)
    from = Math.min(from, time)
    to = Math.max(to, time)
    const known = numbered[number]
    if (known === undefined) {
      if (number === -2) unplayed++
      return
    }
    order.add(number, time)
    const latencyMs = batch.latencyMs[row] as number
    // What was refused never ran.
    if (latencyMs >= 0 && batch.status[row] !== 429) noteLatency(known.demand, latencyMs, 1)
  }

  let inputs = 0
  await readCanonically(
    logs,
    decoder,
    tally,
    input => {
      play(input)
      advance(engine, input)
      if (++inputs % 64 === 0) progressed(tally, () => engineStatus(engine))
    },
    { lastMayJump: false },
  )
  order.end()
  advance(engine, { kind: 'history-ended' })
  return { demands, tally, unplayed, span: from > to ? undefined : { from, to } }
}

function noteLatency(demand: Demand, sumMs: number, count: number): void {
  demand.latencySumMs += sumMs
  demand.latencyCount += count
}
