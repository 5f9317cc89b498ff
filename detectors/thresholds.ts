/** What a detector's declared thresholds come to when nobody has tuned them. Configuration makes its schema from the same declarations. */
import type { Detector, Thresholds, Values } from './contract.ts'

export function defaultValues(detector: Detector): Values<Thresholds> {
  return Object.fromEntries(Object.entries(detector.thresholds).map(([name, threshold]) => [name, threshold.default]))
}
