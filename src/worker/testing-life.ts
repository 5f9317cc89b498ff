/**
 * One run of the worker on a folder, as its tests tell it: `k1` calls once a second for a week, and then storms or not. A
 * life that is stopped or killed leaves its folder to the next.
 */
import { mkdtempSync } from 'node:fs'
import { cp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Performer } from '../actions/performer.ts'
import type { Clock } from '../clock.ts'
import { type TenantsConfig, weirSchema } from '../core/config/config.ts'
import { engineSettings } from '../core/engine.ts'
import { createDecoder, type Decoder } from '../core/formats/decoder.ts'
import { createRepeats } from '../core/formats/repeats.ts'
import type { Effect, Outcome } from '../core/incident/effect.ts'
import { fieldsRead } from '../core/judge.ts'
import type { CommandAnswer, OperatorCommand } from '../core/operator.ts'
import { type ApiKeyId, DAY_MS, type EpochMs, SECOND_MS, SLOT_MS } from '../core/vocabulary.ts'
import type { Publisher } from '../metrics/publisher.ts'
import type { FilePiece } from '../sources/file-pieces.ts'
import type { Source, SourceBatch } from '../sources/source.ts'
import type { AuditEntry } from '../stores/audit.ts'
import { type Checkpoints, openCheckpoints } from '../stores/checkpoint.ts'
import { openEffectJournal } from '../stores/effect-journal.ts'
import { openRecording } from '../stores/recording.ts'
import { openRejects } from '../stores/rejects.ts'
import type { SpokenWords } from '../stores/spoken-words.ts'
import { openUndelivered } from '../stores/undelivered.ts'
import { teachHistory } from './history.ts'
import type { Keeper } from './keeper.ts'
import { createRecorder } from './recorder.ts'
import type { TelemetryEvent } from './telemetry.ts'
import { handClock, handPerformer, handSource, untilQuiet } from './testing-world.ts'
import { runWorker } from './worker.ts'

export const noon = Date.UTC(2026, 10, 20, 12, 0, 0)
export const full = { rateLimit: 100, burstLimit: 200 }

/** The gateway takes every change, and SNS every alert. */
const takesAll = (effect: Effect): Outcome =>
  effect.kind === 'throttle'
    ? { kind: 'applied', before: full, after: effect.limits }
    : { kind: 'applied', before: undefined, after: full }
export const takesNothing = (): undefined => undefined

export const config = weirSchema.parse({
  ...{ mode: 'enforce', gateway: {}, time: { delivery: '2s' } },
  throttle: { calmFor: '10s', probation: '10s' },
  incident: { closesAfter: '10s' },
})
export const settings = engineSettings(config, {})

const folders: string[] = []

export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'weir-worker-'))
  folders.push(folder)
  return folder
}

/** For after each test. */
export async function removeFolders(): Promise<void> {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true })
}

interface Life {
  readonly folder: string
  readonly startsAt?: number
  /** What the stream held before this life began. */
  readonly given?: SourceBatch[]
  readonly answer?: (effect: Effect) => Outcome | undefined
  /** How a throttle stands that is not answered. */
  readonly progress?: Performer['progress']
  readonly checkpointEveryMs?: number
  /** Sees each checkpoint before it is written. */
  readonly watch?: (checkpoints: Checkpoints) => Checkpoints
  readonly engine?: typeof settings
  /** What tenants.yaml says as it begins, where the engine is to be told. */
  readonly tenants?: TenantsConfig['tenants']
  /** What it is taught; `ask` stops the worker. 'nothing': it was given no history. */
  readonly teach?: ((ask: AbortController) => AsyncGenerator<FilePiece>) | 'nothing'
  /** Makes the source one that can hold partitions. */
  readonly hold?: Source['hold'] & {}
  readonly keyed?: boolean
  /** The decoder it begins with, where that is not the one of its history; the latter is the next one. */
  readonly decoder?: Decoder
  /** Where it is recorded, and how much of it. */
  readonly record?: { readonly directory: string; readonly maxBytes?: number }
  readonly metrics?: (clock: Clock) => Publisher
  /** What people say to all lives. */
  readonly words?: Pick<SpokenWords, 'after'>
  /** Makes the source one that forgets. */
  readonly retainedMs?: number
}

