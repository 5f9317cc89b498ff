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
