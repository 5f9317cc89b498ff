/**
 * What is planned of whom at a minute, from what tenants.yaml lists: a pure function of both, worked out once a day and once
 * a minute and remembered. Where nothing is planned it costs nothing.
 *
 *     from − 1 min ──────── lifted ──────── to + 1 min ─ evidence begins anew ─→
 *
 * A minute on either side, since clocks differ, and since what is judged is the last minute. What was weighed against the
 * plan is no evidence afterwards, and what came before it none against the plan.
 */
import type { TenantDirectory } from '../config/tenants.ts'
import { type ApiKeyId, MINUTE_MS, type TenantId } from '../vocabulary.ts'
import { type PlannedEvent, type PlannedEvents, type PlannedStretch, stretchesIn } from './planned-event.ts'
import type { Stretch } from './when.ts'

/** What is planned of one client at a minute. */
export interface Plan {
  /** The same plans that began at the same time have the same name. */
  readonly name: string
  /** Second from which on it is so: what was called before was weighed against something else. */
  readonly sinceSecond: number
  /** Those that go on; none where they have just ended. */
  readonly stretches: readonly PlannedStretch[]
}

/** All that is planned at one minute. */
export interface MinutePlan {
  readonly fleet: Plan | undefined
  readonly byTenant: ReadonlyMap<TenantId, Plan>
}

export interface Schedule {
  readonly events: PlannedEvents
  /** By day (epoch day): what has any part in it. A cache, as the next. */
  readonly days: Map<number, readonly Listed[]>
  readonly minutes: Map<number, MinutePlan | undefined>
}

export const createSchedule = (events: PlannedEvents): Schedule => ({ events, days: new Map(), minutes: new Map() })

interface Listed {
  /** Undefined: the whole fleet. */
  readonly tenantId: TenantId | undefined
  readonly stretch: PlannedStretch
  /** Epoch minutes. */
  readonly first: number
  readonly end: number
}

const MARGIN_MINUTES = 1
/** Panes stay open for a quarter of an hour at most: by then whatever was weighed against the plan is closed. */
const AFTER_MINUTES = 16
const MINUTES_PER_DAY = 1_440
/** Early and final looks are a few minutes apart, and so a day at most. */
const MOST_MINUTES = 64
const MOST_DAYS = 3

/** Undefined where nothing is planned of anybody. `minute`: epoch minute. */
export function planAt(schedule: Schedule, minute: number): MinutePlan | undefined {
  const { events, minutes } = schedule
  if (events.fleet.length === 0 && events.byTenant.size === 0) return undefined
  if (!minutes.has(minute)) {
    if (minutes.size >= MOST_MINUTES) minutes.clear()
    minutes.set(minute, workOut(schedule, minute))
  }
  return minutes.get(minute)
}

/** Of this key, or of a tenant as a whole. */
export function planOf(
  plan: MinutePlan | undefined,
  { byKey }: Pick<TenantDirectory, 'byKey'>,
  keyId: ApiKeyId,
): Plan | undefined {
  if (plan === undefined) return undefined
  const tenantId = byKey.get(keyId)?.tenantId
  return (tenantId && plan.byTenant.get(tenantId)) ?? plan.fleet
}

function workOut(schedule: Schedule, minute: number): MinutePlan | undefined {
  const near = listedOn(schedule, Math.floor(minute / MINUTES_PER_DAY)).filter(
    ({ first, end }) => first <= minute && minute < end + AFTER_MINUTES,
  )
  if (near.length === 0) return undefined
  const own = new Map<TenantId | undefined, Listed[]>()
  for (const listed of near) own.set(listed.tenantId, [...(own.get(listed.tenantId) ?? []), listed])
  const fleet = own.get(undefined) ?? []
  const byTenant = new Map<TenantId, Plan>()
  for (const [tenantId, listed] of own) {
    if (tenantId !== undefined) byTenant.set(tenantId, together([...listed, ...fleet], minute))
  }
  return { fleet: fleet.length === 0 ? undefined : together(fleet, minute), byTenant }
}

function together(near: readonly Listed[], minute: number): Plan {
  const since = Math.max(...near.map(({ first, end }) => (minute < end ? first : end)))
  const stretches = near.filter(({ end }) => minute < end).map(({ stretch }) => stretch)
  const names = stretches.map(({ from, to, event: { upTo } }) => JSON.stringify([from, to, upTo]))
  return { name: [since, ...names].join(' '), sinceSecond: since * 60, stretches }
}

function listedOn(schedule: Schedule, day: number): readonly Listed[] {
  const { days, events } = schedule
  let listed = days.get(day)
  if (listed === undefined) {
    if (days.size >= MOST_DAYS) days.clear()
    const margin = (MARGIN_MINUTES + AFTER_MINUTES) * MINUTE_MS
    const from = day * MINUTES_PER_DAY * MINUTE_MS
    const span = { from: from - margin, to: from + MINUTES_PER_DAY * MINUTE_MS + margin }
    const ofTenants = [...events.byTenant].flatMap(([tenantId, own]) => listedIn(own, tenantId, span))
    listed = [...listedIn(events.fleet, undefined, span), ...ofTenants]
    days.set(day, listed)
  }
  return listed
}

const listedIn = (events: readonly PlannedEvent[], tenantId: TenantId | undefined, span: Stretch): readonly Listed[] =>
  stretchesIn(events, span).map(stretch => ({
    tenantId,
    stretch,
    first: Math.floor(stretch.from / MINUTE_MS) - MARGIN_MINUTES,
    end: Math.ceil(stretch.to / MINUTE_MS) + MARGIN_MINUTES,
  }))

/** `isFleets`: it is planned of every client, and so of this one. */
export interface KeysStretch extends PlannedStretch {
  readonly isFleets: boolean
}

/** What is planned of a key, or of a tenant as a whole, with any part in [from, to); oldest first. */
export function plannedOf(
  { byKey, planned }: Pick<TenantDirectory, 'byKey' | 'planned'>,
  keyId: ApiKeyId,
  span: Stretch,
): readonly KeysStretch[] {
  const tenantId = byKey.get(keyId)?.tenantId
  const own = (tenantId && planned.byTenant.get(tenantId)) ?? []
  const all = [
    ...stretchesIn(planned.fleet, span).map(stretch => ({ ...stretch, isFleets: true })),
    ...stretchesIn(own, span).map(stretch => ({ ...stretch, isFleets: false })),
  ]
  return all.sort((one, other) => one.from - other.from)
}
