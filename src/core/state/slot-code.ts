/**
 * What a baseline keeps of one five-minute slot, in a byte and a half: its calls, and how much its minutes differ.
 *
 *   calls     one byte: exact up to 32, then each code 7 % above the one before, up to 10⁸
 *   spread    half a byte: which of sixteen sums of squares the minutes have, given the calls. Up to six calls all there
 *             are (exact); above, the variance of a minute is 0, ¼, ½, 1 or more times its mean, in even ratios up to all
 *             calls in one minute
 *
 * What lies between two codes becomes one of them by a draw, the nearer the likelier: so a slot is off by less than 7 % of
 * itself, and the mean of many, or of a call at a time added to thousands, is not off at all. The draw is the caller's, made
 * of what is kept and not of chance. Rounding to the nearest would halve the worst error of one slot, and keep a tenant of
 * even 1,000 calls 3 % off for ever.
 *
 * Of the spread, sixteen steps are fewer than its own noise asks for: the variance of five minutes is known to ± 70 % only.
 * All five are taken to be known; of a slot of which only some minutes count the spread is exaggerated.
 */
const CODES = 256
const SPREADS = 16
/** Calls that are kept as they are, fractions apart. */
export const EXACT_CALLS = 32
/** More than this in one slot is kept as this. */
export const MOST_SLOT_CALLS = 1e8
/** How far off one slot's calls may be, as a share of them. */
export const WORST_CALLS_ERROR = (MOST_SLOT_CALLS / EXACT_CALLS) ** (1 / (CODES - 1 - EXACT_CALLS)) - 1
/** So few calls that each way to spread them over minutes has a code of its own. */
const PAIRED_CALLS = 6
const MINUTES = 5

const callsByCode = Float64Array.from({ length: CODES }, (_, code) =>
  code <= EXACT_CALLS ? code : Math.round(EXACT_CALLS * (1 + WORST_CALLS_ERROR) ** (code - EXACT_CALLS)),
)

/** Sums of squares by code of the calls, ascending. */
const squaresByCode = Float64Array.from({ length: CODES * SPREADS }, (_, at) =>
  squaresAt(callsByCode[Math.floor(at / SPREADS)] ?? 0, at % SPREADS),
)

function squaresAt(calls: number, spread: number): number {
  // A sum of squares is the number of calls plus twice the number of pairs that fell into the same minute.
  if (calls <= PAIRED_CALLS) return calls + 2 * Math.min(spread, (calls * (calls - 1)) / 2)
  const timesMean = spread < 3 ? spread / 4 : (calls * (1 - 1 / MINUTES)) ** ((spread - 3) / (SPREADS - 1 - 3))
  return calls * timesMean + (calls * calls) / MINUTES
}

export const callsOf = (callsCode: number): number => callsByCode[callsCode] as number

/** Sum of the squares of what the slot's minutes brought. */
export const squaresOf = (callsCode: number, spreadCode: number): number =>
  squaresByCode[callsCode * SPREADS + spreadCode] as number

/** `draw`: in [0, 1), decides between the two codes that `calls` lies between. */
export function callsCodeOf(calls: number, draw: number): number {
  if (calls >= MOST_SLOT_CALLS) return CODES - 1
  if (calls <= 0) return 0
  return between(callsByCode, lastNotAbove(callsByCode, calls, 0, CODES - 1), calls, draw)
}

/** `calls` and `squares` as they were counted; `callsCode` is what the calls have become. */
export function spreadCodeOf(callsCode: number, { calls, squares }: SlotSums, draw: number): number {
  const kept = callsOf(callsCode)
  if (kept <= 1 || calls <= 0) return 0
  // How the variance of a minute compares with its mean stays, whatever the calls were rounded to.
  const timesMean = squares / calls - calls / MINUTES
  const wanted = kept * timesMean + (kept * kept) / MINUTES
  const first = callsCode * SPREADS
  const at = lastNotAbove(squaresByCode, wanted, first, first + SPREADS - 1)
  return at === first + SPREADS - 1 ? SPREADS - 1 : between(squaresByCode, at, wanted, draw) - first
}

export interface SlotSums {
  readonly calls: number
  /** Sum of the squares of what its minutes brought. */
  readonly squares: number
}

/** Index of the last entry of an ascending table, in [first, last], that is not above `value`; `first` if all are. */
function lastNotAbove(table: Float64Array, value: number, first: number, last: number): number {
  let low = first
  let high = last
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if ((table[middle] as number) <= value) low = middle
    else high = middle - 1
  }
  return low
}

function between(table: Float64Array, at: number, value: number, draw: number): number {
  const low = table[at] as number
  const high = table[at + 1] as number
  return high > low && draw < (value - low) / (high - low) ? at + 1 : at
}

/** A number in [0, 1) that is the same for the same two, and looks like chance: the finaliser of MurmurHash3. */
export function drawOf(one: number, other: number): number {
  let hash = Math.imul(one | 0, 0x9e3779b1) ^ Math.imul(other | 0, 0x85ebca77)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) / 0x1_0000_0000
}
