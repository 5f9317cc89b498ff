/**
 * Which routes a key called in the last minutes, and how many calls came from places where it had not been used before, in
 * stretches of ten seconds. Made with its first call that has either; the hashes themselves are kept nowhere.
 *
 * A stretch has a bitmap of 512 bits, of which each route sets one, and the calls of each of 16 groups of routes. Merged
 * bitmaps tell how many routes there were by how many bits are still free (linear counting: Whang, Vander-Zanden and Taylor
 * 1990): off by some 4 % of 500 routes and 8 % of 2,000, and of more than 3,000 only that it is that many.
 *
 * Looks read whole stretches only. Mutable on purpose. A ring, as that of latencies: 4 places, doubled up to 64 while stretches
 * that may be asked for want the same place, 108 bytes each. What is of one stretch stands together, since each call lands
 * in it: in as many arrays it would be as many misses of the cache.
 */
const LEAST_PLACES = 4
const MOST_PLACES = 64
export const STRETCH_SECONDS = 10
const ROUTE_BITS = 512
const BITMAP_WORDS = ROUTE_BITS / 32
const GROUPS = 16

/** Words of a stretch: how many of its bits are set, its calls from new places, the bitmap, the groups' calls, two in a word. */
const BITS_SET = 0
const NEW_PLACE_CALLS = 1
const BITMAP = 2
const GROUP_CALLS = BITMAP + BITMAP_WORDS
export const WORDS = GROUP_CALLS + GROUPS / 2
/** What the longest window takes in. */
const WINDOW_SECONDS = 300
const MINUTE_STRETCHES = 60 / STRETCH_SECONDS
const WINDOW_STRETCHES = WINDOW_SECONDS / STRETCH_SECONDS
/** Sources whose newness is remembered for the hour. A power of two. */
const RECENT_SOURCES = 4

export interface CallPlaces {
  /** Number of the stretch (epoch s / 10) that each place of the ring holds; 0 = none yet. */
  stretches: Int32Array
  words: Uint32Array
  /** Whether any call had a route, and a source. */
  hasRoutes: boolean
  hasSources: boolean
  /** Sources met in this hour (epoch h), and in the bits of a number whether they are new. */
  recentHour: number
  readonly recent: Int32Array
  recentIsNew: number
  /** Second of the newest call from a new place. */
  newPlaceSecond: number
  mostCalled: MostCalled
  /** From which second on it is to be asked again whether all of this is as always, of closed seconds, and what was answered. */
  askedAgainAt: number
  wasAtHome: boolean
  wasUneven: boolean
}

/** Of the group of routes that was called most in the five minutes that end with a minute (epoch min, exclusive). */
export interface MostCalled {
  readonly minute: number
  readonly calls: number
  /** How many times less its stretches differ than chance would have it. */
  readonly evenness: number
}

export const createCallPlaces = (): CallPlaces => ({
  stretches: new Int32Array(LEAST_PLACES),
  words: new Uint32Array(LEAST_PLACES * WORDS),
  hasRoutes: false,
  hasSources: false,
  recentHour: 0,
  recent: new Int32Array(RECENT_SOURCES),
  recentIsNew: 0,
  newPlaceSecond: 0,
  mostCalled: { minute: 0, calls: 0, evenness: 0 },
  askedAgainAt: 0,
  wasAtHome: true,
  wasUneven: true,
})

/** Number of the stretch (epoch s / 10) that holds a second. */
export const stretchOf = (second: number): number => Math.floor(second / STRETCH_SECONDS)

/** Place in the ring of the stretch that holds a second; -1: a later one has it. What ends before `neededFrom` is asked for no more. */
export function stretchPlace(places: CallPlaces, second: number, neededFrom: number): number {
  const stretch = stretchOf(second)
  const place = stretch & (places.stretches.length - 1)
  return places.stretches[place] === stretch ? place : placeFor(places, stretch, neededFrom)
}

function placeFor(places: CallPlaces, stretch: number, neededFrom: number): number {
  for (;;) {
    const { stretches } = places
    const place = stretch & (stretches.length - 1)
    const held = stretches[place] as number
    const isNeeded = held > 0 && (held + 1) * STRETCH_SECONDS > neededFrom - WINDOW_SECONDS
    if (held === stretch) return place
    if (!isNeeded || (stretches.length === MOST_PLACES && held < stretch)) {
      stretches[place] = stretch
      empty(places, place)
      return place
    }
    if (stretches.length === MOST_PLACES) return -1
    doublePlaces(places)
  }
}

/** In a loop, since `fill` costs more for so few. */
function empty({ words }: CallPlaces, place: number): void {
  for (let word = place * WORDS, end = word + WORDS; word < end; word++) words[word] = 0
}

