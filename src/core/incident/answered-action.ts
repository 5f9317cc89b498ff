/** What people are told of a limit by what the gateway answered: what was set, what it cost, and that there is no half of it. */
import type { Action } from '../explanation/explanation.ts'
import type { EpochMs } from '../vocabulary.ts'
import type { Lowered, Outcome } from './effect.ts'

type Done = Exclude<Outcome, { kind: 'refused' }>
type Restore = Extract<Action, { kind: 'restore' }>

export const throttledAction = (
  outcome: Done,
  { expiresAt, ofWeek }: { readonly expiresAt: EpochMs; readonly ofWeek?: number | undefined },
): Action => ({
  kind: 'throttled',
  limits: outcome.after,
  before: outcome.kind === 'applied' ? outcome.before : undefined,
  expiresAt,
  ...(ofWeek !== undefined && { ofWeek }),
  ...(outcome.missed !== undefined && { missed: outcome.missed }),
  ...gapOf(outcome),
  ...(outcome.wholeOnly && { wholeOnly: true }),
})

/** Of what can only be given back as a whole nobody is told that they get half of it. */
export function restoreAction(before: Action, step: Restore['step'], because: Restore['because']): Action {
  if (step === 'full' || before.kind !== 'throttled' || !before.wholeOnly) return { kind: 'restore', step, because }
  const { gapMs } = before
  return { kind: 'restore', step, because, wholeOnly: true, ...(gapMs !== undefined && { gapMs }) }
}

export const restoredAction = (outcome: Done): Action => ({
  ...{ kind: 'restored', limits: outcome.after },
  ...(outcome.kind === 'already' && { wasSo: true }),
  ...gapOf(outcome),
})

/** What there is to be given back: of a limit that was as low already that is not known, unless an earlier throttle said so. */
export const loweredBy = (throttleId: string, outcome: Done, earlier: Lowered | undefined): Lowered | undefined =>
  outcome.kind === 'already'
    ? earlier
    : { throttleId, before: earlier === undefined ? outcome.before : earlier.before, after: outcome.after }

const gapOf = (outcome: Done): { readonly gapMs?: number } =>
  outcome.kind === 'applied' && outcome.gapMs !== undefined ? { gapMs: outcome.gapMs } : {}
