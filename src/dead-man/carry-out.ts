/**
 * Carries a standing order out at the gateway: read what it has, judge, change, and from the beginning again wherever the
 * change did not get through, so that a person's change in between still wins. Doing it twice does no harm.
 *
 *     plan: read → judge → PATCH, both numbers in one
 *     key:  read → judge → out of the penalty plan → into its own          (cut short in between: found in no plan, and goes on there)
 *
 * AWS takes one UpdateUsagePlan in 20 s an account, and ten limits may come due at once: tries are spread by chance until
 * the time given is over. Then it fails, and whoever called tries again.
 */
import {
  type APIGatewayClient,
  CreateUsagePlanKeyCommand,
  DeleteUsagePlanKeyCommand,
  GetUsagePlanCommand,
  GetUsagePlansCommand,
  type ThrottleSettings,
  UpdateUsagePlanCommand,
  type UsagePlan,
} from '@aws-sdk/client-api-gateway'
import { type Change, methodsText, type PathForm, patchTo } from '../actions/ways/own-plan-decision.ts'
import { isMethod, type MethodChange } from '../core/incident/plan-story.ts'
import {
  type FoundPlan,
  type FoundSettings,
  judgeMove,
  judgePlan,
  type Left,
  type MoveGiveBack,
  type PlanGiveBack,
  type PlanVerdict,
  type StandingOrder,
} from '../core/incident/standing-order.ts'
import { type PlanLimits, SECOND_MS } from '../core/vocabulary.ts'

export type CarriedOut =
  | { readonly kind: 'given-back' }
  /** back: it had its original. others: a person set what it has. gone: there is no such plan or key any more. */
  | { readonly kind: 'left'; readonly because: 'back' | 'others' | 'gone' }

export interface Means {
  readonly gateway: APIGatewayClient
  readonly sleep: (ms: number) => Promise<void>
  readonly random: () => number
  /** Of the time given. */
  readonly leftMs: () => number
  /** Told of each try that will be made again. */
  readonly onTrouble: (because: string) => void
}

/** Kept for what comes after the last try: telling people, and the answer itself. */
const reserveMs = 15 * SECOND_MS
const firstPauseMs = SECOND_MS
/** So often an account's usage plans can be changed. */
const longestPauseMs = 20 * SECOND_MS

const back: CarriedOut = { kind: 'left', because: 'back' }
const others: CarriedOut = { kind: 'left', because: 'others' }
const gone: CarriedOut = { kind: 'left', because: 'gone' }
const givenBack: CarriedOut = { kind: 'given-back' }

/** What the tries of one order know of each other. */
interface Tries {
  /** A change without an answer may have arrived: what is found to be back then was given back all the same. */
  hasChanged: boolean
  /** Ways to write a method's path that are left: what AWS's reference says and what its users send differ. */
  forms: readonly PathForm[]
}

/** Rejects with the last trouble when the time is over, and at once where only a person can help. */
export async function carryOut({ giveBack }: StandingOrder, means: Means): Promise<CarriedOut> {
  const tries: Tries = { hasChanged: false, forms: ['raw', 'escaped'] }
  for (let attempt = 0; ; attempt++) {
    try {
      const done = await (giveBack.kind === 'plan'
        ? raise(giveBack, means.gateway, tries)
        : moveBack(giveBack, means.gateway, tries))
      return done === back && tries.hasChanged ? givenBack : done
    } catch (error) {
      if (!isPassing(error)) throw error
      const pauseMs = pauseAfter(error, attempt, means.random)
      if (means.leftMs() < pauseMs + reserveMs) throw error
      means.onTrouble(textOf(error))
      await means.sleep(pauseMs)
    }
  }
}

async function raise(order: PlanGiveBack, gateway: APIGatewayClient, tries: Tries): Promise<CarriedOut> {
  const { planId: usagePlanId } = order
  const plan = await unlessGone(gateway.send(new GetUsagePlanCommand({ usagePlanId })))
  if (plan === undefined) return gone
  const found = settingsOf(plan)
  const verdict = judgePlan(order, found)
  if (verdict.kind === 'leave') return left(verdict)
  const [form] = tries.forms
  const change = changeOf(found, verdict, form !== undefined)
  // What no way of writing a method's path brings back keeps nothing else lowered, and is for a person.
  if (change === undefined)
    throw new ForPerson(`the gateway does not take the limits of ${methodsText(verdict.methods)}`)
  tries.hasChanged = true
  const patchOperations = patchTo(change, form ?? 'raw')
  try {
    await gateway.send(new UpdateUsagePlanCommand({ usagePlanId, patchOperations }))
  } catch (error) {
    if (nameOf(error) !== 'BadRequestException' || change.methods.length === 0) throw error
    tries.forms = tries.forms.slice(1)
    throw new NotTaken(textOf(error))
  }
  if (verdict.methods.length === 0) return givenBack
  const now = await gateway.send(new GetUsagePlanCommand({ usagePlanId }))
  if (judgePlan(order, settingsOf(now)).kind === 'leave') return givenBack
  tries.forms = tries.forms.slice(1)
  throw new NotTaken('the limits of single methods are not back yet')
}

