/** The detectors there are. Adding one: a file, its test, a line here (detectors/README.md). */
import type { Detector } from './contract.ts'

export const detectors: readonly Detector[] = []
