/**
 * Feeds a recording back to the core, and holds what it decides now against what was decided then. Under the recorded
 * settings both must be the same to the byte; under others the same stream is judged anew, and nothing is compared.
 *
 * Each segment begins with the state that the worker had there. Under the recorded settings that state is taken, and
 * must be the one that the inputs before it lead to. Under others the engine goes on with its own, across restarts too: a
 * worker that was killed begins again at its last checkpoint, so a copy is kept where a later life says that it resumed.
 */
import { deserialize, serialize } from 'node:v8'
import type { KeyTable } from '../core/call-batch.ts'
import { advance, type Engine, type EngineSettings, type EngineStatus, engineStatus } from '../core/engine.ts'
import type { Decisions, EngineInput } from '../core/engine-input.ts'
import { StreamError } from '../core/errors.ts'
import type { Explanation } from '../core/explanation/explanation.ts'
import type { Effect, Outcome } from '../core/incident/effect.ts'
import type { EpochMs } from '../core/vocabulary.ts'
import type { RecordedInput, RecordedPlace } from '../stores/recording-entry.ts'
import type { RecordedSegment } from '../stores/recording-reader.ts'
import { copyOf, digestOf, type EngineCopy, engineFrom } from './engine-copy.ts'
import { batchInputOf } from './recorded-batch.ts'
import { decisionsText, restoredSettings } from './recorder.ts'

export interface RecordedReplay {
  /** Oldest first; at least one. */
  readonly segments: readonly RecordedSegment[]
  /** Without it the recorded settings are used, and decisions are compared. */
  readonly other?: OtherSettings
  readonly changed: (change: Explanation) => void
  /** Something that the recording lacks, or that could not be gone on with. */
  readonly noted: (note: ReplayNote) => void
  /** Called now and then, for a progress line. */
  readonly progressed?: (inputs: number, status: () => EngineStatus) => void
}

export interface OtherSettings {
  /** Made of the recorded ones. */
  readonly of: (recorded: EngineSettings) => EngineSettings
  /** They name tenants of their own: what was read of tenants.yaml while it was recorded is not theirs. */
  readonly hasTenants: boolean
}

export type ReplayNote =
  | { readonly kind: 'torn'; readonly segment: string; readonly lostBytes: number }
  /** The life's recording ends here and the life did not: it was killed, or recording had stopped. */
  | { readonly kind: 'breaks-off'; readonly after: RecordedPlace; readonly at: EpochMs | undefined }
  /** Inputs before this segment are not recorded: it goes on from the state that the worker had there. */
  | { readonly kind: 'begins-anew'; readonly segment: string; readonly place: RecordedPlace }

/** Where the replay and the recording part. */
export interface Parting {
  readonly place: RecordedPlace
  readonly segment: string
  /** undefined: it is the state at the beginning of the segment that differs. */
  readonly input: RecordedInput | undefined
  readonly recorded: string | undefined
  readonly now: string | undefined
}

export interface RecordedReplayResult {
  readonly lives: number
  readonly inputs: number
  readonly calls: number
  /** Effects and changes that were decided. */
  readonly decisions: number
  readonly settingsHashes: readonly string[]
  /** Set when it ended there. */
  readonly parting: Parting | undefined
  readonly status: EngineStatus
  /** First and last arrival, epoch ms. */
  readonly span: { readonly from: EpochMs; readonly to: EpochMs } | undefined
}

