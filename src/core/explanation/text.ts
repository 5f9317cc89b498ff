/**
 * An explanation as people read it. An alert has four lines that can be read at three in the morning, an empty line, and
 * the evidence:
 *
 *   Client A (key_abc123) exceeded anomaly threshold.
 *   Current: 50,000 req/min. Expected: 400-600 req/min.
 *   Client is in AUTOMATIC throttle reduction.
 *   Contact: client-a-sre@partner.com per escalation policy.
 *
 * What is told of a recovery or an end is when it began, how long that is ago, and what the key does now: nothing of the
 * storm in the present tense.
 *
 * Names, contacts and key ids come from tenants and logs: whatever could steer a terminal or fake a line is taken out.
 */

import type { Usual } from '../../../detectors/contract.ts'
import { isTenantWide } from '../config/tenants.ts'
import type { ByHand } from '../incident/give-back.ts'
import type { OthersLimit } from '../incident/plan-story.ts'
import { type PlannedStretch, upToText } from '../planned/planned-event.ts'
import type { EpochMs, PlanLimits } from '../vocabulary.ts'
import { byHandLines } from './by-hand.ts'
import type { Action, Explanation, HeldReason, IncidentKind } from './explanation.ts'
import { cleanText, durationText, limitsText, threeFigures, timeText, withThousands } from './plain-text.ts'
import {
  backLateLine,
  isHeldAgain,
  isUnheld,
  lateLine,
  nextStepLines,
  seenLine,
  unheldLine,
  verificationLines,
  waitText,
} from './verification-text.ts'

export { cleanText, durationText, limitsText, threeFigures, timeText } from './plain-text.ts'

/** So many measures are listed; the JSON has all. */
const shownEvidence = 12

/** The whole text of an alert, without a line break at its end. */
export function alertText(explanation: Explanation): string {
  const { kind, action } = explanation
  return [
    headline(explanation),
    // What is known of the platform's rate is that of its sickness.
    ...(kind === 'platform' && isOver(explanation) ? [] : [seenLine(explanation) ?? rateLine(explanation)]),
    // Nobody needs a limit that would have helped.
    action.kind === 'suggest' && isOver(explanation)
      ? "Client's limit was not changed."
      : (unheldLine(explanation) ?? [actionLine(action), ...heldText(explanation)].join(' ')),
    contactLine(explanation),
    '',
    ...nextStepLines(explanation),
    ...byHandLines(owedOf(action)),
    ...evidenceLines(explanation),
  ].join('\n')
}

/** What happened, in one sentence: the first line of an alert and its subject. */
export function headline(explanation: Explanation): string {
  const { keyId, tenant, kind, phase, action } = explanation
  const who = subjectText(keyId, tenant)
  if (phase === 'closed') return kind === 'platform' ? 'The platform incident is over.' : `${who} is back to normal.`
  switch (action.kind) {
    case 'throttled':
      if (isUnheld(explanation)) return `${who} is NOT held by its lowered limit.`
      if (isHeldAgain(explanation)) return `${who} is held by its lowered limit now.`
      return `${who} is throttled.`
    case 'throttle-refused':
      if (action.again) return `${who} is at it again, and NOTHING holds it.`
      return action.by === undefined ? `${who} could not be throttled.` : `${who} exceeded anomaly threshold.`
    case 'restore-refused':
      if (action.others !== undefined && !isStillReduced(action))
        return `${who} has a limit that somebody else has set.`
      return `${who} could not get its limit back.`
    case 'restore':
      if (action.waiting?.isLate) return `${who} has NOT got its limit back yet.`
      return action.because === 'operator' ? `${who} gets its limit back.` : `${who} is recovering.`
    case 'restored':
      return `${who} has its limit back.`
    case 'held':
    case 'suggest':
    case 'throttle':
    case 'none':
      if (action.kind === 'throttle' && action.waiting?.isLate) return `${who} is NOT throttled yet.`
      if (action.kind === 'held' && action.again) return `${who} is at it again, and NOTHING holds it.`
      if (kind === 'platform') return 'Many clients fail or exceed anomaly thresholds at the same time.'
      if (phase === 'recovering') return `${who} is recovering.`
      if (kind === 'silence') return `${who} has stopped calling.`
      if (kind === 'fall') return `${who} calls far less than usual.`
      return `${who} exceeded anomaly threshold.`
    default:
      return action satisfies never
  }
}

