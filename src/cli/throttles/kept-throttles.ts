/**
 * Whose limits are lowered, from what a worker keeps on disk, whether it runs or not: the effect journal says what was done to
 * which plan, key or row, the newest checkpoint until when and why, the incident log why where there is no checkpoint. Nothing is written.
 */
import type { TenantsConfig } from '../../core/config/config.ts'
import { type TenantDirectory, type TenantEntry, tenantDirectory } from '../../core/config/tenants.ts'
import { incidentsIn } from '../../core/engine.ts'
import type { Halt } from '../../core/engine-state.ts'
import type { IncidentKind, OperatorWord } from '../../core/explanation/explanation.ts'
import { limitsText } from '../../core/explanation/text.ts'
import { endsAt, type Incident, type Story } from '../../core/incident/incident.ts'
import { holdsLimit } from '../../core/incident/incident-questions.ts'
import {
  advanceStories,
  beginsStory,
  type LimitStories,
  type LimitStory,
  placeName,
  tellsStory,
} from '../../core/incident/limit-story.ts'
import type { MoveStory } from '../../core/incident/move-story.ts'
import type { LimitsOrNone } from '../../core/incident/plan-story.ts'
import type { RowStory } from '../../core/incident/row-story.ts'
import type { Waiting } from '../../core/incident/waiting.ts'
import type { ApiKeyId, EpochMs } from '../../core/vocabulary.ts'
import { lookAtCheckpoint } from '../../stores/checkpoint.ts'
import { readEffectJournal } from '../../stores/effect-journal.ts'
import { findIncident } from '../../stores/incident-log.ts'
import type { JournalEntry } from '../../stores/journal-entry.ts'
import { isOnOrOff, spokenWords } from '../../stores/spoken-words.ts'
import { savedKeys, savedState } from '../../worker/saved-state.ts'

export interface KeptThrottle {
  readonly keyId: ApiKeyId
  readonly tenant: TenantEntry | undefined
  /** The usage plan whose limits are lowered, with its gateway's name where it has one; undefined: none was touched yet. */
  readonly place: string | undefined
  /** Its gateway's name, where it has one. */
  readonly gateway: string | undefined
  /** Why no place is named; undefined where one is, or nothing is known but that it is on its way. */
  readonly unplaced: string | undefined
  /** What was done instead, where its plan is left as it is. */
  readonly instead: MoveStory | RowStory | undefined
  readonly original: LimitsOrNone | undefined
  /** Several while it is unknown whether the last change arrived. */
  readonly may: readonly LimitsOrNone[]
  readonly since: EpochMs | undefined
  /** Undefined where no checkpoint knows of it. */
  readonly expiresAt: EpochMs | undefined
  readonly held: OperatorWord | undefined
  readonly extended: OperatorWord | undefined
  readonly is: 'asked for' | 'lowered' | 'on its way back' | 'left lowered'
  readonly why: IncidentKind | undefined
  /** Where a change on its way stands, as of the checkpoint. */
  readonly waiting: Waiting | undefined
  readonly incidentId: string
}

export interface KeptState {
  readonly entries: readonly JournalEntry[]
  readonly throttles: readonly KeptThrottle[]
  readonly incidents: ReadonlyMap<ApiKeyId, OpenIncident>
  readonly halted: Halt | undefined
  /** When what is known of expiry and reasons was written; undefined: nothing is known of them. */
  readonly asOf: EpochMs | undefined
  /** What people should know of how much this says. */
  readonly notes: readonly string[]
}

export type OpenIncident = Exclude<Incident, { phase: 'quiet' | 'suspected' }>

export async function keptState(directory: string, tenants: TenantsConfig): Promise<KeptState> {
  const journal = await readEffectJournal(directory, 'pass')
  const entries = journal.recovered
  const looked = await lookAtCheckpoint(directory)
  const saved = looked !== undefined && 'state' in looked ? savedState(looked.state) : undefined
  const incidents = openIncidents(looked !== undefined && 'state' in looked ? looked.later : [])
  const owners = tenantDirectory(tenants)
  const lowered = await Promise.all(
    loweredLimits(entries).map(limit => throttleOf(limit, incidents.get(limit.keyId), owners, directory)),
  )
  const known = new Set(lowered.map(({ keyId }) => keyId))
  const released = saved === undefined ? new Set() : releasedIn(journal.since(saved.journaled))
  const asked = [...incidents].flatMap(([keyId, incident]) =>
    holdsLimit(incident) && !known.has(keyId) && !released.has(keyId) ? [withoutPlan(keyId, incident, owners)] : [],
  )
  return {
    entries,
    incidents,
    throttles: [...lowered, ...asked].sort((one, other) => (one.since ?? 0) - (other.since ?? 0)),
    halted: haltedBy(saved?.engine.halted, saved === undefined ? entries : journal.since(saved.journaled)),
    asOf: looked !== undefined && 'state' in looked ? looked.writtenAt : undefined,
    notes: [
      ...(looked !== undefined && 'unreadable' in looked ? [`No checkpoint can be read: ${looked.unreadable}`] : []),
      ...damageNotes(directory, journal.damagedLines),
    ],
  }
}

const damageNotes = (directory: string, lines: readonly number[]): readonly string[] =>
  lines.length === 0
    ? []
    : [
        `The effect journal of ${directory} is damaged: what its ${lines.length === 1 ? 'line' : 'lines'} ${lines.join(', ')} said is not known, and may be another limit that is lowered`,
      ]

function openIncidents(later: readonly unknown[]): ReadonlyMap<ApiKeyId, OpenIncident> {
  const found = new Map<ApiKeyId, OpenIncident>()
  for (const { keyId, incident } of incidentsIn(savedKeys(later)))
    if (incident.phase !== 'quiet' && incident.phase !== 'suspected') found.set(keyId, incident)
  return found
}

