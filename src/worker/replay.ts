/**
 * Recorded logs through the same core as the worker's, as fast as they can be read. What the core wants done is answered
 * `applied` at once, so a replay shows what a gateway that obeys would have made of it; nothing outside is touched.
 */

import { type BlindSpot, watchFields } from '../core/blind-spots.ts'
import {
  advance,
  createEngine,
  type Engine,
  type EngineSettings,
  type EngineStatus,
  engineStatus,
} from '../core/engine.ts'
import type { EngineInput } from '../core/engine-input.ts'
import { StreamError } from '../core/errors.ts'
import type { Explanation } from '../core/explanation/explanation.ts'
import type { Decoder } from '../core/formats/decoder.ts'
import type { Effect, Outcome } from '../core/incident/effect.ts'
import type { EpochMs } from '../core/vocabulary.ts'
import { type BareLog, type BatchInput, createTally, type LogTally, readCanonically } from './bare-log.ts'
import { historyOverlaps } from './history.ts'

export interface Replay {
  readonly settings: EngineSettings
  readonly decoder: Decoder
  readonly history: readonly BareLog[]
  readonly logs: readonly BareLog[]
  /** Each change of an incident, ordered by decidedAt, then key id. */
  readonly changed: (change: Explanation) => void
  /** Each effect in the order decided. */
  readonly decided?: (effect: Effect) => void
  /**
   * Shown the engine before each input of the log, with how far event time comes by it; at the log's end twice, before and
   * after all is closed, with Infinity. Answers whether it has seen enough: nothing more is read then.
   */
  readonly watched?: (engine: Engine, reaches: EpochMs) => boolean
  /** Called now and then, for a progress line. */
  readonly progressed?: (tally: LogTally, status: () => EngineStatus) => void
}

export interface ReplayResult {
  readonly history: LogTally
  readonly log: LogTally
  readonly status: EngineStatus
  /** First and last event time of the log proper, epoch ms. */
  readonly span: { readonly from: number; readonly to: number } | undefined
  /** What no call of the log proper has, and a detector needs. */
  readonly blind: readonly BlindSpot[]
}

/** Throws HISTORY_OVERLAPS when a log begins before the history ends, NOTHING_READ when no line could be counted. */
export async function replay({
  settings,
  decoder,
  history,
  logs,
  changed,
  decided,
  watched,
  progressed,
}: Replay): Promise<ReplayResult> {
  const replayer = createReplayer(settings, { withHistory: history.length > 0, changed, ...(decided && { decided }) })
  const { engine } = replayer
  const historyTally = createTally()
  const tally = createTally()
  const fields = watchFields(settings.config)
  let inputs = 0
  const teach = (input: BatchInput): void => {
    replayer.teach(input)
    if (++inputs % 1024 === 0) progressed?.(historyTally, () => engineStatus(engine))
  }
  await readCanonically(history, decoder, historyTally, teach, { lastMayJump: false })
  if (history.length > 0) {
    if (historyTally.calls + historyTally.paneRows === 0) throw nothingRead('history', historyTally)
    replayer.endHistory()
  }

  let isEnough = false
  const judge = (input: BatchInput): void => {
    replayer.begin(input)
    fields.note(input)
    if (watched !== undefined) {
      isEnough = watched(engine, input.arrivedAt)
      if (isEnough) return
    }
    replayer.take(input)
    if (++inputs % 1024 === 0) progressed?.(tally, () => engineStatus(engine))
  }
  await readCanonically(logs, decoder, tally, judge, watched === undefined ? {} : { isEnough: () => isEnough })
  const span = replayer.span()
  if (span === undefined) throw nothingRead('log', tally)
  if (!isEnough) {
    watched?.(engine, Number.POSITIVE_INFINITY)
    replayer.take({ kind: 'end' })
    watched?.(engine, Number.POSITIVE_INFINITY)
  }
  replayer.flush()
  return { history: historyTally, log: tally, status: engineStatus(engine), span, blind: fields.spots() ?? [] }
}

/** An engine that is fed a history and then a log, by whoever reads them. */
export interface Replayer {
  readonly engine: Engine
  teach(input: BatchInput): void
  endHistory(): void
  /** Before each input of the log is taken. Throws HISTORY_OVERLAPS at the first. */
  begin(input: BatchInput): void
  take(input: EngineInput): void
  /** After the last input: tells what waits for others of its moment. */
  flush(): void
  /** First and last event time that was begun, epoch ms. */
  span(): { readonly from: number; readonly to: number } | undefined
}

export function createReplayer(
  settings: EngineSettings,
  { withHistory, changed, decided }: Pick<Replay, 'changed' | 'decided'> & { readonly withHistory: boolean },
): Replayer {
  const engine = createEngine(settings, { withHistory })
  const inOrder = createOrder(changed)
  let knownUntil: number | undefined
  let from: number | undefined
  let to = 0
  const take = (input: EngineInput): void => {
    const { effects, changes } = advance(engine, input)
    for (const change of changes) inOrder.add(change)
    for (const effect of effects) {
      decided?.(effect)
      if (effect.kind === 'alert') continue
      const at = 'arrivedAt' in input ? input.arrivedAt : effect.decidedAt
      take({ kind: 'outcome', at, report: { effectId: effect.id, outcome: obeyed(effect) } })
    }
  }
  return {
    engine,
    teach(input) {
      advance(engine, input)
    },
    endHistory() {
      advance(engine, { kind: 'history-ended' })
      knownUntil = engineStatus(engine).knownUntil
    },
    begin(input) {
      if (from === undefined) {
        from = firstTime(input.batch, input.from, input.to, input.arrivedAt)
        if (knownUntil !== undefined && from < knownUntil) throw historyOverlaps(from, knownUntil)
      }
      to = input.arrivedAt
    },
    take,
    flush: inOrder.flush,
    span: () => (from === undefined ? undefined : { from, to }),
  }
}

const obeyed = (effect: Effect): Outcome =>
  effect.kind === 'throttle' ? { kind: 'applied', after: effect.limits } : { kind: 'applied' }

function firstTime({ time }: { readonly time: Float64Array }, from: number, to: number, otherwise: number): number {
  let first = otherwise
  for (let row = from; row < to; row++) first = Math.min(first, time[row] ?? otherwise)
  return first
}

/** Changes that were decided at one moment are told in the order of their keys. */
function createOrder(changed: (change: Explanation) => void) {
  let waiting: Explanation[] = []
  const flush = (): void => {
    if (waiting.length > 1)
      waiting.sort((one, other) => (one.keyId < other.keyId ? -1 : one.keyId > other.keyId ? 1 : 0))
    for (const change of waiting) changed(change)
    waiting = []
  }
  return {
    add(change: Explanation): void {
      if (waiting.length > 0 && waiting[0]?.decidedAt !== change.decidedAt) flush()
      waiting.push(change)
    },
    flush,
  }
}

export function nothingRead(what: 'log' | 'history', { rejected }: LogTally): StreamError {
  const reasons = [...rejected].map(([reason, lines]) => `${lines} × ${reason}`).join(', ')
  return new StreamError('NOTHING_READ', `No call was found in the ${what}${reasons === '' ? '' : ` (${reasons})`}`, {
    retry: 'never',
    hint: 'weir reads JSON access logs, CloudWatch Logs envelopes and panes; for text lines, CSV and other gateways name the format: --format clf; other field names: `fields:` in weir.yaml',
  })
}
