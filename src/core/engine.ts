/**
 * The core's one door: `advance(engine, input)` takes the next input of the sequence and answers with what is to be done
 * and what has changed. The same function runs live, in replay, in tune and in the simulator.
 *
 *     calls → panes ─┬─ every second, early: keys with new calls, open panes included ─┬→ judge → incident → effects
 *                    └─ as the watermark passes, final: closed panes, then learning ───┘
 *
 * Time is in the inputs: event time in the calls, arrival time (`now`) in batches and ticks. The state is plain data and
 * changes in place, so that a checkpoint can hold it and a batch costs what its calls cost.
 */

import type { CallBatch, KeyTable, PaneRow } from './call-batch.ts'
import type { Tenant, WeirConfig } from './config/config.ts'
import { isTenantWide, tenantDirectory } from './config/tenants.ts'
import type { Decisions, EngineInput } from './engine-input.ts'
import { type EngineSnapshot, restoreState } from './engine-snapshot.ts'
import {
  type Engine,
  type EngineSettings,
  type EngineState,
  type KeyNumbers,
  lookAnew,
  type Out,
  watching,
} from './engine-state.ts'
import { openingsFrom } from './incident/openings.ts'
import { noteBacklog } from './incident/past.ts'
import { followPlatform, takeOthers } from './incident/platform.ts'
import { passTime, step, takeOutcome, takeProgress } from './incident/storyline.ts'
import { createJury } from './judge.ts'
import { keptBy, ownerOf, placeOf, takeAsAnonymous } from './key-places.ts'
import { close, closeOwner, lookEarly } from './looks.ts'
import { createMeasuring } from './measured-minute.ts'
import { takeOperator } from './operator.ts'
import type { PlannedEvent } from './planned/planned-event.ts'
import { createSchedule } from './planned/schedule.ts'
import { recall } from './recall.ts'
import { resetAccumulators } from './state/accumulator.ts'
import { addRow, clearGroups, createCallGroups, groupLength, startGroups } from './state/call-groups.ts'
import { beforeChange } from './state/key-state.ts'
import { INCIDENTS, read, write } from './state/known-keys.ts'
import { listUnkept, liveKey } from './state/live-keys.ts'
import {
  askPeersAnew,
  beginTime,
  countCalls,
  countRow,
  noteCalls,
  noteRow,
  type Owner,
  SHARED_OWNER,
  teachRow,
} from './state/owner.ts'
import { partitionTime, setPartitions } from './state/watermark.ts'
import { followRenamed, type TenantWide, tenantOf, tenantWideOf } from './tenant-wide.ts'
import { type ApiKeyId, type EpochMs, MINUTE_MS, type PartitionId, SECOND_MS, SLOT_MS } from './vocabulary.ts'

export { beginSnapshot, type EngineSnapshot, incidentsIn, slabsOf, snapshot } from './engine-snapshot.ts'
export type { Engine, EngineSettings, EngineState } from './engine-state.ts'
export { type EngineStatus, engineStatus } from './engine-status.ts'

/** `planned`: of every client. */
export function engineSettings(
  config: WeirConfig,
  tenants: Readonly<Record<string, Tenant>>,
  planned: readonly PlannedEvent[] = [],
): EngineSettings {
  const keyed = config.source?.kind === 'kafka' && config.source.keyed
  return { config, tenants: tenantDirectory({ tenants, planned: [...planned] }), keyed }
}

export function createEngine(settings: EngineSettings, { withHistory = false } = {}): Engine {
  const state: EngineState = {
    owners: new Map(),
    tenantWide: undefined,
    platform: { phase: 'quiet' },
    platformIncidents: 0,
    alertsSpent: new Map(),
    others: undefined,
    openings: undefined,
    now: Number.NEGATIVE_INFINITY,
    isHistory: withHistory,
    halted: undefined,
    spared: new Map(),
    throttled: new Map(),
    rejected: { future: 0, tooOld: 0 },
    unplaced: 0,
  }
  return engineOf(settings, state)
}

const engineOf = (settings: EngineSettings, state: EngineState): Engine => ({
  settings,
  jury: createJury(settings.config),
  schedule: createSchedule(settings.tenants.planned),
  state,
  lookup: new WeakMap(),
  tenantLookup: new WeakMap(),
  surveys: new WeakMap(),
  measuring: createMeasuring(settings.config),
})

/** An engine that goes on from a snapshot that a checkpoint brought back. */
export const restore = (settings: EngineSettings, saved: EngineSnapshot): Engine =>
  engineOf(settings, restoreState(saved, settings.tenants.places))

const NOTHING: Decisions = { effects: [], memos: [], changes: [], measured: [] }

