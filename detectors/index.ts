/** The detectors there are. Adding one: a file, its test, a line here (detectors/README.md). */
import type { Detector } from './contract.ts'
import { enumeration } from './enumeration.ts'
import { minuteSigma } from './minute-sigma.ts'
import { newPlace } from './new-place.ts'
import { retryStorm } from './retry-storm.ts'
import { sequentialSurge } from './sequential-surge.ts'
import { slotMeanMultiple } from './slot-mean-multiple.ts'
import { stuckPoller } from './stuck-poller.ts'
import { weekMeanMultiple } from './week-mean-multiple.ts'

export const detectors: readonly Detector[] = [
  slotMeanMultiple,
  minuteSigma,
  weekMeanMultiple,
  sequentialSurge,
  retryStorm,
  enumeration,
  newPlace,
  stuckPoller,
]
