/**
 * The rings of a live key as bytes (`key-form.ts` has the rest of it): its panes, and the last minutes' latencies and routes. Most
 * of what they could hold is zero and not written; what panes were where no pane is any more is not asked for.
 */
import { type CallPlaces, WORDS as STRETCH_WORDS } from './call-places.ts'
import type { KeyActivity } from './key-state.ts'
import {
  makeRoomFor,
  type NumberBytes,
  numbersIn,
  putNumber,
  putSparse,
  readNumber,
  readSparse,
  writeNumber,
  writeSparse,
} from './number-bytes.ts'
import { HEAD, type KeyPanes, WORDS as PANE_WORDS, SUMS } from './pane.ts'
import { LATENCY_BUCKETS, type LatencyBlocks } from './sketches.ts'

/** What a key's calls have put where the next calls go. */
export interface Rings {
  readonly panes: PaneRing
  readonly latency: LatencyBlocks | undefined
  readonly places: PlaceRing | undefined
}

type PaneRing = Pick<KeyPanes, 'heads' | 'counts' | 'sums' | 'mask' | 'first' | 'end'>
export type PlaceRing = Pick<CallPlaces, 'stretches' | 'words'>

const LATENCY = 1
const PLACES = 2

/** `number`: of the key whose they are. */
export function writeRings(numbers: NumberBytes, number: number, { panes, latency, places }: KeyActivity): void {
  writeNumber(numbers, number)
  writeNumber(numbers, (latency ? LATENCY : 0) | (places ? PLACES : 0))
  writePanes(numbers, panes)
  if (latency) writeLatency(numbers, latency)
  if (places) writePlaces(numbers, places)
}

/** By the key's number. */
export function* readRings(bytes: Uint8Array<ArrayBuffer>): Generator<readonly [number, Rings]> {
  const numbers = numbersIn(bytes)
  while (numbers.at < bytes.length) {
    const number = readNumber(numbers)
    const has = readNumber(numbers)
    const panes = readPanes(numbers)
    const latency = has & LATENCY ? readLatency(numbers) : undefined
    yield [number, { panes, latency, places: has & PLACES ? readPlaces(numbers) : undefined }]
  }
}

/** A pane's numbers: second, calls, counts with their places and an end, sums. */
const PANE_NUMBERS = HEAD + 2 * PANE_WORDS + 1 + SUMS

/** Of who calls each second most of a checkpoint's work is here: so numbers are put, and not written one by one. */
function writePanes(numbers: NumberBytes, { heads, counts, sums, mask, first, end }: PaneRing): void {
  writeNumber(numbers, mask)
  writeNumber(numbers, first)
  writeNumber(numbers, end)
  let before = 0
  for (let index = first; index < end; index++) {
    const place = index & mask
    const second = heads[place * HEAD] as number
    makeRoomFor(numbers, PANE_NUMBERS)
    let at = putNumber(numbers, numbers.at, second - before)
    before = second
    at = putNumber(numbers, at, heads[place * HEAD + 1] as number)
    at = putSparse(numbers, at, counts, place * PANE_WORDS, (place + 1) * PANE_WORDS)
    for (let sum = place * SUMS; sum < (place + 1) * SUMS; sum++) at = putNumber(numbers, at, sums[sum] as number)
    numbers.at = at
  }
}

function readPanes(numbers: NumberBytes): PaneRing {
  const mask = readNumber(numbers)
  const heads = new Uint32Array((mask + 1) * HEAD)
  const counts = new Uint32Array((mask + 1) * PANE_WORDS)
  const sums = new Float64Array((mask + 1) * SUMS)
  const first = readNumber(numbers)
  const end = readNumber(numbers)
  let second = 0
  for (let index = first; index < end; index++) {
    const place = index & mask
    second += readNumber(numbers)
    heads[place * HEAD] = second
    heads[place * HEAD + 1] = readNumber(numbers)
    readSparse(numbers, counts, place * PANE_WORDS)
    for (let sum = place * SUMS; sum < (place + 1) * SUMS; sum++) sums[sum] = readNumber(numbers)
  }
  return { heads, counts, sums, mask, first, end }
}

const writeLatency = (numbers: NumberBytes, { blocks, counts }: LatencyBlocks): void =>
  writeStretches(numbers, blocks, counts, LATENCY_BUCKETS)

function readLatency(numbers: NumberBytes): LatencyBlocks {
  const places = readNumber(numbers)
  const blocks = new Float64Array(places)
  const counts = new Uint16Array(places * LATENCY_BUCKETS)
  readStretches(numbers, blocks, counts, LATENCY_BUCKETS)
  return { blocks, counts }
}

const writePlaces = (numbers: NumberBytes, { stretches, words }: PlaceRing): void =>
  writeStretches(numbers, stretches, words, STRETCH_WORDS)

function readPlaces(numbers: NumberBytes): PlaceRing {
  const places = readNumber(numbers)
  const stretches = new Int32Array(places)
  const words = new Uint32Array(places * STRETCH_WORDS)
  readStretches(numbers, stretches, words, STRETCH_WORDS)
  return { stretches, words }
}

type Counts = Parameters<typeof writeSparse>[1]

/** How many places there are; of each which stretch of time it is of (0: of none) and, `width` cells wide, what was counted in it. */
function writeStretches(
  numbers: NumberBytes,
  stretches: Float64Array | Int32Array,
  counts: Counts,
  width: number,
): void {
  writeNumber(numbers, stretches.length)
  for (let place = 0; place < stretches.length; place++) {
    const stretch = stretches[place] as number
    writeNumber(numbers, stretch)
    if (stretch !== 0) writeSparse(numbers, counts, place * width, (place + 1) * width)
  }
}

/** Into as many places as were announced. */
function readStretches(
  numbers: NumberBytes,
  stretches: Float64Array | Int32Array,
  counts: Counts,
  width: number,
): void {
  for (let place = 0; place < stretches.length; place++) {
    stretches[place] = readNumber(numbers)
    if (stretches[place] !== 0) readSparse(numbers, counts, place * width)
  }
}
