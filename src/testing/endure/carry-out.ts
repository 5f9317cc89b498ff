/** Makes a fault happen, and undoes it: what was killed is started again, what stood still goes on. */
import { setTimeout as pause } from 'node:timers/promises'
import type { EpochMs } from '../../core/vocabulary.ts'
import { quietClient } from '../servers/kafka-topics.ts'
import { until } from '../until.ts'
import type { Fault, Victim } from './faults.ts'
import { topic, type World } from './world.ts'

export interface CarriedOut {
  readonly from: EpochMs
  readonly to: EpochMs
  /** What should not have come of it, in words. */
  readonly broken: readonly string[]
}

/** A broker that starts again copies what it has missed: then the next one may die. */
const inSyncWithinMs = 120_000

export async function carryOut(fault: Fault, world: World, stormer: string): Promise<CarriedOut> {
  const from = Date.now()
  const broken: string[] = []
  switch (fault.kind) {
    case 'worker-killed':
    case 'worker-stopped': {
      const place = await placeOf(fault.who, world, stormer)
      const worker = world.workers[place]
      if (fault.kind === 'worker-killed') await worker?.kill()
      else {
        const code = await worker?.stop()
        if (code !== 0) broken.push(`a worker that was asked to stop ended with ${code}`)
      }
      await pause(fault.awayMs)
      await world.startWorkerAt(place)
      break
    }
    case 'all-workers-killed':
      await Promise.all(world.workers.map(worker => worker.kill()))
      await pause(fault.awayMs)
      for (const place of world.workers.keys()) await world.startWorkerAt(place)
      break
    case 'worker-frozen':
      await world.workers[await placeOf(fault.who, world, stormer)]?.freeze(fault.forMs)
      break
    case 'broker-killed': {
      const node = await leaderOf(fault.who === 'leader' ? topic : '__consumer_offsets', world)
      await world.kafka.kill(node)
      await pause(fault.awayMs)
      await world.kafka.revive(node)
      await until('all brokers to have everything', async () => (await isInSync(world)) || undefined, inSyncWithinMs)
      break
    }
    case 'aws-away':
      if (fault.how === 'stands-still') world.moto.standStill()
      else await world.proxy.become(fault.how)
      await pause(fault.forMs)
      world.moto.goOn()
      await world.proxy.become('passes')
      break
    default:
      fault satisfies never
  }
  return { from, to: Date.now(), broken }
}

/** The one whose log says last that it lowered something of this client, or watches its incident; else the first. */
async function placeOf(who: Victim, { workers }: World, stormer: string): Promise<number> {
  if (workers.length === 1) return 0
  const saysAt = await Promise.all(
    workers.map(async worker => {
      const told = (await worker.events()).findLast(
        ({ event, effect }) => event === 'effectIntended' && JSON.stringify(effect).includes(stormer),
      )
      return told === undefined ? '' : String(told.time)
    }),
  )
  const holder = saysAt.indexOf(saysAt.toSorted().at(-1) ?? '')
  return who === 'holder' ? holder : (holder + 1) % workers.length
}

async function leaderOf(name: string, { kafka }: World): Promise<number> {
  const partitions = await partitionsOf(name, kafka.brokers)
  return partitions.find(({ partitionId }) => partitionId === 0)?.leader ?? 1
}

async function isInSync({ kafka }: World): Promise<boolean> {
  try {
    const all = [
      ...(await partitionsOf(topic, kafka.brokers)),
      ...(await partitionsOf('__consumer_offsets', kafka.brokers)),
    ]
    return all.every(({ isr, replicas }) => isr.length === replicas.length)
  } catch {
    return false
  }
}

async function partitionsOf(name: string, brokers: readonly string[]) {
  const admin = quietClient(brokers).admin()
  await admin.connect()
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [name] })
    return topics[0]?.partitions ?? []
  } finally {
    await admin.disconnect()
  }
}
