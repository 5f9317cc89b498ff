/**
 * `npm run storm`: usual traffic of a dozen clients into a Kafka topic, and a retry storm of one of them whenever Enter is
 * pressed (or after --after seconds). It writes the configuration and a week of history for a worker in a second terminal,
 * and says which command starts it. Until Ctrl-C.
 */
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { stringify } from 'yaml'
import { startKafka } from '../servers/kafka.ts'
import { keyWithItsPlan, type PlanWatch, region, topicWithSubscriber, useDummyCredentials } from './aws-account.ts'
import { loopOf } from './call-loop.ts'
import { kafkaOutlet } from './kafka-outlet.ts'
import { clients, makeUpCalls, stormingClient } from './made-up-calls.ts'
import { startTraffic, type Traffic } from './traffic.ts'
import { writeWeek } from './week-of-counts.ts'

const usage = `npm run storm [-- --brokers 127.0.0.1:9092] [--topic access-logs] [--moto http://127.0.0.1:5000] …

  --brokers A  of a Kafka that runs (npm run server:kafka); without it one is started, and stopped with this command
  --topic T    made with four partitions if it is not there (access-logs)
  --moto URL   a simulated AWS (npm run server:moto): alerts go to SNS, and the storming client's usage plan is lowered;
               without it the worker observes and tells what it sees in its terminal
  --after S    storms once by itself after so many seconds; without it: when you press Enter
  --seconds S  how long a storm lasts (15)
  --rate R     its calls a second (200)
`

const original = { rateLimit: 100, burstLimit: 200 }
/** Short, so that one can watch the limit being given back; not shorter, since evidence outlasts a storm for a while. */
const throttle = { expiresAfter: '75s', probation: '10s' }

interface Settings {
  readonly brokers: readonly string[]
  readonly topic: string
  readonly moto: string | undefined
  readonly afterSeconds: number | undefined
  readonly storm: { readonly seconds: number; readonly callsPerSecond: number }
}

async function play({ brokers, topic, moto, afterSeconds, storm }: Settings, stop: AbortSignal): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'weir-storm-'))
  const account = moto === undefined ? undefined : await openAccount(moto)
  const keyOf = (client: string): string =>
    client === stormingClient && account ? account.plan.keyId : `key_${client.replace('-', '_')}`
  const loop = loopOf(makeUpCalls(), { speed: 1, beginsAt: Date.now() })

  const history = join(folder, 'week.ndjson.gz')
  await writeWeek(history, Date.now(), { loop, keyOf, clients: new Set(clients) })
  const config = join(folder, 'weir.yaml')
  await writeFile(config, stringify(configOf({ brokers, topic, moto, topicArn: account?.subscriber.topicArn })))
  await writeFile(join(folder, 'tenants.yaml'), stringify(tenantsOf(keyOf(stormingClient))))
  const outlet = await kafkaOutlet({ brokers, topic, partitions: 4 })
  const traffic = startTraffic({ loop, keyOf, stormingClient, outlet })
  console.log(`Usual traffic of ${clients.length} clients goes into ${topic} at ${brokers.join(', ')}. In another terminal:

  npx weir run --config ${config} --history ${history}
`)
  const begin = (): void => {
    traffic.storm(storm)
    console.log(`Storm: ${keyOf(stormingClient)} calls ${storm.callsPerSecond} times a second for ${storm.seconds} s`)
  }
  const keyboard = afterSeconds === undefined ? createInterface({ input: process.stdin }) : undefined
  keyboard?.on('line', begin)
  console.log(keyboard ? 'Enter: a storm. Ctrl-C: the end.' : `A storm comes in ${afterSeconds} s. Ctrl-C: the end.`)
  if (afterSeconds !== undefined) setTimeout(begin, afterSeconds * 1_000).unref()

  while (!stop.aborted) {
    if (account) await tell(account, traffic)
    await pause(500, undefined, { signal: stop }).catch(() => undefined)
  }
  keyboard?.close()
  await traffic.stop()
  await outlet.close()
}

interface Account {
  readonly plan: PlanWatch
  readonly subscriber: Awaited<ReturnType<typeof topicWithSubscriber>>
  told: { alerts: number; limits: string }
}

async function openAccount(endpoint: string): Promise<Account> {
  useDummyCredentials()
  const name = `storm-${Date.now()}`
  const [plan, subscriber] = [await keyWithItsPlan(endpoint, name, original), await topicWithSubscriber(endpoint, name)]
  return { plan, subscriber, told: { alerts: 0, limits: '' } }
}

/** What a subscriber and the gateway see of it, each as soon as it changes. */
async function tell({ plan, subscriber, told }: Account, traffic: Traffic): Promise<void> {
  const alerts = await subscriber.received()
  for (const { body } of alerts.slice(told.alerts)) console.log(`\nAlert received:\n${body.text}\n`)
  told.alerts = alerts.length
  const { rateLimit, burstLimit } = await plan.limits()
  const limits = `${rateLimit}/s, burst ${burstLimit}`
  if (limits !== told.limits) console.log(`Usage plan ${plan.planId}: ${limits}`)
  told.limits = limits
  traffic.limitTo(rateLimit)
}

interface World {
  readonly brokers: readonly string[]
  readonly topic: string
  readonly moto: string | undefined
  readonly topicArn: string | undefined
}

function configOf({ brokers, topic, moto, topicArn }: World) {
  const source = { kind: 'kafka', brokers, topic, groupId: 'weir-storm', from: 'latest' }
  const state = { directory: 'state' }
  if (moto === undefined) return { mode: 'observe', source, state }
  const alerts = { sns: { topicArn, region, endpoint: moto } }
  return { mode: 'enforce', source, alerts, gateway: { region, endpoint: moto }, throttle, state }
}

const tenantsOf = (key: string) => ({
  tenants: { 'client-c': { name: 'Client C', keys: [key], contact: 'client-c-sre@partner.example' } },
})

function settingsOf(args: readonly string[]): Omit<Settings, 'brokers'> & { readonly brokers: string | undefined } {
  const { values } = parseArgs({
    args: [...args],
    options: {
      brokers: { type: 'string' },
      topic: { type: 'string', default: 'access-logs' },
      moto: { type: 'string' },
      after: { type: 'string' },
      seconds: { type: 'string', default: '15' },
      rate: { type: 'string', default: '200' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) throw new Error(usage)
  const count = (text: string): number => {
    const number = Number(text)
    if (Number.isInteger(number) && number > 0) return number
    throw new Error(`${text} should be a whole number above 0\n\n${usage}`)
  }
  return {
    brokers: values.brokers,
    topic: values.topic,
    moto: values.moto,
    afterSeconds: values.after === undefined ? undefined : count(values.after),
    storm: { seconds: count(values.seconds), callsPerSecond: count(values.rate) },
  }
}

try {
  const stop = new AbortController()
  const { brokers, ...settings } = settingsOf(process.argv.slice(2))
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort())
  const kafka = brokers === undefined ? await startKafka(line => console.log(line)) : undefined
  try {
    await play({ ...settings, brokers: (brokers ?? kafka?.bootstrap ?? '').split(',') }, stop.signal)
  } finally {
    await kafka?.stop()
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 2
}
