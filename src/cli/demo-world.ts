/**
 * The world of `weir demo`: the Friday at PayFlow. Everything but the clients and AWS is
 * real: the worker, its stores, the decoder, and the AWS SDK's clients, which talk to a simulated gateway and a simulated
 * SNS over loopback. One scaled clock drives clients, gateway and worker, so that a quarter of an hour passes in a minute.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { controlPlaneQueue } from '../actions/control-plane-queue.ts'
import { snsClient, snsPerformer } from '../actions/sns.ts'
import { snsSender } from '../actions/sns-sender.ts'
import { usagePlanPerformer } from '../actions/usage-plan.ts'
import { apiGatewayClient } from '../actions/usage-plan-client.ts'
import { type Clock, scaledClock, systemClock } from '../clock.ts'
import { type Mode, type TenantsConfig, tenantsSchema, weirSchema } from '../core/config/config.ts'
import { engineSettings } from '../core/engine.ts'
import { createDecoder, maxRecordBytes } from '../core/formats/decoder.ts'
import { fieldsRead } from '../core/judge.ts'
import { MINUTE_MS, SECOND_MS } from '../core/vocabulary.ts'
import { fridayBug, type RetryBug } from '../simulation/clients.ts'
import { createGateway } from '../simulation/gateway.ts'
import { serveGateway } from '../simulation/gateway-server.ts'
import { createPayflow } from '../simulation/payflow.ts'
import { simulatorSource } from '../simulation/simulator-source.ts'
import { serveSns } from '../simulation/sns.ts'
import { payflowTenants, type SimulatedTenant, weekOfPanes } from '../simulation/tenants.ts'
import type { FilePiece } from '../sources/file-pieces.ts'
import type { BareLog } from '../worker/bare-log.ts'
import { teachHistory } from '../worker/history.ts'
import type { TelemetryEvent } from '../worker/telemetry.ts'
import { runWorker } from '../worker/worker.ts'
import { noteMoment, realStreamText, summaryText, type Timetable, tallyOthers } from './demo-story.ts'
import { exitCodes } from './exit.ts'
import { listenForStop } from './stop-signal.ts'
import { terminalOn } from './telemetry-sinks.ts'
import type { Terminal } from './terminal.ts'
import { withWorkerStores } from './worker-stores.ts'

const seed = 20261120
/** A Friday, when the American and the European business day overlap. */
const friday = Date.UTC(2026, 10, 20, 14, 0, 0)
const culprit = 'key_abc123'
const quietMs = 90 * SECOND_MS
const leakyStormMs = 5 * MINUTE_MS
/** AWS says up to two minutes; most changes bite sooner. */
const propagationMs = 20 * SECOND_MS
/** Storm, throttle, calm, probation and closing take some ten minutes; what has not ended by then will not end. */
const storyEndsAfterMs = 25 * MINUTE_MS
const topicArn = 'arn:aws:sns:us-east-1:000000000000:weir-alerts'

export interface DemoOptions {
  readonly speed: number
  readonly once?: boolean
  readonly mode: Mode
  /** The gateway never enforces what the culprit's plan is lowered to. */
  readonly leaky?: boolean
}

export async function demo(options: DemoOptions): Promise<void> {
  const stop = listenForStop()
  const terminal = terminalOn(process.stdout, process.env)
  const folder = await mkdtemp(join(tmpdir(), 'weir-demo-'))
  try {
    await play(options, folder, terminal, stop.signal)
  } finally {
    terminal.close()
    stop.release()
    await rm(folder, { recursive: true, force: true })
  }
}

