/**
 * Which of the reports on throttles and restores under way say something new: the engine is told of these, and of nothing that only says
 * that a little more of the wait has passed. Bounded by those under way: whoever is not reported on is forgotten.
 */
import type { ProgressReport } from '../core/incident/effect.ts'
import { CHANGE_EVERY_MS } from '../core/incident/waiting.ts'
import { type EpochMs, SECOND_MS } from '../core/vocabulary.ts'

/** Without a queue or trouble a change has its outcome by then. */
export const waitsAfterMs = 10 * SECOND_MS

export type ProgressNews = (reports: readonly ProgressReport[], now: EpochMs) => readonly ProgressReport[]

export function createProgressNews(): ProgressNews {
  let told = new Map<string, { readonly report: ProgressReport; readonly at: EpochMs }>()
  return (reports, now) => {
    const before = told
    told = new Map()
    return reports.filter(report => {
      const last = before.get(report.effectId)
      const isNews = last === undefined || !isSame(last.report, report, now - last.at)
      told.set(report.effectId, isNews ? { report, at: now } : last)
      return isNews
    })
  }
}

/** `agoMs`: since it was told. */
const isSame = (told: ProgressReport, now: ProgressReport, agoMs: number): boolean =>
  told.ahead === now.ahead &&
  told.because === now.because &&
  Math.abs(told.waitMs - agoMs - now.waitMs) < CHANGE_EVERY_MS / 2