export function advance(engine: Engine, input: EngineInput): Decisions {
  const out: Out = { effects: [], memos: [], changes: [], measured: [] }
  const { state } = engine
  switch (input.kind) {
    case 'batch':
      state.now = Math.max(state.now, input.arrivedAt)
      takeBatch(engine, input, out)
      break
    case 'tick':
      state.now = Math.max(state.now, input.at)
      for (const owner of watching(state)) moveOn(engine, owner, out)
      break
    case 'partitions':
      state.now = Math.max(state.now, input.at)
      takePartitions(engine, input.partitions)
      break
    case 'outcome':
      state.now = Math.max(state.now, input.at)
      takeOutcome(engine, input.report, out)
      break
    case 'progress':
      state.now = Math.max(state.now, input.at)
      takeProgress(engine, input.report, out)
      break
    case 'fleet':
      state.now = Math.max(state.now, input.at)
      takeOthers(engine, input.others, out)
      break
    case 'recalled':
      recall(engine, input.entries, out)
      state.now = Math.max(state.now, input.at)
      break
    case 'tenants':
      state.now = Math.max(state.now, input.at)
      takeTenants(engine, input, out)
      break
    case 'operator':
      state.now = Math.max(state.now, input.at)
      takeOperator(engine, input, out)
      break
    case 'history-ended':
      endHistory(engine)
      break
    case 'end':
      for (const owner of watching(state)) closeAll(engine, owner, out)
      break
    default:
      throw new Error(`no such input: ${input satisfies never}`)
  }
  const isEmpty = out.effects.length === 0 && out.changes.length === 0 && out.measured.length === 0
  return state.isHistory || isEmpty ? NOTHING : out
}

type BatchInput = Extract<EngineInput, { kind: 'batch' }>

function takeBatch(engine: Engine, input: BatchInput, out: Out): void {
  const { batch, arrivedAt, partition } = input
  const owner = ownerOf(engine, partition)
  const time = partitionTime(owner.time, partition, arrivedAt)
  const latest = arrivedAt + engine.settings.config.time.future
  const keys = keyNumbers(engine, owner, batch.keys)
  const wide = tenantWideOf(engine, input)

  for (let index = input.panesFrom; index < input.panesTo; index++) {
    const row = batch.panes[index]
    if (row === undefined) continue
    if (row.start > latest || row.start < oldestOf(engine, owner)) {
      refuse(engine, row.start, latest)
      continue
    }
    time.lastArrival = Math.max(time.lastArrival, arrivedAt)
    moveTime(engine, owner, time, Math.min(row.start, arrivedAt), out)
    // The tenant begins before its key does: what it is known for is not to be counted twice.
    if (wide !== undefined) tenantOf(engine, wide, batch, row.key, row.start)
    const key = numberOf(engine, owner, keys, batch, row.key, row.start)
    takeRow(owner, key ?? takeAsAnonymous(engine, owner, row.start, row.calls), row)
    if (wide !== undefined) takeTenantsRow(engine, wide, input, row, out)
  }
  const times = batch.time
  startGroups(groups, { from: input.from, to: input.to, keys: batch.keys.ids.length })
  let { frontier, lastArrival } = time
  let oldest = oldestOf(engine, owner)
  for (let row = input.from; row < input.to; row++) {
    const at = times[row] as number
    if (at > latest || at < oldest) {
      refuse(engine, at, latest)
      continue
    }
    if (arrivedAt > lastArrival) {
      lastArrival = arrivedAt
      time.lastArrival = arrivedAt
      if (wide !== undefined) wide.time.lastArrival = Math.max(wide.time.lastArrival, arrivedAt)
    }
    if (at > frontier || (wide !== undefined && at > wide.time.frontier)) {
      // No call moves time past its own arrival: one clock that is ahead must not close what others still call.
      const reached = Math.min(at, arrivedAt)
      // What came before a second passes is counted before it is looked at.
      if (passesSecond(owner, reached) || (wide !== undefined && passesSecond(wide.owner, reached)))
        countGroups(engine, owner, keys, batch, wide)
      if (at > frontier) moveTime(engine, owner, time, reached, out)
      frontier = time.frontier
      oldest = oldestOf(engine, owner)
      if (wide !== undefined && at > wide.time.frontier) moveTime(engine, wide.owner, wide.time, reached, out)
    }
    addRow(groups, batch.key[row] as number, row)
  }
  countGroups(engine, owner, keys, batch, wide)
}

/** One for all batches, empty between them: nothing of it outlives the call of `takeBatch`. */
const groups = createCallGroups()

