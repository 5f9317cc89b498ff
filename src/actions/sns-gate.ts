/**
 * Who may ask SNS now. While it answers, a few at once; while it is known not to, one asks for all, and the others wait for
 * what comes of it: a thousand alerts must not each try in its turn, neither at a sick SNS nor at one that has just recovered.
 *
 *     good ── a try failed ──► down ── pause, one tries ──┬─ failed: a longer pause, and the next in line tries
 *      ▲                                                  │
 *      └──────────────────── a try was answered ◄─────────┘
 *
 * The next in line, and not the same again: where only one message is what SNS chokes on, the others get through. It comes
 * again itself no sooner than its own tries say (`notBefore`).
 */
import type { Clock } from '../clock.ts'
import type { EpochMs } from '../core/vocabulary.ts'

export type Circuit =
  | { readonly phase: 'good' }
  | {
      readonly phase: 'down'
      readonly since: EpochMs
      readonly failures: number
      readonly nextTryAt: EpochMs
      readonly because: string
    }

const firstPauseMs = 500
const longestPauseMs = 30_000

/** Exponential with full jitter: from nothing to 0.5 s, 1 s, 2 s … 30 s. */
export const pauseMs = (failures: number, random: () => number): number =>
  random() * Math.min(longestPauseMs, firstPauseMs * 2 ** (failures - 1))

export interface FailedTry {
  readonly at: EpochMs
  readonly because: string
  /** It tried for all; one that was on its way when another found SNS down says nothing new. */
  readonly isForAll: boolean
  readonly random: () => number
}

export function failed(circuit: Circuit, { at, because, isForAll, random }: FailedTry): Circuit {
  if (circuit.phase === 'good')
    return { phase: 'down', since: at, failures: 1, nextTryAt: at + pauseMs(1, random), because }
  if (!isForAll) return circuit
  const failures = circuit.failures + 1
  return { ...circuit, failures, nextTryAt: at + pauseMs(failures, random), because }
}

export interface Coming {
  readonly signal: AbortSignal
  /** Not let in before. */
  readonly notBefore: EpochMs
  /** From then on it waits no longer for an SNS that is down. */
  readonly until: EpochMs
}

export type Turn =
  /** Its try. It must leave again. */
  | { readonly kind: 'try'; readonly isForAll: boolean }
  /** Its time is over, and SNS is down since then. */
  | { readonly kind: 'over'; readonly since: EpochMs; readonly because: string }

export interface Gate {
  /** Rejects when `signal` aborts. */
  enter(coming: Coming): Promise<Turn>
  /** SNS has answered, be it with a refusal. */
  answered(): void
  failed(turn: Extract<Turn, { kind: 'try' }>, because: string): void
  /** It has left without having tried. */
  left(): void
  circuit(): Circuit
}

interface Waiting extends Coming {
  readonly go: (turn: Turn) => void
}

/** So many calls to SNS at once, where it answers: some hundred messages a second, which is what small regions take. */
const mostAtOnce = 8

export function createGate({ clock, random }: { readonly clock: Clock; readonly random: () => number }): Gate {
  let circuit: Circuit = { phase: 'good' }
  let inside = 0
  const line: Waiting[] = []
  let alarm: { readonly at: EpochMs; readonly off: AbortController } | undefined

  function letIn(): void {
    const now = clock.now()
    sendAway(now)
    for (let next = nextIn(now); next !== undefined; next = nextIn(now)) {
      line.splice(line.indexOf(next), 1)
      inside++
      next.go({ kind: 'try', isForAll: circuit.phase === 'down' })
    }
    setAlarm(now)
  }

  function sendAway(now: EpochMs): void {
    if (circuit.phase === 'good') return
    const { since, because } = circuit
    for (const over of line.filter(({ until }) => until <= now)) {
      line.splice(line.indexOf(over), 1)
      over.go({ kind: 'over', since, because })
    }
  }

  function nextIn(now: EpochMs): Waiting | undefined {
    const room = circuit.phase === 'good' ? mostAtOnce : circuit.nextTryAt <= now ? 1 : 0
    return inside < room ? line.find(({ notBefore }) => notBefore <= now) : undefined
  }

  /** For the moment when somebody may be let in, or is to be sent away, without anything else happening. */
  function setAlarm(now: EpochMs): void {
    const opensAt = circuit.phase === 'good' ? now : circuit.nextTryAt
    const comes = line.map(({ notBefore }) => Math.max(notBefore, opensAt))
    const goes = circuit.phase === 'good' ? [] : line.map(({ until }) => until)
    // Who may come in by now waits for those inside, who will leave.
    const at = Math.min(...[...comes, ...goes].filter(time => time > now))
    if (alarm?.at === at) return
    alarm?.off.abort()
    alarm = undefined
    if (at === Number.POSITIVE_INFINITY) return
    const mine = { at, off: new AbortController() }
    alarm = mine
    void clock.sleep(at - now, mine.off.signal).then(() => {
      if (alarm !== mine) return
      alarm = undefined
      letIn()
    })
  }

  const leave = (): void => {
    inside--
    letIn()
  }

  return {
    enter: coming =>
      new Promise((resolve, reject) => {
        const { signal } = coming
        if (signal.aborted) return reject(signal.reason)
        const stop = (): void => {
          line.splice(line.indexOf(waiting), 1)
          reject(signal.reason)
          setAlarm(clock.now())
        }
        const waiting: Waiting = {
          ...coming,
          go: turn => {
            signal.removeEventListener('abort', stop)
            resolve(turn)
          },
        }
        signal.addEventListener('abort', stop, { once: true })
        line.push(waiting)
        letIn()
      }),
    answered() {
      circuit = { phase: 'good' }
      leave()
    },
    failed({ isForAll }, because) {
      circuit = failed(circuit, { at: clock.now(), because, isForAll, random })
      leave()
    },
    left: leave,
    circuit: () => circuit,
  }
}
