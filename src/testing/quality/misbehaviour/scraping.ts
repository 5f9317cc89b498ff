/** Somebody takes everything there is: one route after another, none of them twice, at a rate that hurts nobody. */
import { SECOND_MS } from '../../../core/vocabulary.ts'
import type { Misbehaviour } from '../contract.ts'
import { addedPlay, createBeat } from './added-calls.ts'
import { mannerOf } from './manner.ts'

const LEAST_PER_SECOND = 2
const JITTER = 0.5
/** Numbers that were never given out, or are gone. */
const MISSING_SHARE = 0.04

export const scraping: Misbehaviour = {
  name: 'scraping',
  sentence: 'items are read by rising numbers, each a route of its own, at the usual rate (at least two a second)',
  kind: 'enumeration',
  namedWithinSeconds: 300,
  multiple: undefined,
  harms: false,
  seconds: 900,
  suits: () => true,
  start(scene) {
    const { random } = scene
    const manner = mannerOf(scene)
    const { source } = manner.call(scene.from)
    const callsPerSecond = Math.max(scene.usualPerSecond, LEAST_PER_SECOND)
    const beat = createBeat(scene, { intervalMs: SECOND_MS / callsPerSecond, jitter: JITTER })
    let item = 1_000 + random.integer(1_000_000)
    return addedPlay(scene, second =>
      beat.in(second).map(at => {
        const status = random.uniform() < MISSING_SHARE ? 404 : 200
        return { ...manner.call(at), status, route: `/v1/items/${item++}`, source }
      }),
    )
  },
}
