/**
 * Whether the worker lives, and whether it is of use.
 *
 * **Live** means that its loop turns; who is not live is to be killed and started again. **Ready** means that a storm of this
 * minute would be seen and told within a minute: it watches, hears the stream, is not behind, can go on after a crash, and what
 * it decides gets out. A restart mends none of that, but whoever relies on detection must know. A quiet stream is no fault.
 */
import { type EpochMs, MINUTE_MS, SECOND_MS } from '../core/vocabulary.ts'
import type { EffectWait } from '../worker/performing.ts'
import type { WorkerView } from './lives.ts'
import type { LifePhase } from './pulse.ts'

export interface Limits {
  /** `server.readyLag` */
  readonly readyLagMs: number
  /** `state.checkpointEvery` */
  readonly checkpointEveryMs: number
}

export interface Check {
  /** A closed list: it is a label of a metric. */
  readonly name: 'watching' | 'source' | 'caught-up' | 'lag' | 'checkpoint' | 'effects'
  readonly ok: boolean
  /** What was found: seconds, where there is a threshold; null where it cannot be told. */
  readonly value: number | string | null
  /** Seconds that the value may be at most; null where it is no matter of time. */
  readonly atMost: number | null
  readonly says: string
}

export interface Health {
  readonly ok: boolean
  readonly phase: LifePhase
  readonly checks: readonly Check[]
}

/** A tick is due each second and waits for the batch in hand, which takes seconds at worst: a minute is a hang. */
const tickLateMs = MINUTE_MS

/** A broker that dies is replaced within 9 to 21 s; a source that answers nothing for a minute is away. */
const sourceSilentMs = MINUTE_MS

/** A checkpoint of a million keys takes seconds to write, and the next is due `checkpointEvery` after it. */
const checkpointLateMs = 30 * SECOND_MS
const checkpointsMissed = 3

/** An alert that nobody has had for a minute is late. */
const alertLateMs = MINUTE_MS
/** The gateway takes one change in 20 s, and the queue to it holds several: minutes are its ordinary pace. */
const changeLateMs = 5 * MINUTE_MS

const asSeconds = (ms: number): number => Math.round(Math.max(0, ms) / 100) / 10
const secondsText = (ms: number): string => `${asSeconds(ms)} s`

const phaseText: Readonly<Record<LifePhase, string>> = {
  starting: 'Reading what was known before; the stream is watched after that',
  learning: 'Being taught its history; the stream is watched after that',
  running: 'The stream is watched',
  stopping: 'Stopping: what comes from now on is the next worker’s',
}

export function liveness({ phase, turnedAt }: WorkerView, now: EpochMs): Health {
  const silentMs = phase === 'running' && turnedAt !== undefined ? now - turnedAt : 0
  const ok = silentMs <= tickLateMs
  const says = !ok
    ? `The loop has not turned for ${secondsText(silentMs)}, and should each second`
    : phase === 'running'
      ? `The loop turned ${secondsText(silentMs)} ago`
      : phaseText[phase]
  const check: Check = { name: 'watching', ok, value: asSeconds(silentMs), atMost: asSeconds(tickLateMs), says }
  return { ok, phase, checks: [check] }
}

export function readiness(view: WorkerView, limits: Limits, now: EpochMs): Health {
  const watching = watchingCheck(view)
  // Before it watches, and when it is about to stop, the rest would be guesses.
  const checks =
    view.phase === 'running'
      ? [
          watching,
          sourceCheck(view, now),
          caughtUpCheck(view),
          lagCheck(view, limits),
          checkpointCheck(view, limits, now),
          effectsCheck(view, now),
        ]
      : [watching]
  return { ok: checks.every(({ ok }) => ok), phase: view.phase, checks }
}

function watchingCheck({ phase, watched }: WorkerView): Check {
  const isWhole = watched.now >= watched.of
  const says =
    phase !== 'running' || (isWhole && watched.of === 1)
      ? phaseText[phase]
      : watched.of === 0
        ? 'No partition is ours for now: the others of the group have them'
        : `${watched.now} of ${watched.of} partitions are watched`
  return { name: 'watching', ok: phase === 'running' && isWhole, value: phase, atMost: null, says }
}