export function subjectText(keyId: Explanation['keyId'], tenant: Explanation['tenant']): string {
  if (tenant !== undefined && isTenantWide(keyId))
    return `${cleanText(tenant.name ?? tenant.id)} (all its keys together)`
  return tenant?.name === undefined ? cleanText(keyId) : `${cleanText(tenant.name)} (${cleanText(keyId)})`
}

function rateLine(explanation: Explanation): string {
  const { observed, usual } = unusual(explanation)
  const expected =
    explanation.kind === 'platform' ? 'not known of all clients together' : (usual ?? 'unknown (no history)')
  return `Current: ${observed}. Expected: ${expected}.`
}

/**
 * The rate, where the rate is out of the band. A storm may stay inside it (of a tenant that calls little), and other kinds are
 * about no rate at all: then what is unusual instead. `usual`: undefined where that is not known.
 */
export function unusual({ kind, current, expected, evidence }: Explanation): {
  readonly observed: string
  readonly usual: string | undefined
} {
  const { measure: measured, isNoRate } = kinds[kind]
  const own = measured && evidence.find(({ measure }) => measure.includes(measured))
  if (own && (isNoRate || !(expected && current.callsPerMinute > expected.upperPerMinute))) {
    const measure = cleanText(own.measure)
    const usual = own.usual === undefined ? undefined : `${threeFigures(own.usual)} ${measure}`
    return { observed: `${threeFigures(own.observed)} ${measure}`, usual }
  }
  return {
    observed: `${threeFigures(current.callsPerMinute)} req/min`,
    usual: expected && bandText(expected.lowerPerMinute, expected.upperPerMinute),
  }
}

export function bandText(lower: number, upper: number): string {
  const [from, to] = [threeFigures(lower), threeFigures(upper)]
  return `${from === to ? from : `${from}-${to}`} req/min`
}

/** What moving a key costs its owner: in no plan all its calls are refused. */
const gapText = (gapMs: number | undefined): string =>
  gapMs === undefined
    ? ''
    : ` While its key was moved its calls were refused (403), for ${Math.ceil(gapMs / 1000)} s as far as Weir saw.`

const REDUCED = 'Client is in AUTOMATIC throttle reduction.'

type RestoreRefused = Extract<Action, { kind: 'restore-refused' }>

/** Who has a limit that is no lower than theirs was needs nobody to give it back. */
export const isStillReduced = ({ others }: RestoreRefused): boolean => others === undefined || others.some(isLower)

const isLower = ({ now, original }: OthersLimit): boolean =>
  now !== null && (original === null || now.rateLimit < original.rateLimit || now.burstLimit < original.burstLimit)

function refusalText({ because, others }: RestoreRefused): string {
  if (others === undefined) return cleanText(because)
  return others
    .map(({ gateway, planId, now, original }) => {
      const where = `plan ${cleanText(planId)}${gateway === undefined ? '' : ` of gateway ${cleanText(gateway)}`}`
      return `${where} has ${limitsText(now ?? undefined)}, set by somebody else; Weir found ${limitsText(original ?? undefined)} before and leaves it`
    })
    .join('; ')
}

const notLowered = (again: true | undefined): string =>
  again ? "Client's limit was given back, and is not lowered again" : "Client's limit was not changed"

/** Whether what is told as `recovering` is a person's giving back, which says nothing of how the client is. */
export const isGivenBackByPerson = ({ phase, action }: Pick<Explanation, 'phase' | 'action'>): boolean =>
  phase === 'recovering' &&
  ((action.kind === 'restore' && action.because === 'operator') ||
    (action.kind === 'restored' && action.by !== undefined))

