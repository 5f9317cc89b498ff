/**
 * Measures minutes as they close, for whoever draws them elsewhere. It reads what the looks and the learning have left
 * and changes nothing of it, so that decisions are the same with it and without.
 *
 * Which keys: chosen anew each hour, the busiest of the last week first, since metrics are paid by key and hour; and while
 * there is room also when a new key has turned up.
 */
import type { Engine, Out } from './engine-state.ts'
import type { ChosenKey, MeasuredMinute, Measuring } from './measured-minute.ts'
import { callsOfLastWeek, slotOf } from './state/baseline.ts'
import { FIRST_MINUTE, idOf, isKnown, read } from './state/known-keys.ts'
import { findLive } from './state/live-keys.ts'
import { type Delivered, type Owner, SHARED_OWNER } from './state/owner.ts'
import { usualOf } from './state/usual.ts'
import { HOUR_MS, MINUTE_MS } from './vocabulary.ts'

/** Of a quiet stretch that has lasted longer only its end is told: all of a long one at once would stop the stream. */
const MOST_QUIET_MINUTES = 60

/** What measures minutes of this owner as they close; undefined where nobody asked. History is not measured: it is past. */
export function measuringOf(engine: Engine, owner: Owner, out: Out): Delivered | undefined {
  // A tenant as a whole is no key: its calls are its keys'.
  if (owner === engine.state.tenantWide) return undefined
  const { measuring } = engine
  if (measuring === undefined || engine.state.isHistory) return undefined
  return (from, minute, counts) => {
    for (let silent = Math.max(from, minute - MOST_QUIET_MINUTES); silent < minute; silent++)
      measure(engine, measuring, owner, silent, new Map(), out)
    measure(engine, measuring, owner, minute, counts, out)
  }
}

function measure(
  engine: Engine,
  measuring: Measuring,
  owner: Owner,
  minute: number,
  counts: ReadonlyMap<number, number>,
  out: Out,
): void {
  const startsAt = minute * MINUTE_MS
  const slot = slotOf(startsAt)
  const hour = Math.floor(startsAt / HOUR_MS)
  const known = knownKeys(engine)
  const hasNewKey = measuring.leftOut === 0 && known !== measuring.known
  if (hour > measuring.chosenIn || hasNewKey) choose(engine, measuring, slot)
  measuring.chosenIn = Math.max(measuring.chosenIn, hour)
  measuring.known = known
  // A minute in which a key turned up is known in part only.
  const chosen = (measuring.chosen.get(owner) ?? []).filter(
    ({ keyId, number }) => idOf(owner.keys, number) === keyId && minute >= read(owner.keys, number, FIRST_MINUTE),
  )
  if (chosen.length === 0) return
  const measured: MeasuredMinute = {
    startsAt,
    keys: chosen.map(({ keyId }) => keyId),
    calls: chosen.map(({ number }) => counts.get(number) ?? 0),
    usual: chosen.map(key => usualIn(owner, key, slot)),
    leftOut: measuring.leftOut,
  }
  out.measured.push(measured)
}

/** What the detectors were shown in this slot, where they were asked. */
function usualIn(owner: Owner, { keyId, number }: ChosenKey, slot: number): number | undefined {
  const finalSlot = findLive(owner, keyId)?.finalSlot
  const usual = finalSlot?.slot === slot ? finalSlot.usual : usualOf(owner.keys, number, owner.coverage, slot)
  return usual?.callsPerMinute
}

function knownKeys({ state }: Engine): number {
  let known = 0
  for (const { keys } of state.owners.values()) known += keys.size
  return known
}

function choose({ settings, state }: Engine, measuring: Measuring, slot: number): void {
  const candidates: { readonly owner: Owner; readonly key: ChosenKey; readonly calls: number }[] = []
  for (const [id, owner] of state.owners) {
    // Of a keyed stream it holds keys that were taught and have not called yet: nobody's minutes.
    if (settings.keyed && id === SHARED_OWNER) continue
    const { keys } = owner
    for (let number = 0; number < keys.records.cells; number++) {
      if (!isKnown(keys, number)) continue
      const calls = callsOfLastWeek(keys, number, slot)
      const key = { keyId: idOf(keys, number), number }
      if (measuring.keys === 'listed' && !settings.tenants.byKey.has(key.keyId)) continue
      if (calls !== undefined) candidates.push({ owner, key, calls })
    }
  }
  candidates.sort((one, other) => other.calls - one.calls || (one.key.keyId < other.key.keyId ? -1 : 1))
  const chosen = new Map<Owner, ChosenKey[]>()
  for (const { owner, key } of candidates.slice(0, measuring.maxKeys)) {
    const keys = chosen.get(owner)
    if (keys === undefined) chosen.set(owner, [key])
    else keys.push(key)
  }
  measuring.chosen = chosen
  measuring.leftOut = Math.max(0, candidates.length - measuring.maxKeys)
}
