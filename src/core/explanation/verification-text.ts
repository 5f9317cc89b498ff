/**
 * Whether a lowered limit holds, as people read it; and where it does not, what to do about it, in the order in which it is
 * tried: with commands that can be copied, since whoever reads it was asleep a minute ago.
 */
import type { Doubt, LoweredPlan, Seen, Verification } from '../incident/verification.ts'
import type { Waiting } from '../incident/waiting.ts'
import { aws as awsApiGateway, word } from './by-hand.ts'
import type { Explanation } from './explanation.ts'
import { cleanText, durationText, limitsText, threeFigures, timeText, withThousands } from './plain-text.ts'

/** Whether what is told is that its limit does not bite. */
export const isUnheld = ({ phase, verification }: Explanation): boolean =>
  phase === 'mitigated' && verification?.verdict.kind === 'does-not-bite'

/** … that it does after all, to who heard that it does not. */
export const isHeldAgain = ({ phase, verification }: Explanation): boolean =>
  phase === 'mitigated' && verification?.verdict.kind === 'bites' && verification.alerted === 'held-again'

/** The rate, where the news is how much of it goes through; undefined elsewhere. */
export function seenLine(explanation: Explanation): string | undefined {
  const { verification } = explanation
  if (verification === undefined || !(isUnheld(explanation) || isHeldAgain(explanation))) return undefined
  const { verdict } = verification
  if (verdict.kind !== 'does-not-bite' && verdict.kind !== 'bites') return undefined
  const { accepted, seconds, refused, allowed } = verdict.seen
  const rate = threeFigures((accepted * 60) / seconds)
  return `Current: ${withThousands(accepted)} calls went through in ${seconds} s (${rate} req/min), ${withThousands(refused)} were refused. The limit allows ${threeFigures(allowed)}.`
}

export function unheldLine(explanation: Explanation): string | undefined {
  const { verification, decidedAt } = explanation
  if (verification === undefined || !isUnheld(explanation)) return undefined
  const ago = durationText(decidedAt - verification.changedAt)
  return `Client's limit was lowered ${ago} ago, and the gateway lets it through all the same: A PERSON MUST ACT.`
}

/** After the limits: how it stands with them. */
export function verificationLines({ verification, phase }: Explanation): readonly string[] {
  if (verification === undefined) return []
  const { verdict, plans } = verification
  switch (verdict.kind) {
    case 'too-early':
      return [
        `Whether it holds is looked for in the log: it may take until ${timeText(verification.settledAt)} to bite.`,
      ]
    case 'bites':
      return [
        `The limit ${phase === 'mitigated' ? 'holds' : 'held'} from ${timeText(verdict.since)} on${afterText(verdict.afterMs)}.`,
      ]
    case 'does-not-bite':
      return [
        `The limit ${phase === 'mitigated' ? 'does NOT' : 'did NOT'} hold: in the ${seenText(verdict.seen)}.`,
        `Lowered at ${timeText(verification.changedAt)}: ${plansText(plans)}.`,
      ]
    case 'cannot-tell': {
      const figures = verdict.seen === undefined ? '' : ` (in the ${seenText(verdict.seen)})`
      return [`Whether the limit held could not be verified: ${doubts[verdict.because]}${figures}.`]
    }
    default:
      return verdict satisfies never
  }
}

/** How long AWS took, which it does not publish. */
const afterText = (afterMs: number | undefined): string =>
  afterMs === undefined ? ': the plan had it already' : `, ${durationText(afterMs)} after the gateway had taken it`

function seenText({ from, seconds, accepted, refused, unclear, allowed }: Seen): string {
  const others = unclear === 0 ? '' : `, ${withThousands(unclear)} were answered otherwise`
  return `${seconds} s from ${timeText(from)} ${withThousands(accepted)} calls went through, ${withThousands(refused)} were refused (429)${others}; it allows ${threeFigures(allowed)}`
}

const doubts: Readonly<Record<Doubt, string>> = {
  'asks-less': 'the client asked for less than it allows',
  'near-limit': 'the client asked for about as much as it allows',
  silent: 'no call of it is in the log, which may leave out what is refused',
  'held-otherwise': 'the client was refused at less than it allows, so something else held it',
  'unclear-answers': 'most calls were answered neither 2xx, 5xx nor 429, which the gateway may have done by itself',
  'not-delivered': 'the log did not come so far',
  'ended-early': 'it was given back before that could be seen',
}

