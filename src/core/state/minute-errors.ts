/**
 * How many of a key's calls were answered 4xx in the last minute, at most: told of each pane that closes, it counts those of
 * the newest UTC minute that had any and of the one before it, which hold every trailing minute. So a key that makes few need not have its panes
 * added up every second. Mutable on purpose.
 */
import { type KeyPanes, paneCalls, paneCount, paneSecond, STATUS_4XX } from './pane.ts'

export interface MinuteErrors {
  /** Epoch min of the newest pane with errors. */
  minute: number
  thisMinute: number
  minuteBefore: number
}

export const createMinuteErrors = (): MinuteErrors => ({ minute: 0, thisMinute: 0, minuteBefore: 0 })

export function noteErrors(into: MinuteErrors, panes: KeyPanes, closed: number): void {
  const errors = paneCount(panes, closed, STATUS_4XX)
  if (errors === 0) return
  const minute = Math.floor(paneSecond(panes, closed) / 60)
  if (minute !== into.minute) {
    into.minuteBefore = minute === into.minute + 1 ? into.thisMinute : 0
    into.thisMinute = 0
    into.minute = minute
  }
  into.thisMinute += errors
}

/** Whether in the minute before `endSecond` (exclusive) there were at most so many, or at most that share of the calls. */
export function errsLittle(
  { thisMinute, minuteBefore }: MinuteErrors,
  panes: KeyPanes,
  endSecond: number,
  { count, share }: { readonly count: number; readonly share: number },
): boolean {
  if (thisMinute + minuteBefore <= count) return true
  let [calls, errors] = [0, 0]
  for (let index = panes.firstOpen - 1; index >= panes.first; index--) {
    if (paneSecond(panes, index) < endSecond - 60) break
    calls += paneCalls(panes, index)
    errors += paneCount(panes, index, STATUS_4XX)
  }
  return errors <= count || errors <= share * calls
}