export function actionLine(action: Action): string {
  switch (action.kind) {
    case 'held':
      if (action.because === 'halted' && action.by !== undefined)
        return `${notLowered(action.again)}: ${cleanText(action.by)} has halted throttling (weir throttles go-on ends that).`
      return `${notLowered(action.again)}: ${heldReasons[action.because]}.`
    case 'suggest':
      return `Client's limit was not changed: Weir suggests ${limitsText(action.limits)}.`
    case 'throttled':
      return `${REDUCED}${gapText(action.gapMs)}${action.missed === undefined ? '' : ` Not everywhere: ${cleanText(action.missed)}.`}`
    case 'throttle':
      if (action.waiting === undefined) return REDUCED
      return action.waiting.isLate ? lateLine(action.waiting) : `${REDUCED} ${waitText(action.waiting)}`
    case 'throttle-refused':
      if (action.by !== undefined)
        return `${notLowered(action.again)}: ${cleanText(action.by)} released it, and in this incident it is not lowered again.`
      return `${notLowered(action.again)}: ${cleanText(action.because)}.`
    case 'restore-refused':
      return isStillReduced(action)
        ? `Client's limit is STILL REDUCED, and a person must give it back: ${refusalText(action)}.`
        : `Client's limit is not reduced: ${refusalText(action)}.`
    case 'restore': {
      const because = action.by === undefined ? restoreReasons[action.because] : `${cleanText(action.by)} asked for it`
      if (action.waiting?.isLate) return backLateLine(action.waiting, because)
      if (action.wholeOnly) return `Client stays reduced for the probation: ${because}.${gapText(action.gapMs)}`
      return action.step === 'half'
        ? `Client gets half of its limit back, on probation: ${because}.`
        : `Client gets its whole limit back: ${because}.`
    }
    case 'restored':
      if (action.wasSo) return wasSoLine(action.limits)
      return `Client's limit was raised again: ${limitsText(action.limits)}.${gapText(action.gapMs)}`
    case 'none':
      return "Client's limit is not changed."
    default:
      return action satisfies never
  }
}

/** What a person may have to give back. */
const owedOf = (action: Action): readonly ByHand[] =>
  action.kind === 'restore-refused' && action.others !== undefined
    ? action.others.map(({ region, planId, original }) => ({
        giveBack: { kind: 'plan', planId, original, mayHave: [], methods: [] },
        ...(region !== undefined && { region }),
      }))
    : (action.kind === 'restore' || action.kind === 'restore-refused') && action.waiting?.isLate
      ? (action.waiting.byHand ?? [])
      : []

/** What nobody raised now is not said to be raised, and what is not known of the plan is not said. */
const wasSoLine = (limits: PlanLimits | undefined): string =>
  limits === undefined
    ? 'Nothing was left to give back of what this incident had lowered.'
    : `Client had its limit back already: ${limitsText(limits)}.`

/** Whether it is told as one of many in a platform incident, and needs no telling of its own. */
export const isPartOfPlatform = ({ kind, action }: Explanation): boolean =>
  kind !== 'platform' && action.kind === 'held' && action.because === 'platform-incident'

function contactLine({ tenant }: Explanation): string {
  return tenant?.contact === undefined
    ? 'Contact: none configured.'
    : `Contact: ${cleanText(tenant.contact)} per escalation policy.`
}

function evidenceLines(explanation: Explanation): readonly string[] {
  const { kind, expected, detectors, tenant } = explanation
  const evidence = explanation.evidence.filter(({ measure }) => !measure.endsWith(' in nats'))
  const listed = evidence.slice(0, shownEvidence).map(({ measure, observed, usual }) => {
    const beside = usual === undefined ? '' : `, usually ${threeFigures(Number(usual.toFixed(2)))}`
    return `- ${cleanText(measure)}: ${threeFigures(observed)}${beside}`
  })
  const left = evidence.length - listed.length
  const past = isOver(explanation)
  return [
    ...(past ? pastLines(explanation) : presentLines(explanation)),
    // The platform's measures are of its sickness; a key's are of now, whatever now is.
    ...(past && kind === 'platform' ? [] : listed),
    ...(left > 0 && !(past && kind === 'platform') ? [`- and ${left} more`] : []),
    ...(past ? [] : plannedLines(explanation)),
    ...(detectors.length > 0 && !past ? [`Detectors (1 is the threshold): ${detectorsText(detectors)}.`] : []),
    ...(kind === 'platform'
      ? []
      : [expected ? basisText(expected) : 'Nothing usual is known: no history of this key.']),
    ...limitLines(explanation.action),
    ...verificationLines(explanation),
    ...wordLines(explanation),
    ...(tenant?.escalation === undefined ? [] : [`Escalation policy: ${cleanText(tenant.escalation)}.`]),
    `Incident ${cleanText(explanation.incidentId)}: ${explanation.phase}, severity ${explanation.severity}, mode ${explanation.mode}.`,
  ]
}

const heldText = ({ held }: Pick<Explanation, 'held'>): readonly string[] =>
  held === undefined ? [] : [`Held by ${cleanText(held.by)} until ${timeText(held.until)}.`]