function countGroups(
  engine: Engine,
  owner: Owner,
  keys: KeyNumbers,
  batch: CallBatch,
  wide: TenantWide | undefined,
): void {
  for (let group = 0; group < groups.length; group++) {
    const first = groups.first[group] as number
    const row = groups.from + first
    const [number, at] = [batch.key[row] as number, batch.time[row] as number]
    // The tenant begins before its key does: what it is known for is not to be counted twice.
    const tenant = wide && tenantOf(engine, wide, batch, number, at)
    const key =
      numberOf(engine, owner, keys, batch, number, at) ?? takeAsAnonymous(engine, owner, at, groupLength(groups, first))
    countCalls(owner, liveKey(owner, key), batch, groups, first)
    if (wide === undefined) continue
    if (tenant !== undefined) countCalls(wide.owner, liveKey(wide.owner, tenant), batch, groups, first)
    else noteCalls(wide.owner, batch, groups, first)
  }
  clearGroups(groups, batch.key)
}

function takeTenantsRow(
  engine: Engine,
  wide: TenantWide,
  { batch, arrivedAt }: BatchInput,
  row: PaneRow,
  out: Out,
): void {
  const { owner, time } = wide
  time.lastArrival = Math.max(time.lastArrival, arrivedAt)
  moveTime(engine, owner, time, Math.min(row.start, arrivedAt), out)
  const tenant = tenantOf(engine, wide, batch, row.key, row.start)
  if (tenant !== undefined) takeRow(owner, tenant, row)
  else noteRow(owner, row)
}

function takeRow(owner: Owner, number: number, row: PaneRow): void {
  if (row.seconds > 1) teachRow(owner, number, row)
  else countRow(owner, liveKey(owner, number), row)
}

function keyNumbers(engine: Engine, owner: Owner, table: KeyTable): KeyNumbers {
  let byOwner = engine.lookup.get(table)
  if (byOwner === undefined) {
    byOwner = new Map()
    engine.lookup.set(table, byOwner)
  }
  let known = byOwner.get(owner)
  if (known === undefined) {
    known = { numbers: new Int32Array(64), asOf: 0 }
    byOwner.set(owner, known)
  }
  if (known.asOf !== owner.keys.forgotten || known.numbers.length < table.ids.length)
    lookAnew(known, owner, table.ids.length)
  return known
}

/** Undefined for a key that was never seen and for which there is no room now. */
function numberOf(
  engine: Engine,
  owner: Owner,
  known: KeyNumbers,
  batch: CallBatch,
  key: number,
  at: EpochMs,
): number | undefined {
  const found = known.numbers[key] as number
  return found > 0 ? found - 1 : lookUp(engine, owner, known, batch, key, at)
}

function lookUp(
  engine: Engine,
  owner: Owner,
  known: KeyNumbers,
  batch: CallBatch,
  key: number,
  at: EpochMs,
): number | undefined {
  const { ids } = batch.keys
  const id = ids[key] as ApiKeyId
  // A raw key that the log carries was hashed in the decoder; tenants.yaml may say whose it is.
  const keyId = engine.settings.tenants.keyOfHash.get(id) ?? id
  const number = placeOf(engine, owner, keyId, at)
  if (known.asOf !== owner.keys.forgotten) lookAnew(known, owner, ids.length)
  // Looked up again at its next call: there may be room for it by then.
  if (number !== undefined) known.numbers[key] = number + 1
  return number
}

const WEEK_MS = 7 * 288 * SLOT_MS

/** Calls before this are too old to be counted, but in a history. */
const oldestOf = ({ state }: Engine, owner: Owner): EpochMs =>
  state.isHistory ? Number.NEGATIVE_INFINITY : owner.time.highest - WEEK_MS

function refuse({ state }: Engine, at: EpochMs, latest: EpochMs): void {
  if (at > latest) state.rejected.future++
  else state.rejected.tooOld++
}

/**
 * A call is the newest of its partition: event time may pass whole seconds, and with each there is an early look. Looks and
 * closings happen here and on ticks alone, never at a batch's end: how the source cut its batches must not show.
 */
function moveTime(engine: Engine, owner: Owner, time: { frontier: EpochMs }, at: EpochMs, out: Out): void {
  time.frontier = Math.max(time.frontier, at)
  if (at <= owner.time.highest) return
  beginTime(owner, at)
  const isPassed = passesSecond(owner, at)
  const before = owner.time.highest
  owner.time.highest = at
  // From the first call on, whether the clock or it comes first: of what was before it nobody knows what turned wrong.
  if (!engine.state.isHistory) engine.state.openings ??= openingsFrom(at)
  if (!isPassed) return
  if (!engine.state.isHistory) noteBacklog(engine, owner, before)
  const second = Math.floor(at / SECOND_MS)
  owner.lookedAtSecond = second
  if (engine.state.isHistory) forgetDirty(owner)
  else lookEarly(engine, owner, second, out)
  close(engine, owner, out)
  passTime(engine, owner, out)
  followPlatform(engine, owner, out)
}

