/**
 * Whether the worker lives, and whether it is of use.
 *
 * **Live** means that its loop turns; who is not live is to be killed and started again. **Ready** means that a storm of this
 * minute would be seen and told within a minute: it watches, hears the stream, is not behind, can go on after a crash, and what
 * it decides gets out. A restart mends none of that, but whoever relies on detection must know. A quiet stream is no fault.
 */
import { type EpochMs, MINUTE_MS, SECOND_MS } from '../core/vocabulary.ts'
import { behindMs } from '../worker/meter.ts'
import type { LifePhase, Pulse } from './pulse.ts'
import { longestWaits, type WorkerStatus } from './worker-status.ts'

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

/** What there is to read comes sooner than this after the start. */
const firstReadMs = 5 * SECOND_MS

/** A checkpoint of a million keys takes seconds to write, and the next is due `checkpointEvery` after it. */
const checkpointLateMs = 30 * SECOND_MS
const checkpointsMissed = 3

/** An alert that nobody has had for a minute is late. */
const alertLateMs = MINUTE_MS
/** The gateway takes one change in 20 s, and the queue to it holds several: minutes are its ordinary pace. */
const changeLateMs = 5 * MINUTE_MS

const asSeconds = (ms: number): number => Math.round(Math.max(0, ms) / 100) / 10
const secondsText = (ms: number): string => `${asSeconds(ms)} s`

export function liveness({ phase, since, tickedAt }: Pulse, now: EpochMs): Health {
  const silentMs = phase === 'running' ? now - Math.max(since, tickedAt ?? since) : 0
  const ok = silentMs <= tickLateMs
  const says = !ok
    ? `The loop has not turned for ${secondsText(silentMs)}, and should each second`
    : phase === 'running'
      ? `The loop turned ${secondsText(silentMs)} ago`
      : phaseText[phase]
  return {
    ok,
    phase,
    checks: [{ name: 'watching', ok, value: asSeconds(silentMs), atMost: asSeconds(tickLateMs), says }],
  }
}

const phaseText: Readonly<Record<LifePhase, string>> = {
  starting: 'Reading what was known before; the stream is watched after that',
  learning: 'Being taught its history; the stream is watched after that',
  running: 'The stream is watched',
  stopping: 'Stopping: what comes from now on is the next worker’s',
}

export function readiness(pulse: Pulse, status: WorkerStatus, limits: Limits, now: EpochMs): Health {
  const { phase } = pulse
  const watching: Check = {
    ...{ name: 'watching', ok: phase === 'running', value: phase, atMost: null },
    says: phaseText[phase],
  }
  // Before it watches, and when it is about to stop, the rest would be guesses.
  const checks = watching.ok
    ? [
        watching,
        sourceCheck(pulse, status, now),
        caughtUpCheck(pulse, status, now),
        lagCheck(pulse, limits, now),
        checkpointCheck(pulse, limits, now),
        effectsCheck(status, now),
      ]
    : [watching]
  return { ok: checks.every(({ ok }) => ok), phase, checks }
}

function sourceCheck({ readAt, since, hasEnded }: Pulse, { heardAt }: WorkerStatus, now: EpochMs): Check {
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
  const ok = silentMs <= sourceSilentMs
  const read =
    readAt === undefined ? 'there was nothing to read yet' : `a record was read ${secondsText(now - readAt)} ago`
  const says = `The source answered ${secondsText(silentMs)} ago; ${read}`
  return { name, ok, value: asSeconds(silentMs), atMost, says }
}

/** A stream that has brought nothing yet, and is there, has nothing to catch up with. */
function caughtUpCheck(pulse: Pulse, { heardAt }: WorkerStatus, now: EpochMs): Check {
  const { caughtUpAt, reading, readAt, since, hasEnded } = pulse
  const isQuiet = readAt === undefined && heardAt !== undefined && now - since >= firstReadMs
  const cannotSay = readAt !== undefined && reading?.lag === undefined
  const ok = caughtUpAt !== undefined || isQuiet || cannotSay || hasEnded
  const says = !ok
    ? 'Has not come up with the stream since its start: what is decided now is about older calls'
    : caughtUpAt !== undefined
      ? 'Has come up with the stream since its start'
      : 'There is nothing that is known to be left behind'
  return { name: 'caught-up', ok, value: ok ? 'yes' : 'no', atMost: null, says }
}

function lagCheck({ reading }: Pulse, { readyLagMs }: Limits, now: EpochMs): Check {
  const name = 'lag'
  const atMost = asSeconds(readyLagMs)
  if (reading?.lag === undefined)
    return { name, ok: true, value: null, atMost, says: 'The source has not said how far reading is behind' }
  const lagMs = behindMs(reading, now)
  const ok = lagMs <= readyLagMs
  return { name, ok, value: asSeconds(lagMs), atMost, says: `Reading is ${secondsText(lagMs)} behind the stream` }
}

function checkpointCheck({ checkpointedAt, since }: Pulse, { checkpointEveryMs }: Limits, now: EpochMs): Check {
  const allowedMs = checkpointsMissed * checkpointEveryMs + checkpointLateMs
  const ageMs = now - (checkpointedAt ?? since)
  const ok = ageMs <= allowedMs
  const says =
    checkpointedAt === undefined
      ? `No checkpoint was written in the ${secondsText(ageMs)} since the start`
      : `The last checkpoint is ${secondsText(ageMs)} old; a crash would take up from there`
  return { name: 'checkpoint', ok, value: asSeconds(ageMs), atMost: asSeconds(allowedMs), says }
}

/** The alert and the change of a limit that wait longest; told is the one that is nearer to being late. */
function effectsCheck({ effectWaits }: WorkerStatus, now: EpochMs): Check {
  const waits = [...longestWaits(effectWaits, now)].map(([kind, waitMs]) => ({
    ...{ kind, waitMs },
    allowedMs: kind === 'alert' ? alertLateMs : changeLateMs,
  }))
  const [worst] = waits.sort((one, other) => other.waitMs / other.allowedMs - one.waitMs / one.allowedMs)
  if (worst === undefined)
    return { name: 'effects', ok: true, value: 0, atMost: asSeconds(alertLateMs), says: 'Nothing waits to be done' }
  const { kind, waitMs, allowedMs } = worst
  const says = `${effectWaits.length} wait to be done, the first ${kind} for ${secondsText(waitMs)}`
  return { name: 'effects', ok: waitMs <= allowedMs, value: asSeconds(waitMs), atMost: asSeconds(allowedMs), says }
}
