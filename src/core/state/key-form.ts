/**
 * A live key as bytes, as a checkpoint holds it. Copying ten thousand of them object by object would take half a second; so each
 * is written field by field, numbers as short as they are small. Read back it is the same key: whatever comes, it decides the same.
 *
 * Its rings, which are most of it, are written apart from the rest, and of them what they hold: they change with calls alone, and
 * looks go over all keys at once.
 *
 * What is made again instead of written: its id (its record has it), what a slot's usual makes of the formula (`model`), and
 * the ring of panes outside of what it holds. What is rare and has many forms stands beside the bytes as it is: an incident,
 * and what is known of a slot while something is planned.
 *
 * Whoever adds a field is told by tsc where it is read, and by the test beside this where it is not written.
 */
import type { OwnReach, Peers, PlainBaseline, Usual } from '../../../detectors/contract.ts'
import type { Incident } from '../incident/incident.ts'
import type { ApiKeyId } from '../vocabulary.ts'
import {
  type Accumulators,
  createAccumulators,
  type EarlyEvidence,
  MULTIPLES,
  type SequentialModel,
  sequentialModel,
} from './accumulator.ts'
import { type CallPlaces, createCallPlaces } from './call-places.ts'
import type { PlaceRing, Rings } from './key-rings.ts'
import type { KeyActivity, KeyState, PlannedKnowledge, SlotKnowledge, WrongStretch } from './key-state.ts'
import { createMinuteErrors, type MinuteErrors } from './minute-errors.ts'
import {
  type NumberBytes,
  numbersIn,
  readAll,
  readNumber,
  readOptional,
  writeAll,
  writeNumber,
  writeOptional,
} from './number-bytes.ts'
import { createWindows, type RollingWindows } from './window.ts'

/** What is rare, in the order in which keys have it. */
export interface Rare {
  readonly incidents: { readonly keyId: ApiKeyId; readonly incident: Incident }[]
  readonly planned: PlannedKnowledge[]
  /** Names of usage plans with whose keys one is compared. */
  readonly plans: string[]
}

export const nothingRare = (): Rare => ({ incidents: [], planned: [], plans: [] })

/** Where keys are written to, one after another. */
export interface KeysOut {
  readonly keys: NumberBytes
  rare: Rare
}

/** Bits of what a key has. */
const DIRTY = 1
const ACTIVE = 2
const INCIDENT = 4
const WRONG = 8
const EARLY_SLOT = 16
const FINAL_SLOT = 32
/** Both looks go by one and the same. */
const SAME_SLOT = 64

export function writeKey({ keys: numbers, rare }: KeysOut, key: KeyState): void {
  const { activity, earlySlot, finalSlot, incident, wrong } = key
  const isQuiet = incident.phase === 'quiet' && incident.judgedTo === undefined
  const isSame = earlySlot === finalSlot
  writeNumber(numbers, key.number)
  writeNumber(
    numbers,
    (key.isDirty ? DIRTY : 0) |
      (activity ? ACTIVE : 0) |
      (isQuiet ? 0 : INCIDENT) |
      (wrong ? WRONG : 0) |
      (earlySlot ? EARLY_SLOT : 0) |
      (finalSlot && !isSame ? FINAL_SLOT : 0) |
      (isSame ? SAME_SLOT : 0),
  )
  writeNumber(numbers, key.knownFrom)
  writeNumber(numbers, key.incidents)
  if (!isQuiet) rare.incidents.push({ keyId: key.keyId, incident })
  if (wrong) writeWrong(numbers, wrong)
  if (earlySlot) writeKnowledge(numbers, rare, earlySlot)
  if (finalSlot && !isSame) writeKnowledge(numbers, rare, finalSlot)
  if (activity) writeActivity(numbers, activity, key)
}

