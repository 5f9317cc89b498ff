/**
 * One-time schedules at EventBridge Scheduler, kept as they are wanted: whoever wants one is told within seconds whether it is
 * there, and where it is not it is tried for beside, until it is or nobody wants it any more. Of each name the newest
 * wish counts, so an answer that was lost is asked for again and does no harm.
 *
 *     wanted ──► create ── there is one ──► read ── is another ──► update ──► there        not wanted ──► delete ──► gone
 *        ↑                                                │                                      ↑             │
 *        └─────────── later, with back-off ───────────────┘ no answer, refused                   └── later ────┘
 *
 * Bounded by what may be lowered at once: one schedule a plan or key.
 */
import {
  ConflictException,
  CreateScheduleCommand,
  type CreateScheduleCommandInput,
  DeleteScheduleCommand,
  GetScheduleCommand,
  ResourceNotFoundException,
  SchedulerClient,
  UpdateScheduleCommand,
} from '@aws-sdk/client-scheduler'
import {
  type AwsClientSettings,
  awsClientOptions,
  boundedCall,
  credentialsHint,
  isPassing,
  statusOf,
} from '../aws-client.ts'
import type { Clock } from '../clock.ts'
import { StreamError } from '../core/errors.ts'
import { type EpochMs, MINUTE_MS, SECOND_MS } from '../core/vocabulary.ts'
import { backoffMs } from './usage-plan-client.ts'

export interface WantedSchedule {
  /** At most 64 letters, digits and `-_.`; unique in the group. */
  readonly name: string
  readonly dueAt: EpochMs
  /** JSON for the target. */
  readonly input: string
  /** For people who look at it in the console. */
  readonly description: string
  /** What it is made beside, for whoever follows that. */
  readonly effectId: string
}

export type Made = { readonly kind: 'made' } | { readonly kind: 'missing'; readonly because: string }

export interface ScheduleTrouble {
  readonly name: string
  readonly because: string
  /** A role or a group: what is asked again does not mend it. */
  readonly needsPerson: boolean
  /** Of what is wanted; undefined: it is to be gone, and is still there. */
  readonly effectId: string | undefined
}

export interface OneTimeSchedules {
  /** Never rejects. Waits for an answer no longer than `withinMs`, and where the last call failed not at all, unless it must. */
  want(wanted: WantedSchedule, wait: { readonly withinMs: number; readonly mustAsk: boolean }): Promise<Made>
  unwant(name: string): void
  /** Lets what is being asked be answered, for `graceMs`; what is wanted stays, and is wanted no more by us. */
  close(graceMs: number): Promise<void>
}

export interface OneTimeSchedulesOptions {
  readonly client: SchedulerClient
  readonly group: string
  /** The function that is called, and the role that Scheduler takes on to call it. */
  readonly functionArn: string
  readonly schedulerRoleArn: string
  readonly clock: Clock
  readonly random: () => number
  /** Told when one cannot be made, and again every five minutes while it is missing. */
  readonly onTrouble: (trouble: ScheduleTrouble) => void
  /** Told when one that was missing is there. */
  readonly onMade: (made: WantedSchedule) => void
  /** Asked before each change: rejects where another worker has taken over what these are for, whose they are from then on. */
  readonly stillOurs?: () => Promise<void>
  /** Whose time bounds a call: the machine's own, unless Scheduler is not of this world either. */
  readonly patience?: Clock
}

/** With all that a call waits for before it is sent: credentials may never come. */
const callWithinMs = 15 * SECOND_MS
const mendEveryMs = 5 * MINUTE_MS
/** A schedule for a moment that is past when it arrives may be refused. */
const soonestMs = MINUTE_MS
/** Lambda is called asynchronously: this is for the call itself, as long as Scheduler can try. */
const retryPolicy = { MaximumEventAgeInSeconds: 86_400, MaximumRetryAttempts: 185 }

export interface SchedulerClientOptions extends AwsClientSettings {
  /** How long an answer may take, in real time. */
  readonly timeoutMs?: number
}

export function schedulerClient({ timeoutMs = 5 * SECOND_MS, ...settings }: SchedulerClientOptions): SchedulerClient {
  return new SchedulerClient(awsClientOptions(settings, { answerWithinMs: timeoutMs }))
}