async function play(
  { speed, once = false, mode, leaky = false }: DemoOptions,
  folder: string,
  terminal: Terminal,
  asked: AbortSignal,
): Promise<void> {
  const tenants = payflowTenants({ seed })
  const clock = startableClock({ startsAt: friday, speed })
  const startsAt = friday + quietMs
  // Long enough that somebody is told that nothing holds it.
  const bug = fridayBug(startsAt, leaky ? { fixedAt: startsAt + leakyStormMs } : {})
  const plans = tenants.map(({ keyId, plan }) => ({ ...plan, keys: [keyId] }))
  const leakyPlans = plans.filter(({ keys }) => leaky && keys.includes(culprit)).map(({ id }) => id)
  const gateway = createGateway({ clock, plans, propagationDelayMs: () => propagationMs, leaky: leakyPlans })
  const payflow = createPayflow({ seed, startsAt: friday, tenants, admission: gateway, incidents: [bug] })
  const source = simulatorSource({ payflow, clock, seed, wakeEveryMs: 100 * speed })
  terminal.say(openingText({ clients: tenants.length, speed, mode }))

  const servedGateway = await serveGateway(gateway)
  const servedSns = await serveSns({ topics: [topicArn] })
  const over = new AbortController()
  const signal = AbortSignal.any([asked, over.signal])
  try {
    const config = weirSchema.parse({
      mode,
      gateway: { endpoint: servedGateway.endpoint },
      alerts: { sns: { topicArn, endpoint: servedSns.endpoint } },
    })
    const decoder = createDecoder({
      format: config.format,
      fields: config.fields,
      hashSecret: 'demo',
      maxRecordBytes,
      reads: fieldsRead(config),
    })
    const tally = tallyOthers(decoder, culprit)
    const story = followStory({ clock, terminal, bug, signal })
    const telemetry = (event: TelemetryEvent): void => {
      terminal.tell(event)
      story.note(event)
    }
    const telling = story.ended.then(timetable => {
      if (signal.aborted) return
      const { startsAt: stormAt, fixedAt } = bug
      const messages = servedSns.messages().length
      terminal.say(summaryText({ timetable, tally, stormAt, fixedAt, propagationMs, messages, speed }))
      terminal.say(`\n${realStreamText}\n`)
      if (once) over.abort()
      else terminal.say('The story is over. Normal traffic goes on until Ctrl-C.\n')
      if (once && timetable.closedAt === undefined) process.exitCode = exitCodes.failed
    })
    await withWorkerStores(
      { directory: folder, whole: folder },
      telemetry,
      ({ checkpoints, journal, audit, rejects, undelivered }) =>
        runWorker(
          {
            ...{ source, clock, checkpoints, journal, rejects, undelivered, telemetry, mode },
            decoder: tally.decoder,
            engine: engineSettings(config, tenantsOf(tenants).tenants),
            teach: async engine => {
              await teachHistory(engine, decoder, [lastWeek(tenants)], telemetry)
              clock.start()
            },
            performers: {
              alert: snsPerformer({
                ...{ topicArn, clock, giveUpAfterMs: config.alerts.giveUpAfter },
                sender: snsSender({
                  ...{ topicArn, clock, random: Math.random },
                  client: snsClient({ topicArn, endpoint: servedSns.endpoint }),
                  onTrouble: ({ effectId, error }) => telemetry({ name: 'effectTroubled', effectId, because: error }),
                }),
              }),
              plan: usagePlanPerformer({
                ...{ clock, journal, audit, random: Math.random },
                gateways: new Map([
                  [
                    undefined,
                    {
                      client: apiGatewayClient({ endpoint: servedGateway.endpoint }),
                      queue: controlPlaneQueue({ clock }),
                    },
                  ],
                ]),
              }),
            },
            checkpointEveryMs: config.state.checkpointEvery,
          },
          signal,
        ),
    )
    over.abort()
    await telling
  } finally {
    await servedGateway.close()
    await servedSns.close()
  }
}

interface StartableClock extends Clock {
  start(): void
}

/** Stands still until the week is taught: the story begins when somebody can watch it. Who sleeps sleeps on until then. */
function startableClock({ startsAt, speed }: { readonly startsAt: number; readonly speed: number }): StartableClock {
  let clock: Clock | undefined
  const waiting = new AbortController()
  return {
    now: () => clock?.now() ?? startsAt,
    async sleep(ms, signal) {
      while (clock === undefined && !signal?.aborted)
        await systemClock().sleep(MINUTE_MS, AbortSignal.any([waiting.signal, ...(signal ? [signal] : [])]))
      await clock?.sleep(ms, signal)
    },
    start() {
      clock = scaledClock({ startsAt, speed })
      waiting.abort()
    },
  }
}

interface StoryFollowing {
  readonly clock: Clock
  readonly terminal: Terminal
  readonly bug: RetryBug
  readonly signal: AbortSignal
}

/** Says what nobody's log says, and knows when the story has ended: the incident closed, or nothing more to wait for. */
function followStory({ clock, terminal, bug, signal }: StoryFollowing) {
  const timetable: Timetable = {}
  let end = (): void => {}
  const closed = new Promise<void>(resolve => {
    end = resolve
  })
  async function say(at: number, text: string): Promise<void> {
    await clock.sleep(at - clock.now(), signal)
    if (!signal.aborted) terminal.say(`\n${text}\n`)
  }
  async function tell(): Promise<Timetable> {
    await say(
      bug.startsAt,
      "A network blip: for 45 s, 3 % of Client A's payments fail. It retries each, ten times a second.",
    )
    await say(bug.fixedAt, 'Client A has found the bug and switched its retries off.')
    await Promise.race([closed, clock.sleep(bug.startsAt + storyEndsAfterMs - clock.now(), signal)])
    return timetable
  }
  let ended: Promise<Timetable> | undefined
  return {
    /** Begins when it is first asked for. */
    get ended(): Promise<Timetable> {
      ended ??= tell()
      return ended
    },
    note(event: TelemetryEvent): void {
      noteMoment(timetable, event, culprit, clock.now())
      // The last that is to be seen of it: the word that it is over.
      if (event.name === 'effectPerformed' && event.effect.kind === 'alert' && timetable.closedAt !== undefined) end()
    },
  }
}

function lastWeek(tenants: readonly SimulatedTenant[]): BareLog {
  async function* pieces(): AsyncGenerator<FilePiece> {
    let position = 0
    for (const text of weekOfPanes({ seed, tenants, endsAt: friday })) {
      position += text.length
      yield {
        kind: 'record',
        record: { partition: 'last week', position: String(position), payload: Buffer.from(text) },
      }
    }
  }
  return { path: 'last week', pieces: pieces() }
}

const tenantsOf = (tenants: readonly SimulatedTenant[]): TenantsConfig =>
  tenantsSchema.parse({
    tenants: Object.fromEntries(
      tenants.map(({ id, name, keyId, contact, plan }) => [id, { name, keys: [keyId], contact, usagePlan: plan.id }]),
    ),
  })

function openingText({
  clients,
  speed,
  mode,
}: {
  readonly clients: number
  readonly speed: number
  readonly mode: Mode
}): string {
  return `
  weir · PayFlow, a payment API with ${clients} clients · mode ${mode} · ${speed} times as fast as life
  Everything is real but the clients and AWS: the worker, its state on disk, the AWS SDK over loopback.

  First the week before is taught; then it is Friday, 14:00 UTC.
`
}
