/**
 * How many of a key's calls were answered 4xx in the last one and five minutes, at most: told of each pane that closes, it counts calls
 * and errors of the newest six UTC minutes, which hold every such stretch. So a key that makes few need not have its panes added up
 * every second. Mutable on purpose.
 */
import { type KeyPanes, paneCalls, paneCount, paneSecond, STATUS_4XX } from './pane.ts'

/** Minutes that five minutes may have a part in. */
const MINUTES = 6

export interface MinuteErrors {
  /** Epoch min of the newest pane. */
  minute: number
  /** Of each minute, by its number modulo six. */
  readonly calls: Float64Array
  readonly errors: Float64Array
}

export const createMinuteErrors = (): MinuteErrors => ({
  minute: 0,
  calls: new Float64Array(MINUTES),
  errors: new Float64Array(MINUTES),
})

export function noteErrors(into: MinuteErrors, panes: KeyPanes, closed: number): void {
  const { calls, errors } = into
  const minute = Math.floor(paneSecond(panes, closed) / 60)
  for (let passed = Math.max(into.minute + 1, minute - MINUTES + 1); passed <= minute; passed++) {
    calls[passed % MINUTES] = 0
    errors[passed % MINUTES] = 0
  }
  into.minute = minute
  const place = minute % MINUTES
  calls[place] = (calls[place] as number) + paneCalls(panes, closed)
  errors[place] = (errors[place] as number) + paneCount(panes, closed, STATUS_4XX)
}

/** Whether in the one and the five minutes before `endSecond` (exclusive) there were at most so many, or at most that share of the calls. */
export function errsLittle(
  into: MinuteErrors,
  panes: KeyPanes,
  endSecond: number,
  { count, share }: { readonly count: number; readonly share: number },
): boolean {
  const minute = Math.floor((endSecond - 1) / 60)
  const errors = sumOf(into, into.errors, minute - 5, minute)
  if (errors <= count) return true
  // Of the five minutes the four in the middle are whole, wherever they end.
  if (
    errors > share * sumOf(into, into.calls, minute - 4, minute - 1) &&
    !erredLittle(panes, endSecond - 300, count, share)
  )
    return false
  return sumOf(into, into.errors, minute - 1, minute) <= count || erredLittle(panes, endSecond - 60, count, share)
}

function sumOf({ minute }: MinuteErrors, counts: Float64Array, from: number, to: number): number {
  let sum = 0
  for (let one = Math.max(from, minute - MINUTES + 1); one <= Math.min(to, minute); one++)
    sum += counts[one % MINUTES] as number
  return sum
}

function erredLittle(panes: KeyPanes, fromSecond: number, count: number, share: number): boolean {
  let [calls, errors] = [0, 0]
  for (let index = panes.firstOpen - 1; index >= panes.first; index--) {
    if (paneSecond(panes, index) < fromSecond) break
    calls += paneCalls(panes, index)
    errors += paneCount(panes, index, STATUS_4XX)
  }
  return errors <= count || errors <= share * calls
}
