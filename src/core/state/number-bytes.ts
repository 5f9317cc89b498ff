/**
 * Numbers as bytes, as short as they are small: most of what is counted of a key is zero or a few. Exact, whatever the number.
 *
 *     0 … 250          the byte itself
 *     251              undefined
 *     252, 253         a whole number of 16, of 32 bits, which follow (little endian)
 *     255              any other number, as a double, which follows (little endian)
 *
 * Mutable on purpose: written once a call of nothing, but a thousand times a key of each checkpoint.
 */
const MOST_IN_A_BYTE = 250
const NOTHING = 251
const OF_16_BITS = 252
const OF_32_BITS = 253
const DOUBLE = 255
/** The longest that one number may be. */
const MOST_BYTES = 9

export interface NumberBytes {
  bytes: Uint8Array<ArrayBuffer>
  /** The same bytes. */
  view: DataView
  /** Where the next number is written, or read. */
  at: number
}

export const createNumberBytes = (room: number): NumberBytes => numbersIn(new Uint8Array(room))

/** To be read from their beginning. */
export const numbersIn = (bytes: Uint8Array<ArrayBuffer>): NumberBytes => ({
  bytes,
  view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
  at: 0,
})

/** A copy of what was written, which begins anew. */
export function takeWritten(into: NumberBytes): Uint8Array<ArrayBuffer> {
  const written = into.bytes.slice(0, into.at)
  into.at = 0
  return written
}

export function writeNumber(into: NumberBytes, value: number): void {
  makeRoomFor(into, 1)
  into.at = putNumber(into, into.at, value)
}

/** Room for so many numbers, which may then be put there. */
export function makeRoomFor(into: NumberBytes, numbers: number): void {
  if (into.at + numbers * MOST_BYTES > into.bytes.length) makeRoom(into, numbers * MOST_BYTES)
}

/** Where room was made for it; `at` is kept by the caller. Answers where the next one begins. */
export function putNumber({ bytes, view }: NumberBytes, at: number, value: number): number {
  const whole = value >>> 0
  if (whole !== value || (whole === 0 && Object.is(value, -0))) {
    bytes[at] = DOUBLE
    view.setFloat64(at + 1, value, true)
    return at + 9
  }
  if (whole <= MOST_IN_A_BYTE) {
    bytes[at] = whole
    return at + 1
  }
  if (whole <= 0xffff) {
    bytes[at] = OF_16_BITS
    bytes[at + 1] = whole
    bytes[at + 2] = whole >>> 8
    return at + 3
  }
  bytes[at] = OF_32_BITS
  view.setUint32(at + 1, whole, true)
  return at + 5
}

export function writeOptional(into: NumberBytes, value: number | undefined): void {
  if (value !== undefined) {
    writeNumber(into, value)
    return
  }
  makeRoomFor(into, 1)
  into.bytes[into.at++] = NOTHING
}

export function writeAll(into: NumberBytes, values: Counts): void {
  for (let index = 0; index < values.length; index++) writeNumber(into, values[index] as number)
}

type Counts = Float64Array | Uint32Array | Uint16Array | Int32Array

/** Those of `values` in [from, to) that are not zero, with their places less `from`: at most 249 places. */
export function writeSparse(into: NumberBytes, values: Counts, from: number, to: number): void {
  makeRoomFor(into, 2 * (to - from) + 1)
  into.at = putSparse(into, into.at, values, from, to)
}

/** As `putNumber`. */
export function putSparse(into: NumberBytes, at: number, values: Counts, from: number, to: number): number {
  const { bytes } = into
  let next = at
  for (let index = from; index < to; index++) {
    const value = values[index] as number
    if (value === 0) continue
    bytes[next] = index - from + 1
    next = putNumber(into, next + 1, value)
  }
  bytes[next] = 0
  return next + 1
}

function makeRoom(into: NumberBytes, more: number): void {
  const bytes = new Uint8Array((into.at + more) * 2)
  bytes.set(into.bytes.subarray(0, into.at))
  into.bytes = bytes
  into.view = new DataView(bytes.buffer)
}

/** The next number. Throws where there is none. */
export function readNumber(from: NumberBytes): number {
  const value = readOptional(from)
  if (value === undefined) throw new Error(`there is no number at byte ${from.at - 1}`)
  return value
}

export function readOptional(from: NumberBytes): number | undefined {
  const { bytes, view, at } = from
  const first = bytes[at]
  if (first === undefined) throw new Error(`there is nothing at byte ${at}`)
  from.at = at + (LENGTHS[first] as number)
  if (first <= MOST_IN_A_BYTE) return first
  if (first === NOTHING) return undefined
  if (first === OF_16_BITS) return view.getUint16(at + 1, true)
  return first === OF_32_BITS ? view.getUint32(at + 1, true) : view.getFloat64(at + 1, true)
}

const LENGTHS = Uint8Array.from({ length: 256 }, (_, first) => {
  if (first <= NOTHING) return 1
  if (first === OF_16_BITS) return 3
  return first === OF_32_BITS ? 5 : MOST_BYTES
})

export function readAll<Values extends Counts>(from: NumberBytes, into: Values): Values {
  for (let index = 0; index < into.length; index++) into[index] = readNumber(from)
  return into
}

/** Into zeros, beginning at `at`. */
export function readSparse(from: NumberBytes, into: Counts, at: number): void {
  for (let place = readNumber(from); place !== 0; place = readNumber(from)) into[at + place - 1] = readNumber(from)
}