function doublePlaces(places: CallPlaces): void {
  const { stretches, words } = places
  const length = stretches.length * 2
  places.stretches = new Int32Array(length)
  places.words = new Uint32Array(length * WORDS)
  for (let old = 0; old < stretches.length; old++) {
    const stretch = stretches[old] as number
    const place = stretch & (length - 1)
    if (stretch === 0) continue
    places.stretches[place] = stretch
    for (let word = 0; word < WORDS; word++) places.words[place * WORDS + word] = words[old * WORDS + word] as number
  }
}

const MOST_COUNTED = 65_535

/** `route` is its hash, all of whose bits are as good as drawn. */
export function addRoute(places: CallPlaces, place: number, route: number): void {
  const { words } = places
  const begin = place * WORDS
  places.hasRoutes = true
  const word = begin + BITMAP + ((route >>> 5) & (BITMAP_WORDS - 1))
  const bit = 1 << (route & 31)
  const bits = words[word] as number
  if ((bits & bit) === 0) {
    words[word] = bits | bit
    words[begin + BITS_SET] = (words[begin + BITS_SET] as number) + 1
  }
  const group = route >>> 28
  const shift = (group & 1) << 4
  const pair = begin + GROUP_CALLS + (group >>> 1)
  const calls = words[pair] as number
  if (((calls >>> shift) & MOST_COUNTED) < MOST_COUNTED) words[pair] = calls + (1 << shift)
}

export function addNewPlaceCall(places: CallPlaces, place: number, second: number): void {
  const { words } = places
  places.newPlaceSecond = Math.max(places.newPlaceSecond, second)
  const calls = words[place * WORDS + NEW_PLACE_CALLS] as number
  if (calls < MOST_COUNTED) words[place * WORDS + NEW_PLACE_CALLS] = calls + 1
}

/** Whether the source is new, where it was met in this hour before; else undefined, and `rememberSource` may say so. */
export function rememberedSource(places: CallPlaces, source: number, hour: number): boolean | undefined {
  const at = source & (RECENT_SOURCES - 1)
  return places.recentHour === hour && places.recent[at] === source
    ? ((places.recentIsNew >>> at) & 1) === 1
    : undefined
}

export function rememberSource(places: CallPlaces, source: number, hour: number, isNew: boolean): void {
  places.hasSources = true
  if (places.recentHour !== hour) {
    places.recentHour = hour
    places.recent.fill(0)
  }
  const at = source & (RECENT_SOURCES - 1)
  places.recent[at] = source
  places.recentIsNew = (places.recentIsNew & ~(1 << at)) | (isNew ? 1 << at : 0)
}

/** Calls from new places in the five minutes up to `endSecond`, in whole stretches. */
export function callsFromNewPlaces(places: CallPlaces, endSecond: number): number {
  if (places.newPlaceSecond < endSecond - WINDOW_SECONDS - STRETCH_SECONDS) return 0
  const { stretches, words } = places
  const upTo = stretchOf(endSecond)
  let calls = 0
  for (let stretch = upTo - WINDOW_STRETCHES; stretch < upTo; stretch++) {
    const place = stretch & (stretches.length - 1)
    if (stretches[place] === stretch) calls += words[place * WORDS + NEW_PLACE_CALLS] as number
  }
  return calls
}

/** Whether there were no more distinct routes than this in the minute up to `endSecond`. Mostly the sum of the stretches' bits is few already. */
export function hasFewRoutes(places: CallPlaces, endSecond: number, most: number): boolean {
  if (!places.hasRoutes) return true
  const { stretches, words } = places
  const upTo = stretchOf(endSecond)
  let bits = 0
  for (let stretch = upTo - MINUTE_STRETCHES; stretch < upTo; stretch++) {
    const place = stretch & (stretches.length - 1)
    if (stretches[place] === stretch) bits += words[place * WORDS + BITS_SET] as number
  }
  return estimateOf(bits) <= most || routesIn(places, endSecond, 60) <= most
}

/** How many distinct routes were called in so many seconds up to `endSecond`, in whole stretches. */
export function routesIn(places: CallPlaces, endSecond: number, seconds: number): number {
  const { words } = places
  const held = findStretches(places, stretchOf(endSecond), seconds / STRETCH_SECONDS)
  let bits = 0
  for (let word = BITMAP; word < BITMAP + BITMAP_WORDS; word++) {
    let merged = 0
    for (let index = 0; index < held; index++) merged |= words[(begins[index] as number) + word] as number
    if (merged !== 0) bits += bitsOf(merged)
  }
  return estimateOf(bits)
}

