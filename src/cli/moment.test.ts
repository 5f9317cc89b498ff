import { expect, test } from 'vitest'
import { parseMoment } from './moment.ts'

const SEVEN_PAST = Date.UTC(2026, 10, 20, 14, 3, 7)

test('a moment is written as Weir writes times, or with the offset of where its reader lives', () => {
  for (const text of [
    '2026-11-20T14:03:07Z',
    '2026-11-20T14:03:07.912Z',
    '2026-11-20 14:03:07 UTC',
    '2026-11-20T15:03:07+01:00',
    '2026-11-20T09:33:07-0430',
    String(SEVEN_PAST + 12),
  ])
    expect(parseMoment(text), text).toBe(SEVEN_PAST)
  expect(parseMoment('2026-11-20T14:03Z')).toBe(SEVEN_PAST - 7_000)
})

test('a time without zone or day could be several, and the hint has it ready', () => {
  expect(() => parseMoment('2026-11-20T14:03:07')).toThrow(
    expect.objectContaining({
      code: 'TIME_UNUSABLE',
      message: '“2026-11-20T14:03:07” is ambiguous: it names no zone',
      hint: expect.stringContaining('2026-11-20T14:03:07Z if this is one of them'),
    }),
  )
  expect(() => parseMoment('14:03')).toThrow('“14:03” is ambiguous: it names no day')
})

test('what is no moment of any calendar is said to be none', () => {
  for (const text of ['yesterday', '2026-02-30T10:00:00Z', '2026-11-20T25:00:00Z', '1795183387'])
    expect(() => parseMoment(text), text).toThrow('is no moment')
})
