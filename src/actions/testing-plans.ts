/** The gateway's simulation, served, with a journal in a folder of its own: what the tests of usage plans live in. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach } from 'vitest'
import { scaledClock } from '../clock.ts'
import type { PlanLimits, RestoreEffect, ThrottleEffect } from '../core/incident/effect.ts'
import { createGateway, type Gateway, type GatewaySetup, type PlanSetup } from '../simulation/gateway.ts'
import { type ServedGateway, serveGateway } from '../simulation/gateway-server.ts'
import { journalIndex, openEffectJournal } from '../stores/effect-journal.ts'
import type { EffectJournal } from '../stores/journal-entry.ts'
import { controlPlaneQueue } from './control-plane-queue.ts'
import type { Performer } from './performer.ts'
import { type UsagePlanPerformerOptions, usagePlanPerformer } from './usage-plan.ts'
import { apiGatewayClient } from './usage-plan-client.ts'
import type { GatewayControl } from './ways/way.ts'

export const limits = (rateLimit: number, burstLimit: number): PlanLimits => ({ rateLimit, burstLimit })
export const original = limits(100.25, 200)
export const low = limits(5, 10)
export const expiresAt = 600_001
export const never = new AbortController().signal

/** Twenty seconds of the gateway take ten milliseconds. */
export const clock = scaledClock({ startsAt: 0, speed: 2_000 })
const random = () => 0.5

export function throttle(
  step: string,
  wanted: PlanLimits = low,
  {
    keyId = 'key-a',
    urgency = 1,
    keys = [{ keyId, limits: wanted }],
    siblings = [],
  }: Partial<Pick<ThrottleEffect, 'keyId' | 'urgency' | 'keys' | 'siblings'>> = {},
): ThrottleEffect {
  const id = `${keyId}#1/${step}`
  const about = { id, incidentId: `${keyId}#1`, keyId, decidedAt: 1 }
  return { kind: 'throttle', ...about, limits: wanted, expiresAt, urgency, keys, siblings }
}

export function restore(step: 'half' | 'full', keyId = 'key-a'): RestoreEffect {
  return { kind: 'restore', id: `${keyId}#1/${step}`, incidentId: `${keyId}#1`, keyId, decidedAt: 1, step }
}

/** What is lowered plan by plan is the story of tests of its own (usage-plan-verified.test.ts). */
const withoutPlans =
  ({ perform }: Performer<ThrottleEffect | RestoreEffect>): typeof perform =>
  async (effect, signal) => {
    const outcome = await perform(effect, signal)
    if (outcome.kind === 'refused') return outcome
    const { plans: _, ...rest } = outcome
    return rest
  }

/** A performer's options, of one gateway. */
export type WorldOptions = Partial<UsagePlanPerformerOptions & Omit<GatewayControl, 'client'>>

type Operation = 'GetUsagePlan' | 'GetUsagePlans' | 'UpdateUsagePlan' | 'CreateUsagePlanKey' | 'DeleteUsagePlanKey'