interface Wish {
  /** undefined: it is to be gone. */
  wanted: WantedSchedule | undefined
  /** Told when the wish is fulfilled, or has failed for the first time. */
  readonly asking: ((made: Made) => void)[]
  toldAt: EpochMs | undefined
  /** Wakes whoever backs off: there is something new to be done. */
  wake: AbortController
}

export function oneTimeSchedules(options: OneTimeSchedulesOptions): OneTimeSchedules {
  const { client, group, functionArn, schedulerRoleArn, clock, random, onTrouble, onMade, patience } = options
  const { stillOurs = async () => undefined } = options
  const wishes = new Map<string, Wish>()
  const works = new Set<Promise<void>>()
  const over = new AbortController()
  let lastFailure: string | undefined

  function wish(name: string, wanted: WantedSchedule | undefined, asking?: (made: Made) => void): void {
    const before = wishes.get(name)
    if (before !== undefined) {
      before.wanted = wanted
      if (asking) before.asking.push(asking)
      before.wake.abort()
      return
    }
    const now: Wish = { wanted, asking: asking ? [asking] : [], toldAt: undefined, wake: new AbortController() }
    wishes.set(name, now)
    const work = fulfil(name, now).finally(() => works.delete(work))
    works.add(work)
  }

  /** Until what is wanted is so. Whatever is wanted meanwhile is done in the same loop: two calls for one name never overlap. */
  async function fulfil(name: string, wish: Wish): Promise<void> {
    for (let attempt = 0; !over.signal.aborted; ) {
      const { wanted } = wish
      const asking = wish.asking.length
      wish.wake = new AbortController()
      try {
        await (wanted === undefined ? remove(name) : make(wanted))
        lastFailure = undefined
        for (const answer of wish.asking.splice(0, asking)) answer({ kind: 'made' })
        if (wish.wanted !== wanted) continue
        if (wish.toldAt !== undefined && wanted !== undefined) onMade(wanted)
        wishes.delete(name)
        return
      } catch (error) {
        const { because, needsPerson } = troubleOf(error)
        lastFailure = because
        for (const answer of wish.asking.splice(0, asking)) answer({ kind: 'missing', because })
        if (error instanceof TakenOver) return over.abort()
        const now = clock.now()
        // One that is left too long finds the original when it comes due: nobody has to come for what passes by itself.
        if ((wanted !== undefined || needsPerson) && (wish.toldAt === undefined || now - wish.toldAt >= mendEveryMs)) {
          wish.toldAt = now
          onTrouble({ name, because, needsPerson, effectId: wanted?.effectId })
        }
        if (wish.wanted !== wanted) continue
        const stopped = AbortSignal.any([wish.wake.signal, over.signal])
        await clock.sleep(needsPerson ? mendEveryMs : backoffMs(attempt++, random), stopped)
      }
    }
  }

  async function make(wanted: WantedSchedule): Promise<void> {
    const at = Math.max(wanted.dueAt, clock.now() + soonestMs)
    try {
      await change(abortSignal => client.send(new CreateScheduleCommand(inputOf(wanted, at)), { abortSignal }))
    } catch (error) {
      if (!(error instanceof ConflictException)) throw error
      await renew(wanted, at)
    }
  }

  /**
   * One of this name is there, of an earlier change or an earlier life. What is overdue keeps its time: a worker that starts
   * and dies every half minute would put it off for ever.
   */
  async function renew(wanted: WantedSchedule, at: EpochMs): Promise<void> {
    const named = { Name: wanted.name, GroupName: group }
    const found = await bounded(abortSignal => client.send(new GetScheduleCommand(named), { abortSignal })).catch(
      ifGone,
    )
    if (found === undefined) throw new Error('the schedule was there and is gone')
    const foundAt = timeOf(found.ScheduleExpression)
    const isOverdue = wanted.dueAt <= clock.now()
    const keptAt = isOverdue && foundAt !== undefined && foundAt > clock.now() ? foundAt : at
    const next = inputOf(wanted, keptAt)
    if (found.Target?.Input === next.Target?.Input && found.ScheduleExpression === next.ScheduleExpression) return
    await change(abortSignal => client.send(new UpdateScheduleCommand(next), { abortSignal }))
  }

  async function remove(name: string): Promise<void> {
    const command = new DeleteScheduleCommand({ Name: name, GroupName: group })
    await change(abortSignal => client.send(command, { abortSignal })).catch(ifGone)
  }

  /** Scheduler knows no fencing token: what is left is a stop between the question and the call. */
  async function change<T>(call: (signal: AbortSignal) => Promise<T>): Promise<T> {
    await stillOurs().catch(cause => {
      throw cause instanceof StreamError && cause.code === 'STATE_HELD' ? new TakenOver(cause.message) : cause
    })
    return bounded(call)
  }

  /**
   * ClientToken is left to the SDK, a new one a request: with one made of the content AWS might answer for a schedule that is
   * made again after it was deleted, from its memory and without making it. What asks twice meets its own and goes on.
   */
  function inputOf({ name, input, description }: WantedSchedule, at: EpochMs): CreateScheduleCommandInput {
    return {
      Name: name,
      GroupName: group,
      Description: description.slice(0, 512),
      ScheduleExpression: expressionOf(at),
      ScheduleExpressionTimezone: 'UTC',
      FlexibleTimeWindow: { Mode: 'OFF' },
      ActionAfterCompletion: 'DELETE',
      State: 'ENABLED',
      Target: { Arn: functionArn, RoleArn: schedulerRoleArn, Input: input, RetryPolicy: retryPolicy },
    }
  }

  function troubleOf(error: unknown): { readonly because: string; readonly needsPerson: boolean } {
    if (!(error instanceof Error)) return { because: String(error), needsPerson: false }
    const hint = hintFor(error) ?? credentialsHint(error)
    const because = `${error.name}: ${error.message}${hint === undefined ? '' : `. ${hint}`}`
    const status = statusOf(error) ?? 500
    const isTheirs = status >= 400 && status < 500 && !isPassing(error) && !(error instanceof ConflictException)
    return { because, needsPerson: isTheirs }
  }

  function hintFor({ name }: Error): string | undefined {
    if (name === 'ResourceNotFoundException')
      return `Create the schedule group ${group}, or name another one in deadMansSwitch.group`
    if (name === 'AccessDeniedException')
      return `Let the worker’s role do scheduler:CreateSchedule, UpdateSchedule, GetSchedule and DeleteSchedule on schedules of the group ${group}, and iam:PassRole on ${schedulerRoleArn} (weir config --iam prints it)`
    return undefined
  }

  const bounded = <T>(call: (signal: AbortSignal) => Promise<T>): Promise<T> =>
    boundedCall(call, { withinMs: callWithinMs, patience })

  return {
    async want(wanted, { withinMs, mustAsk }) {
      const known = lastFailure
      const asked = new Promise<Made>(resolve => wish(wanted.name, wanted, resolve))
      if (known !== undefined && !mustAsk) return { kind: 'missing', because: known }
      const answered = new AbortController()
      const silent = clock.sleep(withinMs, answered.signal).then((): Made => {
        return { kind: 'missing', because: `EventBridge Scheduler has not answered within ${withinMs / SECOND_MS} s` }
      })
      try {
        return await Promise.race([asked, silent])
      } finally {
        answered.abort()
      }
    },
    unwant: name => wish(name, undefined),
    async close(graceMs) {
      const patience = new AbortController()
      const idle = Promise.all(works)
      over.abort()
      await Promise.race([idle, clock.sleep(graceMs, patience.signal)])
      patience.abort()
      client.destroy()
    },
  }
}

/** Nothing of this is ours any more. */
class TakenOver extends Error {}

function ifGone(error: unknown): undefined {
  if (!(error instanceof ResourceNotFoundException)) throw error
}

/** `at(2026-11-20T14:03:08)`: Scheduler knows whole seconds, and is never early. */
function expressionOf(at: EpochMs): string {
  return `at(${new Date(Math.ceil(at / SECOND_MS) * SECOND_MS).toISOString().slice(0, 19)})`
}

function timeOf(expression: string | undefined): EpochMs | undefined {
  const [, text] = /^at\((.{19})\)$/.exec(expression ?? '') ?? []
  return text === undefined ? undefined : Date.parse(`${text}Z`)
}
