import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseNumber, parseTime } from './field-text.ts'

const number = (text: string) => parseNumber(Buffer.from(`"${text}"`), 1, 1 + Buffer.byteLength(text))
const time = (text: string) => parseTime(Buffer.from(`"${text}"`), 1, 1 + Buffer.byteLength(text))
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

test('a decimal is the double that is nearest to it, however it is read', () => {
  const decimal = fc.tuple(fc.bigInt({ min: 0n, max: 10n ** 17n }), fc.bigInt({ min: 0n, max: 10n ** 16n }), fc.nat(6))
  fc.assert(
    fc.property(decimal, ([before, after, zeros]) => {
      const text = `${before}.${'0'.repeat(zeros)}${after}`
      expect(number(text)).toBe(Number(text))
    }),
    { numRuns: 3000 },
  )
  for (const text of ['0.045', '1.001', '102.9999', '000.100', '5e3', '1.5e-3']) expect(number(text)).toBe(Number(text))
  for (const text of ['', '.', '.5', '5.', '1.2.3', '-1.5', '1. 5', '1.5x'])
    expect([text, number(text)]).toEqual([text, Number.NaN])
})

test('a time says the same after any other, the same one or one that makes no sense', () => {
  const noon = Date.UTC(2026, 0, 1, 12)
  const said = new Map([
    ['01/Jan/2026:12:00:00 +0000', noon],
    ['01/Jan/2026:12:00:01 +0000', noon + 1000],
    ['01/Jan/2026:12:00:00 +0100', noon - 3_600_000],
    ['2026-01-01T12:00:00.123Z', noon + 123],
    ['2026-01-01T12:00:00', Number.NaN],
    ['1767268800.123', noon + 123],
    ['1767268800', noon],
    ['', Number.NaN],
    ['yesterday', Number.NaN],
    ['x'.repeat(100), Number.NaN],
  ])
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...said.keys()), { minLength: 1, maxLength: 20 }), texts => {
      expect(texts.map(time)).toEqual(texts.map(text => said.get(text)))
    }),
  )
})

const inCentury = (at: number): number => (at >= Date.UTC(2000, 0, 1) && at < Date.UTC(2100, 0, 1) ? at : Number.NaN)

test('any moment of the century is the same in every spelling', () => {
  fc.assert(
    fc.property(fc.integer({ min: Date.UTC(2000, 0, 1), max: Date.UTC(2100, 0, 1) - 1 }), at => {
      const iso = new Date(at).toISOString()
      const [, year, month, day, clock] = /^(\d+)-(\d+)-(\d+)T([\d:]+)/.exec(iso) ?? []
      const second = at - (at % 1000)
      expect(time(iso)).toBe(at)
      expect(time(iso.replace('T', ' '))).toBe(at)
      expect(time(iso.replace(/\.\d+Z/, 'Z'))).toBe(second)
      expect(time(`${day}/${months[Number(month) - 1]}/${year}:${clock} +0000`)).toBe(second)
      for (const [zone, hours] of [
        ['+0100', 1],
        ['-0930', -9.5],
        ['+1245', 12.75],
      ] as const)
        expect(time(`${day}/${months[Number(month) - 1]}/${year}:${clock} ${zone}`)).toBe(
          inCentury(second - hours * 3_600_000),
        )
      expect(time(`[${day}/${months[Number(month) - 1]?.toLowerCase()}/${year}:${clock} +0000]`)).toBe(second)
    }),
    { numRuns: 2_000 },
  )
})

test('a leap day and a leap second exist, and the thirtieth of February, 24 o’clock and a thirteenth month do not', () => {
  expect(time('2024-02-29T12:00:00Z')).toBe(Date.UTC(2024, 1, 29, 12))
  expect(time('2016-12-31T23:59:60Z')).toBe(Date.UTC(2017, 0, 1))
  expect(time('29/Feb/2024:12:00:00 +0000')).toBe(Date.UTC(2024, 1, 29, 12))
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
    '01/Jan/2026:12:00:00+00000',
    '01/Jan/2026:12:00:00 *0000',
    '01/Jan/2026:12:00:00 +0x00',
    '1999-12-31T23:59:59Z',
  ])
    expect(time(none), none).toBe(none.includes(',') ? Date.UTC(2026, 0, 1, 12) + 120 : Number.NaN)
})