/** Worth another try, in another form. */
class NotTaken extends Error {}

/** Not worth another try. */
class ForPerson extends Error {}

/** undefined: there is nothing that could still be tried. */
function changeOf(
  found: FoundSettings,
  { limits, methods }: Extract<PlanVerdict, { kind: 'restore' }>,
  withMethods: boolean,
): Change | undefined {
  const before = found.limits ?? null
  const changed = methods.flatMap(({ limits: after, ...place }): readonly MethodChange[] => {
    const own = found.methods.find(method => isMethod(method, place))?.limits
    return own ? [{ ...place, before: own, after }] : []
  })
  if (limits === undefined && !withMethods) return undefined
  return { before, after: limits === undefined ? before : limits, methods: withMethods ? changed : [] }
}

const left = ({ because }: Left): CarriedOut => (because === 'back' ? back : others)

function settingsOf({ throttle, apiStages = [] }: UsagePlan): FoundSettings {
  const methods = apiStages.flatMap(({ apiId, stage, throttle: own = {} }) =>
    Object.entries(own).map(([method, limits]) => {
      return {
        apiStage: `${apiId}:${stage}`,
        method: method.replaceAll('~1', '/').replaceAll('~0', '~'),
        limits: whole(limits),
      }
    }),
  )
  return { limits: throttle === undefined ? null : whole(throttle), methods }
}

/** undefined: half a throttle, which is nothing that we ever set. */
function whole({ rateLimit, burstLimit }: ThrottleSettings): PlanLimits | undefined {
  return rateLimit === undefined || burstLimit === undefined ? undefined : { rateLimit, burstLimit }
}

async function moveBack(order: MoveGiveBack, gateway: APIGatewayClient, tries: Tries): Promise<CarriedOut> {
  const keyId = order.movedKey
  const current = await plansOf(keyId, gateway)
  if (current === undefined) return gone
  const verdict = judgeMove(order, current)
  if (verdict.kind === 'leave') return left(verdict)
  const addTo = await existing(verdict.addTo, gateway)
  // A key in the penalty plan is slow; one in no plan is refused every call.
  if (addTo.length === 0 && verdict.addTo.length > 0) return gone
  tries.hasChanged = true
  if (verdict.removeFrom !== undefined)
    await unlessGone(gateway.send(new DeleteUsagePlanKeyCommand({ usagePlanId: verdict.removeFrom, keyId })))
  for (const usagePlanId of addTo)
    await gateway.send(new CreateUsagePlanKeyCommand({ usagePlanId, keyId, keyType: 'API_KEY' }))
  return givenBack
}

/** undefined: there is no such key. */
async function plansOf(keyId: string, gateway: APIGatewayClient): Promise<readonly FoundPlan[] | undefined> {
  const plans: FoundPlan[] = []
  for (let position: string | undefined; ; ) {
    const command = new GetUsagePlansCommand({ keyId, limit: 500, ...(position !== undefined && { position }) })
    const page = await unlessGone(gateway.send(command))
    if (page === undefined) return undefined
    for (const { id, apiStages = [] } of page.items ?? [])
      if (id !== undefined) plans.push({ id, stages: apiStages.map(({ apiId, stage }) => `${apiId}/${stage}`) })
    position = page.position
    if (position === undefined) return plans
  }
}

async function existing(planIds: readonly string[], gateway: APIGatewayClient): Promise<readonly string[]> {
  const found: string[] = []
  for (const usagePlanId of planIds) {
    const plan = await unlessGone(gateway.send(new GetUsagePlanCommand({ usagePlanId })))
    if (plan !== undefined) found.push(usagePlanId)
  }
  return found
}

async function unlessGone<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer
  } catch (error) {
    if (nameOf(error) === 'NotFoundException') return undefined
    throw error
  }
}

/** Throttled, changed by somebody else in this moment, or not answered at all; by name first, since a used-up quota is a 429 too. */
function isPassing(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof NotTaken) return true
  const { name } = error
  if (error instanceof ForPerson || name === 'LimitExceededException') return false
  if (name === 'TooManyRequestsException' || name === 'ConflictException') return true
  const status = statusOf(error)
  return status === undefined || status >= 500 || status === 408 || status === 429
}

const nameOf = (error: unknown): string | undefined => (error instanceof Error ? error.name : undefined)

function statusOf(error: Error): number | undefined {
  const { $metadata: metadata }: { readonly $metadata?: unknown } = { $metadata: undefined, ...error }
  if (typeof metadata !== 'object' || metadata === null || !('httpStatusCode' in metadata)) return undefined
  return typeof metadata.httpStatusCode === 'number' ? metadata.httpStatusCode : undefined
}

function pauseAfter(error: unknown, attempt: number, random: () => number): number {
  const asked = error instanceof Error && 'retryAfterSeconds' in error ? Number(error.retryAfterSeconds) : Number.NaN
  const least = asked > 0 ? Math.min(asked * SECOND_MS, longestPauseMs) : 0
  // Whoever is refused with others does not come back with them.
  return least + Math.min(firstPauseMs * 2 ** attempt, longestPauseMs) * (0.5 + random() / 2)
}

export function textOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error)
}
