/**
 * Which real clients are kept apart: a third, by a hash of the id, fixed before anything was tuned. Whoever tunes looks at
 * the others only; what was reached is then measured on these. The seed is never changed.
 */
import { createRandom } from '../../../simulation/random.ts'

const SEED = 20_261_012

export const isHeldOut = (id: string): boolean => createRandom(SEED, `held out/${id}`).integer(3) === 0