/** One run of the worker on a folder, from start to stop. */
export async function live(life: Life) {
  const { folder, startsAt = noon, given, answer = takesAll, checkpointEveryMs = 5_000, watch } = life
  const { tenants, engine = engineSettings(config, tenants ?? {}), teach = history } = life
  const { hold, keyed = false, metrics, retainedMs } = life
  const clock = handClock(startsAt)
  const retained = retainedMs === undefined ? {} : { retainedMs: async () => retainedMs }
  const source = { ...handSource(given), keyed, ...(hold && { hold }), ...retained }
  const alert = handPerformer(answer)
  const prolonged: (readonly [ApiKeyId, EpochMs])[] = []
  const plan = {
    ...handPerformer(answer, life.progress),
    prolong: async (keyId: ApiKeyId, until: EpochMs): Promise<void> => void prolonged.push([keyId, until]),
  }
  const told: TelemetryEvent[] = []
  const telemetry = (event: TelemetryEvent): void => void told.push(event)
  const checkpoints = await openCheckpoints(folder)
  const journal = await openEffectJournal(folder)
  const repeats = createRepeats()
  const decoder = createDecoder({
    repeats,
    ...{
      format: 'auto',
      fields: config.fields,
      hashSecret: 'for tests',
      maxRecordBytes: 1_000_000,
      reads: fieldsRead(config),
    },
  })
  const { record } = life
  const stopped = (because: string): void =>
    telemetry({ name: 'recordingStopped', directory: record?.directory ?? '', because })
  const recording = record && (await openRecording({ maxBytes: 1_000_000_000, ...record, stopped }))
  const recorder = recording && createRecorder(recording, startsAt)
  const asked = new AbortController()
  let isOver = false
  let keeper: Keeper | undefined
  const audited: AuditEntry[] = []
  const running = runWorker(
    {
      ...{
        source,
        decoder: life.decoder ?? decoder,
        nextDecoder: () => decoder,
        repeats,
        engine,
        tenants: tenants && { tenants, planned: [] },
        clock,
        journal,
        telemetry,
        mode: config.mode,
        checkpointEveryMs,
        recorder,
        words: life.words,
      },
      audit: { record: async entry => void audited.push(entry) },
      opened: opened => {
        keeper = opened
      },
      checkpoints: watch?.(checkpoints) ?? checkpoints,
      rejects: await openRejects(folder),
      undelivered: await openUndelivered(folder),
      performers: { alert, plan },
      metrics: metrics?.(clock),
      ...(teach !== 'nothing' && {
        teach: fresh => teachHistory(fresh, decoder, [{ path: 'week', pieces: teach(asked) }], () => {}),
      }),
    },
    asked.signal,
  ).finally(async () => {
    isOver = true
    await recorder?.close()
    await journal.close()
    await checkpoints.close()
  })
  // The test that expects trouble awaits it; no other may be stopped by a rejection that nobody has awaited yet.
  running.catch(() => undefined)
  while (!isOver && !told.some(({ name }) => name === 'checkpointWritten')) await untilQuiet()
  let second = Math.round((startsAt - noon) / SECOND_MS)
  return {
    ...{ source, journal, running, told, audited, prolonged },
    /** What Ann commands, and the answer. */
    async say(command: OperatorCommand): Promise<CommandAnswer | undefined> {
      const answer = await keeper?.operate(command, 'ann')
      await untilQuiet()
      return answer
    },
    /** Everything asked of SNS and the gateway. */
    asked: () => [...alert.asked, ...plan.asked].toSorted(),
    phases: () => told.flatMap(event => (event.name === 'incidentChanged' ? [event.explanation.phase] : [])),
    /** Seconds of traffic, each with so many calls of `k1`, half of which fail in a storm; read so many at a time. */
    async bring(seconds: number, callsPerSecond: number, atATime = 1) {
      for (const end = second + seconds; second < end; ) {
        const lines = Array.from({ length: atATime }, (_, later) => secondOf(second + later, callsPerSecond))
        second += atATime
        source.give('t/0', lines.flat(), noon + second * SECOND_MS - 100)
        await clock.pass(atATime * SECOND_MS)
      }
    },
    /** Time in which the stream brings nothing. */
    pass: clock.pass,
    /** The disk as it is at this moment: what a worker killed now would leave behind. */
    async crashImage(): Promise<string> {
      const image = newFolder()
      await cp(folder, image, { recursive: true, filter: path => !/lock$|\.tmp$/.test(path) })
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

/** A week in which `k1` called once a second, more or less. */
export async function* history(): AsyncGenerator<FilePiece> {
  const rows: string[] = []
  for (let start = noon - 7 * DAY_MS; start < noon; start += SLOT_MS) {
    const calls = 285 + ((start / SLOT_MS) % 31)
    rows.push(JSON.stringify({ key: 'k1', start, seconds: 300, calls, status2xx: calls }))
    rows.push(JSON.stringify({ key: 'k2', start, seconds: 300, calls: 2 * calls, status2xx: 2 * calls }))
  }
  yield { kind: 'record', record: { partition: 'week', position: '1', payload: Buffer.from(rows.join('\n')) } }
}

/** One day of the same, `daysBefore` noon. */
export function dayOfHistory(daysBefore: number): FilePiece {
  const rows: string[] = []
  const from = noon - daysBefore * DAY_MS
  for (let start = from; start < from + DAY_MS; start += SLOT_MS)
    rows.push(JSON.stringify({ key: 'k1', start, seconds: 300, calls: 300, status2xx: 300 }))
  const payload = Buffer.from(rows.join('\n'))
  return { kind: 'record', record: { partition: 'week', position: String(8 - daysBefore), payload } }
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