/** Reads keys as they were written. `idOf`: of the key of a number. */
export function* readKeys(
  bytes: Uint8Array<ArrayBuffer>,
  rare: Rare,
  rings: ReadonlyMap<number, Rings>,
  idOf: (number: number) => ApiKeyId,
): Generator<KeyState> {
  const numbers = numbersIn(bytes)
  const left = { incidents: rare.incidents.values(), planned: rare.planned.values(), plans: rare.plans.values() }
  while (numbers.at < bytes.length) yield readKey(numbers, left, rings, idOf)
}

interface RareLeft {
  readonly incidents: Iterator<Rare['incidents'][number]>
  readonly planned: Iterator<PlannedKnowledge>
  readonly plans: Iterator<string>
}

function next<Value>(values: Iterator<Value>): Value {
  const { done, value } = values.next()
  if (done) throw new Error('what stands beside the keys is not all there')
  return value
}

function readKey(
  numbers: NumberBytes,
  rare: RareLeft,
  rings: ReadonlyMap<number, Rings>,
  idOf: (number: number) => ApiKeyId,
): KeyState {
  const number = readNumber(numbers)
  const has = readNumber(numbers)
  const knownFrom = readNumber(numbers)
  const incidents = readNumber(numbers)
  const incident: Incident = has & INCIDENT ? next(rare.incidents).incident : { phase: 'quiet' }
  const wrong = has & WRONG ? readWrong(numbers) : undefined
  const earlySlot = has & EARLY_SLOT ? readKnowledge(numbers, rare) : undefined
  const ownFinal = has & FINAL_SLOT ? readKnowledge(numbers, rare) : undefined
  const finalSlot = has & SAME_SLOT ? earlySlot : ownFinal
  return {
    keyId: idOf(number),
    number,
    knownFrom,
    activity: has & ACTIVE ? readActivity(numbers, rings.get(number), { earlySlot, finalSlot }) : undefined,
    earlySlot,
    finalSlot,
    isDirty: (has & DIRTY) !== 0,
    incident,
    wrong,
    incidents,
    untaken: undefined,
    untakenRings: undefined,
  }
}

function writeWrong(numbers: NumberBytes, { onsetAt, foundAt, until }: WrongStretch): void {
  writeNumber(numbers, onsetAt)
  writeNumber(numbers, foundAt)
  writeNumber(numbers, until)
}

const readWrong = (numbers: NumberBytes): WrongStretch => ({
  onsetAt: readNumber(numbers),
  foundAt: readNumber(numbers),
  until: readNumber(numbers),
})

const USUAL = 1
const PLANNED = 2
const LENT = 4
const LENT_USUAL = 8

function writeKnowledge(numbers: NumberBytes, rare: Rare, known: SlotKnowledge): void {
  const { usual, planned, lent } = known
  writeNumber(
    numbers,
    (usual ? USUAL : 0) | (planned ? PLANNED : 0) | (lent ? LENT : 0) | (lent?.usual ? LENT_USUAL : 0),
  )
  writeNumber(numbers, known.slot)
  writeNumber(numbers, known.minutes)
  writeNumber(numbers, known.lessons)
  if (usual) writeUsual(numbers, rare, usual)
  writePlain(numbers, known.plain)
  if (planned) rare.planned.push(planned)
  if (lent?.usual) writeUsual(numbers, rare, lent.usual)
  if (lent) writePlain(numbers, lent.plain)
}

function readKnowledge(numbers: NumberBytes, rare: RareLeft): SlotKnowledge {
  const has = readNumber(numbers)
  const slot = readNumber(numbers)
  const minutes = readNumber(numbers)
  const lessons = readNumber(numbers)
  const usual = has & USUAL ? readUsual(numbers, rare) : undefined
  const plain = readPlain(numbers)
  const model = usual && sequentialModel(usual)
  const planned = has & PLANNED ? next(rare.planned) : undefined
  const lentUsual = has & LENT_USUAL ? readUsual(numbers, rare) : undefined
  const lent = has & LENT ? { usual: lentUsual, plain: readPlain(numbers) } : undefined
  return { slot, minutes, lessons, usual, plain, model, planned, lent }
}

