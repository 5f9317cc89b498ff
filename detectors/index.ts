/** The detectors there are. Adding one: a file, its test, a line here (detectors/README.md). */
import type { Detector } from './contract.ts'
import { enumeration } from './enumeration.ts'
import { errorLoop } from './error-loop.ts'
import { fall } from './fall.ts'
import { limitPressure } from './limit-pressure.ts'
import { minuteSigma } from './minute-sigma.ts'
import { newPlace } from './new-place.ts'
import { poolShare } from './pool-share.ts'
import { retryStorm } from './retry-storm.ts'
import { sequentialSurge } from './sequential-surge.ts'
import { silence } from './silence.ts'
import { slotMeanMultiple } from './slot-mean-multiple.ts'
import { stuckPoller } from './stuck-poller.ts'
import { weekMeanMultiple } from './week-mean-multiple.ts'

export const detectors: readonly Detector[] = [
  slotMeanMultiple,
  minuteSigma,
  weekMeanMultiple,
  sequentialSurge,
  retryStorm,
  errorLoop,
  limitPressure,
  poolShare,
  silence,
  enumeration,
  newPlace,
  stuckPoller,
  fall,
]
