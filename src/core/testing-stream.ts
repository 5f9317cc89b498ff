/**
 * Small streams for the engine's tests: calls go in as a source would bring them, and what the core decided is kept, told
 * and answered. Nothing here decides anything. Only tests import this file.
 */
import { deserialize, serialize } from 'node:v8'
import type { z } from 'zod'
import { type CallBatch, createBatch, type KeyTable, nextRow, type PaneRow, wantPlaces } from './call-batch.ts'
import { tenantsSchema, type WeirConfig, weirSchema } from './config/config.ts'
import { advance, createEngine, type Engine, type EngineSettings, engineSettings, restore, snapshot } from './engine.ts'
import type { EngineInput, Recollection } from './engine-input.ts'
import type { EngineSnapshot } from './engine-snapshot.ts'
import type { Explanation } from './explanation/explanation.ts'
import type { Effect, Outcome } from './incident/effect.ts'
import type { MeasuredMinute } from './measured-minute.ts'
import { callsFromNewPlaces } from './state/call-places.ts'
import type { KeyState } from './state/key-state.ts'
import { idOf, isKnown } from './state/known-keys.ts'
import { placesKnown, routesUsual } from './state/known-places.ts'
import { findLive } from './state/live-keys.ts'
import type { Owner } from './state/owner.ts'
import type { KeyPanes } from './state/pane.ts'
import { cellsOf, slabWith } from './state/slab.ts'
import { baselineOf, numberOf, type PlainKey } from './state/testing-baseline.ts'
import { createWindows, rollTo, type WindowSums } from './state/window.ts'
import type { ApiKeyId, EpochMs, PartitionId } from './vocabulary.ts'

/** Wednesday, 4 March 2026, 10:00 UTC: nothing begins or ends here. */
export const TEN = Date.UTC(2026, 2, 4, 10)
const MINUTE_MS = 60_000
const DAY_MS = 1_440 * MINUTE_MS

export interface Call {
  readonly key: string
  readonly at: EpochMs
  readonly status?: number
  readonly latencyMs?: number
  /** Hashes, as a decoder makes them. */
  readonly route?: number
  readonly source?: number
}

/** As users write them: durations with units, all else left to its default. */
export function settingsOf(
  config: Readonly<Record<string, unknown>> = {},
  tenants: WrittenTenants = {},
  planned: readonly WrittenEvent[] = [],
): EngineSettings {
  const parsed = tenantsSchema.parse({ tenants, planned })
  const settings: WeirConfig = weirSchema.parse({ mode: 'enforce', ...config })
  return engineSettings(settings, parsed.tenants, parsed.planned)
}

type WrittenTenants = Readonly<
  Record<
    string,
    {
      readonly keys: readonly string[]
      readonly usagePlan?: string
      readonly exempt?: boolean
      readonly planned?: readonly WrittenEvent[]
    }
  >
>
export type WrittenEvent = z.input<typeof tenantsSchema>['planned'] extends readonly (infer Event)[] | undefined
  ? Event
  : never

/** An engine with a source in front of it and performers behind. */
export interface Stream {
  readonly engine: Engine
  readonly effects: Effect[]
  readonly changes: Explanation[]
  readonly measured: MeasuredMinute[]
  /** What a worker would journal of it beside the effects, in the order in which it would. */
  readonly journaled: Recollection[]
  /** One batch of one partition; `arrivedAt` is the newest call's time unless told. */
  give(calls: readonly Call[], from?: { readonly partition?: string; readonly arrivedAt?: EpochMs }): void
  /** Count rows as another tool made them, in the order of their time. */
  giveRows(rows: readonly (Omit<PaneRow, 'key'> & { readonly key: string })[]): void
  take(input: EngineInput): void
  tick(at: EpochMs): void
  /** The same, serialised and brought back, as a checkpoint does. */
  afterCheckpoint(): Stream
}