/** Of the last stretches that were found, where their words begin. One for all. */
const begins = new Int32Array(WINDOW_STRETCHES)

/** Finds those of so many stretches before `upTo` in which there was a call; answers how many. */
function findStretches({ stretches }: CallPlaces, upTo: number, count: number): number {
  let held = 0
  for (let stretch = upTo - count; stretch < upTo; stretch++) {
    const place = stretch & (stretches.length - 1)
    if (stretches[place] === stretch) begins[held++] = place * WORDS
  }
  return held
}

/**
 * The route that was called most in the five minutes before the last whole minute up to `endSecond`. Of closed seconds it is worked
 * out once a minute.
 */
export function mostCalledRoute(places: CallPlaces, endSecond: number, look: 'early' | 'final'): MostCalled {
  const minute = Math.floor(endSecond / 60)
  if (look === 'early') return workOutMostCalled(places, minute)
  if (places.mostCalled.minute !== minute) places.mostCalled = workOutMostCalled(places, minute)
  return places.mostCalled
}

/** Of a route that came as evenly as clockwork in these five minutes, all of which are closed, the calls; else 0. */
export function evenCalls(places: CallPlaces, endSecond: number): number {
  const { calls, evenness } = mostCalledRoute(places, endSecond, 'final')
  return evenness > BY_CLOCKWORK ? calls : 0
}

/** By chance calls come so evenly in five minutes of a few weeks. */
const BY_CLOCKWORK = 8

/** How many routes so many bits speak of. With none free it is at least as many as with one. */
const ESTIMATES = Float64Array.from({ length: ROUTE_BITS + 1 }, (_, bits) =>
  Math.round(-ROUTE_BITS * Math.log(Math.max(1, ROUTE_BITS - bits) / ROUTE_BITS)),
)

const estimateOf = (bits: number): number => ESTIMATES[Math.min(bits, ROUTE_BITS)] as number

/** How many bits of a word are set (Warren, "Hacker's Delight", 5-1). */
function bitsOf(word: number): number {
  const pairs = word - ((word >>> 1) & 0x55555555)
  const fours = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333)
  return Math.imul((fours + (fours >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
}

const counts = new Float64Array(WINDOW_STRETCHES)

/**
 * Its evenness is of the quieter half of its thirty stretches: how many times less they differ than chance would have it. A
 * machine that calls at an interval sets a floor under all of them, whatever others call beside it.
 */
function workOutMostCalled(places: CallPlaces, minute: number): MostCalled {
  const { words } = places
  const held = findStretches(places, minute * MINUTE_STRETCHES, WINDOW_STRETCHES)
  let calls = 0
  let most = 0
  for (let pair = 0; pair < GROUPS / 2; pair++) {
    let [even, odd] = [0, 0]
    for (let index = 0; index < held; index++) {
      const both = words[(begins[index] as number) + GROUP_CALLS + pair] as number
      even += both & MOST_COUNTED
      odd += both >>> 16
    }
    // Of groups with as many calls the first.
    if (even > calls) {
      calls = even
      most = 2 * pair
    }
    if (odd > calls) {
      calls = odd
      most = 2 * pair + 1
    }
  }
  // The quieter half had none.
  if (held <= WINDOW_STRETCHES / 2) return { minute, calls, evenness: 0 }
  counts.fill(0, held)
  const shift = (most & 1) << 4
  for (let index = 0; index < held; index++)
    counts[index] = ((words[(begins[index] as number) + GROUP_CALLS + (most >>> 1)] as number) >>> shift) & MOST_COUNTED
  sortCounts()
  return { minute, calls, evenness: evennessOfQuieter() }
}

/** By insertion: a typed array's own sort costs more for so few. */
function sortCounts(): void {
  for (let index = 1; index < WINDOW_STRETCHES; index++) {
    const count = counts[index] as number
    let place = index
    for (; place > 0 && (counts[place - 1] as number) > count; place--) counts[place] = counts[place - 1] as number
    counts[place] = count
  }
}

/** The lower half of a normal distribution has this part of its variance (1 - 2 / π), and so of Poisson counts of its mean. */
const HALF_VARIANCE = 1 - 2 / Math.PI
/** Counts are whole: what differs by less than a call now and then does not differ. */
const LEAST_VARIANCE = 0.02

function evennessOfQuieter(): number {
  const quieter = WINDOW_STRETCHES / 2
  let sum = 0
  let squares = 0
  for (let index = 0; index < quieter; index++) {
    const count = counts[index] as number
    sum += count
    squares += count * count
  }
  const mean = sum / quieter
  const variance = Math.max(LEAST_VARIANCE, squares / quieter - mean * mean)
  return (HALF_VARIANCE * mean) / variance
}
