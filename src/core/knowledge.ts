/**
 * What an engine knows of whom, for people: which time its baselines cover, and how well each key is known. Read when
 * logs have been learned; nothing is decided by it.
 */
import type { Usual } from '../../detectors/contract.ts'
import type { Engine } from './engine-state.ts'
import { engineStatus } from './engine-status.ts'
import { callsOfLastWeek, slotOf } from './state/baseline.ts'
import type { Coverage } from './state/coverage.ts'
import { idOf, isKnown, read, SLOT } from './state/known-keys.ts'
import type { Owner } from './state/owner.ts'
import { usualOf } from './state/usual.ts'
import { type ApiKeyId, BASELINE_DAYS, DAY_MS, type EpochMs, MINUTE_MS, SLOT_MS, SLOTS_PER_DAY } from './vocabulary.ts'

export interface Knowledge {
  /** The minutes of the last seven days that the stream delivered; undefined when there is none. */
  readonly covered: CoveredTime | undefined
  /** Most calls first, then by id. */
  readonly keys: readonly KeyKnowledge[]
}

export interface CoveredTime {
  /** Begin of the first and end of the last covered minute, epoch ms. */
  readonly from: EpochMs
  readonly until: EpochMs
  readonly minutes: number
  /** Of the days (UTC) that they touch, those of which at least half is covered. */
  readonly days: number
  /** Stretches between them of which nothing is known, oldest first. */
  readonly gaps: readonly { readonly from: EpochMs; readonly until: EpochMs }[]
}

export interface KeyKnowledge {
  readonly keyId: ApiKeyId
  /** Calls of the last seven days, as near as slots keep them: a sum of many is hardly off. */
  readonly calls: number
  /** Of the last seven: the median over the hours of a day. */
  readonly days: number
  /** What is usual at the time asked for; undefined when nothing is known of it. */
  readonly usual: Usual | undefined
}

/** `at`: the moment that `usual` is asked for, epoch ms: not before what is known ends, and at most a day after it. */
export function knowledgeOf(engine: Engine, at: EpochMs): Knowledge {
  const owners = [...engine.state.owners.values()]
  const slots = { at: slotOf(at), next: slotOf(engineStatus(engine).knownUntil ?? at) }
  const keys = owners.flatMap(owner => keysOf(owner).map(key => knowledgeOfKey(owner, key, slots)))
  keys.sort((one, other) => other.calls - one.calls || (one.keyId < other.keyId ? -1 : 1))
  return { covered: coveredTime(owners.map(({ coverage }) => coverage)), keys }
}

const keysOf = ({ keys }: Owner): readonly number[] =>
  Array.from({ length: keys.records.cells }, (_, key) => key).filter(key => isKnown(keys, key))

/** Days are counted at so many times of the day: one slot alone may lie in a gap. */
const TIMES_A_DAY = 8

/** `next`: the first slot after what is known: from there on for a day, all seven days before a slot may be known. */
function knowledgeOfKey(
  { keys, coverage }: Owner,
  key: number,
  { at, next }: { readonly at: number; readonly next: number },
): KeyKnowledge {
  const days: number[] = []
  for (let time = 0; time < TIMES_A_DAY; time++) {
    const usual = usualOf(keys, key, coverage, next + (time * SLOTS_PER_DAY) / TIMES_A_DAY)
    days.push(usual?.days ?? 0)
  }
  days.sort((one, other) => one - other)
  const calls = callsOfLastWeek(keys, key, read(keys, key, SLOT)) ?? 0
  return { keyId: idOf(keys, key), calls, days: days[TIMES_A_DAY / 2] ?? 0, usual: usualOf(keys, key, coverage, at) }
}

function coveredTime(coverages: readonly Coverage[]): CoveredTime | undefined {
  const newest = Math.max(-1, ...coverages.map(({ newestSlot }) => newestSlot))
  const minutesOfDay = new Map<number, number>()
  const gaps: { from: EpochMs; until: EpochMs }[] = []
  let from: EpochMs | undefined
  let until: EpochMs = 0
  let minutes = 0
  for (let slot = newest - BASELINE_DAYS * SLOTS_PER_DAY + 1; slot <= newest; slot++) {
    const mask = coverages.reduce((all, coverage) => all | maskOf(coverage, slot), 0)
    for (let minute = 0; minute < SLOT_MS / MINUTE_MS; minute++) {
      if ((mask & (1 << minute)) === 0) continue
      const at = slot * SLOT_MS + minute * MINUTE_MS
      if (from !== undefined && at > until) gaps.push({ from: until, until: at })
      from ??= at
      until = at + MINUTE_MS
      minutes++
      const day = Math.floor(at / DAY_MS)
      minutesOfDay.set(day, (minutesOfDay.get(day) ?? 0) + 1)
    }
  }
  if (from === undefined) return undefined
  const days = [...minutesOfDay.values()].filter(known => known * MINUTE_MS * 2 >= DAY_MS).length
  return { from, until, minutes, days: Math.min(BASELINE_DAYS, days), gaps }
}

/** Bit mask of the covered minutes of a slot. */
function maskOf({ minutes, newestSlot }: Coverage, slot: number): number {
  return slot > newestSlot || slot <= newestSlot - minutes.length || slot < 0
    ? 0
    : (minutes[slot % minutes.length] ?? 0)
}