/** `answer`: what comes of a throttle or restore, at once; undefined: nothing yet. */
export function streamInto(
  engine: Engine,
  answer: (effect: Effect) => Outcome | undefined = obeyed,
  told: Pick<Stream, 'effects' | 'changes' | 'measured'> = { effects: [], changes: [], measured: [] },
): Stream {
  const table: KeyTable = { ids: [] }
  const { effects, changes, measured } = told
  const journaled: Recollection[] = []
  const take = (input: EngineInput): void => {
    if (input.kind === 'operator' || input.kind === 'outcome') journaled.push(input)
    const decided = advance(engine, input)
    effects.push(...decided.effects)
    changes.push(...decided.changes)
    measured.push(...decided.measured)
    for (const memo of decided.memos) journaled.push({ kind: 'memo', memo, at: engine.state.now })
    for (const effect of decided.effects) {
      const outcome = effect.kind === 'alert' ? undefined : answer(effect)
      if (outcome === undefined) continue
      const report = { effectId: effect.id, outcome }
      take({ kind: 'outcome', at: effect.decidedAt, report })
    }
  }
  return {
    engine,
    effects,
    changes,
    measured,
    journaled,
    take,
    give(calls, { partition = 'stream/0', arrivedAt = Math.max(...calls.map(({ at }) => at)) } = {}) {
      const batch = batchOf(calls, table)
      take({ ...whole(batch), kind: 'batch', partition: partition as PartitionId, arrivedAt })
    },
    giveRows(rows) {
      const batch = createBatch(table, 1)
      for (const row of rows) batch.panes.push({ ...row, key: keyIn(table, row.key) })
      const arrivedAt = rows.at(-1)?.start ?? 0
      take({ ...whole(batch), kind: 'batch', partition: 'stream/0' as PartitionId, arrivedAt })
    },
    tick: at => take({ kind: 'tick', at }),
    afterCheckpoint() {
      const saved = copied(snapshot(engine))
      return streamInto(restore(engine.settings, saved), answer, {
        effects: structuredClone(effects),
        changes: structuredClone(changes),
        measured: structuredClone(measured),
      })
    },
  }
}

/** What a checkpoint makes of it. */
export const copied = ({ state, keys, slabs }: EngineSnapshot): EngineSnapshot => ({
  state: deserialize(serialize(state)),
  keys: structuredClone(keys),
  slabs: new Map([...slabs].map(([name, slab]) => [name, slabWith(slab.cellBytes, cellsOf(slab))])),
})

/** What is kept of a key while something is going on with it; fails if it is idle. */
export function stateOf({ state }: Engine, keyId: string, ownerId = ''): KeyState {
  const owner = state.owners.get(ownerId)
  const key = owner && findLive(owner, keyId as ApiKeyId)
  if (key === undefined) throw new Error(`nothing is going on with ${keyId}`)
  return key
}

export function plainKey({ state }: Engine, keyId: string, ownerId = ''): PlainKey {
  const owner = state.owners.get(ownerId)
  if (owner === undefined) throw new Error(`there is no owner "${ownerId}"`)
  return baselineOf(owner.keys, numberOf(owner.keys, keyId))
}

export const obeyed = (effect: Effect): Outcome =>
  effect.kind === 'throttle' ? { kind: 'applied', after: effect.limits } : { kind: 'applied' }

export function batchOf(calls: readonly Call[], table: KeyTable): CallBatch {
  const batch = createBatch(table, Math.max(1, calls.length))
  if (calls.some(({ route, source }) => route !== undefined || source !== undefined)) wantPlaces(batch)
  for (const { key, at, status = 200, latencyMs = -1, route = 0, source = 0 } of calls) {
    const row = nextRow(batch)
    batch.key[row] = keyIn(table, key)
    batch.time[row] = at
    batch.status[row] = status
    batch.latencyMs[row] = latencyMs
    batch.bytes[row] = -1
    batch.route[row] = route
    batch.source[row] = source
  }
  return batch
}

function keyIn(table: KeyTable, key: string): number {
  const known = table.ids.indexOf(key as ApiKeyId)
  return known >= 0 ? known : table.ids.push(key as ApiKeyId) - 1
}

const whole = (batch: CallBatch) => ({ batch, from: 0, to: batch.length, panesFrom: 0, panesTo: batch.panes.length })

/**
 * An engine that was taught so many days up to `until`, in five-minute counts: each key with its calls a minute, one in a
 * thousand of them failed; all ran for `latencyMs`, where that is told.
 */
