/** The dead man's switch in a world of its own: the gateway's simulation, a Scheduler, a topic, and the function that is called. */
import { APIGatewayClient } from '@aws-sdk/client-api-gateway'
import { SNSClient } from '@aws-sdk/client-sns'
import { afterEach, beforeEach } from 'vitest'
import { scaledClock } from '../clock.ts'
import { MINUTE_MS, SECOND_MS } from '../core/vocabulary.ts'
import type { CarriedOut } from '../dead-man/carry-out.ts'
import { standIn } from '../dead-man/stand-in.ts'
import { type ServedSns, serveSns } from '../simulation/sns.ts'
import type { EffectJournal } from '../stores/journal-entry.ts'
import { deadMansSwitch, type GatewaySwitch } from './dead-mans-switch.ts'
import { oneTimeSchedules, type ScheduleTrouble, schedulerClient } from './one-time-schedules.ts'
import { clock as gatewayClock, type planWorld } from './testing-plans.ts'
import { type ServedScheduler, serveScheduler } from './testing-scheduler.ts'

export const functionArn = 'arn:aws:lambda:us-east-1:123456789012:function:weir-dead-man'
export const schedulerRoleArn = 'arn:aws:iam::123456789012:role/weir-scheduler'
export const topicArn = 'arn:aws:sns:us-east-1:123456789012:weir-alerts'
export const marginMs = 15 * MINUTE_MS
export const probationMs = 2 * MINUTE_MS

const simulated = { region: 'us-east-1', credentials: { accessKeyId: 'simulated', secretAccessKey: 'simulated' } }

/** A worker waits five seconds for Scheduler: real answers take some of the 250 ms that these are. */
const clock = scaledClock({ startsAt: 0, speed: 20 })

export interface LoggedLine {
  readonly level: string
  readonly event: string
}

export function deadManWorld(world: ReturnType<typeof planWorld>) {
  let scheduler: ServedScheduler
  let sns: ServedSns
  let isLate = false
  let closing: (() => Promise<void> | void)[]
  /** Hours after everything that is told: whatever waits is due. */
  const now = () => clock.now() + (isLate ? 24 * 60 * MINUTE_MS : 0)

  beforeEach(async () => {
    isLate = false
    closing = []
    scheduler = await serveScheduler(now)
    sns = await serveSns({ topics: [topicArn] })
    closing.push(scheduler.close, sns.close)
  })

  afterEach(async () => {
    for (const close of closing.reverse()) await close()
  })

  /** The switch as a worker has it, of `gateway` alone. */
  function open(
    journal: Pick<EffectJournal, 'recovered' | 'stories'>,
    {
      required = false,
      gateways = [undefined],
    }: { required?: boolean; gateways?: readonly (string | undefined)[] } = {},
  ) {
    const troubles: ScheduleTrouble[] = []
    const made: string[] = []
    const client = schedulerClient({ endpoint: scheduler.endpoint, timeoutMs: 250 })
    const schedules = oneTimeSchedules({
      ...{ client, group: 'default', functionArn, schedulerRoleArn, clock, random: () => 0.5 },
      onTrouble: trouble => troubles.push(trouble),
      onMade: ({ name }) => made.push(name),
    })
    const switches = new Map<string | undefined, GatewaySwitch>(
      gateways.map(name => [name, { schedules, marginMs, required }]),
    )
    const opened = deadMansSwitch({ switches, journal, clock, expiresAfterMs: 10 * MINUTE_MS, probationMs })
    closing.push(() => opened.close())
    return { ...opened, troubles, made }
  }

  /** The function of its account and region, which a test may call itself. */
  function deployed({
    leftMs = () => 300 * SECOND_MS,
    topic = topicArn,
  }: {
    leftMs?: () => number
    topic?: string
  } = {}) {
    const lines: LoggedLine[] = []
    const gateway = new APIGatewayClient({
      ...simulated,
      endpoint: world.served.endpoint,
      maxAttempts: 1,
      requestHandler: { requestTimeout: 250, throwOnRequestTimeout: true },
    })
    const client = new SNSClient({ ...simulated, endpoint: sns.endpoint, maxAttempts: 1 })
    closing.push(
      () => gateway.destroy(),
      () => client.destroy(),
    )
    const handle = standIn({
      ...{ gateway, topic: { arn: topic, client }, now, random: () => 0.5 },
      sleep: ms => gatewayClock.sleep(ms),
      log: line => lines.push(JSON.parse(line)),
    })
    const call = (event: unknown): Promise<CarriedOut> => handle(event, { getRemainingTimeInMillis: leftMs })
    return { call, lines }
  }

  return {
    open,
    deployed,
    /** Long after the end of what was told: Scheduler calls the function with all that is due. */
    async timePasses(): Promise<readonly LoggedLine[]> {
      isLate = true
      const { call, lines } = deployed()
      await scheduler.fire(call)
      return lines
    },
    notices: (): readonly { readonly kind: string; readonly text: string }[] =>
      sns.messages().map(({ message }) => JSON.parse(message)),
    get scheduler() {
      return scheduler
    },
    get sns() {
      return sns
    },
  }
}