function plansText(plans: readonly LoweredPlan[]): string {
  const shown = plans.slice(0, mostShown).map(({ gateway, planId, limits }) => {
    const where = gateway === undefined ? '' : ` of gateway ${cleanText(gateway)}`
    return `plan ${cleanText(planId)}${where} to ${limitsText(limits)}`
  })
  const left = plans.length - shown.length
  return `${shown.join('; ')}${left > 0 ? `; and ${left} more` : ''}`
}

export interface NextStep {
  readonly what: string
  readonly commands: readonly string[]
}

/** So many plans, and so many keys, are named in commands; the JSON has all. */
const mostShown = 3

/** What somebody does about a limit that does not bite, the mildest first. */
export function nextSteps({ plans, missed }: Verification): readonly NextStep[] {
  const shown = plans.slice(0, mostShown)
  const keys = [...new Map(plans.flatMap(plan => plan.keys.map(keyId => [keyId, plan] as const)))].slice(0, mostShown)
  const apis = new Map(
    shown.flatMap(plan => (plan.stages ?? []).map(stage => [stage.split('/')[0] ?? '', plan] as const)),
  )
  const [first] = plans
  const named = apis.size > 0 ? [...apis] : first === undefined ? [] : [['REST_API_ID', first] as const]
  return [
    ...(missed === undefined ? [] : [{ what: `It was not lowered everywhere: ${cleanText(missed)}.`, commands: [] }]),
    {
      what: 'Does the plan still have that limit? Somebody may have changed it meanwhile.',
      commands: shown.map(plan => aws(plan, `get-usage-plan --usage-plan-id ${word(plan.planId)} --query throttle`)),
    },
    {
      what: 'Does something else let it through? A plan of another stage does, and so does a method’s own limit (apiStages[].throttle).',
      commands: keys.map(([keyId, plan]) =>
        aws(plan, `get-usage-plans --key-id ${word(keyId)} --query 'items[].[id,throttle,apiStages]'`),
      ),
    },
    {
      what: 'Do the methods that it calls want a key? Where apiKeyRequired is false no plan counts or limits a call.',
      commands: named.map(([api, plan]) =>
        aws(
          plan,
          `get-resources --rest-api-id ${word(api)} --embed methods --query 'items[].[path,resourceMethods.*.[httpMethod,apiKeyRequired]]'`,
        ),
      ),
    },
    {
      what: 'To stop it now, disable the key: each of its calls is answered 403, until a person sets it to true again.',
      commands: keys.map(([keyId, plan]) =>
        aws(plan, `update-api-key --api-key ${word(keyId)} --patch-operations op=replace,path=/enabled,value=false`),
      ),
    },
    {
      what: 'If that does not stop it, its calls need no key: a rate-based rule of AWS WAF on the stage does, counted by the header x-api-key or by address.',
      commands: [],
    },
  ]
}

const aws = ({ region }: LoweredPlan, rest: string): string => awsApiGateway(rest, region)

/** Numbered, each with its commands below it, and an empty line at the end. */
export function nextStepLines(explanation: Explanation): readonly string[] {
  const { verification } = explanation
  if (verification === undefined || !isUnheld(explanation)) return []
  const steps = nextSteps(verification).flatMap(({ what, commands }, index) => [
    `${index + 1}. ${what}`,
    ...commands.map(command => `   ${command}`),
  ])
  return ['Next, in this order:', ...steps, '']
}

/** Of a throttle whose turn has not come. */
export function waitText({ ahead, waitMs }: Waiting): string {
  const about = `in about ${durationText(waitMs)}`
  if (ahead === 0) return `The gateway makes the change ${about}: it takes one in 20 s.`
  return `The gateway makes the change ${about}: it takes one in 20 s, and ${withThousands(ahead)} of more dangerous clients go first.`
}

/** Of one that should have been carried out by now. */
export const lateLine = (waiting: Waiting): string =>
  `Client's limit is NOT reduced yet: asked for ${durationText(waiting.asOf - waiting.askedAt)} ago, and not carried out: ${whyText(waiting)}. Weir goes on trying.`

/** Of a limit that should be back by now. `reason`: why it is given back. */
export function backLateLine(waiting: Waiting, reason: string): string {
  const { askedAt, asOf } = waiting
  const since = `since ${timeText(askedAt)}, ${durationText(asOf - askedAt)} ago`
  return `Client's limit is NOT given back yet (${reason}): it waits ${since}, and is not carried out: ${whyText(waiting)}. Weir goes on trying.`
}

/** Why what was asked for is not carried out, as far as is known. */
export function whyText({ ahead, waitMs, because }: Waiting): string {
  const stands = ahead > 0 ? `${withThousands(ahead)} changes go before it, about ${durationText(waitMs)}` : undefined
  return because === undefined ? (stands ?? 'the gateway has not answered') : cleanText(because)
}