export function taught(
  settings: EngineSettings,
  callsPerMinute: Readonly<Record<string, number>>,
  {
    days = 2,
    until = TEN,
    latencyMs,
  }: { readonly days?: number; readonly until?: EpochMs; readonly latencyMs?: number } = {},
): Engine {
  const engine = createEngine(settings, { withHistory: true })
  const table: KeyTable = { ids: [] }
  const rates = Object.entries(callsPerMinute).map(([key, rate]) => ({ key: keyIn(table, key), calls: rate * 5 }))
  for (let start = until - days * DAY_MS; start < until; start += 5 * MINUTE_MS) {
    const batch = createBatch(table, 1)
    const none = { status2xx: 0, status4xx: 0, status429: 0, bytes: 0 }
    for (const { key, calls } of rates) {
      const latency = latencyMs === undefined ? NO_LATENCY : { latencySumMs: calls * latencyMs, latencyCount: calls }
      const status5xx = Math.floor(calls / 1_000)
      batch.panes.push({ ...none, ...latency, key, start, seconds: 300, calls, status5xx })
    }
    advance(engine, { ...whole(batch), kind: 'batch', partition: 'history' as PartitionId, arrivedAt: start })
  }
  advance(engine, { kind: 'history-ended' })
  return engine
}

const NO_LATENCY = { latencySumMs: 0, latencyCount: 0 }

/** Evenly spread calls of one key over [from, to). */
export function steady(
  key: string,
  {
    perSecond,
    from,
    seconds,
    status = 200,
  }: { readonly perSecond: number; readonly from: EpochMs; readonly seconds: number; readonly status?: number },
): Call[] {
  const calls = Math.round(perSecond * seconds)
  return Array.from({ length: calls }, (_, call) => ({
    key,
    at: from + Math.floor((call * 1_000) / perSecond),
    status,
  }))
}

export const inOrder = (...calls: readonly (readonly Call[])[]): Call[] =>
  calls.flat().sort((one, other) => one.at - other.at)

/** Calls in order of their time, a batch for each second in which there are some, with a tick after each second. */
export function live(stream: Stream, calls: readonly Call[], { until }: { readonly until?: EpochMs } = {}): void {
  const first = calls[0]
  if (first === undefined) return
  const end = until ?? Math.max(...calls.map(({ at }) => at)) + 1
  let next = 0
  for (let second = Math.floor(first.at / 1_000); second * 1_000 < end; second++) {
    const batch: Call[] = []
    for (let call = calls[next]; call !== undefined && call.at < (second + 1) * 1_000; call = calls[++next])
      batch.push(call)
    if (batch.length > 0) stream.give(batch)
    stream.tick((second + 1) * 1_000)
  }
}

/** `12.5s open key_a#1 retry-storm high throttle`: seconds since TEN, for a timetable of what was told. */
export const timetable = (changes: readonly Explanation[], since = TEN): string[] =>
  changes.map(
    ({ decidedAt, phase, incidentId, kind, severity, action }) =>
      `${(decidedAt - since) / 1_000}s ${phase} ${incidentId} ${kind} ${severity} ${action.kind}${action.kind === 'held' ? ` (${action.because})` : ''}`,
  )

function idsOf({ keys }: Owner): ApiKeyId[] {
  const ids: ApiKeyId[] = []
  for (let key = 0; key < keys.records.cells; key++) if (isKnown(keys, key)) ids.push(idOf(keys, key))
  return ids
}

/** What closed panes have taught: baselines, coverage, closed windows and the evidence in them, by key. */
export function learned({ state }: Engine) {
  return [...state.owners].map(([id, owner]) => ({
    id,
    coverage: owner.coverage,
    late: owner.lateCalls,
    keys: idsOf(owner)
      .toSorted()
      .map(keyId => ({ keyId, number: numberOf(owner.keys, keyId), activity: findLive(owner, keyId)?.activity }))
      .map(({ keyId, number, activity }) => ({
        keyId,
        baseline: baselineOf(owner.keys, number),
        windows: activity && closedSums(activity.panes, owner.closedToSecond),
        accumulators: activity?.accumulators,
        places: {
          ...routesUsual(owner.keys.places, number),
          ...placesKnown(owner.keys.places, number, Math.floor(owner.closedToSecond / 3_600)),
          callsFromNew: activity?.places && callsFromNewPlaces(activity.places, owner.closedToSecond),
        },
        lull: activity && { steadySince: activity.steadySince, lullFrom: activity.lullFrom },
      })),
  }))
}

/** The windows over closed panes as they would be now if somebody asked. */
function closedSums(panes: KeyPanes, endSecond: number): WindowSums {
  const windows = createWindows()
  rollTo(windows, panes, endSecond)
  return windows.sums
}
