import { describe, expect, test } from 'vitest'
import { DAY_MS } from '../vocabulary.ts'
import { instantOf, isTimeZone, wallClock } from './time-zone.ts'
import { parseInstant, parseRecurring, stretchesOf } from './when.ts'

const utc = (text: string) => Date.parse(`${text.replace(' ', 'T')}Z`)

/** Its stretches that touch [from, to), as UTC minutes. */
function stretches(text: string, from: string, to: string, zone = 'UTC'): string[] {
  const when = parseRecurring(text, zone)
  if (when === undefined) throw new Error(`not understood: ${text}`)
  const shown = (at: number) => new Date(at).toISOString().slice(5, 16).replace('T', ' ')
  return stretchesOf(when, { from: utc(from), to: utc(to) }).map(one => `${shown(one.from)} to ${shown(one.to)}`)
}

describe('an event that recurs', () => {
  test('is on each of its days, with what of it began the day before', () => {
    expect(stretches('daily 02:00-03:00', '2026-11-20 00:00', '2026-11-22 02:30')).toEqual([
      ...['11-20 02:00 to 11-20 03:00', '11-21 02:00 to 11-21 03:00', '11-22 02:00 to 11-22 03:00'],
    ])
    expect(stretches('daily 22:00-02:00', '2026-11-20 01:00', '2026-11-20 22:00')).toEqual([
      '11-19 22:00 to 11-20 02:00',
    ])
    // Friday, 20 November 2026
    expect(stretches('Mon, thu 22:00 for 36h', '2026-11-20 00:00', '2026-11-24 00:00')).toEqual([
      ...['11-19 22:00 to 11-21 10:00', '11-23 22:00 to 11-25 10:00'],
    ])
    expect(stretches('weekdays 09:00-24:00', '2026-11-20 00:00', '2026-11-24 00:00')).toEqual([
      ...['11-20 09:00 to 11-21 00:00', '11-23 09:00 to 11-24 00:00'],
    ])
    expect(stretches('daily 00:00-00:00', '2026-11-20 12:00', '2026-11-20 13:00')).toEqual([
      '11-20 00:00 to 11-21 00:00',
    ])
  })

  test('knows how long a month is, and leaves out a month that lacks its day', () => {
    expect(stretches('monthly last day 22:00 for 4h', '2028-02-02 00:00', '2028-05-01 00:00')).toEqual([
      ...['02-29 22:00 to 03-01 02:00', '03-31 22:00 to 04-01 02:00', '04-30 22:00 to 05-01 02:00'],
    ])
    expect(stretches('monthly 1, 31 06:00-08:00', '2026-02-02 00:00', '2026-04-01 00:00')).toEqual([
      ...['03-01 06:00 to 03-01 08:00', '03-31 06:00 to 03-31 08:00'],
    ])
    expect(stretches('monthly 31 06:00-08:00', '2026-04-01 00:00', '2026-05-01 00:00')).toEqual([])
  })

  test('goes by the clocks of its zone, in summer and in winter, and on the days when they are changed', () => {
    const berlin = (from: string, to: string, text = 'daily 02:30-04:00') => stretches(text, from, to, 'Europe/Berlin')
    expect(berlin('2026-07-01 00:00', '2026-07-01 12:00')).toEqual(['07-01 00:30 to 07-01 02:00'])
    expect(berlin('2026-12-01 00:00', '2026-12-01 12:00')).toEqual(['12-01 01:30 to 12-01 03:00'])
    // 29 March: 02:30 is never shown. 25 October: it is shown twice.
    expect(berlin('2026-03-29 00:00', '2026-03-29 12:00')).toEqual(['03-29 01:30 to 03-29 02:00'])
    expect(berlin('2026-03-29 00:00', '2026-03-29 12:00', 'daily 02:30-03:30')).toEqual(['03-29 01:30 to 03-29 02:30'])
    expect(berlin('2026-03-29 00:00', '2026-03-29 12:00', 'daily 02:15-02:45')).toEqual(['03-29 01:15 to 03-29 01:45'])
    expect(berlin('2026-10-25 00:00', '2026-10-25 12:00')).toEqual(['10-25 00:30 to 10-25 03:00'])
    expect(berlin('2026-10-25 00:00', '2026-10-25 12:00', 'daily 02:30 for 90m')).toEqual([
      '10-25 00:30 to 10-25 02:00',
    ])
  })

  test('is found in a zone whose day is another than ours', () => {
    const text = 'monthly last day 22:00 for 4h'
    expect(stretches(text, '2026-11-30 08:00', '2026-11-30 13:00', 'Pacific/Kiritimati')).toEqual([
      '11-30 08:00 to 11-30 12:00',
    ])
    expect(stretches(text, '2026-12-01 09:00', '2026-12-01 10:00', 'Pacific/Pago_Pago')).toEqual([
      '12-01 09:00 to 12-01 13:00',
    ])
  })

  test.each([
    ...['daily', 'daily 2:00-3:00', 'daily 25:00-26:00', 'daily 24:00-01:00', 'daily 02:00', 'daily 02:00 for 4'],
    ...[
      'daily 02:00 for 0h',
      'daily 02:00 for 8d',
      'monthly 02:00-03:00',
      'monthly 0 02:00-03:00',
      'monthly first day 02:00-03:00',
    ],
    ...['Mon Thu 02:00-03:00', 'Montag 02:00-03:00', 'hourly 02:00-03:00', '0 2 * * *', 'daily 02:60-03:00', ''],
  ])('is refused where it is not understood: %s', text => {
    expect(parseRecurring(text, 'UTC')).toBeUndefined()
  })
})

describe('an event that is once', () => {
  test('is written by the clocks of its zone, or with an offset', () => {
    expect(parseInstant('2026-11-27 18:00', 'UTC')).toBe(utc('2026-11-27 18:00'))
    expect(parseInstant('2026-11-27T18:00:30', 'America/New_York')).toBe(utc('2026-11-27 23:00:30'))
    expect(parseInstant('2026-11-27T18:00:00Z', 'America/New_York')).toBe(utc('2026-11-27 18:00'))
    expect(parseInstant('2026-11-27 18:00+05:30', 'UTC')).toBe(utc('2026-11-27 12:30'))
    for (const wrong of ['2026-11-27', '2026-02-30 10:00', '2026-11-27 24:30', '27.11.2026 18:00', '18:00'])
      expect(parseInstant(wrong, 'UTC')).toBeUndefined()
  })
})

test('a wall clock is an instant’s and an instant a wall clock’s, in all kinds of zones, over two years', () => {
  for (const zone of ['Europe/Berlin', 'America/St_Johns', 'Australia/Lord_Howe', 'Asia/Kathmandu', 'Pacific/Apia']) {
    const from = utc('2026-01-01 00:00')
    for (let at = from; at < from + 730 * DAY_MS; at += 31 * 15 * 60_000) {
      const back = instantOf(wallClock(at, zone), zone)
      // What is shown twice is the first time.
      expect(back === at || (back < at && wallClock(back, zone) === wallClock(at, zone))).toBe(true)
    }
  }
})

test('a zone has a name; an offset and a guess have none', () => {
  expect(['UTC', 'Europe/Berlin', 'America/Sao_Paulo'].map(isTimeZone)).toEqual([true, true, true])
  expect(['+02:00', 'Berlin', ''].map(isTimeZone)).toEqual([false, false, false])
})
