/**
 * What is kept of an API key that something is going on with. `activity` is there only while the key calls: five quiet
 * minutes after its last call it shrinks to its incident, and without one to a record among the known keys
 * (`known-keys.ts`, which has its baseline all the time). Plain data (it is what a checkpoint holds), mutable on purpose.
 */
import type { Kind, PlainBaseline, Usual } from '../../../detectors/contract.ts'
import type { Incident } from '../incident/incident.ts'
import { liftedPlain, liftedUsual } from '../planned/planned-event.ts'
import type { Plan } from '../planned/schedule.ts'
import type { ApiKeyId, EpochMs } from '../vocabulary.ts'
import {
  type Accumulators,
  createAccumulators,
  createEarlyEvidence,
  type EarlyEvidence,
  type SequentialModel,
  sequentialModel,
} from './accumulator.ts'
import { slotOf } from './baseline.ts'
import { type CallPlaces, createCallPlaces } from './call-places.ts'
import type { Coverage } from './coverage.ts'
import type { KnownKeys } from './known-keys.ts'
import { createMinuteErrors, type MinuteErrors } from './minute-errors.ts'
import { ownReaches } from './own-reach.ts'
import { createPanes, type KeyPanes } from './pane.ts'
import { type KnownPeers, lentBy, type Plans, peersFor } from './peers.ts'
import { createLatencyBlocks, type LatencyBlocks } from './sketches.ts'
import { plainBaseline, usualOf } from './usual.ts'
import { createWindows, type RollingWindows } from './window.ts'

export interface KeyActivity {
  readonly panes: KeyPanes
  /** Windows over closed panes, and over all that had come at an early look; made when a detector is first asked about the key. */
  windows: RollingWindows | undefined
  earlyWindows: RollingWindows | undefined
  readonly accumulators: Accumulators
  readonly early: EarlyEvidence
  /** Second of the newest call that failed (5xx). */
  lastFailure: number
  /** … that was refused (429). */
  lastRefusal: number
  readonly minuteErrors: MinuteErrors
  /** Minute (epoch min) of the newest closed pane. */
  minute: number
  /** Second since which there is a closed pane in every minute, and from which on it is to be looked for a lull: lull.ts. */
  steadySince: number
  lullFrom: number
  /** Made with the first call that has a latency. */
  latency: LatencyBlocks | undefined
  /** Made with the first call that has a route or a source. */
  places: CallPlaces | undefined
}

/** What is usual in one slot, worked out once and used for all looks in it. */
export interface SlotKnowledge {
  readonly slot: number
  /** Minutes that the stream had delivered when it was worked out. */
  readonly minutes: number
  /** The owner's `lessons` then. */
  readonly lessons: number
  /** What is expected: the usual, lifted to what is planned. */
  readonly usual: Usual | undefined
  readonly plain: PlainBaseline
  readonly model: SequentialModel | undefined
  /** Undefined where nothing is planned now, nor was a little while ago. */
  readonly planned: PlannedKnowledge | undefined
  /** What the key's own past alone says, of one that is known for less than a day and is compared with its peers too. */
  readonly lent: Pick<SlotKnowledge, 'usual' | 'plain'> | undefined
}

export interface PlannedKnowledge {
  readonly plan: Plan
  /** As it is without any plan. */
  readonly usual: Usual | undefined
  readonly plain: PlainBaseline
}

/** From where on, and until when at least, a key is not as it should be; event time. */
export interface WrongStretch {
  readonly onsetAt: EpochMs
  /** When a final look first found it. */
  readonly foundAt: EpochMs
  readonly until: EpochMs
}

export interface KeyState {
  readonly keyId: ApiKeyId
  /** Of its record among the owner's known keys. */
  readonly number: number
  /** Minute (epoch min) from which on it is known: its record's, at hand for each call. */
  knownFrom: number
  activity: KeyActivity | undefined
  /** Early looks run ahead of final ones and may be in the next slot: each has its own. */
  earlySlot: SlotKnowledge | undefined
  finalSlot: SlotKnowledge | undefined
  /** Has calls that no early look has seen. */
  isDirty: boolean
  incident: Incident
  /** What final looks made of it: the stretch that is not to be learned. Incidents open on early looks, and those must not teach. */
  wrong: WrongStretch | undefined
  /** How many incidents it has had: the next one's ordinal less one. */
  incidents: number
  /** Whoever wants it as it is, and has it not yet; its rings apart. No part of the state: undefined where nobody does. */
  untaken: Taker | undefined
  untakenRings: Taker | undefined
}

