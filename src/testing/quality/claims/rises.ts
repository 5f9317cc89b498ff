/**
 * Whether a rise is seen that `weir explain` says would be: clients are made to call at the stated rate, and at parts of it, from
 * some moment on, and watched for as long as was stated.
 *
 *     the engine of that moment ─→ a copy for each length of time and part ─→ everybody rises at once ─→ whose incident opens
 *
 * A client's own calls stay, and as many come on top by chance (Poisson) as the stated rate has beyond what is usual. It begins
 * anywhere in a second, and what is decided later than stated does not count: looks come with whole seconds, and
 * waiting for one is a part of the time. All rise in one copy, since whether a client's incident opens does not depend on others
 * (what is done about it does: so many at once are taken for a sick API, and opened all the same).
 */
import { createBatch, type PaneRow } from '../../../core/call-batch.ts'
import { advance, type Engine } from '../../../core/engine.ts'
import { observe, surgeSeen } from '../../../core/explanation/observation.ts'
import { type EpochMs, SECOND_MS } from '../../../core/vocabulary.ts'
import { createRandom, type Random } from '../../../simulation/random.ts'
import { copyOf, engineFrom } from '../../../worker/engine-copy.ts'
import type { Configuration } from '../configuration.ts'
import { type Fleet, inputOf } from '../fleet.ts'
import { tellingsOf } from '../telling.ts'

/** Of the stated rate: above it, at it, and below. */
export const partsOfStated = [1.25, 1, 1 / 1.1, 1 / 1.2, 1 / 1.3, 1 / 1.4, 1 / 1.5, 1 / 1.75, 1 / 2] as const

/** What was stated of a client and a length of time, and how often it held. */
export interface RisesSeen {
  readonly seconds: number
  readonly trials: number
  /** As `partsOfStated`. */
  readonly seen: readonly number[]
}

export interface Moment {
  readonly engine: Engine
  readonly configuration: Configuration
  readonly fleet: Fleet
  /** Epoch ms, a whole second; event time has not passed it yet. */
  readonly at: EpochMs
  /** Of each second from then on. */
  readonly panes: readonly (readonly PaneRow[])[]
}

/** What is stated of a client by a moment. */
interface Stated {
  readonly key: number
  readonly seconds: number
  readonly perSecond: number
  readonly usualPerSecond: number
}

/** By place in the fleet; who has an incident already, or nothing usual, is left out. */
export function risesAt(moment: Moment): ReadonlyMap<number, readonly RisesSeen[]> {
  const stated = statedBy(moment)
  const copy = copyOf(moment.engine)
  const byKey = new Map<number, RisesSeen[]>()
  for (const seconds of new Set(stated.map(one => one.seconds))) {
    const rising = stated.filter(one => one.seconds === seconds)
    const seen = partsOfStated.map(part => {
      const engine = engineFrom(moment.configuration.settings, structuredClone(copy))
      return play(engine, moment, rising, { seconds, part })
    })
    for (const { key } of rising) {
      const counts = { seconds, trials: 1, seen: seen.map(keys => (keys.has(key) ? 1 : 0)) }
      byKey.set(key, [...(byKey.get(key) ?? []), counts])
    }
  }
  return byKey
}

function statedBy({ engine, fleet, at }: Moment): readonly Stated[] {
  return fleet.tenants.flatMap(({ id, judgedTo }, key) => {
    const observation = judgedTo < at + 2 * 60 * SECOND_MS ? undefined : observe(engine, id, at)
    if (observation === undefined || (observation.phase !== 'quiet' && observation.phase !== 'suspected')) return []
    const usualPerSecond = (observation.view.usual?.callsPerMinute ?? 0) / 60
    return (surgeSeen(observation) ?? []).map(({ seconds, callsPerMinute }) => ({
      ...{ key, seconds, usualPerSecond, perSecond: callsPerMinute / 60 },
    }))
  })
}

/** Whose incident opened in time. */
function play(
  engine: Engine,
  { fleet, at, panes }: Moment,
  rising: readonly Stated[],
  { seconds, part }: { readonly seconds: number; readonly part: number },
): ReadonlySet<number> {
  const scripts = rising.map(({ key, perSecond, usualPerSecond }) => {
    const random = createRandom(seed, `${fleet.keys.ids[key]} ${at} ${seconds} ${part}`)
    const begins = random.uniform()
    return { key, begins, added: addedTo({ perSecond: part * perSecond, usualPerSecond, begins, random }) }
  })
  const numbers = new Map(fleet.keys.ids.map((id, key) => [id, key]))
  const begins = new Map(scripts.map(script => [script.key, script.begins]))
  const seen = new Set<number>()
  const batch = createBatch(fleet.keys, 1)
  // The second after is the one with which the last look comes.
  for (let second = 0; second <= seconds; second++) {
    const start = at + second * SECOND_MS
    batch.panes = [...panes[second]]
    for (const { key, added } of scripts) batch.panes.push(answered(key, start, added(second)))
    for (const { keyId, at: decidedAt } of tellingsOf(advance(engine, inputOf(batch, start + SECOND_MS - 1)))) {
      const key = numbers.get(keyId)
      const begun = key === undefined ? undefined : begins.get(key)
      if (key !== undefined && begun !== undefined && decidedAt <= at + (begun + seconds) * SECOND_MS) seen.add(key)
    }
  }
  return seen
}

const seed = 5_15_60

interface Rise {
  readonly perSecond: number
  readonly usualPerSecond: number
  /** Part of the first second that is over when it begins. */
  readonly begins: number
  readonly random: Random
}

/** Calls that come on top in each second, asked for once and in order. */
function addedTo({ perSecond, usualPerSecond, begins, random }: Rise): (second: number) => number {
  const added = Math.max(0, perSecond - usualPerSecond)
  return second => random.poisson(added * (second === 0 ? 1 - begins : 1))
}

const answered = (key: number, start: EpochMs, calls: number): PaneRow => ({
  ...{ key, start, seconds: 1, calls, status2xx: calls, status4xx: 0, status429: 0, status5xx: 0 },
  ...{ latencySumMs: 0, latencyCount: 0, bytes: 0 },
})
