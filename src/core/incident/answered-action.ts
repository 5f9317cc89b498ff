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

/** `asked`: what was told of it while it was on its way. */
export const restoredAction = (outcome: Done, asked: Action): Action => ({
  ...{ kind: 'restored', limits: outcome.after },
  ...(asked.kind === 'restore' && asked.by !== undefined && { by: asked.by }),
  ...(outcome.kind === 'already' && { wasSo: true }),
  ...gapOf(outcome),
})

export const restoreRefused = ({ because, others }: Extract<Outcome, { kind: 'refused' }>): Action => ({
  ...{ kind: 'restore-refused', because },
  ...(others !== undefined && { others }),
})

/** People heard last that its limit comes back, which by itself says that it is well. */
export const isToldBack = ({ kind }: Action): boolean =>
  kind === 'restore' || kind === 'restored' || kind === 'restore-refused'

/** Where nothing holds it now, who hears of it is told that it is not the first time. */
export const badAgain = (action: Action): Action =>
  action.kind === 'held' || action.kind === 'throttle-refused' ? { ...action, again: true } : action

/** What there is to be given back: of a limit that was as low already that is not known, unless an earlier throttle said so. */
export const loweredBy = (throttleId: string, outcome: Done, earlier: Lowered | undefined): Lowered | undefined =>
  outcome.kind === 'already'
    ? earlier
    : { throttleId, before: earlier === undefined ? outcome.before : earlier.before, after: outcome.after }

const gapOf = (outcome: Done): { readonly gapMs?: number } =>
  outcome.kind === 'applied' && outcome.gapMs !== undefined ? { gapMs: outcome.gapMs } : {}
