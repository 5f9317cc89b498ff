import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { weirSchema } from '../core/config.ts'
import type { Effect, Outcome } from '../core/effect.ts'
import { engineSettings } from '../core/engine.ts'
import { StreamError } from '../core/errors.ts'
import { createDecoder } from '../core/formats/decoder.ts'
import { DAY_MS, SECOND_MS, SLOT_MS } from '../core/vocabulary.ts'
import type { FilePiece } from '../sources/file-pieces.ts'
import type { SourceBatch } from '../sources/source.ts'
import { type Checkpoints, openCheckpoints } from '../stores/checkpoint.ts'
import { openEffectJournal } from '../stores/effect-journal.ts'
import { openRejects } from '../stores/rejects.ts'
import { teachHistory } from './history.ts'
import type { TelemetryEvent } from './telemetry.ts'
import { handClock, handPerformer, handSource, untilQuiet } from './testing-world.ts'
import { runWorker } from './worker.ts'

const noon = Date.UTC(2026, 10, 20, 12, 0, 0)
const full = { rateLimit: 100, burstLimit: 200 }

/** The gateway takes every change, and SNS every alert. */
const takesAll = (effect: Effect): Outcome =>
  effect.kind === 'throttle'
    ? { kind: 'applied', before: full, after: effect.limits }
    : { kind: 'applied', before: undefined, after: full }
const takesNothing = (): undefined => undefined

let root = ''
let folders = 0
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'weir-worker-'))
})
afterEach(async () => {
  await rm(root, { recursive: true, force: true })
})
const newFolder = (): string => join(root, String(folders++))

interface Life {
  readonly folder: string
  readonly startsAt?: number
  /** What the stream held before this life began. */
  readonly given?: SourceBatch[]
  readonly answer?: (effect: Effect) => Outcome | undefined
  readonly checkpointEveryMs?: number
  /** Sees each checkpoint before it is written. */
  readonly watch?: (checkpoints: Checkpoints) => Checkpoints
}

/** One run of the worker on a folder, from start to stop. */
async function live({ folder, startsAt = noon, given, answer = takesAll, checkpointEveryMs = 5_000, watch }: Life) {
  const clock = handClock(startsAt)
  const source = handSource(given)
  const alert = handPerformer(answer)
  const plan = handPerformer(answer)
  const told: TelemetryEvent[] = []
  const telemetry = (event: TelemetryEvent): void => void told.push(event)
  const checkpoints = await openCheckpoints(folder)
  const journal = await openEffectJournal(folder)
  const decoder = createDecoder({
    ...{ format: 'auto', fields: config.fields, hashSecret: 'for tests', maxRecordBytes: 1_000_000 },
  })
  const asked = new AbortController()
  let isOver = false
  const running = runWorker(
    {
      ...{ source, decoder, engine: settings, clock, journal, telemetry, mode: config.mode, checkpointEveryMs },
      checkpoints: watch?.(checkpoints) ?? checkpoints,
      rejects: await openRejects(folder),
      performers: { alert, plan },
      teach: engine => teachHistory(engine, decoder, [{ path: 'week', pieces: history() }], () => {}),
    },
    asked.signal,
  ).finally(async () => {
    isOver = true
    await journal.close()
    await checkpoints.close()
  })
  // The test that expects trouble awaits it; no other may be stopped by a rejection that nobody has awaited yet.
  running.catch(() => undefined)
  while (!isOver && !told.some(({ name }) => name === 'checkpointWritten')) await untilQuiet()
  let second = Math.round((startsAt - noon) / SECOND_MS)
  return {
    ...{ source, running, told },
    /** Everything asked of SNS and the gateway. */
    asked: () => [...alert.asked, ...plan.asked].toSorted(),
    phases: () => told.flatMap(event => (event.name === 'incidentChanged' ? [event.explanation.phase] : [])),
    /** Seconds of traffic, each with so many calls of `k1`, half of which fail in a storm. */
    async bring(seconds: number, callsPerSecond: number) {
      for (let left = seconds; left > 0; left--) {
        source.give('t/0', secondOf(second, callsPerSecond), noon + second * SECOND_MS + 900)
        await clock.pass(SECOND_MS)
        second++
      }
    },
    /** The disk as it is at this moment: what a worker killed now would leave behind. */
    async crashImage(): Promise<string> {
      const image = newFolder()
      await cp(folder, image, { recursive: true, filter: path => !path.endsWith('lock') })
      return image
    },
    async stop() {
      asked.abort()
      await untilQuiet()
      await clock.pass(5_000)
      await running
    },
  }
}

