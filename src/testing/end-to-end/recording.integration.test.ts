/** `weir run --record` on a real broker, killed in the middle of a storm and started again, and what its recording says. */
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type KafkaServer, startKafka } from '../servers/kafka.ts'
import { describeWith } from '../servers/requirements.ts'
import { until } from '../until.ts'
import { kafkaOutlet } from './kafka-outlet.ts'
import type { Outlet } from './traffic.ts'
import { buildWeir, type LoggedEvent, startWorker, type WorkerProcess } from './worker-process.ts'

const longest = 120_000
const weir = fileURLToPath(new URL('../../../bin/weir.js', import.meta.url))

describeWith('kafka', 'a recorded worker on a Kafka topic of four partitions', () => {
  let kafka: KafkaServer
  let folder: string

  beforeAll(async () => {
    await buildWeir()
    kafka = await startKafka()
    folder = await mkdtemp(join(tmpdir(), 'weir-recorded-'))
  })
  afterAll(async () => {
    await kafka?.stop()
    await rm(folder, { recursive: true, force: true })
  })

  test(
    'is replayed to the same decisions, over a kill and a stop',
    async () => {
      const outlet = await kafkaOutlet({ brokers: [kafka.bootstrap], topic: 'recorded', partitions: 4 })
      const source = { kind: 'kafka', brokers: [kafka.bootstrap], topic: 'recorded', groupId: 'weir', from: 'earliest' }
      const config = join(folder, 'weir.yaml')
      // JSON is YAML.
      await writeFile(config, JSON.stringify({ source, time: { delivery: '2s' } }))
      const history = join(folder, 'day.ndjson')
      await writeFile(history, dayOfCounts(Date.now()))
      const recorded = join(folder, 'recorded')
      const start = (life: number): Promise<WorkerProcess> =>
        startWorker({ config, history, logFile: join(folder, `life-${life}.log`), more: ['--record', recorded] })

      const first = await start(1)
      try {
        await until('the worker to read', () => told(first, 'partitionsChanged'), 60_000)
        await bring(outlet, { seconds: 5, perSecond: 4 })
        await bring(outlet, { seconds: 4, perSecond: 300 })
        await until('the incident', () => told(first, 'incidentChanged'), 20_000)
      } finally {
        await first.kill()
      }
      const second = await start(2)
      try {
        await bring(outlet, { seconds: 4, perSecond: 300 })
        // The group waits for the killed member until its time is up.
        await until(
          'the second life to read',
          () => told(second, 'batchesRead', ({ calls }) => Number(calls) > 0),
          60_000,
        )
        await bring(outlet, { seconds: 5, perSecond: 4 })
        expect(await second.stop()).toBe(0)
      } finally {
        await second.kill()
        await outlet.close()
      }

      const same = replayed(recorded)
      expect(same.stderr).toBe('')
      expect(same.stdout).toMatch(/\n2 lives, [\d,]+ inputs with [\d,]+ calls of 1 key/)
      expect(same.stdout).toMatch(/Every decision is what it was: \d+ effects? (or|and) changes? compared/)
      expect(same.stdout).toContain('OPEN        k1#1')
      expect(same.status).toBe(0)
      const other = replayed(recorded, '--mode', 'enforce')
      expect(other.stdout).toContain('AUTOMATIC throttle reduction')
      expect(other.stdout).toContain('nothing was compared')
    },
    longest,
  )

  const replayed = (recorded: string, ...more: string[]) =>
    spawnSync(process.execPath, [weir, 'replay', '--recording', recorded, ...more], { encoding: 'utf8' })
})

const told = async (worker: WorkerProcess, event: string, matches = (_: LoggedEvent): boolean => true) => {
  if (worker.hasEnded()) throw new Error(`The worker ended: ${await worker.output()}`)
  return (await worker.events()).find(told => told.event === event && matches(told))
}

/** A day in which `k1` called four times a second, up to a minute ago. */
function dayOfCounts(now: number): string {
  const until = Math.floor(now / 60_000 - 1) * 60_000
  const rows = Array.from({ length: 288 }, (_, slot) => {
    const start = until - (288 - slot) * 300_000
    return JSON.stringify({ key: 'k1', start, seconds: 300, calls: 1_200, status2xx: 1_200 })
  })
  return `${rows.join('\n')}\n`
}

/** Calls of `k1` as they are made; more than ten a second are a storm, half of which fails. */
async function bring(outlet: Outlet, { seconds, perSecond }: { seconds: number; perSecond: number }): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    const lines = Array.from({ length: perSecond }, (_, call) =>
      JSON.stringify({ requestTimeEpoch: Date.now(), apiKeyId: 'k1', status: perSecond > 10 && call % 2 ? 503 : 200 }),
    )
    await outlet.send(lines)
    await pause(1_000)
  }
}
