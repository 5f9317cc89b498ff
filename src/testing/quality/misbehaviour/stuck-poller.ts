/**
 * A poller that nobody stopped: one call, always the same, at an exact interval, at night as by day. The interval is one that
 * people write (2 s, 1 s, 500 ms …): the longest that at least doubles what is usual.
 */
import { SECOND_MS } from '../../../core/vocabulary.ts'
import type { Misbehaviour, Scene } from '../contract.ts'
import { addedPlay, createBeat } from './added-calls.ts'
import { mannerOf } from './manner.ts'

const INTERVALS_MS = [2_000, 1_000, 500, 250, 200, 100, 50, 20, 10]
const SHORTEST_MS = 5

export const stuckPoller: Misbehaviour = {
  name: 'stuck-poller',
  sentence: 'one call is repeated at an exact interval without end, and about doubles what is usual',
  kind: 'stuck-poller',
  // That it goes on without a pause takes five minutes to see.
  namedWithinSeconds: 600,
  multiple: undefined,
  harms: false,
  seconds: 3_600,
  suits: () => true,
  start(scene) {
    const manner = mannerOf(scene)
    const { route, source } = manner.call(scene.from)
    const beat = createBeat(scene, { intervalMs: intervalOf(scene), jitter: 0 })
    return addedPlay(scene, second => beat.in(second).map(at => ({ ...manner.call(at), status: 200, route, source })))
  },
}

const intervalOf = ({ usualPerSecond }: Scene): number =>
  INTERVALS_MS.find(intervalMs => SECOND_MS / intervalMs >= usualPerSecond) ?? SHORTEST_MS
