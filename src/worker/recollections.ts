/** What the journal has of a life that was killed, as the next one is told it (core/recall.ts). */
import type { Recollection } from '../core/engine-input.ts'
import type { JournalEntry } from '../stores/journal-entry.ts'

export const recollectionsOf = (entries: readonly JournalEntry[]): readonly Recollection[] =>
  entries.flatMap(recollected)

function recollected(entry: JournalEntry): readonly Recollection[] {
  const { at } = entry
  switch (entry.kind) {
    case 'memos':
      return entry.memos.map(memo => ({ kind: 'memo', memo, at }))
    case 'outcome':
      return [{ kind: 'outcome', report: { effectId: entry.effectId, outcome: entry.outcome }, at }]
    case 'commanded':
      return [{ kind: 'operator', command: entry.command, by: entry.by, at }]
    default:
      return []
  }
}
