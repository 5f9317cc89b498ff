/**
 * The lives that a process has: one on all of the stream or, where workers share it, one on each partition that is this one's
 * for now. Health and metrics look at all of them together: what is worst of any is what the worker is.
 */
import type { RejectionReason } from '../core/call-batch.ts'
import type { EpochMs } from '../core/vocabulary.ts'
import { behindMs, newestAgeMs } from '../worker/meter.ts'
import type { EffectWait } from '../worker/performing.ts'
import { type LifePhase, type Pulse, turnedAt } from './pulse.ts'

/** What a life is asked, beside what it tells by itself. */
export interface LifeStatus {
  /** Begun, and without an outcome yet. */
  readonly effectWaits: readonly EffectWait[]
  readonly rejected: ReadonlyMap<RejectionReason, number>
}

export interface SourceStatus {
  /** untold: a source that cannot know. Else when the other side last answered, if it did. */
  readonly heardAt: EpochMs | 'untold' | undefined
  readonly partitions: number
  /** Whether its partitions are shared out among workers, and each is a life. */
  readonly isShared: boolean
}

export interface Life {
  readonly pulse: Pulse
  /** Nothing before its state is read. */
  status: () => LifeStatus
}

export interface Process {
  readonly lives: readonly Life[]
  /** Undefined before it is opened. */
  readonly source: SourceStatus | undefined
  readonly startedAt: EpochMs
  /** Asked to stop. */
  readonly isStopping: boolean
  /** What lives that are over have rejected. */
  readonly rejectedBefore: ReadonlyMap<RejectionReason, number>
}

/** All lives as one, at one moment. */
export interface WorkerView {
  readonly phase: LifePhase
  /** When the youngest of them began, or changed its phase. */
  readonly since: EpochMs
  /** Parts of the stream that are watched, of how many that are ours. */
  readonly watched: { readonly now: number; readonly of: number }
  /** The longest ago that any of them turned. */
  readonly turnedAt: EpochMs | undefined
  readonly heardAt: SourceStatus['heardAt']
  readonly partitions: number
  /** The last record of all. */
  readonly readAt: EpochMs | undefined
  readonly hasCaughtUp: boolean
  readonly hasEnded: boolean
  readonly lagMs: number | undefined
  /** How old the newest call is of what comes now; undefined while nothing comes. */
  readonly newestAgeMs: number | undefined
  readonly lagRecords: number | undefined
  readonly checkpoint: { readonly at: EpochMs; readonly isWritten: boolean } | undefined
  readonly effectWaits: readonly EffectWait[]
  readonly rejected: ReadonlyMap<RejectionReason, number>
  readonly eventTime: EpochMs | undefined
  readonly watermark: EpochMs | undefined
  /** Undefined while nothing was read. */
  readonly sums: { keys: number; activeKeys: number; openIncidents: number; throttled: number } | undefined
  readonly isHalted: boolean
  readonly held: number
  readonly blind: number
  readonly undelivered: number | undefined
}

/** What there is to read comes sooner than this after the start. */
const firstReadMs = 5_000

