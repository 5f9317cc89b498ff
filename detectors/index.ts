/** The detectors there are. Adding one: a file, its test, a line here (detectors/README.md). */
import type { Detector } from './contract.ts'
import { fall } from './fall.ts'
import { minuteSigma } from './minute-sigma.ts'
import { retryStorm } from './retry-storm.ts'
import { sequentialSurge } from './sequential-surge.ts'
import { slotMeanMultiple } from './slot-mean-multiple.ts'
import { weekMeanMultiple } from './week-mean-multiple.ts'

export const detectors: readonly Detector[] = [
  slotMeanMultiple,
  minuteSigma,
  weekMeanMultiple,
  sequentialSurge,
  retryStorm,
  fall,
]