function writePlain(numbers: NumberBytes, plain: PlainBaseline): void {
  writeOptional(numbers, plain.slotMeanCalls)
  writeOptional(numbers, plain.slotMinuteMean)
  writeOptional(numbers, plain.slotMinuteStdDev)
  writeOptional(numbers, plain.weekMinuteMean)
}

const readPlain = (numbers: NumberBytes): PlainBaseline => ({
  slotMeanCalls: readOptional(numbers),
  slotMinuteMean: readOptional(numbers),
  slotMinuteStdDev: readOptional(numbers),
  weekMinuteMean: readOptional(numbers),
})

function writeUsual(numbers: NumberBytes, rare: Rare, usual: Usual): void {
  writeNumber(numbers, usual.callsPerMinute)
  writeNumber(numbers, usual.lowerPerMinute)
  writeNumber(numbers, usual.upperPerMinute)
  writeNumber(numbers, usual.slotUpperPerMinute)
  writeNumber(numbers, usual.slotLowerPerMinute)
  writeNumber(numbers, usual.dispersion)
  writeNumber(numbers, usual.clientErrorShare)
  writeNumber(numbers, usual.refusedShare)
  writeNumber(numbers, usual.failureShare)
  writeNumber(numbers, usual.answered)
  writeOptional(numbers, usual.latencyMs)
  writeNumber(numbers, usual.days)
  writeOptional(numbers, usual.longestPause)
  writeNumber(numbers, usual.reaches.length)
  for (const reach of usual.reaches) writeReach(numbers, reach)
  const { peers } = usual
  writeOptional(numbers, peers?.keys)
  if (peers === undefined) return
  writeNumber(numbers, peers.plan === undefined ? 0 : 1)
  if (peers.plan !== undefined) rare.plans.push(peers.plan)
}

/** Has each field of a `Usual`, or tsc says so: those that may be missing too. */
function readUsual(numbers: NumberBytes, rare: RareLeft): Usual {
  const usual: Required<Omit<Usual, 'peers'>> = {
    callsPerMinute: readNumber(numbers),
    lowerPerMinute: readNumber(numbers),
    upperPerMinute: readNumber(numbers),
    slotUpperPerMinute: readNumber(numbers),
    slotLowerPerMinute: readNumber(numbers),
    dispersion: readNumber(numbers),
    clientErrorShare: readNumber(numbers),
    refusedShare: readNumber(numbers),
    failureShare: readNumber(numbers),
    answered: readNumber(numbers),
    latencyMs: readOptional(numbers),
    days: readNumber(numbers),
    longestPause: readOptional(numbers),
    reaches: Array.from({ length: readNumber(numbers) }, () => readReach(numbers)),
  }
  const keys = readOptional(numbers)
  if (keys === undefined) return usual
  const peers: Required<Peers> = { keys, plan: readNumber(numbers) === 0 ? undefined : next(rare.plans) }
  return { ...usual, peers }
}

function writeReach(numbers: NumberBytes, reach: OwnReach): void {
  writeNumber(numbers, reach.seconds)
  writeNumber(numbers, reach.upperCalls)
  writeNumber(numbers, reach.perWeek)
  writeNumber(numbers, reach.tail)
  writeNumber(numbers, reach.cautiousTail)
  writeOptional(numbers, reach.busiestCalls)
}

const readReach = (numbers: NumberBytes): OwnReach => ({
  seconds: readNumber(numbers) as OwnReach['seconds'],
  upperCalls: readNumber(numbers),
  perWeek: readNumber(numbers),
  tail: readNumber(numbers),
  cautiousTail: readNumber(numbers),
  busiestCalls: readOptional(numbers),
})

const CLOSED_WINDOWS = 1
const EARLY_WINDOWS = 2
const PLACES = 4

type Slots = Pick<KeyState, 'earlySlot' | 'finalSlot'>

