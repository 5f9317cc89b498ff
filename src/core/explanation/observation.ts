/**
 * One key looked at from outside: what it has done by a moment, what is usual, what each detector makes of it; and what
 * came of it once the engine had looked as well. The core's own view and the detectors' own answers: nothing is derived a
 * second time. Looked at on copies, so that the engine decides what it would have decided unseen.
 */
import type { Detector, Finding, LogField, TenantView } from '../../../detectors/contract.ts'
import { detectors } from '../../../detectors/index.ts'
import { sequentialSurge } from '../../../detectors/sequential-surge.ts'
import { CALLS_TO_TELL, fieldText } from '../blind-spots.ts'
import { type Engine, watching } from '../engine-state.ts'
import { type Ration, rationOf, timesAllowed } from '../incident/alert-budget.ts'
import { eventTimeOf } from '../incident/event-time.ts'
import { standingOf, surveyFleet } from '../incident/fleet.ts'
import type { Incident } from '../incident/incident.ts'
import { kinTelling } from '../incident/kin.ts'
import type { Standing } from '../incident/response.ts'
import { explain } from '../incident/storyline.ts'
import { type ConfiguredDetector, shownTo } from '../judge.ts'
import { type PlannedUse, plannedUse } from '../planned/planned-event.ts'
import { type Plan, planAt, planOf } from '../planned/schedule.ts'
import { slotOf } from '../state/baseline.ts'
import {
  createActivity,
  createKeyState,
  type KeyActivity,
  type KeyState,
  knowledgeFor,
  type SlotKnowledge,
} from '../state/key-state.ts'
import { FIRST_MINUTE, findKey, INCIDENTS, idOf, isKnown, read } from '../state/known-keys.ts'
import { findLive } from '../state/live-keys.ts'
import type { Owner } from '../state/owner.ts'
import { earlyView, finalView } from '../state/tenant-view.ts'
import { type ApiKeyId, type EpochMs, SECOND_MS } from '../vocabulary.ts'
import { alertable, type Detectable, detectable, detectableIn, type SurgeValues } from './detectable.ts'
import type { Explanation } from './explanation.ts'

/** What one detector says of a key, or why it says nothing. */
export type Testimony =
  | { readonly kind: 'disabled'; readonly name: string }
  | { readonly kind: 'silent'; readonly name: string; readonly opens: boolean; readonly because: string }
  | {
      readonly kind: 'spoke'
      readonly name: string
      readonly opens: boolean
      readonly finding: Finding
      /** End of what it was shown, event time: earlier than the moment where it judges only seconds that are closed. */
      readonly at: EpochMs
      /** Its thresholds as they are configured. */
      readonly values: Readonly<Record<string, number>>
    }

export interface Observation {
  /** What an early look at this moment sees: all that has come of it by then. */
  readonly view: TenantView
  /** All detectors there are, in the order of the catalogue. */
  readonly testimonies: readonly Testimony[]
  /** What is planned of the key at this moment, and how much of it came. */
  readonly planned: PlannedUse | undefined
  /** Before anything was decided on this view. */
  readonly phase: Incident['phase']
  /** Of what the key does by itself so often a week or less people are alerted. */
  readonly allowed: number
}

/** Undefined for a key that nothing has been heard of. `at`: a whole second that event time has not passed yet. */
export function observe(engine: Engine, keyId: ApiKeyId, at: EpochMs): Observation | undefined {
  const place = placeOf(engine, keyId)
  if (place === undefined) return undefined
  const { owner, key } = place
  const endSecond = Math.floor(at / SECOND_MS)
  const early = earlyViewOf(engine, place, endSecond)
  // Who may not judge what is still to come in is asked of what is closed.
  const isClosedAsked = owner.closedToSecond >= 0 && detectors.some(detector => !detector.early)
  const closed = isClosedAsked ? finalViewOf(engine, place) : early
  const testimonies = detectors.map(detector =>
    testify(engine, detector, { view: detector.early ? early : closed, activity: key.activity }),
  )
  const plan = planNow(engine, keyId, endSecond)
  const planned = plan && early.usual && plannedUse(plan.stretches, early.usual, early.last60s.calls)
  return { view: early, testimonies, planned, phase: key.incident.phase, allowed: timesAllowed(engine) }
}

