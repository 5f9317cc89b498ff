/** When a client called: how many times in each second, from the first second of its week of history on. */

export const WEEK_SECONDS = 7 * 86_400
export const ROW_SECONDS = 300

export interface Arrivals {
  /** Calls in the week of history. */
  readonly historyCalls: number
  /** Calls in each five minutes of it. */
  historyCounts(): Uint32Array
  /** Calls in each second of a stretch; none outside the data. The same for the same stretch, whatever was asked before. */
  countsOf(fromSecond: number, seconds: number): Uint32Array
}

/** Of recorded calls: the second of each, rising, from the first second of history on. */
export const recordedArrivals = (calls: Uint32Array): Arrivals => ({
  historyCalls: placeOf(calls, WEEK_SECONDS),
  historyCounts() {
    const counts = new Uint32Array(WEEK_SECONDS / ROW_SECONDS)
    for (const second of calls.subarray(0, placeOf(calls, WEEK_SECONDS))) counts[Math.floor(second / ROW_SECONDS)]++
    return counts
  },
  countsOf(fromSecond, seconds) {
    const counts = new Uint32Array(seconds)
    for (let place = placeOf(calls, fromSecond); place < calls.length; place++) {
      const offset = calls[place] - fromSecond
      if (offset >= seconds) break
      counts[offset]++
    }
    return counts
  },
})

/** Of the first call in this second or later. */
function placeOf(calls: Uint32Array, second: number): number {
  let [from, to] = [0, calls.length]
  while (from < to) {
    const middle = (from + to) >>> 1
    if (calls[middle] < second) from = middle + 1
    else to = middle
  }
  return from
}

export function sumOf(counts: Uint32Array): number {
  let sum = 0
  for (let index = 0; index < counts.length; index++) sum += counts[index]
  return sum
}