/** What a person has said of how long the limit stays lowered. */
export function wordLines({ extended, held }: Pick<Explanation, 'extended' | 'held'>): readonly string[] {
  return [
    ...(extended === undefined ? [] : [`Extended by ${cleanText(extended.by)} until ${timeText(extended.until)}.`]),
    ...(held === undefined
      ? []
      : [`Held by ${cleanText(held.by)} until ${timeText(held.until)}: neither calm nor expiry gives it back before.`]),
  ]
}

/** What was planned, and how much of it came. Nobody is to look for a sale that everybody knew of. */
function plannedLines({ planned }: Explanation): readonly string[] {
  if (planned === undefined) return []
  const { stretches, upToPerMinute, used } = planned
  const whole = `${threeFigures(upToPerMinute)} req/min`
  return [
    ...stretches.map(stretch => `Planned: ${stretchText(stretch)}.`),
    `The last minute brought ${threeFigures(used)} × all that was planned, ${whole}.`,
  ]
}

/** `nightly export, up to 20x, from 2026-11-20 02:00:00 UTC to 2026-11-20 03:00:00 UTC` */
export function stretchText({ event, from, to }: PlannedStretch): string {
  const note = event.note === undefined ? '' : `${cleanText(event.note)}, `
  return `${note}up to ${upToText(event.upTo)}, from ${timeText(from)} to ${timeText(to)}`
}

/** Whether it is told as something that was; of a limit that does or does not hold, what the key does now is told beside it. */
const isOver = (explanation: Explanation): boolean =>
  explanation.phase === 'recovering' ||
  explanation.phase === 'closed' ||
  isUnheld(explanation) ||
  isHeldAgain(explanation)

function presentLines({ kind, onsetAt, decidedAt, current, evidence }: Explanation): readonly string[] {
  return [
    kinds[kind].sentence.replace(/\{([^}]+)\}/g, (_, named) => measuredText(evidence, named)),
    `Since ${timeText(onsetAt)}, decided ${threeFigures(Math.max(0, decidedAt - onsetAt) / 1_000)} s later. Counted: ${counted(current)}.`,
  ]
}

/** `73 (usually 10.9)` */
function measuredText(evidence: Explanation['evidence'], named: string): string {
  const found = evidence.find(({ measure }) => measure === named)
  if (found === undefined) return 'an unknown number of'
  const usually = found.usual === undefined ? '' : ` (usually ${threeFigures(Number(found.usual.toFixed(2)))})`
  return `${threeFigures(found.observed)}${usually}`
}

function pastLines({ kind, phase, onsetAt, decidedAt, current }: Explanation): readonly string[] {
  const began = `It began at ${timeText(onsetAt)} as ${kindName(kind)}`
  const lasted = durationText(decidedAt - onsetAt)
  return [
    phase === 'closed' ? `${began}, and was over ${lasted} later.` : `${began}; since then ${lasted} have passed.`,
    ...(kind === 'platform' ? [] : [`Now: ${counted(current)}.`]),
  ]
}

/** The exact numbers, not rounded: the rate above is scaled from them. */
function counted({ calls, seconds }: Explanation['current']): string {
  return `${withThousands(calls)} calls in ${threeFigures(seconds)} s`
}

function detectorsText(detectors: Explanation['detectors']): string {
  const shown = detectors.slice(0, shownEvidence).map(({ name, score }) => `${name} ${threeFigures(score)}`)
  return [...shown, ...(detectors.length > shown.length ? ['…'] : [])].join(', ')
}

export function limitLines(action: Action): readonly string[] {
  switch (action.kind) {
    case 'throttle':
      return [`Limit: to ${limitsText(action.limits)}, ${untilText(action)}.`]
    case 'throttled':
      return [`Limit: from ${limitsText(action.before)} to ${limitsText(action.limits)}, ${untilText(action)}.`]
    case 'held':
    case 'suggest':
    case 'throttle-refused':
    case 'restore':
    case 'restored':
    case 'restore-refused':
    case 'none':
      return []
    default:
      return action satisfies never
  }
}

function untilText({ expiresAt, ofWeek }: { readonly expiresAt: EpochMs; readonly ofWeek?: number }): string {
  const until = `until ${timeText(expiresAt)} at the latest`
  return ofWeek === undefined ? until : `${until}: its ${ordinal(ofWeek)} throttle in 7 days, and longer for that`
}

/** `2nd`, `11th` */
function ordinal(number: number): string {
  const last = number % 100 >= 11 && number % 100 <= 13 ? 0 : number % 10
  return `${number}${['th', 'st', 'nd', 'rd'][last] ?? 'th'}`
}