function writeActivity(numbers: NumberBytes, activity: KeyActivity, slots: Slots): void {
  const { panes, windows, earlyWindows, places } = activity
  writeNumber(numbers, (windows ? CLOSED_WINDOWS : 0) | (earlyWindows ? EARLY_WINDOWS : 0) | (places ? PLACES : 0))
  writeNumber(numbers, panes.firstOpen)
  writeNumber(numbers, panes.quiet)
  writeNumber(numbers, panes.surplus)
  if (windows) writeWindows(numbers, windows)
  if (earlyWindows) writeWindows(numbers, earlyWindows)
  writeAccumulators(numbers, activity.accumulators)
  writeEarly(numbers, activity.early, slots)
  writeNumber(numbers, activity.lastFailure)
  writeNumber(numbers, activity.lastRefusal)
  writeErrors(numbers, activity.minuteErrors)
  writeNumber(numbers, activity.minute)
  writeNumber(numbers, activity.steadySince)
  writeNumber(numbers, activity.lullFrom)
  if (places) writePlaces(numbers, places)
}

function readActivity(numbers: NumberBytes, rings: Rings | undefined, slots: Slots): KeyActivity {
  if (rings === undefined) throw new Error('there is a key whose panes are not there')
  const has = readNumber(numbers)
  const { heads, counts, sums, mask, first, end } = rings.panes
  const firstOpen = readNumber(numbers)
  const quiet = readNumber(numbers)
  const surplus = readNumber(numbers)
  return {
    panes: { heads, counts, sums, mask, first, firstOpen, end, quiet, surplus },
    windows: has & CLOSED_WINDOWS ? readWindows(numbers) : undefined,
    earlyWindows: has & EARLY_WINDOWS ? readWindows(numbers) : undefined,
    accumulators: readAccumulators(numbers),
    early: readEarly(numbers, slots),
    lastFailure: readNumber(numbers),
    lastRefusal: readNumber(numbers),
    minuteErrors: readErrors(numbers),
    minute: readNumber(numbers),
    steadySince: readNumber(numbers),
    lullFrom: readNumber(numbers),
    latency: rings.latency,
    places: has & PLACES && rings.places ? readPlaces(numbers, rings.places) : undefined,
  }
}

function writeWindows(numbers: NumberBytes, windows: RollingWindows): void {
  const { last10s, last60s, last5min, minute, slot } = windows.sums
  writeAll(numbers, last10s)
  writeAll(numbers, last60s)
  writeAll(numbers, last5min)
  writeAll(numbers, minute)
  writeAll(numbers, slot)
  writeNumber(numbers, windows.end)
  writeNumber(numbers, windows.head)
  writeAll(numbers, windows.tails)
  writeNumber(numbers, windows.minute)
  writeNumber(numbers, windows.slot)
}

function readWindows(numbers: NumberBytes): RollingWindows {
  const { sums, tails } = createWindows()
  return {
    sums: {
      last10s: readAll(numbers, sums.last10s),
      last60s: readAll(numbers, sums.last60s),
      last5min: readAll(numbers, sums.last5min),
      minute: readAll(numbers, sums.minute),
      slot: readAll(numbers, sums.slot),
    },
    end: readNumber(numbers),
    head: readNumber(numbers),
    tails: readAll(numbers, tails),
    minute: readNumber(numbers),
    slot: readNumber(numbers),
  }
}

function writeAccumulators(numbers: NumberBytes, { bank, upTo, from }: Accumulators): void {
  writeAll(numbers, bank)
  writeNumber(numbers, upTo)
  writeNumber(numbers, from)
}

const readAccumulators = (numbers: NumberBytes): Accumulators => ({
  bank: readAll(numbers, createAccumulators().bank),
  upTo: readNumber(numbers),
  from: readNumber(numbers),
})

/** Whose model early evidence goes by is asked by identity: whether it is still that of a slot, or one of before. */
const NO_MODEL = 0
const OF_EARLY_SLOT = 1
const OF_FINAL_SLOT = 2
const OF_BEFORE = 3