const passesSecond = (owner: Owner, at: EpochMs): boolean =>
  at >= (owner.lookedAtSecond + 1) * SECOND_MS && at > owner.time.highest

/** History is not looked at as it comes. */
function forgetDirty(owner: Owner): void {
  for (const key of owner.dirty) {
    beforeChange(key)
    key.isDirty = false
  }
  owner.dirty = []
}

function takePartitions(engine: Engine, partitions: readonly PartitionId[]): void {
  const { state, settings } = engine
  if (state.tenantWide !== undefined) setPartitions(state.tenantWide.time, partitions, state.now)
  if (settings.keyed) {
    for (const partition of partitions) {
      const owner = state.owners.get(partition)
      if (owner !== undefined) setPartitions(owner.time, [partition], state.now)
    }
    return
  }
  const owner = ownerOf(engine, SHARED_OWNER as PartitionId)
  setPartitions(owner.time, partitions, state.now)
}

function takeTenants(
  engine: Engine,
  { tenants, planned = [] }: Extract<EngineInput, { kind: 'tenants' }>,
  out: Out,
): void {
  const before = engine.settings.tenants
  engine.settings = { ...engine.settings, tenants: tenantDirectory({ tenants, planned: [...planned] }) }
  engine.schedule = createSchedule(engine.settings.tenants.planned)
  for (const owner of watching(engine.state)) owner.plans = engine.settings.tenants.places
  // Whose hash a raw key has may have changed with them.
  engine.lookup = new WeakMap()
  engine.tenantLookup = new WeakMap()
  followRenamed(engine, before)
  const { byKey } = engine.settings.tenants
  const minute = Math.floor(engine.state.now / MINUTE_MS)
  for (const owner of engine.state.owners.values()) listUnkept(owner, keptBy(engine.settings), minute)
  for (const owner of watching(engine.state)) {
    for (const key of owner.incidents) {
      const isUnwatched = isTenantWide(key.keyId) && !byKey.has(key.keyId)
      if (isUnwatched || byKey.get(key.keyId)?.exempt)
        step(engine, owner, key, { kind: 'exempted', now: engine.state.now }, out)
    }
  }
}

/** A tick: what has come is looked at, also when no further call passes the second; an idle source is moved on. */
function moveOn(engine: Engine, owner: Owner, out: Out): void {
  if (owner.closedToSecond < 0) {
    // Recalled, and none of its calls has come again yet: what was taken is given back all the same.
    if (owner.incidents.size > 0) passTime(engine, owner, out)
    return
  }
  noteBacklog(engine, owner, owner.time.highest)
  if (!engine.state.isHistory && owner.dirty.length > 0) {
    lookEarly(engine, owner, Math.floor(owner.time.highest / SECOND_MS) + 1, out)
  }
  close(engine, owner, out)
  passTime(engine, owner, out)
  followPlatform(engine, owner, out)
}

function endHistory(engine: Engine): void {
  const unheard: Out = { effects: [], memos: [], changes: [], measured: [] }
  const { state } = engine
  for (const owner of watching(state)) {
    closeAll(engine, owner, unheard)
    forgetDirty(owner)
    askPeersAnew(owner)
    for (const key of owner.live) {
      beforeChange(key)
      key.incident = { phase: 'quiet' }
      key.wrong = undefined
      key.incidents = 0
      if (key.activity) resetAccumulators(key.activity.accumulators)
    }
    for (let number = 0; number < owner.keys.records.cells; number++) {
      if (read(owner.keys, number, INCIDENTS) > 0) write(owner.keys, number, INCIDENTS, 0)
    }
    owner.incidents.clear()
    owner.limited.clear()
    owner.wrong.clear()
    owner.time.partitions.clear()
    owner.quiet.isUnknown = true
  }
  state.platform = { phase: 'quiet' }
  state.platformIncidents = 0
  state.openings = undefined
  state.isHistory = false
}

function closeAll(engine: Engine, owner: Owner, out: Out): void {
  if (owner.closedToSecond < 0) return
  const newest = Math.max(-1, ...owner.openSeconds.keys())
  const end = Math.max(owner.time.highest + 1, owner.rowsUntil, (newest + 1) * SECOND_MS)
  const endSecond = Math.ceil(end / SECOND_MS)
  if (!engine.state.isHistory) lookEarly(engine, owner, Math.floor(owner.time.highest / SECOND_MS) + 1, out)
  closeOwner(engine, owner, endSecond, out)
  passTime(engine, owner, out)
  followPlatform(engine, owner, out)
}
