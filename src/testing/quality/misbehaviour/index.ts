/** All misbehaviours, by what they do: too many calls, the same call, calls that cannot succeed, somebody else's calls, few or none. */
import type { Misbehaviour } from '../contract.ts'
import { errorLoops } from './error-loop.ts'
import { fall } from './fall.ts'
import { leakedKey } from './leaked-key.ts'
import { refusedLimit } from './refused-limit.ts'
import { retryStorms } from './retry-storm.ts'
import { scraping } from './scraping.ts'
import { silence } from './silence.ts'
import { slowRamps } from './slow-ramp.ts'
import { stuckPoller } from './stuck-poller.ts'
import { surges } from './surge.ts'

export const misbehaviours: readonly Misbehaviour[] = [
  ...retryStorms,
  ...surges,
  ...slowRamps,
  stuckPoller,
  ...errorLoops,
  refusedLimit,
  scraping,
  leakedKey,
  fall,
  silence,
]
