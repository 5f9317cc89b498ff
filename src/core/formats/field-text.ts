/**
 * What the text of a field means: a number or a moment. Plain digits, nearly all of what a log holds, are read in
 * place; every other spelling becomes a string first. NaN says: this text is neither.
 */
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../vocabulary.ts'

/** So many digits always fit a double exactly. */
const exactDigits = 15
const zero = 0x30

/** Whole number of plain digits, or NaN. */
function digits(bytes: Buffer, from: number, to: number): number {
  if (to === from || to - from > exactDigits) return Number.NaN
  let value = 0
  for (let at = from; at < to; at++) {
    const digit = (bytes[at] ?? 0) - zero
    if (digit < 0 || digit > 9) return Number.NaN
    value = value * 10 + digit
  }
  return value
}

/**
 * Plain digits with a point among them, or NaN. The quotient of two whole numbers that are exact is as near as a double can
 * be, so this is what `Number` says of the text.
 */
function decimals(bytes: Buffer, from: number, to: number): number {
  if (to - from > exactDigits + 1) return Number.NaN
  let at = from
  while (at < to && bytes[at] !== point) at++
  const count = to - at - 1
  const [before, after] = [digits(bytes, from, at), digits(bytes, at + 1, to)]
  return (before * (powersOfTen[count] ?? Number.NaN) + after) / (powersOfTen[count] ?? Number.NaN)
}

const point = 0x2e
const powersOfTen = Array.from({ length: exactDigits + 1 }, (_, power) => 10 ** power)

/** A number that is not negative: `12`, `0.5`, `1e3`; NaN for anything else, signs and spaces included. */
export function parseNumber(bytes: Buffer, from: number, to: number): number {
  const whole = digits(bytes, from, to)
  if (!Number.isNaN(whole)) return whole
  const decimal = decimals(bytes, from, to)
  if (!Number.isNaN(decimal)) return decimal
  const text = shortText(bytes, from, to)
  const value = /^\d+(\.\d+)?([eE][+-]?\d+)?$/.test(text) ? Number(text) : Number.NaN
  return Number.isFinite(value) ? value : Number.NaN
}

/** No number or time is longer than this; what is, is neither. */
const longest = 64
const shortText = (bytes: Buffer, from: number, to: number): string =>
  to - from > longest ? '' : bytes.toString('latin1', from, to)

/** Below this an epoch is in seconds: as milliseconds it would be before 1973, as seconds it is the year 5138. */
const secondsBelow = 1e11
/** Nothing that is watched live or replayed is older or younger; what is outside is a unit or a field mixed up. */
const earliest = Date.UTC(2000, 0, 1)
const latest = Date.UTC(2100, 0, 1)

/**
 * Epoch milliseconds of `1767225600123`, `1767225600`, `1767225600.123`, ISO 8601 with its zone, or the gateway's
 * `01/Jan/2026:00:00:00 +0000`; NaN where it is none of these or not within 2000 to 2100. What is finer than a
 * millisecond is cut off, never rounded up into the next second.
 */
export function parseTime(bytes: Buffer, from: number, to: number): number {
  const whole = digits(bytes, from, to)
  const time = Number.isNaN(whole) ? timeOfSpelling(bytes, from, to) : whole < secondsBelow ? whole * SECOND_MS : whole
  return time >= earliest && time < latest ? time : Number.NaN
}

/**
 * What was read last, and what it said. Hundreds of lines of a log repeat the second of the line before, and to spell it
 * out costs as much as all the rest of a line. The answer is the same with and without.
 */
const last = { text: Buffer.alloc(longest), length: 0, time: Number.NaN }

function timeOfSpelling(bytes: Buffer, from: number, to: number): number {
  const length = to - from
  if (length > longest) return Number.NaN
  let at = 0
  if (length === last.length) while (at < length && bytes[from + at] === last.text[at]) at++
  if (length > 0 && at === length) return last.time
  last.time = timeOfText(shortText(bytes, from, to))
  last.length = bytes.copy(last.text, 0, from, to)
  return last.time
}

function timeOfText(text: string): number {
  const epoch = /^(\d{1,15})\.(\d+)$/.exec(text)
  if (epoch) {
    const whole = Number(epoch[1])
    return whole < secondsBelow ? whole * SECOND_MS + thousandths(epoch[2]) : whole
  }
  const iso = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)? ?([Zz]|[+-]\d\d:?\d\d)$/.exec(text)
  if (iso) {
    const [, year, month, day, hour, minute, second, fraction, zone] = iso
    return moment({ year, month: Number(month) - 1, day, hour, minute, second, zone }) + thousandths(fraction)
  }
  const clf = /^\[?(\d\d)\/([A-Za-z]{3})\/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-]\d{4})\]?$/.exec(text)
  if (clf) {
    const [, day, name, year, hour, minute, second, zone] = clf
    return moment({ year, month: months.indexOf((name ?? '').toLowerCase()), day, hour, minute, second, zone })
  }
  if (/^\d+(\.\d+)?[eE][+-]?\d+$/.test(text)) {
    const value = Number(text)
    return Math.floor(value < secondsBelow ? value * SECOND_MS : value)
  }
  return Number.NaN
}

const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']

function thousandths(fraction: string | undefined): number {
  return fraction === undefined ? 0 : Number(fraction.padEnd(3, '0').slice(0, 3))
}

type Part = string | undefined

/** NaN for a date or time of day that does not exist: `Date.UTC` alone would carry February 30th over into March. */
function moment(parts: {
  year: Part
  month: number
  day: Part
  hour: Part
  minute: Part
  second: Part
  zone: Part
}): number {
  const [day, hour, minute, second] = [parts.day, parts.hour, parts.minute, parts.second ?? '0'].map(Number) as [
    number,
    number,
    number,
    number,
  ]
  const date = Date.UTC(Number(parts.year), parts.month, day)
  const exists = parts.month >= 0 && parts.month < 12 && day >= 1 && new Date(date).getUTCDate() === day
  // A leap second is written :60 and counts as the second after.
  if (!exists || hour > 23 || minute > 59 || second > 60) return Number.NaN
  return date + hour * HOUR_MS + minute * MINUTE_MS + second * SECOND_MS - zoneMs(parts.zone ?? 'Z')
}

function zoneMs(zone: string): number {
  if (zone.length === 1) return 0
  const size = Number(zone.slice(1, 3)) * HOUR_MS + Number(zone.slice(-2)) * MINUTE_MS
  return zone.startsWith('-') ? -size : size
}
