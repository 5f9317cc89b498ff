/**
 * EventBridge Scheduler as its client sees it, in the story's time, and the function that it calls: the real one's code (`dead-man/`),
 * against the same gateway as the worker, and alive when no worker is. Lambda calls what has failed twice more.
 */
import type { SchedulerClient } from '@aws-sdk/client-scheduler'
import { ConflictException, ResourceNotFoundException } from '@aws-sdk/client-scheduler'
import type { SNSClient } from '@aws-sdk/client-sns'
import { MINUTE_MS } from '../../core/vocabulary.ts'
import { standIn } from '../../dead-man/stand-in.ts'
import type { Gateway } from '../../simulation/gateway.ts'
import type { Random } from '../../simulation/random.ts'
import { startsAt, topic } from './cast.ts'
import { ask, awsError, type FaultyService, faultyApiGateway, type GatewayWatch, type Reply } from './faulty-aws.ts'
import type { Loop, Mortal } from './loop.ts'

interface Schedule {
  readonly input: Record<string, unknown>
  /** ms since the story began. */
  readonly at: number
}

export interface SimulatedScheduler {
  /** As one life has it. */
  clientOf(life: Mortal, service: FaultyService): SchedulerClient
  /** Names of those that are there, and of calls that have not ended. */
  open(): readonly string[]
  /** When the last that was ever made is due. */
  latestDue(): number
}

interface Surroundings {
  readonly loop: Loop
  readonly random: Random
  readonly gateway: Gateway
  readonly gatewayService: FaultyService
  readonly watch: GatewayWatch
  readonly note: (text: string) => void
}

/** As its documentation of deployment says: Lambda gives a call so long. */
const callLastsMs = 5 * MINUTE_MS
/** Lambda's own tries of what was called asynchronously. */
const triesAgainAfterMs = [MINUTE_MS, 2 * MINUTE_MS]

export function createScheduler({
  loop,
  random,
  gateway,
  gatewayService,
  watch,
  note,
}: Surroundings): SimulatedScheduler {
  const held = new Map<string, Schedule>()
  const running = new Set<string>()
  let latestDue = 0
  const aws: Mortal = { isAlive: true }

  function put(name: string, input: Record<string, unknown>): void {
    const at = Date.parse(`${String(input.ScheduleExpression).slice(3, -1)}Z`) - startsAt
    const schedule = { input, at }
    held.set(name, schedule)
    latestDue = Math.max(latestDue, at)
    loop.at(Math.max(at, loop.now()), () => {
      if (held.get(name) !== schedule) return
      held.delete(name)
      note(`scheduler: ${name} comes due`)
      void call(name, JSON.parse(String((input.Target as { readonly Input?: unknown }).Input)), 0)
    })
  }

  async function call(name: string, order: unknown, tries: number): Promise<void> {
    running.add(name)
    const endsAt = loop.now() + callLastsMs
    const handle = standIn({
      gateway: faultyApiGateway(gateway, { loop, random, service: gatewayService }, aws, watch),
      topic: { arn: topic, client: people },
      now: () => startsAt + loop.now(),
      sleep: ms => new Promise(resolve => loop.after(ms, resolve)),
      random: random.uniform,
      log: line => {
        const { event, because } = JSON.parse(line)
        note(`function: ${event}${because === undefined ? '' : ` (${because})`}`)
      },
    })
    try {
      await handle(order, { getRemainingTimeInMillis: () => endsAt - loop.now() })
      running.delete(name)
    } catch {
      const afterMs = triesAgainAfterMs[tries]
      if (afterMs === undefined) running.delete(name)
      else loop.after(afterMs, () => void call(name, order, tries + 1))
    }
  }

  function carryOut(operation: string, input: Record<string, unknown>): Reply {
    const name = String(input.Name)
    const found = held.get(name)
    const missing = {
      kind: 'error',
      error: new ResourceNotFoundException({ message: `no ${name}`, $metadata: {}, Message: '' }),
    } as const
    switch (operation) {
      case 'CreateScheduleCommand':
        if (found !== undefined)
          return {
            kind: 'error',
            error: new ConflictException({ message: `${name} is there`, $metadata: {}, Message: '' }),
          }
        put(name, input)
        return { kind: 'ok', body: {} }
      case 'UpdateScheduleCommand':
        if (found === undefined) return missing
        put(name, input)
        return { kind: 'ok', body: {} }
      case 'GetScheduleCommand':
        return found === undefined ? missing : { kind: 'ok', body: found.input }
      case 'DeleteScheduleCommand':
        return held.delete(name) ? { kind: 'ok', body: {} } : missing
      default:
        return { kind: 'error', error: awsError('ValidationException', `no ${operation} is simulated`, 400) }
    }
  }

  return {
    clientOf(life, service) {
      const client = {
        send(command: { readonly input: Record<string, unknown> }, options?: { readonly abortSignal?: AbortSignal }) {
          const { name } = command.constructor
          return ask({ loop, random, service }, { signal: options?.abortSignal, life, mayConflict: false }, () =>
            carryOut(name, command.input),
          )
        },
        destroy() {},
      }
      return client as unknown as SchedulerClient
    },
    open: () => [...held.keys(), ...running],
    latestDue: () => latestDue,
  }
}

/** Whom the function tells. */
const people = { send: async () => ({ MessageId: 'message' }) } as unknown as SNSClient