/** A world of its own for each test of the file that calls this. */
export function planWorld() {
  let directory: string
  let gateway: Gateway
  let served: ServedGateway
  let client: ReturnType<typeof apiGatewayClient>
  let closing: (() => Promise<void>)[]

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'weir-usage-plan-'))
    closing = []
    await serve([{ id: 'plan-a', limits: original, keys: ['key-a'] }])
  })

  afterEach(async () => {
    for (const close of closing) await close()
    await rm(directory, { recursive: true, force: true })
  })

  async function serve(
    plans: readonly PlanSetup[],
    time = clock,
    setup: Omit<Partial<GatewaySetup>, 'clock' | 'plans'> = {},
  ): Promise<void> {
    gateway = createGateway({ clock: time, plans, keys: [{ id: 'key-free' }], ...setup })
    const here = await serveGateway(gateway)
    const talking = apiGatewayClient({ endpoint: here.endpoint, timeoutMs: 250 })
    served = here
    client = talking
    closing.push(async () => {
      talking.destroy()
      await here.close()
    })
  }

  /** A second gateway, named `eu`, and what a performer is given of both. */
  async function serveEurope(plans: readonly PlanSetup[]) {
    const europe = createGateway({ clock, plans })
    const here = await serveGateway(europe)
    const talking = apiGatewayClient({ endpoint: here.endpoint, timeoutMs: 250 })
    closing.push(async () => {
      talking.destroy()
      await here.close()
    })
    let isDown = false
    talking.middlewareStack.add(
      next => async call => {
        if (isDown)
          throw Object.assign(new Error('down'), { name: 'InternalFailure', $metadata: { httpStatusCode: 500 } })
        return next(call)
      },
      { step: 'initialize' },
    )
    const first: GatewayControl = { client, queue: controlPlaneQueue({ clock }) }
    const second: GatewayControl = { client: talking, queue: controlPlaneQueue({ clock }) }
    const gateways = new Map<string | undefined, GatewayControl>([
      [undefined, first],
      ['eu', second],
    ])
    const failEurope = (down: boolean): void => {
      isDown = down
    }
    return { europe, served: here, gateways, failEurope }
  }

  /**
   * A worker's start: the journal as the last one left it, and a performer that knows no more than that. Its journal is the only
   * one that is open: opening another would put a new file in the place of the one it writes to.
   */
  async function start({ queue = controlPlaneQueue({ clock }), journal: given, ...options }: WorldOptions = {}) {
    const journal = given ?? (await openEffectJournal(directory))
    if (given === undefined) closing.push(() => journal.close())
    const { stages, way, penaltyPlan, authorizerTable, ...rest } = options
    const control = { client, queue, stages, region: 'eu-west-1', way, penaltyPlan, authorizerTable }
    const gateways = new Map([[undefined, control]])
    const performer = usagePlanPerformer({ gateways, clock, random, journal, ...rest })
    return { journal, queue, performer, resume: performer.resume, perform: withoutPlans(performer) }
  }

  /**
   * A life that ends at its `crashAt`th step: before or after a write to its journal, before or after a call to the gateway, whose
   * answer it then never sees. `died` tells whether it came so far.
   */
  async function dieAt(crashAt: number, effect: ThrottleEffect | RestoreEffect, options: WorldOptions = {}) {
    const crash = new AbortController()
    let steps = 0
    const step = (): void => {
      if (steps++ === crashAt) crash.abort(new Error('crash'))
      crash.signal.throwIfAborted()
    }
    const journal = await openEffectJournal(directory)
    const dying: EffectJournal = {
      ...journal,
      async append(entries) {
        step()
        await journal.append(entries)
        step()
      },
    }
    const talking = apiGatewayClient({ endpoint: served.endpoint, timeoutMs: 250 })
    talking.middlewareStack.add(
      next => async call => {
        step()
        const answer = await next(call)
        step()
        return answer
      },
      { step: 'initialize' },
    )
    const { stages, way, penaltyPlan, authorizerTable, claims, ...rest } = options
    const claiming = claims && {
      ...claims,
      async take(thing: string) {
        step()
        const by = await claims.take(thing)
        step()
        return by
      },
    }
    const control = { client: talking, queue: controlPlaneQueue({ clock }), stages, way, penaltyPlan, authorizerTable }
    const { perform } = usagePlanPerformer({
      ...{ gateways: new Map([[undefined, control]]), clock, random, journal: dying },
      ...rest,
      ...(claiming && { claims: claiming }),
    })
    const died = await perform(effect, crash.signal).then(
      () => false,
      failure => {
        if (!crash.signal.aborted) throw failure
        return true
      },
    )
    talking.destroy()
    await journal.close()
    return { died }
  }

  /** Another world, for a test that lives through many. */
  async function renew(plans: readonly PlanSetup[], setup: Parameters<typeof serve>[2] = {}): Promise<void> {
    for (const close of closing.splice(0)) await close()
    await rm(directory, { recursive: true, force: true })
    directory = await mkdtemp(join(tmpdir(), 'weir-usage-plan-'))
    await serve(plans, clock, setup)
  }

  /** The next calls end with an error of this name before they reach the gateway: those of one plan, if one is named. */
  function failNext(
    operation: Operation,
    name: string,
    { times = 1, planId, status = 403 }: { times?: number; planId?: string; status?: number } = {},
  ) {
    let left = times
    client.middlewareStack.add(
      (next, { commandName }) =>
        async call => {
          const asked = 'usagePlanId' in call.input ? call.input.usagePlanId : undefined
          const isMeant = commandName === `${operation}Command` && (planId === undefined || asked === planId)
          if (isMeant && left-- > 0)
            throw Object.assign(new Error('as told by the test'), { name, $metadata: { httpStatusCode: status } })
          return next(call)
        },
      { step: 'initialize' },
    )
  }

  /** The same life's journal as the worker writes it: each outcome after its effect. */
  async function live(options: WorldOptions = {}) {
    const worker = await start(options)
    return {
      ...worker,
      async perform(effect: ThrottleEffect | RestoreEffect) {
        const outcome = await worker.perform(effect, never)
        await worker.journal.append([{ kind: 'outcome', at: 1, effectId: effect.id, outcome }])
        return outcome
      },
    }
  }

  async function storiesAfterRestart() {
    const { journal } = await start()
    return [...journalIndex(journal.recovered).stories.keys()]
  }

  const set = () => gateway.changes().map(({ planId, after }) => ({ planId, after }))

  return {
    serve,
    serveEurope,
    start,
    live,
    dieAt,
    renew,
    failNext,
    storiesAfterRestart,
    set,
    get directory() {
      return directory
    },
    get gateway() {
      return gateway
    },
    get served() {
      return served
    },
  }
}