function sourceCheck({ readAt, heardAt, since, hasEnded }: WorkerView, now: EpochMs): Check {
  const name = 'source'
  const atMost = asSeconds(sourceSilentMs)
  if (hasEnded) return { name, ok: true, value: null, atMost, says: 'All that there was to read is read' }
  if (heardAt === 'untold')
    return { name, ok: true, value: null, atMost, says: 'This source cannot be asked whether it is still there' }
  // While a reader is busy with what it has read, it asks for no more.
  const lastAt = Math.max(heardAt ?? 0, readAt ?? 0)
  if (lastAt === 0) {
    const says = `The source has not answered in the ${secondsText(now - since)} since the start`
    return { name, ok: false, value: asSeconds(now - since), atMost, says }
  }
  const silentMs = now - lastAt
  const read =
    readAt === undefined ? 'there was nothing to read yet' : `a record was read ${secondsText(now - readAt)} ago`
  const says = `The source answered ${secondsText(silentMs)} ago; ${read}`
  return { name, ok: silentMs <= sourceSilentMs, value: asSeconds(silentMs), atMost, says }
}

function caughtUpCheck({ hasCaughtUp: ok }: WorkerView): Check {
  const says = ok
    ? 'Nothing is known to be left from before the start'
    : 'Has not come up with the stream since its start: what is decided now is about older calls'
  return { name: 'caught-up', ok, value: ok ? 'yes' : 'no', atMost: null, says }
}

/** By what the source says, and by how old what it brings is: calls that come an hour late are read at once, and seen by nobody. */
function lagCheck({ lagMs, newestAgeMs }: WorkerView, { readyLagMs }: Limits): Check {
  const name = 'lag'
  const atMost = asSeconds(readyLagMs)
  if (lagMs === undefined && newestAgeMs === undefined)
    return { name, ok: true, value: null, atMost, says: 'The source has not said how far reading is behind' }
  const readMs = lagMs ?? 0
  const ageMs = newestAgeMs ?? 0
  const isOld = ageMs > readyLagMs && ageMs >= readMs
  const says = isOld
    ? `The newest call that counts is of ${secondsText(ageMs)} ago, though calls come: they come late, or their clock is wrong`
    : `Reading is ${secondsText(readMs)} behind the stream`
  const value = isOld ? ageMs : readMs
  return { name, ok: value <= readyLagMs, value: asSeconds(value), atMost, says }
}

function checkpointCheck({ checkpoint }: WorkerView, { checkpointEveryMs }: Limits, now: EpochMs): Check {
  const name = 'checkpoint'
  const allowedMs = checkpointsMissed * checkpointEveryMs + checkpointLateMs
  const atMost = asSeconds(allowedMs)
  if (checkpoint === undefined) return { name, ok: true, value: null, atMost, says: 'There is nothing to be kept' }
  const ageMs = now - checkpoint.at
  const says = checkpoint.isWritten
    ? `The last checkpoint is ${secondsText(ageMs)} old; a crash would take up from there`
    : `No checkpoint was written in the ${secondsText(ageMs)} since the start`
  return { name, ok: ageMs <= allowedMs, value: asSeconds(ageMs), atMost, says }
}

/** The alert and the change of a limit that wait longest; told is the one that is nearer to being late. */
function effectsCheck({ effectWaits }: WorkerView, now: EpochMs): Check {
  const waits = [...longestWaits(effectWaits, now)].map(([kind, waitMs]) => ({
    ...{ kind, waitMs },
    allowedMs: kind === 'alert' ? alertLateMs : changeLateMs,
  }))
  const [worst] = waits.sort((one, other) => other.waitMs / other.allowedMs - one.waitMs / one.allowedMs)
  if (worst === undefined)
    return { name: 'effects', ok: true, value: 0, atMost: asSeconds(alertLateMs), says: 'Nothing waits to be done' }
  const { kind, waitMs, allowedMs } = worst
  const count = effectWaits.length === 1 ? 'One effect waits' : `${effectWaits.length} effects wait`
  const says = `${count} to be done, the first ${kind} for ${secondsText(waitMs)}`
  return { name: 'effects', ok: waitMs <= allowedMs, value: asSeconds(waitMs), atMost: asSeconds(allowedMs), says }
}

/** By kind of effect, ms. */
export function longestWaits(waits: readonly EffectWait[], now: EpochMs): ReadonlyMap<EffectWait['kind'], number> {
  const longest = new Map<EffectWait['kind'], number>()
  for (const { kind, beganAt } of waits) longest.set(kind, Math.max(longest.get(kind) ?? 0, now - beganAt))
  return longest
}
