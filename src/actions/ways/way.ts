/**
 * The ways to lower a limit, behind one interface, so that the performer asks none of them how it is done. Which way is taken
 * for a key is said in the configuration; none takes another's place by itself, since they do not cost a client the same.
 *
 *   throttle: find (what is there to be lowered?) ──► lower (each by itself)
 *   restore:  each story of ours ──► restore
 */
import type { APIGatewayClient } from '@aws-sdk/client-api-gateway'
import type { Clock } from '../../clock.ts'
import type { WayName } from '../../core/config/tenants.ts'
import type { Outcome, RestoreEffect, ThrottleEffect } from '../../core/incident/effect.ts'
import type { LimitPlace, LimitStory } from '../../core/incident/limit-story.ts'
import type { LimitsOrNone } from '../../core/incident/plan-story.ts'
import { type ApiKeyId, MINUTE_MS } from '../../core/vocabulary.ts'
import type { Attempt, ControlPlaneQueue, Want } from '../control-plane-queue.ts'
import type { Asking, Refusal, Silence, UsagePlans } from '../usage-plan-client.ts'
import type { AuthorizerTable } from './authorizer-rows.ts'
import type { Ledger } from './ledger.ts'

/** So often a restore is tried that only a person can make possible. */
export const mendEveryMs = 5 * MINUTE_MS

/** The API Gateway of one account and region. */
export interface GatewayControl {
  readonly client: APIGatewayClient
  /** The account's and region's one queue. */
  readonly queue: ControlPlaneQueue
  /** Only plans of one of these stages (`apiId/stage`) are lowered; of any where none is named. */
  readonly stages?: readonly string[] | undefined
  /** As configured: for the commands that people are told. */
  readonly region?: string | undefined
  /** For keys of which tenants.yaml says nothing else; without it their own plan is lowered. */
  readonly way?: WayName | undefined
  /** Where keys are moved to. */
  readonly penaltyPlan?: string | undefined
  /** What the API's authorizer reads. */
  readonly authorizerTable?: AuthorizerTable | undefined
}

export interface KnownGateway extends GatewayControl {
  readonly plans: UsagePlans
}

/** By name; that of `gateway` has none. */
export type KnownGateways = ReadonlyMap<string | undefined, KnownGateway>

export interface PlacedKey {
  readonly keyId: ApiKeyId
  /** The plan that the configuration names for it. */
  readonly usagePlan: string | undefined
  /** The id under which the gateway's authorizer knows it. */
  readonly row: string
}

/** The keys of a throttle that are at one gateway and lowered in one way. */
export interface Part {
  readonly gateway: string | undefined
  readonly keys: readonly PlacedKey[]
}

export interface Targets<Target> {
  readonly kind: 'found'
  readonly targets: readonly Target[]
  /** What is not lowered, and why. */
  readonly missed: readonly string[]
}

/** What came of an effect at one place; undefined where none was found. */
export interface Performed {
  readonly place: LimitPlace | undefined
  readonly outcome: Outcome
}

/** What the parts of one effect know of each other. */
export interface Run {
  readonly signal: AbortSignal
  /** The effect's claim at each gateway. */
  readonly wants: ReadonlyMap<string | undefined, Want>
  /** Whether this gateway is to be waited for no longer, since others have lowered what they have. */
  isMissed(gateway: string | undefined): boolean
}

export interface Way<Target extends LimitPlace, Story extends LimitStory> {
  readonly name: WayName
  /** Silent where the gateway left one question without an answer. */
  find(effect: ThrottleEffect, part: Part, asking: Asking): Promise<Targets<Target> | Silence>
  lower(effect: ThrottleEffect, target: Target, run: Run): Promise<Performed>
  restore(effect: RestoreEffect, story: Story, run: Run): Promise<Performed>
  /** Whether what the story tells of is still taken. It is where that cannot be told; refused where the gateway has no name any more. */
  isTaken(story: Story, asking: Asking): Promise<{ readonly kind: 'known'; readonly isTaken: boolean } | Refused>
}

export interface Trouble {
  readonly effectId: string
  readonly error: string
  readonly nextTryInMs: number
}

/** What all ways are handed. */
export interface WayWorld {
  readonly gateways: KnownGateways
  readonly ledger: Ledger
  readonly clock: Clock
  readonly random: () => number
  /** Told of each failed try that will be made again. */
  readonly onTrouble: (trouble: Trouble) => void
}

export type LimitEffect = ThrottleEffect | RestoreEffect

export type Refused = Extract<Outcome, { kind: 'refused' }>

export function refused(because: string): Refused {
  return { kind: 'refused', because }
}

/** Whether a throttle that finds all as it wants it says something new: for whom, or until when. */
export const isNewHold = ({ holders, expiresAt = 0 }: LimitStory, effect: ThrottleEffect): boolean =>
  !holders.includes(effect.keyId) || expiresAt < effect.expiresAt

export const missed = (because: string): Performed => ({ place: undefined, outcome: refused(because) })

export const superseded = refused('a newer change for the same key took its place')

export function applied({ before, after }: { readonly before: LimitsOrNone; readonly after: LimitsOrNone }): Outcome {
  return { kind: 'applied', before: before ?? undefined, after: after ?? undefined }
}

export function done(value: Outcome, holdMs: number): Attempt<Outcome> {
  return { kind: 'done', value, holdMs }
}

export const gatewayText = (name: string | undefined): string => (name === undefined ? '`gateway`' : `gateway ${name}`)

export const silent = (gateway: string | undefined, because: string): string =>
  `${gatewayText(gateway)} does not answer: ${because}`

export const noGateway = (name: string | undefined): string =>
  name === undefined ? 'no `gateway` is configured' : `no gateway ${name} is configured in \`gateways\``

/** For people: how to name the gateway again is all that can be done here. `still`: what is not given back. */
export function notConfigured(gateway: string | undefined, still: string): Refused {
  const wanted = gateway === undefined ? 'Configure `gateway` again' : `Name it ${gateway} in \`gateways\` again`
  return refused(
    `${still}, and ${gatewayText(gateway)} is not configured any more. ${wanted} and start anew: the limit is then given back, or seen to be back`,
  )
}

export type { Refusal }
