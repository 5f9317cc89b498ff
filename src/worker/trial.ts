/** What would have been told of a kept log under other settings: a replay of its own, from the first call of the history on. */
import type { EngineSettings } from '../core/engine.ts'
import { type KeyRises, risesOf } from '../core/tuning/rises.ts'
import { createToldIncidents, type ToldIncident } from '../core/tuning/told-incident.ts'
import type { EpochMs } from '../core/vocabulary.ts'
import { type KeptLog, readKept } from './kept-log.ts'
import { createReplayer } from './replay.ts'

export interface TrialResult {
  readonly told: readonly ToldIncident[]
  /** First and last event time of the log proper. */
  readonly span: { readonly from: EpochMs; readonly to: EpochMs }
  /** What the setting promises of each client at the end of the log; undefined where nobody asked. */
  readonly rises: readonly KeyRises[] | undefined
}

export interface Trial {
  readonly settings: EngineSettings
  readonly withRises?: boolean
}

/** `progressed` is told now and then how much of it is done, 0..1. Throws HISTORY_OVERLAPS. */
export function judgeKept(
  kept: KeptLog,
  { settings, withRises = false }: Trial,
  progressed: (share: number) => void,
): TrialResult {
  const incidents = createToldIncidents()
  const withHistory = kept.history.length > 0
  const replayer = createReplayer(settings, { withHistory, changed: incidents.take })
  const pieces = kept.history.length + kept.log.length
  let isHistory = withHistory
  let piecesDone = 0
  let batch: unknown
  readKept(kept, (part, input) => {
    if (input.batch !== batch) {
      batch = input.batch
      progressed(piecesDone++ / pieces)
    }
    if (part === 'history') {
      replayer.teach(input)
      return
    }
    if (isHistory) replayer.endHistory()
    isHistory = false
    replayer.begin(input)
    replayer.take(input)
  })
  replayer.take({ kind: 'end' })
  replayer.flush()
  const span = replayer.span()
  if (span === undefined) throw new Error('a kept log without a call')
  return { told: incidents.read(span.to), span, rises: withRises ? risesOf(replayer.engine) : undefined }
}
