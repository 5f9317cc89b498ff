/**
 * Writes down what the core is fed and what it decides, as it happens: `weir run --record`. Replaying it repeats the run
 * (recorded-replay.ts). It only listens: it changes nothing, waits for nothing, and when it cannot go on it stops alone.
 */

import type { KeyTable } from '../core/call-batch.ts'
import { weirSchema } from '../core/config/config.ts'
import type { Engine, EngineSettings } from '../core/engine.ts'
import type { Decisions, EngineInput } from '../core/engine-input.ts'
import type { EpochMs } from '../core/vocabulary.ts'
import type { Recording } from '../stores/recording.ts'
import type {
  RecordedEntry,
  RecordedInput,
  RecordedPlace,
  RecordedSettings,
  SegmentHead,
} from '../stores/recording-entry.ts'
import { copyBytes, copyOf } from './engine-copy.ts'
import { recordedBatch } from './recorded-batch.ts'
import { stateDigest } from './state-digest.ts'

export interface Recorder {
  /** Before the first input. */
  begin(engine: Engine, origin: Origin): void
  /** Before the engine is given it. */
  input(input: EngineInput): void
  /** What the engine made of that input. */
  decided(decisions: Decisions): void
  /** For the checkpoint: which state it holds. undefined when nothing is recorded any more. */
  place(): RecordedPlace | undefined
  flush(): Promise<void>
  /** The life is over, and all of it is recorded. */
  close(): Promise<void>
}

/** What the checkpoint says of the life that wrote it, if there was one. */
export type Origin = Pick<SegmentHead, 'resumedFrom' | 'isAnew'>

/** All of it is copied at once, and the worker stands still meanwhile. */
const mostCopyBytes = 512 * 1024 * 1024

export function createRecorder(recording: Recording, startedAt: EpochMs): Recorder {
  const life = `${recording.nextNumber}@${new Date(startedAt).toISOString()}`
  let began: { readonly engine: Engine; readonly origin: Origin } | undefined
  let inputs = 0
  /** Keys of the decoder's table that this segment has named. */
  let keysNamed = 0
  let table: KeyTable | undefined
  let last: Extract<RecordedEntry, { kind: 'input' }> | undefined

  function beginSegment(): void {
    if (began === undefined) return
    const { engine, origin } = began
    const bytes = copyBytes(engine)
    if (bytes > mostCopyBytes) {
      recording.stop(`it would begin with ${Math.round(bytes / 1e6)} MB of what is known of keys, and may with 512`)
      return
    }
    const settings = recordedSettings(engine.settings)
    const settingsHash = stateDigest(settings)
    keysNamed = 0
    recording.begin({ place: { life, input: inputs }, startedAt, ...origin, settings, settingsHash }, copyOf(engine))
  }

  return {
    begin(engine, origin) {
      began = { engine, origin }
      beginSegment()
    },
    input(input) {
      if (recording.isStopped()) return
      // A decoder with a table of its own took the place of the one before: its numbers are other keys'.
      const isOtherTable = input.kind === 'batch' && table !== undefined && input.batch.keys !== table
      if (input.kind === 'batch') table = input.batch.keys
      if (recording.isFull() || isOtherTable) beginSegment()
      if (recording.isStopped()) return
      inputs++
      const plain = input.kind === 'batch' ? recordedBatch(input, keysNamed) : input
      if (input.kind === 'batch') keysNamed = input.batch.keys.ids.length
      last = { kind: 'input', input: plain, decided: undefined }
      recording.add(last, sizeOf(plain))
    },
    decided(decisions) {
      if (last !== undefined) last.decided = decisionsText(decisions)
      last = undefined
    },
    place: () => (recording.isStopped() ? undefined : { life, input: inputs }),
    flush: () => recording.flush(),
    async close() {
      recording.add({ kind: 'closed' }, 0)
      await recording.close()
    },
  }
}

/** The same decisions, the same text; undefined for none. Numbers that JSON has no word for are told apart too. */
export function decisionsText({ effects, changes }: Decisions): string | undefined {
  if (effects.length === 0 && changes.length === 0) return undefined
  return JSON.stringify({ effects, changes }, (_, value: unknown) =>
    typeof value === 'number' && (!Number.isFinite(value) || Object.is(value, -0)) ? `number ${wordOf(value)}` : value,
  )
}

const wordOf = (value: number): string => (Object.is(value, -0) ? '-0' : String(value))

/** Without what is read and written: the core does not look at it, and it may hold credentials. */
function recordedSettings({ config, ...settings }: EngineSettings): RecordedSettings {
  const { source: _source, alerts: _alerts, gateway: _gateway, gateways: _gateways, ...rest } = config
  return { ...settings, config: rest }
}

export function restoredSettings({ config, tenants, ...settings }: RecordedSettings): EngineSettings {
  // What was recorded before there were plans has none.
  const planned = tenants.planned ?? { fleet: [], byTenant: new Map() }
  return { ...settings, tenants: { ...tenants, planned }, config: { ...weirSchema.parse({}), ...config } }
}

/** About, in bytes: it says when to write, not what is written. */
function sizeOf(input: RecordedInput): number {
  if (input.kind !== 'batch') return 100
  const { key, time, status, latencyMs, bytes, route, source, panes, newKeys } = input
  const columns = [key, time, status, latencyMs, bytes, route, source].reduce(
    (sum, column) => sum + (column?.byteLength ?? 0),
    0,
  )
  return 300 + columns + 200 * panes.length + 20 * newKeys.length
}