/** Takes a key as it is now (`taking.ts`). Its rings, which are most of it, hold what its calls put there: panes, latencies, places. */
export interface Taker {
  take(key: KeyState): void
  takeRings(key: KeyState): void
}

/** To be said before anything of a key or its activity changes but its rings: a checkpoint that is under way is of the moment in which it began. */
export function beforeChange(key: KeyState): void {
  if (key.untaken !== undefined) key.untaken.take(key)
}

/** … and before a call is counted, or its activity goes: its rings too. */
export function beforeCalls(key: KeyState): void {
  beforeChange(key)
  if (key.untakenRings !== undefined) key.untakenRings.takeRings(key)
}

export function createKeyState(
  keyId: ApiKeyId,
  { number, knownFrom, incidents }: Pick<KeyState, 'number' | 'knownFrom' | 'incidents'>,
): KeyState {
  return {
    keyId,
    number,
    knownFrom,
    activity: undefined,
    earlySlot: undefined,
    finalSlot: undefined,
    isDirty: false,
    incident: { phase: 'quiet' },
    wrong: undefined,
    incidents,
    untaken: undefined,
    untakenRings: undefined,
  }
}

export const createActivity = (): KeyActivity => ({
  panes: createPanes(),
  windows: undefined,
  earlyWindows: undefined,
  accumulators: createAccumulators(),
  early: createEarlyEvidence(),
  lastFailure: 0,
  lastRefusal: 0,
  minuteErrors: createMinuteErrors(),
  minute: -1,
  steadySince: 0,
  lullFrom: 0,
  latency: undefined,
  places: undefined,
})

/**
 * What was never written twice in any object of a shape V8 takes for constant, and compiles that in. With the first storm of a
 * stream it would throw away all that counts calls; so each field that may change does once, before there is a stream.
 */
function changeEachOnce(): void {
  const key = createKeyState('' as ApiKeyId, { number: 0, knownFrom: 0, incidents: 0 })
  const activity = createActivity()
  const [latency, places, windows] = [createLatencyBlocks(), createCallPlaces(), createWindows()]
  const wrong = { onsetAt: 1, foundAt: 1, until: 1 }
  const stirred: Incident = { phase: 'suspected', lastBadAt: 1 }
  Object.assign(key, { knownFrom: 1, isDirty: true, activity, incident: stirred, wrong, incidents: 1 })
  const taker: Taker = { take: () => undefined, takeRings: () => undefined }
  Object.assign(key, { untaken: taker, untakenRings: taker })
  Object.assign(activity, { latency, places, windows, earlyWindows: createWindows() })
  Object.assign(activity, { lastFailure: 1, lastRefusal: 1, minute: 1, steadySince: 1, lullFrom: 1 })
  Object.assign(activity.panes, { ...createPanes(), mask: 1, first: 1, firstOpen: 1, end: 1, quiet: 1, surplus: 1 })
  Object.assign(activity.accumulators, { upTo: 1, from: 1 })
  Object.assign(activity.early, { lookedTo: 1, isStale: false })
  Object.assign(activity.minuteErrors, { minute: 1 })
  Object.assign(latency, createLatencyBlocks())
  Object.assign(places, { ...createCallPlaces(), hasRoutes: true, hasSources: true, recentHour: 1, recentIsNew: 1 })
  Object.assign(places, { newPlaceSecond: 1, askedAgainAt: 1, wasAtHome: false, wasUneven: false })
  Object.assign(windows, { end: 1, head: 1, minute: 1, slot: 1 })
}

changeEachOnce()

export function latencyOf(activity: KeyActivity): LatencyBlocks {
  activity.latency ??= createLatencyBlocks()
  return activity.latency
}