export function viewOf({ lives, source, startedAt, isStopping, rejectedBefore }: Process, now: EpochMs): WorkerView {
  const going = lives.filter(({ pulse }) => pulse.phase !== 'stopping').map(({ pulse }) => pulse)
  const running = going.filter(({ phase }) => phase === 'running')
  // While all stop, what they said last is still what is known.
  const shown = running.length > 0 ? running : lives.map(({ pulse }) => pulse)
  const readings = shown.flatMap(({ reading }) => reading ?? [])
  const lags = readings.filter(({ lag }) => lag !== undefined)
  const records = lags.flatMap(({ lag }) => (lag !== undefined && 'records' in lag ? lag.records : []))
  const newestAge = most(shown.flatMap(({ seen, hasEnded }) => (hasEnded ? [] : (newestAgeMs(seen, now) ?? []))))
  const heardAt = source?.heardAt
  const statuses = lives.map(({ status }) => status())
  return {
    phase: isStopping ? 'stopping' : phaseOf(lives, going, source),
    since: most(going.map(({ since }) => since)) ?? startedAt,
    watched: { now: running.length, of: source?.isShared ? source.partitions : 1 },
    turnedAt: least(running.map(turnedAt)),
    ...{ heardAt, partitions: source?.partitions ?? 0 },
    readAt: most(shown.flatMap(({ seen }) => seen.readAt ?? [])),
    hasCaughtUp: running.every(pulse => hasCaughtUp(pulse, heardAt, now)),
    hasEnded: running.length > 0 && running.every(({ hasEnded }) => hasEnded),
    // A source that does not know how far it has to go is as far behind as what it brings is old.
    lagMs: most(lags.map(reading => Math.max(0, behindMs(reading, now)))) ?? newestAge,
    newestAgeMs: newestAge,
    lagRecords: records.length === 0 ? undefined : sum(records),
    checkpoint: oldestCheckpoint(shown),
    effectWaits: statuses.flatMap(({ effectWaits }) => effectWaits),
    rejected: added([rejectedBefore, ...statuses.map(({ rejected }) => rejected)]),
    eventTime: most(readings.flatMap(({ eventTime }) => eventTime ?? [])),
    watermark: least(readings.flatMap(({ watermark }) => watermark ?? [])),
    sums: readings.length === 0 ? undefined : sumsOf(readings),
    isHalted: readings.some(({ isHalted }) => isHalted),
    held: sum(shown.map(({ held }) => held)),
    blind: most(shown.map(({ blind }) => blind)) ?? 0,
    // All lives keep them in one place.
    undelivered: most(shown.flatMap(({ undelivered }) => undelivered ?? [])),
  }
}

/** Who has no partition, and is in the group, watches all that there is for it. */
function phaseOf(lives: readonly Life[], going: readonly Pulse[], source: SourceStatus | undefined): LifePhase {
  if (lives.length === 0) return source?.isShared && typeof source.heardAt === 'number' ? 'running' : 'starting'
  if (going.length === 0) return 'stopping'
  const phases = going.map(({ phase }) => phase)
  if (phases.includes('learning')) return 'learning'
  return phases.includes('starting') ? 'starting' : 'running'
}

/** A stream that has brought nothing yet, and is there, has nothing to catch up with; nor has one that cannot say. */
function hasCaughtUp(pulse: Pulse, heardAt: SourceStatus['heardAt'], now: EpochMs): boolean {
  const { caughtUpAt, reading, seen, since, hasEnded } = pulse
  if (caughtUpAt !== undefined || hasEnded) return true
  if (seen.readAt === undefined) return heardAt !== undefined && now - since >= firstReadMs
  return reading?.lag === undefined
}

function oldestCheckpoint(pulses: readonly Pulse[]): WorkerView['checkpoint'] {
  const at = least(pulses.map(({ checkpointedAt, since }) => checkpointedAt ?? since))
  return at === undefined
    ? undefined
    : { at, isWritten: pulses.every(({ checkpointedAt }) => checkpointedAt !== undefined) }
}

function sumsOf(readings: readonly NonNullable<Pulse['reading']>[]): NonNullable<WorkerView['sums']> {
  return {
    keys: sum(readings.map(({ keys }) => keys)),
    activeKeys: sum(readings.map(({ activeKeys }) => activeKeys)),
    openIncidents: sum(readings.map(({ openIncidents }) => openIncidents)),
    throttled: sum(readings.map(({ throttled }) => throttled)),
  }
}

export function added(counts: readonly ReadonlyMap<RejectionReason, number>[]): ReadonlyMap<RejectionReason, number> {
  const total = new Map<RejectionReason, number>()
  for (const each of counts) for (const [reason, count] of each) total.set(reason, (total.get(reason) ?? 0) + count)
  return total
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)
const most = (numbers: readonly number[]): number | undefined =>
  numbers.length === 0 ? undefined : numbers.reduce((one, other) => Math.max(one, other))
const least = (numbers: readonly number[]): number | undefined =>
  numbers.length === 0 ? undefined : numbers.reduce((one, other) => Math.min(one, other))
