/**
 * `weir demo`, which is `npm start`: the Friday at PayFlow on this machine alone. Everything but the clients and AWS is
 * real: the worker, its stores, the decoder, and the AWS SDK's clients, which talk to a simulated gateway and a simulated
 * SNS over loopback. One scaled clock drives clients, gateway and worker, so that a quarter of an hour passes in a minute.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command, InvalidArgumentError, Option } from 'commander'
import { controlPlaneQueue } from '../actions/control-plane-queue.ts'
import { snsClient, snsPerformer } from '../actions/sns.ts'
import { usagePlanPerformer } from '../actions/usage-plan.ts'
import { apiGatewayClient } from '../actions/usage-plan-client.ts'
import { type Clock, scaledClock } from '../clock.ts'
import { type Mode, type TenantsConfig, tenantsSchema, type WeirConfig, weirSchema } from '../core/config.ts'
import { engineSettings } from '../core/engine.ts'
import { createDecoder } from '../core/formats/decoder.ts'
import { MINUTE_MS, SECOND_MS } from '../core/vocabulary.ts'
import { fridayBug, type RetryBug } from '../simulation/clients.ts'
import { createGateway, type Gateway } from '../simulation/gateway.ts'
import { serveGateway } from '../simulation/gateway-server.ts'
import { createPayflow } from '../simulation/payflow.ts'
import { simulatorSource } from '../simulation/simulator-source.ts'
import { serveSns } from '../simulation/sns.ts'
import { payflowTenants, type SimulatedTenant, weekOfPanes } from '../simulation/tenants.ts'
import type { SourceBatch } from '../sources/source.ts'
import { teachHistory } from '../worker/history.ts'
import type { TelemetryEvent } from '../worker/telemetry.ts'
import { runWorker } from '../worker/worker.ts'
import { noteMoment, realStreamText, summaryText, tallyOthers, type Timetable } from './demo-story.ts'
import { exitCodes, exitCodesHelp } from './exit.ts'
import { maxRecordBytes } from './run.ts'
import { listenForStop } from './stop-signal.ts'
import { terminalOn } from './telemetry-sinks.ts'
import type { Terminal } from './terminal.ts'
import { withWorkerStores } from './worker-stores.ts'

const seed = 20261120
/** A Friday, when the American and the European business day overlap. */
const friday = Date.UTC(2026, 10, 20, 14, 0, 0)
const culprit = 'key_abc123'
const quietMs = 90 * SECOND_MS
/** AWS says up to two minutes; most changes bite sooner. */
const propagationMs = 20 * SECOND_MS
/** Storm, throttle, calm, probation and closing take some ten minutes; what has not ended by then will not end. */
const storyEndsAfterMs = 25 * MINUTE_MS
const topicArn = 'arn:aws:sns:us-east-1:000000000000:weir-alerts'

interface DemoOptions {
  readonly speed: number
  readonly once?: boolean
  readonly mode: Mode
}

export function demoCommand(): Command {
  return new Command('demo')
    .summary('the PayFlow story, on this machine alone')
    .description(
      'Plays the Friday incident of a payment API with 200 clients: one of them drowns the others, and Weir is in between.\nNeeds no account, no broker and no network.',
    )
    .option('--speed <times>', 'how many times as fast as life', readSpeed, 10)
    .option('--once', 'end after the story instead of going on with normal traffic')
    .addOption(
      new Option('--mode <mode>', 'what Weir may do about it').choices(['observe', 'suggest', 'enforce']).default('enforce'),
    )
    .addHelpText(
      'after',
      `
Examples:
  weir demo                    with throttling
  weir demo --mode observe     the same Friday, alerts only: what it costs the other clients
  weir demo --once             ends by itself after about a minute
${exitCodesHelp}`,
    )
    .action((options: DemoOptions) => demo(options))
}

function readSpeed(text: string): number {
  const speed = Number(text)
  if (!(speed >= 1 && speed <= 30)) throw new InvalidArgumentError('A number from 1 to 30.')
  return speed
}

async function demo(options: DemoOptions): Promise<void> {
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

async function play({ speed, once = false, mode }: DemoOptions, folder: string, terminal: Terminal, asked: AbortSignal) {
  const tenants = payflowTenants({ seed })
  terminal.say(openingText({ tenants, speed, mode }))
}