function writeEarly(numbers: NumberBytes, early: EarlyEvidence, slots: Slots): void {
  const { model } = early
  writeAccumulators(numbers, early.accumulators)
  writeNumber(numbers, early.lookedTo)
  writeNumber(numbers, early.isStale ? 1 : 0)
  writeNumber(numbers, modelOf(model, slots))
  if (modelOf(model, slots) === OF_BEFORE && model !== undefined) writeModel(numbers, model)
}

function modelOf(model: SequentialModel | undefined, { earlySlot, finalSlot }: Slots): number {
  if (model === undefined) return NO_MODEL
  if (model === earlySlot?.model) return OF_EARLY_SLOT
  return model === finalSlot?.model ? OF_FINAL_SLOT : OF_BEFORE
}

function readEarly(numbers: NumberBytes, { earlySlot, finalSlot }: Slots): EarlyEvidence {
  const accumulators = readAccumulators(numbers)
  const lookedTo = readNumber(numbers)
  const isStale = readNumber(numbers) === 1
  const whose = readNumber(numbers)
  const slot = whose === OF_EARLY_SLOT ? earlySlot : whose === OF_FINAL_SLOT ? finalSlot : undefined
  return { accumulators, lookedTo, model: whose === OF_BEFORE ? readModel(numbers) : slot?.model, isStale }
}

function writeModel(numbers: NumberBytes, model: SequentialModel): void {
  writeNumber(numbers, model.usualPerSecond)
  for (const nats of model.perCall) writeNumber(numbers, nats)
  for (const nats of model.perSecond) writeNumber(numbers, nats)
  writeNumber(numbers, model.quiet)
  writeNumber(numbers, model.mostPerCall)
}

const readModel = (numbers: NumberBytes): SequentialModel => ({
  usualPerSecond: readNumber(numbers),
  perCall: MULTIPLES.map(() => readNumber(numbers)),
  perSecond: MULTIPLES.map(() => readNumber(numbers)),
  quiet: readNumber(numbers),
  mostPerCall: readNumber(numbers),
})

function writeErrors(numbers: NumberBytes, { minute, calls, errors }: MinuteErrors): void {
  writeNumber(numbers, minute)
  writeAll(numbers, calls)
  writeAll(numbers, errors)
}

function readErrors(numbers: NumberBytes): MinuteErrors {
  const { calls, errors } = createMinuteErrors()
  return { minute: readNumber(numbers), calls: readAll(numbers, calls), errors: readAll(numbers, errors) }
}

const ROUTES = 1
const SOURCES = 2
const AT_HOME = 4
const UNEVEN = 8

function writePlaces(numbers: NumberBytes, places: CallPlaces): void {
  const { mostCalled } = places
  writeNumber(
    numbers,
    (places.hasRoutes ? ROUTES : 0) |
      (places.hasSources ? SOURCES : 0) |
      (places.wasAtHome ? AT_HOME : 0) |
      (places.wasUneven ? UNEVEN : 0),
  )
  writeNumber(numbers, places.recentHour)
  for (const source of places.recent) writeNumber(numbers, source >>> 0)
  writeNumber(numbers, places.recentIsNew)
  writeNumber(numbers, places.newPlaceSecond)
  writeNumber(numbers, mostCalled.minute)
  writeNumber(numbers, mostCalled.calls)
  writeNumber(numbers, mostCalled.evenness)
  writeNumber(numbers, places.askedAgainAt)
}

function readPlaces(numbers: NumberBytes, { stretches, words }: PlaceRing): CallPlaces {
  const has = readNumber(numbers)
  return {
    stretches,
    words,
    hasRoutes: (has & ROUTES) !== 0,
    hasSources: (has & SOURCES) !== 0,
    recentHour: readNumber(numbers),
    recent: readAll(numbers, createCallPlaces().recent),
    recentIsNew: readNumber(numbers),
    newPlaceSecond: readNumber(numbers),
    mostCalled: { minute: readNumber(numbers), calls: readNumber(numbers), evenness: readNumber(numbers) },
    askedAgainAt: readNumber(numbers),
    wasAtHome: (has & AT_HOME) !== 0,
    wasUneven: (has & UNEVEN) !== 0,
  }
}