export async function replayRecording(replay: RecordedReplay): Promise<RecordedReplayResult> {
  const { segments, other, changed, noted, progressed } = replay
  const resumes = new Set(segments.flatMap(({ head }) => head.resumedFrom && placeText(head.resumedFrom)))
  /** States at the places that later lives resumed from, serialised. */
  const kept = new Map<string, Buffer>()
  const result = { inputs: 0, calls: 0, decisions: 0 }
  let engine: Engine | undefined
  let place: RecordedPlace | undefined
  let from: EpochMs | undefined
  let to: EpochMs | undefined
  let parting: Parting | undefined

  function beginSegment({ name, head }: RecordedSegment, recorded: EngineCopy): Engine {
    const recordedUnder = restoredSettings(head.settings)
    const isNext = place !== undefined && placeText(place) === placeText(head.place)
    const resumed = head.place.input === 0 && head.resumedFrom ? kept.get(placeText(head.resumedFrom)) : undefined
    const own = isNext && engine ? copyOf(engine) : resumed && engineCopy(deserialize(resumed))
    if (own === undefined && place !== undefined && !(head.isAnew && head.place.input === 0))
      noted({ kind: 'begins-anew', segment: name, place: head.place })
    if (other !== undefined) return engineFrom(other.of(recordedUnder), own ?? recorded)
    if (own !== undefined && digestOf(own) !== digestOf(recorded))
      parting = { place: head.place, segment: name, input: undefined, recorded: undefined, now: undefined }
    return engineFrom(recordedUnder, recorded)
  }

  function take(to: Engine, input: EngineInput): Decisions {
    const decisions = advance(to, input)
    for (const change of decisions.changes) changed(change)
    result.decisions += decisions.effects.length + decisions.changes.length
    return decisions
  }

  /** Whatever is decided is done at once: what was answered then was the answer to other effects. */
  function takeObeyed(into: Engine, input: EngineInput): void {
    for (const effect of take(into, input).effects)
      takeObeyed(into, { kind: 'outcome', at: timeOf(input) ?? effect.decidedAt, report: reportOf(effect) })
  }

  for (const [index, segment] of segments.entries()) {
    const { head, name } = segment
    const keys: KeyTable = { ids: [] }
    let isClosed = false
    for await (const part of segment.read()) {
      if (part.kind === 'torn') noted({ kind: 'torn', segment: name, lostBytes: part.lostBytes })
      else if (part.kind === 'state') {
        engine = beginSegment(segment, engineCopy(part.state))
        place = head.place
        keep(engine)
      } else if (engine !== undefined && place !== undefined) {
        for (const entry of part.entries) {
          if (parting !== undefined) break
          if (entry.kind === 'closed') {
            isClosed = true
            continue
          }
          const input = entry.input.kind === 'batch' ? batchInputOf(entry.input, keys) : entry.input
          place = { life: place.life, input: place.input + 1 }
          const at = timeOf(input)
          if (at !== undefined) {
            from = Math.min(from ?? at, at)
            to = Math.max(to ?? at, at)
          }
          if (input.kind === 'batch') result.calls += input.to
          if (other !== undefined) {
            // How it stood with them then is of other effects, too.
            const isTheirs =
              input.kind !== 'outcome' && input.kind !== 'progress' && !(input.kind === 'tenants' && other.hasTenants)
            if (isTheirs) takeObeyed(engine, input)
          } else {
            const now = decisionsText(take(engine, input))
            if (now !== entry.decided)
              parting = { place, segment: name, input: entry.input, recorded: entry.decided, now }
          }
          keep(engine)
          if (++result.inputs % 256 === 0) progressed?.(result.inputs, statusOf(engine))
        }
      }
      if (parting !== undefined) break
    }
    if (parting !== undefined) break
    const isLastOfLife = segments[index + 1]?.head.place.life !== head.place.life
    if (isLastOfLife && !isClosed && place !== undefined) noted({ kind: 'breaks-off', after: place, at: to })
  }

  function keep(engine: Engine): void {
    if (place !== undefined && resumes.has(placeText(place))) kept.set(placeText(place), serialize(copyOf(engine)))
  }

  if (engine === undefined)
    throw new StreamError('NOTHING_READ', 'The recording holds no whole state: there is nothing to begin from', {
      retry: 'never',
      hint: 'The worker was killed as it began to record; record again',
    })
  return {
    ...result,
    lives: new Set(segments.map(({ head }) => head.place.life)).size,
    settingsHashes: [...new Set(segments.map(({ head }) => head.settingsHash))],
    parting,
    status: engineStatus(engine),
    span: from === undefined || to === undefined ? undefined : { from, to },
  }
}

const placeText = ({ life, input }: RecordedPlace): string => `${life}/${input}`

/** Ours by the frame's checksum. */
const engineCopy = (state: unknown): EngineCopy => state as EngineCopy

const statusOf = (engine: Engine) => (): EngineStatus => engineStatus(engine)

function timeOf(input: EngineInput): EpochMs | undefined {
  if (input.kind === 'batch') return input.arrivedAt
  return 'at' in input ? input.at : undefined
}

const reportOf = (effect: Effect): { effectId: string; outcome: Outcome } => ({
  effectId: effect.id,
  outcome: effect.kind === 'throttle' ? { kind: 'applied', after: effect.limits } : { kind: 'applied' },
})
