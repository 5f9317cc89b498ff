/**
 * What must hold of a state directory, whichever life has it: its journal forgets nothing that was safely in it, who begins there
 * goes on from what was written last, and of what was read each call is counted once. A worker whose stream is its own has one; of
 * a shared stream each partition has one, which goes from worker to worker.
 */
import { restoreState } from '../../core/engine-snapshot.ts'
import { findKey, PREVIOUS_CALLS, read, restoreKnownKeys, SLOT, SLOT_CALLS } from '../../core/state/known-keys.ts'
import { paneCalls, paneSecond } from '../../core/state/pane.ts'
import type { ApiKeyId } from '../../core/vocabulary.ts'
import { MINUTE_MS, SECOND_MS } from '../../core/vocabulary.ts'
import type { Snapshot } from '../../stores/checkpoint.ts'
import type { JournalEntry } from '../../stores/journal-entry.ts'
import { savedKeys, savedState } from '../../worker/saved-state.ts'
import type { TelemetryEvent } from '../../worker/telemetry.ts'
import { players, startsAt, tenantOf } from './cast.ts'
import type { Schedule } from './schedule.ts'
import type { SimulatedStream } from './stream.ts'

interface Surroundings {
  readonly name: string
  readonly schedule: Schedule
  readonly stream: SimulatedStream
  /** Whose calls are counted here, by their numbers. */
  readonly partitions: readonly number[]
  readonly taughtCalls: number
  readonly breakLaw: (says: string) => void
  readonly lateCalls: (calls: number) => void
}

/** Whoever asks: whether the directory is its own at this moment. */
type Owns = () => boolean

export type PartLaw = ReturnType<typeof createPartLaw>

