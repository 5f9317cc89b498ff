/**
 * What became of which effect, across restarts: so that nothing is said or done twice, and nothing is forgotten.
 *
 *                      decided ──► awaiting ──► outcome told to the engine
 *   recovered outcome ─────────────────┘  (known: told at once, not performed again)
 *
 * `awaiting` belongs to the engine's state and is checkpointed with it: these the engine has decided and has no answer
 * for. `known` are outcomes that came after the checkpoint, of effects that this engine has not decided yet: a worker that
 * crashed after the checkpoint comes to the same decisions again, under the same ids, and finds them here. What had come
 * before the checkpoint was told to the engine then, and must not answer for what it decides later.
 */
import type { Effect, Outcome } from '../core/incident/effect.ts'
import type { EpochMs } from '../core/vocabulary.ts'
import { journalIndex } from '../stores/effect-journal.ts'
import type { JournalEntry } from '../stores/journal-entry.ts'

export interface EffectMemory {
  readonly awaiting: Set<string>
  readonly known: Map<string, Outcome>
  /** Intents of the journal without an outcome, oldest first. */
  readonly open: readonly Effect[]
}

/** Ids of effects, as the checkpoint has them. */
export interface SavedEffects {
  readonly awaiting: readonly string[]
  readonly known: readonly string[]
  readonly writtenAt: EpochMs
}

/** Without a checkpoint nothing is known: incidents are numbered anew, and an earlier life's outcomes are of others. */
export function recallEffects(recovered: readonly JournalEntry[], saved: SavedEffects | undefined): EffectMemory {
  const { outcomes, openIntents } = journalIndex(recovered)
  if (saved === undefined) return { awaiting: new Set(), known: new Map(), open: openIntents }
  const wanted = new Set([...saved.awaiting, ...saved.known])
  for (const entry of recovered) if (entry.kind === 'outcome' && entry.at > saved.writtenAt) wanted.add(entry.effectId)
  const known = new Map([...outcomes].filter(([id]) => wanted.has(id)))
  return { awaiting: new Set(saved.awaiting), known, open: openIntents }
}
