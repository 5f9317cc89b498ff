/** What a worker keeps between its lives, as the checkpoint has it (stores/checkpoint.ts knows nothing of what is in it). */
import type { EngineSnapshot } from '../core/engine.ts'
import type { SavedRepeats } from '../core/formats/repeats.ts'
import type { EpochMs } from '../core/vocabulary.ts'
import type { RecordedPlace } from '../stores/recording-entry.ts'
import type { LearnedBaselines } from './telemetry.ts'

/** What the checkpoint holds beside the positions. */
export interface SavedState {
  readonly engine: EngineSnapshot['state']
  /** How far the effect journal was: what is in it from there on came after this state. */
  readonly journaled: number
  /** What was read, for people. */
  readonly source?: string | undefined
  /** End of the history, until the stream has shown that it begins after it. */
  readonly taughtUntil: EpochMs | undefined
  /** Where this state is in a recording, if it is in one. */
  readonly recordedTo?: RecordedPlace | undefined
  /** Set while the state is what `weir learn` made of logs, and no call of the stream has been read since. */
  readonly learned?: LearnedBaselines | undefined
  /** What has been read lately and may be brought again. */
  readonly repeats?: SavedRepeats | undefined
}

export const hasReadNothing = ({ engine }: SavedState): boolean =>
  [...engine.owners.values()].every(({ closedToSecond }) => closedToSecond < 0)

/** What comes later: the keys that something was going on with. Ours by the checkpoint's checksum and version. */
export const savedKeys = (later: readonly unknown[]): EngineSnapshot['keys'] => later as EngineSnapshot['keys']

/** Ours by the checkpoint's checksum and version. */
export function savedState(state: unknown): SavedState {
  return state as SavedState
}

/** Its usual and its incidents go on; of another stream's calls they say only as much as the two are alike. */
export const otherSource = (state: SavedState | undefined, { description }: { readonly description: string }) =>
  state?.source === undefined || streamOf(state.source) === streamOf(description)
    ? undefined
    : `The checkpoint is of ANOTHER source, ${state.source}: what was learned there goes on, and this one is read as a new one is. For a state of its own give it another state.directory`

/** More files are the same source, and so is another consumer group. */
const streamOf = (description: string): string =>
  /^(\d+ )?(growing )?files? /.test(description) ? 'files' : description.replace(/ \(group .*/, '')