export function createPartLaw(surroundings: Surroundings) {
  const { name, schedule, stream, partitions, taughtCalls, breakLaw, lateCalls } = surroundings

  // --- journal ---
  /** All that the worker of now has found in the journal or written into it, oldest first. */
  let known: JournalEntry[] = []
  /** What the next one must find in it. */
  let sure: JournalEntry[] = []
  let isOpening = false

  function journalOpening(): void {
    // One that was killed as it began may have made the journal shorter: what is over may be gone.
    if (isOpening) sure = sure.filter(entry => entry.kind === 'outcome' || (entry.kind === 'intent' && isOpen(entry)))
    isOpening = true
  }

  const isOpen = (intent: Extract<JournalEntry, { kind: 'intent' }>): boolean =>
    !sure.some(entry => entry.kind === 'outcome' && entry.effectId === intent.effect.id)

  function journalOpened(recovered: readonly JournalEntry[]): void {
    const found = new Set(recovered.map(entry => JSON.stringify(entry)))
    // Its answer may be on disk though the worker did not live to see it there: then it is over as well.
    const answered = new Set(recovered.flatMap(entry => (entry.kind === 'outcome' ? [entry.effectId] : [])))
    const isOver = (entry: JournalEntry): boolean => entry.kind === 'intent' && answered.has(entry.effect.id)
    const missing = sure.find(entry => !found.has(JSON.stringify(entry)) && !isOver(entry))
    if (missing)
      breakLaw(`the journal of ${name} has lost what was safely in it: ${JSON.stringify(missing).slice(0, 200)}`)
    isOpening = false
    known = [...recovered]
    sure = []
  }

  function journaled(entries: readonly JournalEntry[], owns: Owns): void {
    if (!owns()) breakLaw(`${entries[0]?.kind} was announced in ${name} by a worker that does not own it any more`)
    known.push(...entries)
    sure.push(...entries)
  }

  // --- states ---
  /** When each was written. `isLearned`: no call had been read, so that the next life may begin anew with what was learned. */
  const writes: { readonly at: number; readonly isLearned: boolean }[] = []
  /** The last of them that is known to be on disk. */
  let safe = -1
  const safes: number[] = []
  let checks = 0
  let last: Snapshot | undefined
  let lateSum = 0

  /** A state is about to be written; what it answers is called when it is safely on disk. */
  function checkpointing(snapshot: Snapshot, owns: Owns): () => void {
    // Of one that is not the owner nothing may come of it: it is no state to go on from.
    if (!owns()) return () => undefined
    checkCounts(snapshot, checks++ % 8 === 0)
    writes.push({ at: snapshot.writtenAt, isLearned: savedState(snapshot.state).learned !== undefined })
    const index = writes.length - 1
    return () => {
      // Frozen between its last question and the renaming: the file is there, and must be none that counts.
      if (!owns()) return
      last = snapshot
      safe = Math.max(safe, index)
      safes.push(safe)
    }
  }

  function started({ resumedFrom }: Extract<TelemetryEvent, { name: 'workerStarted' }>): void {
    const isGood = ({ at, isLearned }: (typeof writes)[0]): boolean =>
      at === resumedFrom || (resumedFrom === undefined && isLearned)
    if (safe >= 0 && !writes.slice(safe).some(isGood))
      breakLaw(`${name} started from ${resumedFrom}, and a later state was safely on disk: ${writes[safe]?.at}`)
  }

  // --- counts ---
  function checkCounts(snapshot: Snapshot, isThorough: boolean): void {
    const { engine } = savedState(snapshot.state)
    const owners = [...engine.owners.values()]
    const counted = owners.reduce((sum, owner) => sum + owner.calls, 0) - taughtCalls
    const { future, tooOld } = engine.rejected
    const given = stream.callsUpTo(snapshot.positions)
    if (counted + future + tooOld !== given)
      breakLaw(
        `${counted} calls are counted (and ${future + tooOld} refused) of the ${given} up to where it has read: ${given > counted + future + tooOld ? 'some are lost' : 'some count twice'}`,
      )
    lateSum = owners.reduce((sum, owner) => sum + owner.lateCalls, 0)
    lateCalls(lateSum)
    if (isThorough && lateSum === 0) checkPanes(snapshot)
  }

  function checkPanes({ state, later, slabs, positions }: Snapshot): void {
    const saved = { state: savedState(state).engine, keys: savedKeys(later), slabs }
    const owners = [...restoreState(saved, new Map()).owners.values()]
    const inPanes = new Map<string, number>()
    const from = Math.max(...owners.map(({ closedToSecond }) => closedToSecond)) - 60
    for (const { live } of owners) {
      for (const { keyId, activity } of live) {
        if (activity === undefined) continue
        const { panes } = activity
        for (let index = panes.first; index < panes.end; index++) {
          const second = paneSecond(panes, index)
          if (second >= from) add(inPanes, `${keyId} ${second}`, paneCalls(panes, index))
        }
      }
    }
    const given = new Map<string, number>()
    for (const number of partitions) {
      let older = 0
      for (const { calls } of stream.recordsUpTo(number, positions[stream.partitions[number] ?? ''])) {
        let isOld = true
        for (const { key, at } of calls) {
          const second = Math.floor(at / SECOND_MS)
          if (second < from) continue
          isOld = false
          add(given, `${players[key]?.keyId} ${second}`, 1)
        }
        // Lines come up to some seconds late.
        older = isOld ? older + 1 : 0
        if (older > 40) break
      }
    }
    for (const [place, calls] of given)
      if (inPanes.get(place) !== calls) breakLaw(`${place}: ${inPanes.get(place) ?? 0} calls are counted of ${calls}`)
    for (const [place, calls] of inPanes)
      if (!given.has(place)) breakLaw(`${place}: ${calls} calls are counted, and none was read`)
  }

  /** Of who never did anything, all that was called in the two youngest slots has been learned. */
  function checkLessons(snapshot: Snapshot, toldOf: ReadonlySet<string>): void {
    const { engine } = savedState(snapshot.state)
    if (lateSum > 0 || schedule.keyed || schedule.sick.length > 0) return
    for (const [id, owner] of engine.owners) {
      const [records, rows, places] = ['records', 'rows', 'places'].map(slab => snapshot.slabs.get(`${slab} ${id}`))
      if (records === undefined || rows === undefined || places === undefined) continue
      const keys = restoreKnownKeys(owner.keys, { records, rows, places })
      for (const { keyId } of players) {
        if (toldOf.has(keyId) || schedule.storms.some(storm => tenantOf(storm.keyId) === tenantOf(keyId))) continue
        const number = findKey(keys, keyId as ApiKeyId)
        if (number === undefined) continue
        const slot = read(keys, number, SLOT)
        // What came before the story was learned of the week.
        const isPreviousOurs = (slot - 1) * 5 >= startsAt / MINUTE_MS
        const learned = read(keys, number, SLOT_CALLS) + (isPreviousOurs ? read(keys, number, PREVIOUS_CALLS) : 0)
        const from = (slot - (isPreviousOurs ? 1 : 0)) * 5
        const called = callsOf(keyId, from, owner.learnedToMinute)
        if (learned !== called)
          breakLaw(`${keyId}: ${learned} calls are learned of ${called} since minute ${from} of slot ${slot}`)
      }
    }
  }

  function callsOf(keyId: string, fromMinute: number, toMinute: number): number {
    let sum = 0
    for (const number of partitions)
      for (const { calls } of stream.recordsUpTo(number, String(Number.MAX_SAFE_INTEGER)))
        for (const { key, at } of calls) {
          const minute = Math.floor(at / MINUTE_MS)
          if (players[key]?.keyId === keyId && minute >= fromMinute && minute < toMinute) sum++
        }
    return sum
  }

  return {
    ...{ name, journalOpening, journalOpened, journaled, checkpointing, started },
    /** Where the directory was another's after all. */
    journalNotOpened() {
      isOpening = false
    },
    known: (): readonly JournalEntry[] => known,
    /** The newest state that was on disk is damaged: the one before it may be gone on from. */
    rotten() {
      safes.pop()
      safe = safes.at(-1) ?? -1
    },
    /** The story is over; of these keys something was told. */
    end(toldOf: ReadonlySet<string>): void {
      if (last === undefined) {
        breakLaw(`no state of ${name} was ever written`)
        return
      }
      const positions = last.positions
      for (const number of partitions) {
        const partition = stream.partitions[number] ?? ''
        const was = stream.callsUpTo({ [partition]: positions[partition] ?? '0' })
        const came = stream.callsUpTo({ [partition]: String(Number.MAX_SAFE_INTEGER) })
        if (was !== came) breakLaw(`${was} calls of ${partition} were read of the ${came} that came`)
      }
      checkCounts(last, true)
      checkLessons(last, toldOf)
    },
  }
}

function add(counts: Map<string, number>, place: string, more: number): void {
  counts.set(place, (counts.get(place) ?? 0) + more)
}
