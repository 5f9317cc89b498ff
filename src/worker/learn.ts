/**
 * `weir learn`: baselines made of recorded logs before the first run, and left where a worker starts from. What is learned
 * is a function of the logs given: a second learning begins anew, so that no call counts twice. A state that a worker has
 * read a stream into is never overwritten: its journal and its limits out there speak of it.
 */
import { beginSnapshot, createEngine, type Engine, type EngineSettings, engineStatus } from '../core/engine.ts'
import { StreamError } from '../core/errors.ts'
import type { Decoder } from '../core/formats/decoder.ts'
import type { EpochMs } from '../core/vocabulary.ts'
import type { Checkpoints } from '../stores/checkpoint.ts'
import { type BareLog, createTally, type LogTally } from './bare-log.ts'
import { teachLogs } from './history.ts'
import { hasReadNothing, type SavedState, savedState } from './saved-state.ts'

export interface Learning {
  readonly settings: EngineSettings
  readonly decoder: Decoder
  readonly logs: readonly BareLog[]
  readonly checkpoints: Checkpoints
  /** For people: where the checkpoints are. */
  readonly directory: string
  /** Now, by the caller's clock. */
  readonly at: EpochMs
  /** Whether what was learned before gives way. */
  readonly replace: boolean
  /** Called now and then. */
  readonly progressed?: (tally: LogTally, engine: Engine) => void
}

export interface Learned {
  readonly engine: Engine
  readonly tally: LogTally
}

/**
 * undefined if `signal` aborted: then nothing was written. Throws STATE_TAKEN when the directory holds what must not be
 * overwritten, NOTHING_READ when no line could be counted.
 */
export async function learn(learning: Learning, signal: AbortSignal): Promise<Learned | undefined> {
  const { settings, decoder, logs, checkpoints, at, progressed } = learning
  await refuseTaken(learning)
  const engine = createEngine(settings, { withHistory: true })
  const tally = createTally()
  await teachLogs(engine, decoder, logs, tally, () => progressed?.(tally, engine))
  if (signal.aborted) return undefined
  if (tally.calls + tally.paneRows === 0) throw nothingRead(tally)
  const { keys, knownUntil } = engineStatus(engine)
  const { state, slabs, keys: later } = beginSnapshot(engine)
  const saving: SavedState = {
    engine: state,
    journaled: 0,
    taughtUntil: knownUntil,
    learned: { at, logs: logs.map(({ path }) => path), keys },
  }
  await checkpoints.write({ state: saving, slabs, later, positions: {}, writtenAt: at }).written
  return { engine, tally }
}

async function refuseTaken({ checkpoints, directory, replace }: Learning): Promise<void> {
  const saved = await checkpoints.read()
  if (saved === undefined) return
  const state = savedState(saved.snapshot.state)
  const hasPositions = Object.keys(saved.snapshot.positions).length > 0
  if (hasPositions || (state.learned === undefined && !hasReadNothing(state)))
    throw new StreamError(
      'STATE_TAKEN',
      `${directory} holds the state of a worker, of ${iso(saved.snapshot.writtenAt)}: what it knows and has done would be lost`,
      {
        retry: 'never',
        hint: 'Learn into another state.directory; or, if that past is to be forgotten and no limit is lowered now, move this one away',
      },
    )
  const { learned } = state
  if (learned === undefined || replace) return
  throw new StreamError(
    'STATE_TAKEN',
    `${directory} holds what was learned on ${iso(learned.at)} from ${learned.logs.join(', ')}`,
    {
      retry: 'never',
      hint: 'Learning begins anew each time: give all logs at once, and --replace to put it in the place of this',
    },
  )
}

function nothingRead({ rejected }: LogTally): StreamError {
  const reasons = [...rejected].map(([reason, lines]) => `${lines} × ${reason}`).join(', ')
  return new StreamError('NOTHING_READ', `No call was found to learn from${reasons === '' ? '' : ` (${reasons})`}`, {
    retry: 'never',
    hint: 'weir reads JSON access logs, CloudWatch Logs envelopes and panes; other field names: `fields:` in weir.yaml',
  })
}

const iso = (at: EpochMs): string => new Date(at).toISOString()