interface Place {
  readonly owner: Owner
  readonly key: KeyState
}

/** An idle key gets a state of its own for this, which the owner does not hear of. */
function placeOf({ state }: Engine, keyId: ApiKeyId): Place | undefined {
  for (const owner of watching(state)) {
    const { keys } = owner
    const number = findKey(keys, keyId)
    if (number === undefined) continue
    const idle = { number, knownFrom: read(keys, number, FIRST_MINUTE), incidents: read(keys, number, INCIDENTS) }
    return { owner, key: findLive(owner, keyId) ?? createKeyState(keyId, idle) }
  }
  return undefined
}

function earlyViewOf(engine: Engine, { owner, key }: Place, endSecond: number): TenantView {
  const copy = { ...key, untaken: undefined, untakenRings: undefined }
  const known = knownAt(engine, owner, copy, endSecond, 'early')
  const { concurrency } = engine.settings.config.pool ?? {}
  return structuredClone(
    earlyView({ key: copy, activity: copiedActivity(key), known, endSecond, concurrency, keys: owner.keys }),
  )
}

function finalViewOf(engine: Engine, { owner, key }: Place): TenantView {
  const copy = { ...key, untaken: undefined, untakenRings: undefined }
  const endSecond = owner.closedToSecond
  const known = knownAt(engine, owner, copy, endSecond, 'final')
  const { concurrency } = engine.settings.config.pool ?? {}
  return structuredClone(
    finalView({ key: copy, activity: copiedActivity(key), known, endSecond, concurrency, keys: owner.keys }),
  )
}

function knownAt(
  engine: Engine,
  owner: Owner,
  key: KeyState,
  endSecond: number,
  look: 'early' | 'final',
): SlotKnowledge {
  const plan = planNow(engine, key.keyId, endSecond)
  return knowledgeFor(key, owner, slotOf((endSecond - 1) * SECOND_MS), look, plan)
}

const planNow = ({ schedule, settings }: Engine, keyId: ApiKeyId, endSecond: number): Plan | undefined =>
  planOf(planAt(schedule, Math.floor((endSecond - 1) / 60)), settings.tenants, keyId)

function copiedActivity({ activity }: KeyState): KeyActivity {
  if (activity === undefined) return createActivity()
  // Latencies are in no view, and large.
  const copy = structuredClone({ ...activity, latency: undefined })
  // Evidence is gone on with as long as it is the same model, and worked out anew with another.
  copy.early.model = activity.early.model
  return copy
}

interface Shown {
  readonly view: TenantView
  readonly activity: KeyActivity | undefined
}

function testify({ jury }: Engine, detector: Detector, shown: Shown): Testimony {
  const { name } = detector
  const { view } = shown
  const isThis = (one: ConfiguredDetector) => one.detector === detector
  const configured = jury.open.find(isThis) ?? jury.corroborate.find(isThis)
  if (configured === undefined) return { kind: 'disabled', name }
  const { opens, values } = configured
  const blindness = blindnessOf(detector, shown)
  if (blindness !== undefined) return { kind: 'silent', name, opens, because: blindness }
  const finding = detector.evaluate(shownTo(detector, view), values)
  if (finding !== undefined) return { kind: 'spoke', name, opens, finding, at: view.at, values }
  return { kind: 'silent', name, opens, because: detector.silence ?? 'it has nothing to say of this' }
}

/** Why it cannot see anything of this key now; undefined where it can, or where a field would change nothing. */
function blindnessOf({ needs }: Detector, { view, activity }: Shown): string | undefined {
  if (needs === undefined || (needs === 'latency' && view.pool === undefined)) return undefined
  if (view.last5min.calls === 0) return 'there is no call of the last five minutes'
  return isThere(needs, { view, activity })
    ? undefined
    : `it is blind, no call of the last minutes has ${fieldText(needs)}`
}

