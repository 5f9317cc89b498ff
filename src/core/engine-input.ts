/**
 * The one sequence that the core is fed, and what it answers. The same inputs in the same order give the same answers,
 * live, in replay and after a crash: everything the core knows of the world is in here.
 */
import type { CallBatch } from './call-batch.ts'
import type { Tenant } from './config/config.ts'
import type { Explanation } from './explanation/explanation.ts'
import type { Effect, OutcomeReport, ProgressReport } from './incident/effect.ts'
import type { OtherParts } from './incident/fleet-sums.ts'
import type { Memo } from './incident/memo.ts'
import type { MeasuredMinute } from './measured-minute.ts'
import type { OperatorCommand } from './operator.ts'
import type { PlannedEvent } from './planned/planned-event.ts'
import type { EpochMs, PartitionId } from './vocabulary.ts'

export type EngineInput =
  /** Calls `from` to `to` (exclusive) of a batch, and its pane rows `panesFrom` to `panesTo`, all of one partition. */
  | {
      readonly kind: 'batch'
      readonly partition: PartitionId
      readonly batch: CallBatch
      readonly from: number
      readonly to: number
      readonly panesFrom: number
      readonly panesTo: number
      readonly arrivedAt: EpochMs
    }
  /** One a wall second, from the shell: moves an idle source on, expires throttles. */
  | { readonly kind: 'tick'; readonly at: EpochMs }
  /** Which partitions there are now; one that is not listed no longer holds the watermark back. */
  | { readonly kind: 'partitions'; readonly partitions: readonly PartitionId[]; readonly at: EpochMs }
  | { readonly kind: 'outcome'; readonly report: OutcomeReport; readonly at: EpochMs }
  /** Of a throttle that has no outcome yet. Not journaled: it is asked for again. */
  | { readonly kind: 'progress'; readonly report: ProgressReport; readonly at: EpochMs }
  /** What came after the checkpoint from which this life goes on, and before the crash. */
  | { readonly kind: 'recalled'; readonly entries: readonly Recollection[]; readonly at: EpochMs }
  /** What the other parts of a shared stream see, as of now. */
  | { readonly kind: 'fleet'; readonly others: OtherParts; readonly at: EpochMs }
  /** tenants.yaml as it is from now on, checked. Who is exempt now and was throttled gets the limit back. */
  | {
      readonly kind: 'tenants'
      readonly tenants: Readonly<Record<string, Tenant>>
      /** Of every client. Recordings of before there were plans have none. */
      readonly planned?: readonly PlannedEvent[]
      readonly at: EpochMs
    }
  /** A person's command, and who they are. */
  | { readonly kind: 'operator'; readonly command: OperatorCommand; readonly by: string; readonly at: EpochMs }
  /** What came before was history: baselines stay, incidents do not. Closes all panes. */
  | { readonly kind: 'history-ended' }
  /** A bare log is over: closes all panes. */
  | { readonly kind: 'end' }

/** What an earlier life decided, heard of its effects, and was told by people, in the order in which it was; `at`: when. */
export type Recollection =
  | { readonly kind: 'memo'; readonly memo: Memo; readonly at: EpochMs }
  | { readonly kind: 'outcome'; readonly report: OutcomeReport; readonly at: EpochMs }
  | { readonly kind: 'operator'; readonly command: OperatorCommand; readonly by: string; readonly at: EpochMs }

export interface Decisions {
  /** To be journaled, then performed, in this order. */
  readonly effects: readonly Effect[]
  /** What these leave in the core's memory: to be journaled with them. */
  readonly memos: readonly Memo[]
  /** Incidents that opened, were mitigated, began to recover or closed, in the order decided. */
  readonly changes: readonly Explanation[]
  /** Minutes that have closed, oldest first; none unless a metrics service is to be sent them. */
  readonly measured: readonly MeasuredMinute[]
}
