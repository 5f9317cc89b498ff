/** How `weir limits` says what it found and does. */
import { cleanText } from '../core/explanation/text.ts'
import type { LimitsOrNone } from '../core/incident/plan-story.ts'
import type { PlanVerdict, SizedPlan } from '../core/limits/plan-sizing.ts'
import type { NoSuggestion, SizingPolicy } from '../core/limits/sizing.ts'
import type { PlanLimits } from '../core/vocabulary.ts'
import type { Basis } from './limits-suggested.ts'
import { counted, iso, number } from './plain-words.ts'

/** `15/s, burst 30` */
export const shortLimits = ({ rateLimit, burstLimit }: PlanLimits): string =>
  `${number(rateLimit)}/s, burst ${number(burstLimit)}`

export const hasText = (limits: LimitsOrNone | undefined): string =>
  limits === undefined ? 'not known' : limits === null ? 'no limit' : shortLimits(limits)

export type ChangedPlan = SizedPlan & {
  readonly present: LimitsOrNone
  readonly verdict: Extract<PlanVerdict, { suggested: PlanLimits }>
}

/** Whether the patch changes it: where what it has is known, and is not about right. */
export const isChanged = (plan: SizedPlan): plan is ChangedPlan =>
  plan.present !== undefined && ['no-limit', 'too-wide', 'too-tight'].includes(plan.verdict.kind)

/** Of a plan, why it is to be changed or not. */
export function reasonText({ verdict, keys, isLowered }: SizedPlan, basis: Basis): string {
  const lowered = isLowered ? ' (Weir has lowered it at the moment; this is what it will get back)' : ''
  switch (verdict.kind) {
    case 'none':
      return verdict.because === 'nobody-known'
        ? 'nobody in it has called'
        : `not suggested: ${verdict.keyIds.map(cleanText).join(', ')} ${verdict.keyIds.length === 1 ? 'is' : 'are'} not known well enough`
    case 'no-limit':
      return `has no limit${lowered}`
    case 'too-wide':
      return `is ${timesText(verdict.times)} × what it needs${lowered}`
    case 'too-tight': {
      const refused = keys.reduce((sum, key) => sum + (key.refusedNow ?? 0), 0)
      const isPlayed = keys.some(key => key.refusedNow !== undefined)
      const what = isPlayed
        ? `refuses ${counted(refused, 'call')}${spanText(basis)}`
        : 'may refuse calls in a busy week'
      return `is below what it needs: ${what}${lowered}`
    }
    case 'fits':
      return `fits${lowered}`
    case 'unknown':
      return 'what it has now is not known'
    default:
      return verdict satisfies never
  }
}

const timesText = (times: number | undefined): string => number(Number((times ?? 0).toPrecision(2)))

function spanText(basis: Basis): string {
  if (basis.kind === 'state' || basis.played.span === undefined) return ' a week'
  const days = (basis.played.span.to - basis.played.span.from) / 86_400_000
  return ` in ${counted(Math.max(1, Math.round(days)), 'day')}`
}

export function basisText(basis: Basis): string {
  if (basis.kind === 'state')
    return `the state in ${basis.directory} of ${iso(basis.writtenAt)}: an estimate, since it has no single calls`
  const { span, tally } = basis.played
  const [first = 'no log', ...more] = basis.files
  const files = more.length === 0 ? first : counted(basis.files.length, 'log')
  const rows = tally.paneRows === 0 ? '' : ` and ${counted(tally.paneRows, 'counted row')}`
  return `${files}: ${counted(tally.calls, 'call')}${rows}${span === undefined ? '' : `, ${minuteText(span.from)} to ${minuteText(span.to)}`}`
}

const minuteText = (at: number): string => `${new Date(at).toISOString().slice(0, 16).replace('T', ' ')} UTC`

export function policyText({ headroom, refuseAtMost, allDays }: SizingPolicy, basis: Basis): string {
  if (basis.kind === 'state') return `headroom ${headroom}`
  const share = refuseAtMost === 0 ? 'none' : `at most ${Number((refuseAtMost * 100).toPrecision(3))} %`
  return `headroom ${headroom}, refusing ${share} of what each client called${allDays ? '' : ' on its usual days'}`
}

export const noneText: Readonly<Record<NoSuggestion, string>> = {
  'too-young': 'not known long enough',
  'key-id-unknown': 'known by a hash only: give its key id in tenants.yaml',
  'no-calls': 'has not called',
  'too-busy': 'needs more than an account may have',
}
