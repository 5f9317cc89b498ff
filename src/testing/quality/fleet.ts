/**
 * Real tenants side by side on one stream, and what an engine is given of them: their week as counts, and judged seconds as
 * one-second panes. Whoever is to misbehave is left out of the panes and called for by its own script.
 */
import { type CallBatch, createBatch, type KeyTable, type PaneRow } from '../../core/call-batch.ts'
import { advance, createEngine, type EngineSettings } from '../../core/engine.ts'
import { DAY_MS, type EpochMs, type PartitionId, SECOND_MS, SLOT_MS } from '../../core/vocabulary.ts'
import { createRandom } from '../../simulation/random.ts'
import { copyOf, type EngineCopy } from '../../worker/engine-copy.ts'
import { type HistoryRow, judgedFrom, type MadeCall, type RealTenant } from './contract.ts'
import { type AnswerShares, answering, type CountedAnswers, sharesOf } from './counted-answers.ts'
import { addMadeCall } from './made-calls.ts'

export interface Fleet {
  readonly tenants: readonly RealTenant[]
  /** A tenant has one key, of its own name, and its place in `tenants` for a number. */
  readonly keys: KeyTable
}

export const fleetOf = (tenants: readonly RealTenant[]): Fleet => ({
  tenants,
  keys: { ids: tenants.map(({ id }) => id) },
})

const WEEK_MS = 7 * DAY_MS
const SLOT_SECONDS = 300
const partition = 'stream/0' as PartitionId

/** The seven days before `at` (a whole slot), as `weir learn` would be given them. */
export function weekBefore(tenant: RealTenant, at: EpochMs): readonly HistoryRow[] {
  const rows = tenant.history()
  const shares = sharesOf(rows)
  knownShares.set(tenant, shares)
  if (at === judgedFrom) return rows
  const counts = tenant.countsOf(judgedFrom, (Math.min(at, tenant.judgedTo) - judgedFrom) / SECOND_MS)
  const answer = answering(shares, createRandom(seed, `${tenant.id} week`))
  const judged: HistoryRow[] = []
  for (let from = 0; from < counts.length; from += SLOT_SECONDS) {
    let calls = 0
    for (let second = from; second < from + SLOT_SECONDS; second++) calls += counts[second]
    if (calls > 0) judged.push({ start: judgedFrom + from * SECOND_MS, seconds: SLOT_SECONDS, ...answer(calls) })
  }
  return [...rows, ...judged].filter(({ start }) => start >= at - WEEK_MS)
}

/** How counted calls are answered is drawn, from this. */
const seed = 20_261_012

interface Taught {
  readonly at: EpochMs
  weekOf(key: number): readonly HistoryRow[]
  /** Whether a call of each minute is shown for itself, so that it is known where the tenant's calls go and come from. */
  readonly showsPlaces?: boolean
}

/**
 * What an engine knows that was taught each tenant's week (`weekOf` its place) before `at`: under every configuration the
 * same, since counts are not judged.
 */
export function taught(
  { tenants, keys }: Fleet,
  settings: EngineSettings,
  { at, weekOf, showsPlaces = false }: Taught,
): EngineCopy {
  const weeks = keys.ids.map((_, key) => packed(weekOf(key), at - WEEK_MS))
  const engine = createEngine(settings, { withHistory: true })
  for (let slot = 0; slot < SLOTS; slot++) {
    const start = at - WEEK_MS + slot * SLOT_MS
    const batch = createBatch(keys, 1)
    const samples: { readonly key: number; readonly call: MadeCall }[] = []
    for (const [key, week] of weeks.entries()) {
      if (callsAt(week, slot) === 0) continue
      const answers = answersAt(week, slot)
      const shown = showsPlaces ? samplesIn(tenants[key], start, answers) : []
      batch.panes.push(paneOf(key, start, SLOT_SECONDS, without(answers, shown)))
      for (const call of shown) samples.push({ key, call })
    }
    for (const { key, call } of samples.sort((one, other) => one.call.at - other.call.at)) addMadeCall(batch, key, call)
    if (batch.panes.length > 0) advance(engine, inputOf(batch, start + SLOT_MS - 1))
  }
  advance(engine, { kind: 'history-ended' })
  return copyOf(engine)
}