/** Whom a person has released since: with nothing lowered any more there is nothing left of their throttles. */
function releasedIn(since: readonly JournalEntry[]): ReadonlySet<ApiKeyId> {
  const commands = since.flatMap(entry => (entry.kind === 'commanded' ? entry.command : []))
  return new Set(commands.flatMap(command => (command.kind === 'release' ? command.keyId : [])))
}

interface LoweredLimit {
  readonly keyId: ApiKeyId
  readonly story: LimitStory
  readonly since: EpochMs
  /** Of the effect that lowered it for this key. */
  readonly effectId: string
}

/** All that is lowered, once for each key or tenant that it is lowered for, and since when. */
export function loweredLimits(entries: readonly JournalEntry[]): readonly LoweredLimit[] {
  let stories: LimitStories = new Map()
  const begun = new Map<string, Map<ApiKeyId, { readonly at: EpochMs; readonly effectId: string }>>()
  for (const entry of entries) {
    if (tellsStory(entry)) {
      const name = placeName(entry)
      const ofPlace = (beginsStory(stories, entry) ? undefined : begun.get(name)) ?? new Map()
      begun.set(name, ofPlace)
      const { kind, keyId, at, effectId } = entry
      if ((kind.endsWith('-changing') || kind.endsWith('-held')) && !ofPlace.has(keyId))
        ofPlace.set(keyId, { at, effectId })
      if (kind.endsWith('-let-go')) ofPlace.delete(keyId)
    }
    stories = advanceStories(stories, entry)
  }
  return [...stories].flatMap(([name, story]) =>
    story.holders.map(keyId => {
      const { at, effectId } = begun.get(name)?.get(keyId) ?? { at: 0, effectId: story.effectId }
      return { keyId, story, since: at, effectId }
    }),
  )
}

async function throttleOf(
  { keyId, story, since, effectId }: LoweredLimit,
  incident: OpenIncident | undefined,
  owners: TenantDirectory,
  directory: string,
): Promise<KeptThrottle> {
  const incidentId = effectId.slice(0, effectId.lastIndexOf('/'))
  const isOfIt = incident !== undefined && holdsLimit(incident)
  const logged = isOfIt ? undefined : await findIncident(directory, incidentId)
  return {
    ...{ keyId, tenant: owners.byKey.get(keyId), since, gateway: story.gateway, unplaced: undefined },
    ...(story.kind === 'plan'
      ? { place: placeName(story), instead: undefined, original: story.original, may: story.mayHave }
      : { place: undefined, instead: story, original: undefined, may: [] }),
    // A row ends by itself, whoever has forgotten it.
    ...(isOfIt
      ? ofIncident(incident)
      : {
          ...nothingKnown,
          expiresAt: story.kind === 'row' ? story.expiresAt : undefined,
          why: logged?.kind,
          incidentId,
        }),
  }
}

const nothingKnown = { held: undefined, extended: undefined, waiting: undefined, is: 'left lowered' } as const

const withoutPlan = (keyId: ApiKeyId, incident: OpenIncident, owners: TenantDirectory): KeptThrottle => ({
  ...{ keyId, tenant: owners.byKey.get(keyId), since: undefined },
  ...{ place: undefined, gateway: undefined, unplaced: unplacedText(incident), instead: undefined },
  ...{ original: undefined, may: [] },
  ...ofIncident(incident),
})

function unplacedText({ phase, story: { action, lowered } }: OpenIncident): string | undefined {
  if (phase !== 'open' && lowered !== undefined)
    return `lowered from ${limitsText(lowered.before)} to ${limitsText(lowered.after)}, and the effect journal has nothing of it`
  if (phase === 'mitigated') return 'nothing lowered: its limit was as low already'
  return action.kind === 'throttle' && action.waiting?.because !== undefined
    ? `not lowered yet: ${action.waiting.because}`
    : undefined
}

function ofIncident(incident: OpenIncident) {
  const { story } = incident
  const { held, extended, incidentId, signal, action } = story
  const waiting = 'waiting' in action ? action.waiting : undefined
  return { held, extended, incidentId, why: signal.kind, waiting, ...whereaboutsOf(incident, story) } as const
}

function whereaboutsOf(incident: OpenIncident, story: Story) {
  switch (incident.phase) {
    case 'mitigated':
      return { is: 'lowered', expiresAt: endsAt(incident.throttle, story) } as const
    case 'open':
      return {
        is: 'asked for',
        expiresAt: incident.asked === undefined ? undefined : endsAt(incident.asked, story),
      } as const
    case 'recovering':
      return { is: 'on its way back', expiresAt: undefined } as const
    default:
      throw new Error(`no such phase: ${incident satisfies never}`)
  }
}

/** What was said to all workers last goes before what each has heard by now. */
export async function haltedNow(directory: string, kept: Halt | undefined): Promise<Halt | undefined> {
  const last = (await spokenWords(directory).after(undefined)).findLast(isOnOrOff)
  if (last === undefined) return kept
  return last.command.kind === 'halt' ? (kept ?? { by: last.by, since: last.at }) : undefined
}

/** By the checkpoint, and what the journal has been told since. */
function haltedBy(before: Halt | undefined, since: readonly JournalEntry[]): Halt | undefined {
  let halted = before
  for (const entry of since) {
    if (entry.kind !== 'commanded') continue
    if (entry.command.kind === 'halt') halted ??= { by: entry.by, since: entry.at }
    if (entry.command.kind === 'go-on') halted = undefined
  }
  return halted
}
