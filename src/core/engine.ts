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

import type { CallBatch, KeyTable } from './call-batch.ts'
import type { Tenant, WeirConfig } from './config/config.ts'
import { tenantDirectory } from './config/tenants.ts'
import type { Decisions, EngineInput } from './engine-input.ts'
import type { Engine, EngineSettings, EngineState, Out } from './engine-state.ts'
import { followPlatform } from './incident/platform.ts'
import { passTime, takeOutcome } from './incident/storyline.ts'
import { createJury } from './judge.ts'
import { close, closeOwner, lookEarly } from './looks.ts'
import { resetAccumulators } from './state/accumulator.ts'
import { addRow, clearGroups, createCallGroups, startGroups } from './state/call-groups.ts'
import type { KeyState } from './state/key-state.ts'
import {
  beginTime,
  countCalls,
  countRow,
  createHeir,
  createOwner,
  inherit,
  keyOf,
  type Owner,
  SHARED_OWNER,
} from './state/owner.ts'
import { partitionTime, setPartitions } from './state/watermark.ts'
import { type ApiKeyId, type EpochMs, type PartitionId, SECOND_MS, SLOT_MS } from './vocabulary.ts'

export type { Engine, EngineSettings, EngineState } from './engine-state.ts'
export { type EngineStatus, engineStatus } from './engine-status.ts'

export function engineSettings(config: WeirConfig, tenants: Readonly<Record<string, Tenant>>): EngineSettings {
  const keyed = config.source?.kind === 'kafka' && config.source.keyed
  return { config, tenants: tenantDirectory({ tenants }), keyed }
}

export function createEngine(settings: EngineSettings, { withHistory = false } = {}): Engine {
  const state: EngineState = {
    owners: new Map(),
    platform: { phase: 'quiet' },
    platformIncidents: 0,
    now: Number.NEGATIVE_INFINITY,
    isHistory: withHistory,
    rejected: { future: 0, tooOld: 0 },
  }
  return engineOf(settings, state)
}

const engineOf = (settings: EngineSettings, state: EngineState): Engine => ({
  settings,
  jury: createJury(settings.config),
  state,
  lookup: new WeakMap(),
})

/** The state as a checkpoint keeps it: the live one, not a copy; serialise it before the next `advance`. */
export const snapshot = (engine: Engine): EngineState => engine.state

/** An engine that goes on from a snapshot that a checkpoint brought back. */
export const restore = (settings: EngineSettings, state: EngineState): Engine => engineOf(settings, state)

const NOTHING: Decisions = { effects: [], changes: [] }

export function advance(engine: Engine, input: EngineInput): Decisions {
  const out: Out = { effects: [], changes: [] }
  const { state } = engine
  switch (input.kind) {
    case 'batch':
      state.now = Math.max(state.now, input.arrivedAt)
      takeBatch(engine, input, out)
      break
    case 'tick':
      state.now = Math.max(state.now, input.at)
      for (const owner of state.owners.values()) moveOn(engine, owner, out)
      break
    case 'partitions':
      state.now = Math.max(state.now, input.at)
      takePartitions(engine, input.partitions)
      break
    case 'outcome':
      state.now = Math.max(state.now, input.at)
      takeOutcome(engine, input.report, out)
      break
    case 'history-ended':
      endHistory(engine)
      break
    case 'end':
      for (const owner of state.owners.values()) closeAll(engine, owner, out)
      break
    default:
      throw new Error(`no such input: ${input satisfies never}`)
  }
  if (state.isHistory || (out.effects.length === 0 && out.changes.length === 0)) return NOTHING
  return out
}

function takeBatch(engine: Engine, input: Extract<EngineInput, { kind: 'batch' }>, out: Out): void {
  const { batch, arrivedAt, partition } = input
  const owner = ownerOf(engine, partition)
  const time = partitionTime(owner.time, partition, arrivedAt)
  const latest = arrivedAt + engine.settings.config.time.future
  const keys = keyStates(engine, owner, batch.keys)

  for (let index = input.panesFrom; index < input.panesTo; index++) {
    const row = batch.panes[index]
    if (row === undefined) continue
    if (row.start > latest || row.start < oldestOf(engine, owner)) {
      refuse(engine, row.start, latest)
      continue
    }
    time.lastArrival = Math.max(time.lastArrival, arrivedAt)
    moveTime(engine, owner, time, Math.min(row.start, arrivedAt), out)
    countRow(owner, stateOf(engine, owner, keys, batch, row.key, row.start), row)
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
    }
    if (at > frontier) {
      // No call moves time past its own arrival: one clock that is ahead must not close what others still call.
      const reached = Math.min(at, arrivedAt)
      // What came before a second passes is counted before it is looked at.
      if (passesSecond(owner, reached)) countGroups(engine, owner, keys, batch)
      moveTime(engine, owner, time, reached, out)
      frontier = time.frontier
      oldest = oldestOf(engine, owner)
    }
    addRow(groups, batch.key[row] as number, row)
  }
  countGroups(engine, owner, keys, batch)
}