/** One call in each of the slot's minutes, if there were so many and all went well. */
function samplesIn(
  tenant: RealTenant,
  start: EpochMs,
  { status2xx, latencyCount }: CountedAnswers,
): readonly MadeCall[] {
  const count = Math.min(SLOT_SECONDS / 60, status2xx, latencyCount)
  return Array.from({ length: count }, (_, minute) => tenant.samplesOf(start + (minute * 60 + 30) * SECOND_MS, 1))
    .flat()
    .map(call => ({ ...call, status: 200 }))
}

/** What is left of counted answers when these calls were taken out of them: together they are what they were. */
function without(answers: CountedAnswers, calls: readonly MadeCall[]): CountedAnswers {
  const latencyMs = calls.reduce((sum, call) => sum + call.latencyMs, 0)
  return {
    ...answers,
    calls: answers.calls - calls.length,
    status2xx: answers.status2xx - calls.length,
    latencySumMs: Math.max(0, answers.latencySumMs - latencyMs),
    latencyCount: answers.latencyCount - calls.length,
  }
}

const SLOTS = WEEK_MS / SLOT_MS
const columns = ['calls', 'status2xx', 'status4xx', 'status429', 'status5xx', 'latencySumMs', 'latencyCount'] as const

/** A week as numbers side by side: thousands of tenants' rows as objects would not fit into memory. */
function packed(week: readonly HistoryRow[], from: EpochMs): Uint32Array {
  const cells = new Uint32Array(SLOTS * columns.length)
  for (const row of week) {
    const slot = (row.start - from) / SLOT_MS
    if (slot < 0 || slot >= SLOTS) continue
    for (const [column, name] of columns.entries()) cells[slot * columns.length + column] = row[name]
  }
  return cells
}

const callsAt = (cells: Uint32Array, slot: number): number => cells[slot * columns.length]

function answersAt(cells: Uint32Array, slot: number): CountedAnswers {
  const at = (column: (typeof columns)[number]): number => cells[slot * columns.length + columns.indexOf(column)]
  return {
    calls: at('calls'),
    status2xx: at('status2xx'),
    status4xx: at('status4xx'),
    status429: at('status429'),
    status5xx: at('status5xx'),
    latencySumMs: at('latencySumMs'),
    latencyCount: at('latencyCount'),
  }
}

/** The judged panes of each second of a stretch, of those whose data reach so far. */
export function panesBySecond(
  { tenants }: Fleet,
  { from, seconds }: { readonly from: EpochMs; readonly seconds: number },
): PaneRow[][] {
  const bySecond: PaneRow[][] = Array.from({ length: seconds }, () => [])
  for (const [key, tenant] of tenants.entries()) {
    const counts = tenant.countsOf(from, Math.min(seconds, Math.max(0, (tenant.judgedTo - from) / SECOND_MS)))
    const answer = answering(sharesIn(tenant), createRandom(seed, `${tenant.id} ${from}`))
    for (let second = 0; second < counts.length; second++) {
      const calls = counts[second]
      if (calls > 0) bySecond[second]?.push(paneOf(key, from + second * SECOND_MS, 1, answer(calls)))
    }
  }
  return bySecond
}

/** A week of history takes long to draw: who was asked for it is not asked again. */
const knownShares = new WeakMap<RealTenant, AnswerShares>()

const sharesIn = (tenant: RealTenant): AnswerShares => knownShares.get(tenant) ?? sharesOf(tenant.history())

/** Written out, as is what follows: made by the ten million, and spreading an object costs ten times as much. */
const paneOf = (key: number, start: EpochMs, seconds: number, answers: CountedAnswers): PaneRow => ({
  key,
  start,
  seconds,
  calls: answers.calls,
  status2xx: answers.status2xx,
  status4xx: answers.status4xx,
  status429: answers.status429,
  status5xx: answers.status5xx,
  latencySumMs: answers.latencySumMs,
  latencyCount: answers.latencyCount,
  bytes: 0,
})

/** A batch as an input of the engine, whole. */
export const inputOf = (batch: CallBatch, arrivedAt: EpochMs) => ({
  kind: 'batch' as const,
  partition,
  batch,
  from: 0,
  to: batch.length,
  panesFrom: 0,
  panesTo: batch.panes.length,
  arrivedAt,
})