const config = weirSchema.parse({
  ...{ mode: 'enforce', gateway: {}, time: { delivery: '2s' } },
  throttle: { calmFor: '10s', probation: '10s' },
  incident: { closesAfter: '10s' },
})
const settings = engineSettings(config, {})

/** A week in which `k1` called once a second, more or less. */
async function* history(): AsyncGenerator<FilePiece> {
  const rows: string[] = []
  for (let start = noon - 7 * DAY_MS; start < noon; start += SLOT_MS) {
    const calls = 285 + ((start / SLOT_MS) % 31)
    rows.push(JSON.stringify({ key: 'k1', start, seconds: 300, calls, status2xx: calls }))
    rows.push(JSON.stringify({ key: 'k2', start, seconds: 300, calls: 2 * calls, status2xx: 2 * calls }))
  }
  yield { kind: 'record', record: { partition: 'week', position: '1', payload: Buffer.from(rows.join('\n')) } }
}

function secondOf(second: number, callsPerSecond: number): string[] {
  const line = (key: string, ordinal: number, status: number): string =>
    JSON.stringify({
      requestTimeEpoch: noon + second * SECOND_MS + ordinal,
      apiKeyId: key,
      status,
      responseLatency: 20,
    })
  const isStorm = callsPerSecond > 10
  const calls = Array.from({ length: callsPerSecond }, (_, i) => line('k1', i, isStorm && i % 2 === 0 ? 503 : 200))
  return [...calls, line('k2', 0, 200), line('k2', 1, 200)]
}

test('a storm is alerted and throttled once, and given back in two steps when it is over', async () => {
  const life = await live({ folder: newFolder() })
  await life.bring(5, 1)
  expect(life.asked()).toEqual([])
  await life.bring(10, 200)
  expect(life.asked()).toEqual(['k1#1/alert-1', 'k1#1/throttle-1'])
  await life.bring(100, 1)
  await life.stop()
  expect(life.phases()).toEqual(['open', 'mitigated', 'recovering', 'closed'])
  const plans = life.asked().filter(id => !id.includes('alert'))
  expect(plans).toEqual(['k1#1/restore-1', 'k1#1/restore-2', 'k1#1/throttle-1'])
})

test('stopped in the middle of an incident and started again it says nothing twice, and gives the limit back', async () => {
  const folder = newFolder()
  const first = await live({ folder })
  await first.bring(5, 1)
  await first.bring(10, 200)
  await first.stop()
  expect(first.asked()).toEqual(['k1#1/alert-1', 'k1#1/throttle-1'])

  const second = await live({ folder, startsAt: noon + 15_000, given: first.source.given })
  await second.bring(5, 200)
  expect(second.asked()).toEqual([])
  await second.bring(100, 1)
  await second.stop()
  expect(second.phases()).toEqual(['recovering', 'closed'])
  expect(second.asked().filter(id => !id.includes('alert'))).toEqual(['k1#1/restore-1', 'k1#1/restore-2'])
})

test('killed after it acted and before the next checkpoint, it comes to the same decisions and does nothing twice', async () => {
  const first = await live({ folder: newFolder(), checkpointEveryMs: 3_600_000 })
  await first.bring(5, 1)
  await first.bring(5, 200)
  expect(first.asked()).toEqual(['k1#1/alert-1', 'k1#1/throttle-1'])
  const image = await first.crashImage()
  await first.stop()

  const second = await live({ folder: image, startsAt: noon + 10_000, given: first.source.given })
  await second.bring(2, 200)
  expect(second.asked()).toEqual([])
  expect(second.phases()).toEqual(['open', 'mitigated'])
  const recalled = second.told.flatMap(event => (event.name === 'effectRecalled' ? [event.effectId] : []))
  expect(recalled.toSorted()).toEqual(['k1#1/alert-1', 'k1#1/throttle-1'])
  await second.stop()
})