/** One for all batches, empty between them: nothing of it outlives the call of `takeBatch`. */
const groups = createCallGroups()

function countGroups(engine: Engine, owner: Owner, keys: KeyState[], batch: CallBatch): void {
  for (let group = 0; group < groups.length; group++) {
    const first = groups.first[group] as number
    const row = groups.from + first
    const key = stateOf(engine, owner, keys, batch, batch.key[row] as number, batch.time[row] as number)
    countCalls(owner, key, batch, groups, first)
  }
  clearGroups(groups, batch.key)
}

/** On a keyed stream each partition is an owner; its history, which came in files, is taught to one that they draw from. */
function ownerOf({ settings, state }: Engine, partition: PartitionId): Owner {
  const id = settings.keyed && !state.isHistory ? partition : SHARED_OWNER
  let owner = state.owners.get(id)
  if (owner === undefined) {
    const taught = state.owners.get(SHARED_OWNER)
    owner = taught === undefined ? createOwner() : createHeir(taught)
    state.owners.set(id, owner)
  }
  return owner
}

function keyStates(engine: Engine, owner: Owner, table: KeyTable): KeyState[] {
  let byOwner = engine.lookup.get(table)
  if (byOwner === undefined) {
    byOwner = new Map()
    engine.lookup.set(table, byOwner)
  }
  let keys = byOwner.get(owner)
  if (keys === undefined) {
    keys = []
    byOwner.set(owner, keys)
  }
  return keys
}

function stateOf(engine: Engine, owner: Owner, keys: KeyState[], batch: CallBatch, key: number, at: EpochMs): KeyState {
  const known = keys[key]
  if (known !== undefined) return known
  const id = batch.keys.ids[key] as ApiKeyId
  // A raw key that the log carries was hashed in the decoder; tenants.yaml may say whose it is.
  const keyId = engine.settings.tenants.keyOfHash.get(id) ?? id
  if (engine.settings.keyed && !engine.state.isHistory) inherit(owner, engine.state.owners.get(SHARED_OWNER), keyId)
  const state = keyOf(owner, keyId, at)
  keys[key] = state
  return state
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
  owner.time.highest = at
  if (!isPassed) return
  const second = Math.floor(at / SECOND_MS)
  owner.lookedAtSecond = second
  if (!engine.state.isHistory) lookEarly(engine, owner, second, out)
  close(engine, owner, out)
  passTime(engine, owner, out)
  followPlatform(engine, owner, out)
}

const passesSecond = (owner: Owner, at: EpochMs): boolean =>
  at >= (owner.lookedAtSecond + 1) * SECOND_MS && at > owner.time.highest

function takePartitions(engine: Engine, partitions: readonly PartitionId[]): void {
  const { state, settings } = engine
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

/** A tick: what has come is looked at, also when no further call passes the second; an idle source is moved on. */
function moveOn(engine: Engine, owner: Owner, out: Out): void {
  if (owner.closedToSecond < 0) return
  if (!engine.state.isHistory && owner.dirty.length > 0) {
    lookEarly(engine, owner, Math.floor(owner.time.highest / SECOND_MS) + 1, out)
  }
  close(engine, owner, out)
  passTime(engine, owner, out)
  followPlatform(engine, owner, out)
}

function endHistory(engine: Engine): void {
  const unheard: Out = { effects: [], changes: [] }
  const { state } = engine
  for (const owner of state.owners.values()) {
    closeAll(engine, owner, unheard)
    for (const key of owner.keys.values()) {
      key.incident = { phase: 'quiet' }
      key.wrong = undefined
      key.incidents = 0
      if (key.activity) resetAccumulators(key.activity.accumulators)
    }
    if (engine.settings.keyed) forgetDirty(owner)
    owner.incidents.clear()
    owner.wrong.clear()
    owner.time.partitions.clear()
    owner.quiet.isUnknown = true
  }
  state.platform = { phase: 'quiet' }
  state.platformIncidents = 0
  state.isHistory = false
}

/** On a keyed stream this owner is called by nobody any more: what it still meant to look at is its heirs' to look at. */
function forgetDirty(owner: Owner): void {
  for (const key of owner.dirty) key.isDirty = false
  owner.dirty = []
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