/** Of a key's owner, what knowledge is made of. */
export interface Taught {
  readonly keys: KnownKeys
  readonly coverage: Coverage
  readonly lessons: number
  readonly peers: KnownPeers
  /** A reference to what tenants.yaml says. */
  readonly plans: Plans
}

/** `plan`: what is planned of this key at this minute of the slot. */
export function knowledgeFor(
  key: KeyState,
  taught: Taught,
  slot: number,
  look: 'early' | 'final',
  plan?: Plan | undefined,
): SlotKnowledge {
  const known = look === 'early' ? key.earlySlot : key.finalSlot
  if (known !== undefined && isStillTrue(known, taught, slot, plan)) return known
  // What the other look worked out just before is the same where nothing was learned since.
  const other = look === 'early' ? key.finalSlot : key.earlySlot
  const isSame =
    other !== undefined &&
    other.slot === slot &&
    isOfPlan(other, plan) &&
    other.minutes === taught.coverage.total &&
    other.lessons === taught.lessons
  const fresh = isSame ? other : workOut(key, taught, slot, plan)
  beforeChange(key)
  if (look === 'early') key.earlySlot = fresh
  else key.finalSlot = fresh
  return fresh
}

/** While only the last minutes speak for a key, each further one counts. */
function isStillTrue(known: SlotKnowledge, { coverage }: Taught, slot: number, plan: Plan | undefined): boolean {
  if (known.slot !== slot || !isOfPlan(known, plan)) return false
  const { usual } = known
  return (usual !== undefined && usual.days > 0) || known.minutes === coverage.total
}

const isOfPlan = ({ planned }: SlotKnowledge, plan: Plan | undefined): boolean =>
  planned === undefined ? plan === undefined : planned.plan.name === plan?.name

function workOut({ number, keyId }: KeyState, taught: Taught, slot: number, plan: Plan | undefined): SlotKnowledge {
  const { keys, coverage, lessons } = taught
  const minutes = coverage.total
  const own = usualOf(keys, number, coverage, slot)
  const plain = plainBaseline(keys, number, coverage, slot)
  const peers = own === undefined || own.days === 0 ? peersFor(taught.peers, taught.plans, keyId) : undefined
  const usual = peers === undefined ? own : lentBy(peers, own)
  const lent = peers === undefined ? undefined : { usual: own, plain }
  if (plan === undefined) {
    const model = usual && sequentialModel(usual)
    return { slot, minutes, lessons, usual, plain, model, planned: undefined, lent }
  }
  const expected = usual && expectedOf(number, taught, { slot, usual }, plan)
  return {
    ...{ slot, minutes, lessons },
    usual: expected,
    plain: liftedPlain(plain, plan.stretches),
    model: expected && sequentialModel(expected),
    planned: { plan, usual: own, plain },
    lent,
  }
}

/** What a finding is measured against: of calls alone what is expected, of harm what is usual without any plan. */
export const usualFor = (kind: Kind, { usual, planned, lent }: SlotKnowledge): Usual | undefined =>
  kind === 'surge' ? usual : (planned ?? lent ?? { usual }).usual

/** How many times the upper end of the usual is planned; 1 where nothing is. */
export function plannedTimes({ usual, planned }: SlotKnowledge): number {
  const ever = planned?.usual?.upperPerMinute ?? 0
  return usual === undefined || ever === 0 ? 1 : usual.upperPerMinute / ever
}

/** Its neighbours help a slot: of the one before an event the later is the event's. */
const SLOTS_BEFORE = 2

/** The usual of a slot, lifted to what is planned. */
export const expectedOf = (
  key: number,
  { keys, coverage }: Pick<Taught, 'keys' | 'coverage'>,
  { slot, usual }: { readonly slot: number; readonly usual: Usual },
  { stretches }: Plan,
): Usual =>
  liftedUsual(usual, stretches, {
    usualBefore: ({ from }) => usualOf(keys, key, coverage, slotOf(from) - SLOTS_BEFORE),
    reachesFrom: slotUpperPerMinute => ownReaches(keys, key, slot, slotUpperPerMinute),
  })