test('killed while an effect was on its way, it is performed again, once', async () => {
  const first = await live({ folder: newFolder(), answer: takesNothing })
  await first.bring(5, 1)
  await first.bring(5, 200)
  const image = await first.crashImage()
  await first.stop()
  expect(first.told.filter(({ name }) => name === 'effectLeftOpen')).toHaveLength(2)

  const second = await live({ folder: image, startsAt: noon + 10_000, given: first.source.given })
  await second.bring(5, 200)
  expect(second.asked()).toEqual(['k1#1/alert-1', 'k1#1/throttle-1'])
  expect(second.phases().at(-1)).toBe('mitigated')
  await second.stop()
})

test('a silent SNS and a silent gateway do not stop the stream', async () => {
  const life = await live({ folder: newFolder(), answer: takesNothing })
  await life.bring(5, 1)
  await life.bring(20, 200)
  await life.stop()
  const last = life.told.findLast(event => event.name === 'workerStopped')
  // k1's 5 and 4,000 calls, and two a second of k2.
  expect(last).toEqual({ name: 'workerStopped', totalCalls: 5 + 4_000 + 50 })
})

test('the source is told of a position only when a checkpoint that covers it is on disk', async () => {
  const order: string[] = []
  const life = await live({
    folder: newFolder(),
    watch: checkpoints => ({
      ...checkpoints,
      async write(snapshot) {
        await checkpoints.write(snapshot)
        order.push(`on disk ${JSON.stringify(snapshot.positions)}`)
      },
    }),
  })
  const commit = life.source.commit
  life.source.commit = async positions => {
    order.push(`committed ${JSON.stringify(Object.fromEntries(positions))}`)
    await commit(positions)
  }
  await life.bring(6, 1)
  await life.stop()
  const committed = order.filter(entry => entry.startsWith('committed'))
  expect(committed.at(-1)).toBe('committed {"t/0":"6"}')
  for (const entry of committed) expect(order[order.indexOf(entry) - 1]).toBe(entry.replace('committed', 'on disk'))
})

test('a source that is lost stops the worker with what it said, and what was read is not read again', async () => {
  const folder = newFolder()
  const life = await live({ folder })
  await life.bring(3, 1)
  life.source.fail(new StreamError('SOURCE_LOST', 'the topic is gone', { retry: 'never' }))
  await expect(life.running).rejects.toThrow('the topic is gone')
  expect(life.told.map(({ name }) => name)).toContain('sourceTroubled')

  const next = await live({ folder, given: life.source.given, startsAt: noon + 3_000 })
  await next.bring(1, 1)
  await next.stop()
  expect(next.told.findLast(event => event.name === 'workerStopped')).toMatchObject({ totalCalls: 4 * 3 })
})

test('a stream that ends while a limit is lowered is over only when the limit was given back', async () => {
  const life = await live({ folder: newFolder() })
  await life.bring(5, 1)
  await life.bring(5, 200)
  life.source.end()
  await untilQuiet()
  expect(life.told.map(({ name }) => name)).not.toContain('workerStopped')
  await life.stop()
})

test('with its state lost and its journal there, it gives back what it had taken', async () => {
  const first = await live({ folder: newFolder() })
  await first.stop()
  const orphaned = newFolder()
  const journal = await openEffectJournal(orphaned)
  await journal.append([
    {
      kind: 'plan-changing',
      at: noon,
      effectId: 'k1#1/throttle-1',
      keyId: 'k1',
      planId: 'p1',
      before: full,
      after: { rateLimit: 2, burstLimit: 4 },
    },
    {
      kind: 'outcome',
      at: noon,
      effectId: 'k1#1/throttle-1',
      outcome: { kind: 'applied', before: full, after: { rateLimit: 2, burstLimit: 4 } },
    },
  ])
  await journal.close()
  const life = await live({ folder: orphaned })
  await untilQuiet()
  expect(life.asked()).toEqual([`k1#lost-${noon}/restore-full`])
  await life.stop()
})
