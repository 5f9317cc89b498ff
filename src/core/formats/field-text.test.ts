import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseNumber, parseTime } from './field-text.ts'

const number = (text: string) => parseNumber(Buffer.from(`"${text}"`), 1, 1 + Buffer.byteLength(text))
const time = (text: string) => parseTime(Buffer.from(`"${text}"`), 1, 1 + Buffer.byteLength(text))

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
