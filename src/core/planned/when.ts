/**
 * When a planned event is: once, or by the calendar of a time zone. Written as a person would say it:
 *
 *     daily 02:00-03:00      Mon, Thu 22:00 for 4h      weekdays 09:00-17:30
 *     monthly 1, 15 06:00-08:00      monthly last day 22:00-02:00
 *
 * An end at or before its beginning is on the next day. A month that lacks a day is left out. `for` counts elapsed time, two
 * times of day are what the clocks show; they differ on the two days on which the clocks are changed.
 */
import { DAY_MS, type EpochMs, HOUR_MS, MINUTE_MS } from '../vocabulary.ts'
import { instantOf, wallClock } from './time-zone.ts'

export type When =
  | { readonly kind: 'once'; readonly from: EpochMs; readonly to: EpochMs }
  | {
      readonly kind: 'recurring'
      readonly days: Days
      /** Of the day, by the zone's clocks. */
      readonly startMinute: number
      readonly length: Length
      readonly zone: string
    }

type Days =
  | { readonly kind: 'daily' }
  /** 0: Sunday. */
  | { readonly kind: 'weekly'; readonly weekdays: readonly number[] }
  | { readonly kind: 'monthly'; readonly days: readonly (number | 'last')[] }

type Length =
  /** Counted from the beginning of the day on which it starts: beyond 1,440 on the next. */
  { readonly kind: 'until'; readonly endMinute: number } | { readonly kind: 'for'; readonly ms: number }

/** From the first instant to the last (exclusive). */
export interface Stretch {
  readonly from: EpochMs
  readonly to: EpochMs
}

export const WHEN_SYNTAX =
  '`daily 02:00-03:00`, `Mon, Thu 22:00 for 4h`, `weekdays 09:00-17:30`, `monthly 1, 15 06:00-08:00` or `monthly last day 22:00-02:00`'

const weekdayNames = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']
const MINUTES_PER_DAY = 1_440
/** What lasts longer than a week and comes back is no event. */
const LONGEST_MS = 7 * DAY_MS
const unitMs: Readonly<Record<string, number>> = { m: MINUTE_MS, h: HOUR_MS, d: DAY_MS }

/** Undefined for what is none of the syntax above. */
export function parseRecurring(text: string, zone: string): Extract<When, { kind: 'recurring' }> | undefined {
  const words = /^(.+?) (\d\d:\d\d)(?:-(\d\d:\d\d)| for (\d+)([mhd]))$/i.exec(text.trim().replace(/\s+/g, ' '))
  if (words === null) return undefined
  const [, which = '', start = '', end, count, unit = ''] = words
  const days = parseDays(which.toLowerCase())
  const startMinute = minuteOfDay(start)
  if (days === undefined || startMinute === undefined || startMinute === MINUTES_PER_DAY) return undefined
  const length = end === undefined ? lastingFor(Number(count), unit) : lastingUntil(startMinute, minuteOfDay(end))
  return length && { kind: 'recurring', days, startMinute, length, zone }
}

function parseDays(which: string): Days | undefined {
  if (which === 'daily') return { kind: 'daily' }
  if (which === 'weekdays') return { kind: 'weekly', weekdays: [1, 2, 3, 4, 5] }
  const monthly = /^monthly (.+)$/.exec(which)?.[1]
  if (monthly === 'last day') return { kind: 'monthly', days: ['last'] }
  if (monthly !== undefined) {
    const days = monthly.split(/ ?, ?/).map(day => (/^\d{1,2}$/.test(day) ? Number(day) : 0))
    return days.every(day => day >= 1 && day <= 31) ? { kind: 'monthly', days } : undefined
  }
  const weekdays = which.split(/ ?, ?/).map(name => weekdayNames.indexOf(name))
  return weekdays.includes(-1) ? undefined : { kind: 'weekly', weekdays }
}

/** 24:00 is the end of the day. */
function minuteOfDay(text: string): number | undefined {
  const [hours = 0, minutes = 0] = text.split(':').map(Number)
  const minute = hours * 60 + minutes
  return minutes < 60 && minute <= MINUTES_PER_DAY ? minute : undefined
}

function lastingUntil(startMinute: number, end: number | undefined): Length | undefined {
  if (end === undefined) return undefined
  return { kind: 'until', endMinute: end > startMinute ? end : end + MINUTES_PER_DAY }
}

function lastingFor(count: number, unit: string): Length | undefined {
  const ms = count * (unitMs[unit.toLowerCase()] ?? 0)
  return ms > 0 && ms <= LONGEST_MS ? { kind: 'for', ms } : undefined
}

/**
 * `2026-11-27T18:00:00Z`, with another offset, or without one as the zone's clocks show it (`2026-11-27 18:00`). Undefined
 * for anything else, and for a day that the calendar does not have.
 */
export function parseInstant(text: string, zone: string): EpochMs | undefined {
  const parts = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(:\d\d)?(Z|[+-]\d\d:\d\d)?$/.exec(text.trim())
  if (parts === null) return undefined
  const [, date = '', time = '', seconds = ':00', offset] = parts
  const wall = Date.parse(`${date}T${time}${seconds}Z`)
  // A 30th of February would be taken for a day in March.
  if (Number.isNaN(wall) || !new Date(wall).toISOString().startsWith(`${date}T${time}`)) return undefined
  if (offset === undefined) return instantOf(wall, zone)
  const at = Date.parse(`${date}T${time}${seconds}${offset}`)
  return Number.isNaN(at) ? undefined : at
}

/** Its stretches that have any part in [from, to), oldest first. */
export function stretchesOf(when: When, { from, to }: Stretch): readonly Stretch[] {
  const stretches = when.kind === 'once' ? [when] : recurringIn(when, { from, to })
  return stretches.filter(one => one.from < to && one.to > from).map(one => ({ from: one.from, to: one.to }))
}

function recurringIn(when: Extract<When, { kind: 'recurring' }>, { from, to }: Stretch): readonly Stretch[] {
  const { days, startMinute, length, zone } = when
  const longest = length.kind === 'for' ? length.ms : 2 * DAY_MS
  // A day more on each side: the zone's day is up to that far from ours.
  const first = Math.floor(wallClock(from - longest, zone) / DAY_MS) - 1
  const last = Math.floor(wallClock(to, zone) / DAY_MS) + 1
  const stretches: Stretch[] = []
  for (let day = first; day <= last; day++) {
    if (!isOn(days, day)) continue
    const start = instantOf(day * DAY_MS + startMinute * MINUTE_MS, zone)
    stretches.push({ from: start, to: endOf(when, day, start) })
  }
  return stretches
}

/** What begins in the hour that is left out, and would be over as it begins, lasts as long as on other days: it takes place all the same. */
function endOf(
  { startMinute, length, zone }: Extract<When, { kind: 'recurring' }>,
  day: number,
  start: EpochMs,
): EpochMs {
  if (length.kind === 'for') return start + length.ms
  const end = instantOf(day * DAY_MS + length.endMinute * MINUTE_MS, zone)
  return end > start ? end : start + (length.endMinute - startMinute) * MINUTE_MS
}

/** `day`: days since 1970-01-01, by the zone's calendar. */
function isOn(days: Days, day: number): boolean {
  const date = new Date(day * DAY_MS)
  switch (days.kind) {
    case 'daily':
      return true
    case 'weekly':
      return days.weekdays.includes(date.getUTCDay())
    case 'monthly': {
      const isLast = new Date((day + 1) * DAY_MS).getUTCDate() === 1
      return days.days.includes(date.getUTCDate()) || (isLast && days.days.includes('last'))
    }
    default:
      return days satisfies never
  }
}
