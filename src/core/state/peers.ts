/**
 * What the known keys of a plan bring, for one of which nothing is known yet: a new client of the gold plan is compared with the
 * others of the gold plan from its first second on. Where a plan has too few, or nobody says which it is, with all keys.
 *
 *     of each known key   its average, and its busiest 10 s, 60 s and 5 min of the last weeks (own-reach.ts)
 *     typical, most       of the busiest what half of the keys reach, and what one of twenty goes beyond
 *
 * A key without any past of its own usually brings up to the most; one that is known for less than a day is allowed what is
 * typical, however little its first hour brought. Both are for surprise alone: who looks for harm is shown the key's own past or
 * none, and limits are made of that.
 *
 * Worked out once an hour, of the keys whose two days are known; and only where those are most of all keys: who was taught a part of its
 * clients must not take the rest for strangers. After a history ten minutes of the stream show who else there is.
 */
import { quantileSorted } from 'simple-statistics'
import type { OwnReach, Peers, Usual } from '../../../detectors/contract.ts'
import type { KeyPlace } from '../config/tenants.ts'
import type { ApiKeyId } from '../vocabulary.ts'
import { RING, weekCalls } from './baseline.ts'
import { MINUTES_PER_SLOT } from './coverage.ts'
import { FIRST_MINUTE, hashOfKey, idOf, isKnown, type KnownKeys, read } from './known-keys.ts'
import { ownReaches, strangersReach } from './own-reach.ts'

/** Plain data: a checkpoint holds it. Windows as in `Usual.reaches`. */
export interface PeersUsual extends Peers {
  readonly callsPerMinute: number
  readonly typical: readonly number[]
  readonly most: readonly number[]
}

export interface KnownPeers {
  readonly byPlan: ReadonlyMap<string, PeersUsual>
  readonly all: PeersUsual | undefined
}

export const NO_PEERS: KnownPeers = { byPlan: new Map(), all: undefined }

/** Which key is in which plan, as tenants.yaml says. */
export type Plans = ReadonlyMap<ApiKeyId, Pick<KeyPlace, 'usagePlan'>>

/** Fewer say little of another. */
const LEAST_KEYS = 5
/** … and of fewer of all keys than this nobody can say what others are like. */
const LEAST_SHARE = 0.8
/** Of a larger fleet so many tell as much. */
const MOST_KEYS = 20_000
const MOST_SHARE = 0.95
const TYPICAL_SHARE = 0.5

interface Peer {
  readonly callsPerMinute: number
  readonly busiest: readonly number[]
}

export function peersOf(keys: KnownKeys, plans: Plans, slot: number): KnownPeers {
  const all: Peer[] = []
  const byPlan = new Map<string, Peer[]>()
  let asked = 0
  for (const key of askedOf(keys)) {
    asked++
    const peer = peerOf(keys, key, slot)
    if (peer === undefined) continue
    const keyId = idOf(keys, key)
    all.push(peer)
    const plan = plans.get(keyId)?.usagePlan
    if (plan !== undefined) byPlan.set(plan, [...(byPlan.get(plan) ?? []), peer])
  }
  if (all.length < LEAST_SHARE * asked) return NO_PEERS
  const ofPlans = [...byPlan].flatMap(([plan, peers]) => {
    const usual = usualOfPeers(peers, plan)
    return usual === undefined ? [] : [[plan, usual] as const]
  })
  return { byPlan: new Map(ofPlans), all: usualOfPeers(all, undefined) }
}

/** In no order. Of a large fleet those whose ids hash to it, so that no order of arrival shows. */
function* askedOf(keys: KnownKeys): Generator<number> {
  const left = 2 ** Math.max(0, Math.ceil(Math.log2(keys.size / MOST_KEYS))) - 1
  for (let key = 0; key < keys.records.cells; key++)
    if (isKnown(keys, key) && (left === 0 || (hashOfKey(keys, key) & left) === 0)) yield key
}

function peerOf(keys: KnownKeys, key: number, slot: number): Peer | undefined {
  const busiest = ownReaches(keys, key, slot, 0).flatMap(({ busiestCalls }) => busiestCalls ?? [])
  const minutes = Math.min(RING, slot - read(keys, key, FIRST_MINUTE) / MINUTES_PER_SLOT) * MINUTES_PER_SLOT
  const calls = weekCalls(keys, key, slot)
  return busiest.length === 0 || calls === 0 ? undefined : { callsPerMinute: calls / minutes, busiest }
}

function usualOfPeers(peers: readonly Peer[], plan: string | undefined): PeersUsual | undefined {
  if (peers.length < LEAST_KEYS) return undefined
  const quantiles = (share: number) =>
    [0, 1, 2].map(window =>
      quantile(
        peers.map(({ busiest }) => busiest[window] ?? 0),
        share,
      ),
    )
  return {
    ...{ keys: peers.length, plan },
    callsPerMinute: quantile(
      peers.map(({ callsPerMinute }) => callsPerMinute),
      TYPICAL_SHARE,
    ),
    typical: quantiles(TYPICAL_SHARE),
    most: quantiles(MOST_SHARE),
  }
}

const quantile = (values: readonly number[], share: number): number =>
  quantileSorted(
    values.toSorted((one, other) => one - other),
    share,
  )

export const peersFor = ({ byPlan, all }: KnownPeers, plans: Plans, keyId: ApiKeyId): PeersUsual | undefined =>
  byPlan.get(plans.get(keyId)?.usagePlan ?? '') ?? all

/** What is usual of a key that is known for less than a day, with what is known of its peers. */
export function lentBy(peers: PeersUsual, own: Usual | undefined): Usual {
  const { keys, plan } = peers
  const lent = own === undefined ? peers.most : peers.typical
  const reaches = lent.map((calls, window) => raised(own?.reaches[window] ?? strangersReach(window, calls), calls))
  const [, inMinute = 0, inSlot = 0] = lent
  const slotUpperPerMinute = inSlot / MINUTES_PER_SLOT
  if (own === undefined) {
    return {
      ...{ callsPerMinute: peers.callsPerMinute, lowerPerMinute: 0, upperPerMinute: inMinute, dispersion: STRANGER },
      ...{ slotUpperPerMinute, slotLowerPerMinute: 0, longestPause: undefined, latencyMs: undefined },
      ...{
        clientErrorShare: 0,
        refusedShare: 0,
        failureShare: 0,
        answered: 0,
        days: 0,
        reaches,
        peers: { keys, plan },
      },
    }
  }
  return {
    ...own,
    upperPerMinute: Math.max(own.upperPerMinute, inMinute),
    slotUpperPerMinute: Math.max(own.slotUpperPerMinute, slotUpperPerMinute),
    reaches,
    peers: { keys, plan },
  }
}

/** Counts of one of whom nothing is known spread as those of the burstiest do. */
const STRANGER = 1

const raised = (reach: OwnReach, calls: number): OwnReach => ({
  ...reach,
  upperCalls: Math.max(reach.upperCalls, calls),
})
