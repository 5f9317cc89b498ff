/**
 * What the audit log holds, a line each: a change of a limit, a person's command, and the deletion of a month of the log itself. Each line holds
 * its number and the hash of the line before it, so that a line that was changed or cut out is found (`audit-verify.ts`).
 *
 *   {"seq":3,"at":"…",…,"prev":"<SHA-256 of line 2>"}  ←  {"seq":4,"at":"…",…,"prev":"<SHA-256 of line 3>"}
 *
 * Held against accidents and hands that mean to tidy up. Whoever may write the whole folder can make the chain anew: who
 * must reckon with that keeps the last hash elsewhere (`weir audit verify` prints it) and asks for it (`--head`).
 */
import { createHash } from 'node:crypto'
import type { Mode } from '../core/config/config.ts'
import type { Grounds } from '../core/explanation/json.ts'
import type { Outcome, PlanLimits } from '../core/incident/effect.ts'
import type { Verdict } from '../core/incident/verification.ts'
import type { CommandAnswer, OperatorCommand } from '../core/operator.ts'
import type { ApiKeyId, EpochMs, TenantId } from '../core/vocabulary.ts'

/** Who writes: the worker, or `weir limits`, which may run beside it. Each has a chain of its own, so none waits for the other. */
export type AuditChain = 'worker' | 'limits'
export const auditChains: readonly AuditChain[] = ['worker', 'limits']

export type AuditEntry = LimitEntry | CommandEntry

/** A person's command, as it was answered; what came of it at the gateway has lines of its own. */
export interface CommandEntry {
  readonly at: EpochMs
  readonly by: string
  readonly change: 'command'
  readonly command: OperatorCommand
  readonly answer: CommandAnswer
}

export interface LimitEntry {
  readonly at: EpochMs
  /** `weir`, or the operator on whose word it was done. */
  readonly by: string
  /** `verified`: nothing was changed, and the log showed whether what was changed holds. */
  readonly change: 'throttle' | 'restore-half' | 'restore-full' | 'verified' | 'limits-apply' | 'limits-undo'
  /** How the limit was changed; undefined: through the usage plan that the key is in. */
  readonly way?: string | undefined
  /** undefined where a plan was changed for all that are in it. */
  readonly keyId?: ApiKeyId | undefined
  /** Name in `gateways`; undefined: `gateway`. */
  readonly gateway?: string | undefined
  /** undefined where it was refused before a plan was found. */
  readonly planId: string | undefined
  /** undefined where no incident led to it. */
  readonly incidentId?: string | undefined
  readonly effectId?: string | undefined
  /** undefined = no throttle set, or not changed. */
  readonly from: PlanLimits | undefined
  readonly to: PlanLimits | undefined
  readonly result: Outcome['kind'] | Exclude<Verdict['kind'], 'too-early'>
  /** Why it was refused or could not be verified, what of it was missed, or what was asked for. */
  readonly because: string | undefined
  /** Of a limit that holds: how long after the gateway's answer it was first seen to, ms. */
  readonly bitesAfterMs?: number | undefined
  /** Of a key that was moved: so long it was in no plan, and its calls were refused, ms. */
  readonly gapMs?: number | undefined
}

/** What whoever opens the log knows of an entry, beside what the entry says itself. */
export interface AuditContext {
  readonly tenantId?: TenantId | undefined
  readonly mode?: Mode | undefined
  readonly version?: string | undefined
  /** Digest of the configuration under which it was decided. */
  readonly config?: string | undefined
  readonly grounds?: Grounds | undefined
}

/** A month that the rule (`audit.keepFor`) has deleted: the chain goes on from what it ended with. */
export interface MonthDeleted {
  readonly at: EpochMs
  readonly by: 'weir'
  readonly change: 'audit-deleted'
  readonly file: string
  readonly keptForDays: number
  /** The last of it; undefined of what was written before there was a chain. */
  readonly last: ChainPlace | undefined
}

export interface ChainPlace {
  readonly seq: number
  /** Of the line, hexadecimal. */
  readonly hash: string
}

/** Before the first line. */
export const chainStart: ChainPlace = { seq: 0, hash: '0'.repeat(64) }

export const hashOf = (content: string | Uint8Array): string => createHash('sha256').update(content).digest('hex')

/** The line without its end, and its place in the chain. */
export function auditLine(
  entry: AuditEntry | MonthDeleted,
  context: AuditContext,
  before: ChainPlace,
): { readonly text: string; readonly place: ChainPlace } {
  const { at, ...rest } = entry
  const seq = before.seq + 1
  const told = { seq, at: new Date(at).toISOString(), ...withLimits(rest), ...context, prev: before.hash }
  const text = JSON.stringify(told)
  return { text, place: { seq, hash: hashOf(text) } }
}

/** Of a change that was made, no throttle is `null`; where nothing was changed nothing is said. */
function withLimits(entry: Omit<LimitEntry, 'at'> | Omit<CommandEntry, 'at'> | Omit<MonthDeleted, 'at'>) {
  if (!('result' in entry) || entry.result !== 'applied') return entry
  return { ...entry, from: entry.from ?? null, to: entry.to ?? null }
}

/** `2026-11` */
export const monthOf = (at: EpochMs): string => new Date(at).toISOString().slice(0, 7)

/** The first moment after a month. */
export function endOfMonth(month: string): EpochMs {
  const [year = 0, number = 0] = month.split('-').map(Number)
  return Date.UTC(year, number)
}