function isThere(field: LogField, { view, activity }: Shown): boolean {
  const { status2xx, status4xx, status429, status5xx, calls } = view.last5min
  switch (field) {
    case 'route':
      return activity?.places?.hasRoutes === true
    case 'source':
      return activity?.places?.hasSources === true
    case 'latency':
      return activity?.latency !== undefined
    case 'status':
      // A few redirects have none of these classes: so many calls that each is one are a log without statuses.
      return status2xx + status4xx + status429 + status5xx > 0 || calls < CALLS_TO_TELL
    default:
      return field satisfies never
  }
}

/** The least rises that `sequential-surge` would see, as it is configured; undefined where nothing is usual or it is off. */
export function surgeSeen(observation: Observation): readonly Detectable[] | undefined {
  const asked = surgeAsked(observation)
  return asked && detectableIn.map(seconds => detectable(asked.usual, asked.values, seconds))
}

/** … and those that the alert budget has people told of, too: empty where of none. */
export function surgeTold(observation: Observation): readonly Detectable[] | undefined {
  const asked = surgeAsked(observation)
  const { allowed } = observation
  return asked && detectableIn.flatMap(seconds => alertable(asked.usual, asked.values, { seconds, allowed }) ?? [])
}

function surgeAsked({ view: { usual }, testimonies }: Observation) {
  const surge = testimonies.find(({ name }) => name === sequentialSurge.name)
  return usual === undefined || surge?.kind !== 'spoke'
    ? undefined
    : { usual, values: surge.values as unknown as SurgeValues }
}

/** How the key stood when event time had gone past the moment, and the engine had decided what it decides. */
export interface Aftermath {
  /** How far event time had come. */
  readonly asOf: EpochMs
  readonly incident: Incident
  /** The incident that is open, as its alert would tell it now; undefined where none is. */
  readonly told: Explanation | undefined
  /** What the alert budget leaves for what is open; undefined where nothing is. */
  readonly ration: Ration | undefined
  /** An incident of the same client that tells what this key does. */
  readonly kin: { readonly keyId: ApiKeyId; readonly incidentId: string } | undefined
  readonly platformIncidentId: string | undefined
  /** Among all that call. */
  readonly standing: Standing
}

/** Undefined for a key that nothing has been heard of. */
export function aftermathOf(engine: Engine, keyId: ApiKeyId): Aftermath | undefined {
  const place = placeOf(engine, keyId)
  if (place === undefined) return undefined
  const { owner, key } = place
  const { incident } = key
  const { platform } = engine.state
  const kin = kinTelling(engine, key)
  const asOf = Math.max(owner.time.highest, eventTimeOf(engine, owner))
  const kind = 'story' in incident ? incident.story.signal.kind : 'platform'
  return {
    asOf,
    incident,
    ration: kind === 'platform' ? undefined : rationOf(engine, owner.keys, key.number, { kind, at: asOf }),
    told:
      incident.phase === 'quiet' || incident.phase === 'suspected'
        ? undefined
        : explain(engine, owner, keyId, incident.story, incident.phase),
    kin:
      kin !== undefined && 'story' in kin.incident
        ? { keyId: kin.keyId, incidentId: kin.incident.story.incidentId }
        : undefined,
    platformIncidentId: platform.phase === 'open' ? platform.story.incidentId : undefined,
    standing: standingNow(engine, place),
  }
}

/** As a decision of this moment would weigh it. What a survey works out for each key on its way is put back, and none is kept. */
function standingNow(engine: Engine, { owner, key }: Place): Standing {
  const before = [...watching(engine.state)].flatMap(({ active }) =>
    [...active].map(one => [one, one.earlySlot] as const),
  )
  const standing = standingOf(surveyFleet({ ...engine, surveys: new WeakMap() }), engine, owner, key)
  for (const [one, slot] of before) one.earlySlot = slot
  return standing
}

/** All that were ever heard of, in no order. */
export function* knownKeyIds({ state }: Engine): Generator<ApiKeyId> {
  for (const { keys } of watching(state)) {
    for (let number = 0; number < keys.records.cells; number++) if (isKnown(keys, number)) yield idOf(keys, number)
  }
}
