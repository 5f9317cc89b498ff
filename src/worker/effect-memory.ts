/**
 * What became of which effect, across restarts: so that nothing is said or done twice, and nothing is forgotten.
 *
 *                      decided ──► awaiting ──► outcome told to the engine
 *   recovered outcome ─────────────────┘  (known: told at once, not performed again)
 *
 * `awaiting` belongs to the engine's state and is checkpointed with it: these the engine has decided and has no answer
 * for. `known` are outcomes that the journal has and this engine has not decided yet: a worker that crashed after the
 * checkpoint comes to the same decisions again, under the same ids, and finds them here.
 */
import type { Effect, Outcome } from '../core/effect.ts'
import { journalIndex } from '../stores/effect-journal.ts'
import type { JournalEntry } from '../stores/journal-entry.ts'

export interface EffectMemory {
  readonly awaiting: Set<string>
  readonly known: Map<string, Outcome>
  /** Intents of the journal without an outcome, oldest first. */
  readonly open: readonly Effect[]
}

/** `awaiting` as the checkpoint has it. */
export function recallEffects(recovered: readonly JournalEntry[], awaiting: readonly string[]): EffectMemory {
  const { outcomes, openIntents } = journalIndex(recovered)
  return { awaiting: new Set(awaiting), known: new Map(outcomes), open: openIntents }
}
