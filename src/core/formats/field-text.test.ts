import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseTime } from './field-text.ts'

const timeOf = (text: string): number => parseTime(Buffer.from(`x${text}x`), 1, text.length + 1)
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

test('any moment of the century is the same in every spelling', () => {
  fc.assert(
    fc.property(fc.integer({ min: Date.UTC(2000, 0, 1), max: Date.UTC(2100, 0, 1) - 1 }), at => {
      const iso = new Date(at).toISOString()
      const [, year, month, day, clock] = /^(\d+)-(\d+)-(\d+)T([\d:]+)/.exec(iso) ?? []
      const second = at - (at % 1000)
      expect(timeOf(iso)).toBe(at)
      expect(timeOf(iso.replace('T', ' '))).toBe(at)
      expect(timeOf(iso.replace(/\.\d+Z/, 'Z'))).toBe(second)
      expect(timeOf(`${day}/${months[Number(month) - 1]}/${year}:${clock} +0000`)).toBe(second)
      expect(timeOf(`[${day}/${months[Number(month) - 1]?.toLowerCase()}/${year}:${clock} +0000]`)).toBe(second)
    }),
    { numRuns: 2_000 },
  )
})

test('a leap day and a leap second exist, and the thirtieth of February, 24 o’clock and a thirteenth month do not', () => {
  expect(timeOf('2024-02-29T12:00:00Z')).toBe(Date.UTC(2024, 1, 29, 12))
  expect(timeOf('2016-12-31T23:59:60Z')).toBe(Date.UTC(2017, 0, 1))
  expect(timeOf('29/Feb/2024:12:00:00 +0000')).toBe(Date.UTC(2024, 1, 29, 12))
  for (const none of [
    '2026-02-29T12:00:00Z',
    '2026-02-30T12:00:00Z',
    '2026-01-01T24:00:00Z',
    '2026-13-01T12:00:00Z',
    '2026-00-01T12:00:00Z',
    '2026-01-00T12:00:00Z',
    '2026-01-01T12:60:00Z',
    '2026-01-01T12:00:0xZ',
    '2026-01-01T12.00:00Z',
    '2026-01-01T12:00:00,12Z',
    '2026-01-01x12:00:00Z',
    '01/Foo/2026:12:00:00 +0000',
    '01/Jan/2026 12:00:00 +0000',
    '1999-12-31T23:59:59Z',
  ])
    expect(timeOf(none), none).toBe(none.includes(',') ? Date.UTC(2026, 0, 1, 12) + 120 : Number.NaN)
})