/** `a surge`, `an enumeration` */
export const kindName = (kind: IncidentKind): string => {
  const { name } = kinds[kind]
  return `${/^[aeiou]/.test(name) ? 'an' : 'a'} ${name}`
}

/**
 * What each kind is; a measure in braces is that of the evidence. `measure` is part of the name of the evidence that
 * speaks for a kind: alone where it is about no rate of calls.
 */
const kinds: Readonly<
  Record<
    IncidentKind,
    { readonly name: string; readonly sentence: string; readonly measure?: string; readonly isNoRate?: true }
  >
> = {
  surge: { name: 'surge', sentence: 'Surge: this key calls far more often than it usually does at this time.' },
  'retry-storm': {
    name: 'retry storm',
    sentence: 'Retry storm: calls that failed are sent again at once, and fail again.',
    measure: '5xx in',
  },
  enumeration: {
    name: 'enumeration',
    sentence:
      'Enumeration: this key calls one route after another that it does not usually call, as who takes, or tries out, all there is.',
    measure: 'distinct routes in 60 s',
    isNoRate: true,
  },
  'new-place': {
    name: 'key at a new place',
    sentence:
      'New place: this key is called from a network where it was not used before. If nobody has moved, it may be in other hands.',
    measure: 'calls from new places',
    isNoRate: true,
  },
  'stuck-poller': {
    name: 'stuck poller',
    sentence:
      'Stuck poller: this key calls one route again and again at an even interval, without a pause, which it does not usually do.',
    measure: 'calls of one route',
    isNoRate: true,
  },
  fall: {
    name: 'fall',
    sentence: 'Fall: this key still calls, but far less often than it usually does at this time.',
  },
  'error-loop': {
    name: 'loop of errors',
    sentence:
      'Error loop: of each hundred calls {4xx in 100 calls} are answered 4xx, {4xx in 60 s} in the last minute. They will not succeed until the client is mended.',
    measure: '4xx in 60 s',
  },
  'limit-pressure': {
    name: 'run into its limit',
    sentence:
      'Limit pressure: of the last minute {429s in 60 s} calls were refused (429), and {accepted calls in 60 s} went through. This key calls into its own limit and does not slow down.',
    measure: '429s in',
  },
  silence: {
    name: 'silence',
    sentence:
      'Silence: no call for {seconds of silence} s of a key that calls all the time, while others call; at least {calls missing} calls are missing.',
  },
  'pool-share': {
    name: 'run on the pool',
    sentence:
      'Pool share: {concurrent executions} calls of this key run at once, {% of the pool} % of the pool in which the calls of all clients run.',
    measure: 'concurrent executions',
  },
  platform: {
    name: 'platform incident',
    sentence:
      'Platform incident: many keys are wrong or failing at the same moment, so it is likely the API that is sick, not its clients.',
  },
}

export function basisText({ days, peers }: Partial<Usual> & Pick<Usual, 'days'>): string {
  if (days > 0) return `Usual is based on ${days} of 7 days.`
  if (peers === undefined) return 'Usual is based on the last hour alone: no day has this time yet.'
  const whom = peers.plan === undefined ? 'keys' : `keys of plan ${cleanText(peers.plan)}`
  return `No day has this time yet: compared with its last hour, where it has one, and with what ${withThousands(peers.keys)} other ${whom} bring at most.`
}

const heldReasons: Readonly<Record<HeldReason, string>> = {
  'observe-mode': 'Weir only observes',
  'no-harm': 'so far it harms nobody else',
  exempt: 'this tenant is exempt from throttling',
  anonymous:
    'these calls carry no API key, or one that nobody knows and for which there was no room, so there is no limit to lower',
  'key-id-unknown': 'the log carries only a hash of this key, and no tenant in tenants.yaml maps it to a key id',
  'platform-incident': 'many clients are wrong at the same moment, so no one is throttled',
  'too-many-throttled': 'as many tenants are throttled already as are allowed at once',
  halted: 'a person has halted throttling, and nobody is throttled until they let it go on',
  'too-old': 'what it called is minutes old, and says nothing about now',
  'history-unknown': 'without history it is not known what this client normally needs',
}

const restoreReasons = {
  expired: 'the time of its throttle is over',
  calm: 'its demand is back to normal',
  'platform-incident': 'many clients are wrong at the same moment, so no one stays throttled',
  operator: 'a person asked for it',
} as const
