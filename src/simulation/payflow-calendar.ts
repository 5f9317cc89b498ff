/** What is still to come, by the step of time in which it is due. Mutable on purpose. */
import type { EpochMs } from '../core/vocabulary.ts'

export interface Calendar<T> {
  /** `at` must not be in a step that was taken already. */
  add(at: EpochMs, item: T): void
  /** Takes out what is due in the step that holds `at`, in the order in which it was added. */
  take(at: EpochMs): T[]
}

export function createCalendar<T>(stepMs: number): Calendar<T> {
  const due = new Map<number, T[]>()
  return {
    add(at, item) {
      const step = Math.floor(at / stepMs)
      const items = due.get(step)
      if (items) items.push(item)
      else due.set(step, [item])
    },
    take(at) {
      const step = Math.floor(at / stepMs)
      const items = due.get(step) ?? []
      due.delete(step)
      return items
    },
  }
}
