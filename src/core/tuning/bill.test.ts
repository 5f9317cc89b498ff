import { expect, test } from 'vitest'
import { type Bill, billOf, compareBills, dueOf, keepsWithin, perWeek } from './bill.ts'
import { labelled, told } from './testing-told.ts'

const WEEK = 7 * 86_400
const week = { from: 0, to: WEEK * 1_000 }

test('a page is a whole alarm and low severity a twentieth; what nobody has labelled counts half, what is true nothing', () => {
  const incidents = [
    told('page', 100, { severity: 'high' }),
    told('quiet', 200),
    told('wrong', 300, { severity: 'high' }),
    told('right', 400, { severity: 'high' }),
    told('noted', 450, { telling: 'noted' }),
    told('part of a platform incident', 500, { severity: 'high', telling: 'with-platform' }),
  ]
  const labels = [labelled('wrong', 'false-alarm', 300), labelled('right', 'true', 400)]
  const bill = billOf(incidents, dueOf(incidents, labels), labels, week)
  expect(bill).toMatchObject({
    pages: 3,
    low: 1,
    withPlatform: 1,
    noted: 1,
    labelledFalse: 1,
    labelled: 1,
    labelledFound: 1,
  })
  expect(bill.falseAlarms).toBeCloseTo(0.5 + 0.025 + 1 + 0)
})

test('what is told now is due unless it was called a false alarm, and a later telling of it is a delay', () => {
  const present = [told('a', 100), told('b', 100)]
  const labels = [labelled('b', 'false-alarm', 100)]
  const due = dueOf(present, labels)
  expect(due.map(({ keyId }) => keyId)).toEqual(['a'])
  expect(billOf([told('a', 105, { opened: 130 })], due, labels, week)).toMatchObject({
    ...{ due: 1, found: 1, delay: { median: 30, p95: 30 }, lateness: 30 },
  })
})

test('what is labelled by a moment in it began when it began', () => {
  const present = [told('a', 100, { opened: 140, ended: 900 })]
  const due = dueOf(present, [labelled('a', 'true', 140, 140)])
  expect(billOf(present, due, [], week)).toMatchObject({ labelled: 1, labelledFound: 1, lateness: 40 })
})

test('what was called true first and a false alarm in the end is not due', () => {
  const present = [told('a', 100, { ended: 900 })]
  expect(dueOf(present, [labelled('a', 'true', 140, 140), labelled('a', 'false-alarm', 600, 600)])).toEqual([])
})

test('what is missed costs twice the most that a delay can', () => {
  const due = dueOf([told('late', 100), told('missed', 100)], [])
  const bill = billOf([told('late', 100, { opened: 9_000, ended: 9_100 })], due, [], week)
  expect(bill).toMatchObject({ due: 2, found: 1, lateness: (10 * 60 + 20 * 60) / 2 })
  expect(billOf([], due, [], week)).toMatchObject({ found: 0, delay: undefined, lateness: 20 * 60 })
})

test('what other settings tell in addition is an alarm, and no merit', () => {
  const due = dueOf([told('a', 100)], [])
  const bill = billOf([told('a', 100), told('c', 5_000)], due, [], week)
  expect(bill).toMatchObject({ low: 2, due: 1, found: 1, lateness: 1 })
})

test('each part of a history has what opened in it', () => {
  const present = [told('a', 100), told('b', WEEK + 100)]
  const due = dueOf(present, [])
  expect(billOf(present, due, [], week)).toMatchObject({ low: 1, due: 1, found: 1 })
  expect(billOf(present, due, [], { from: week.to, to: 2 * week.to })).toMatchObject({ low: 1, due: 1, found: 1 })
})

test('a short history may have one false alarm: less cannot be told from it, and no rate of weeks either', () => {
  const day = billOf([told('a', 100, { severity: 'high' })], [], [], { from: 0, to: 3_600_000 })
  expect(keepsWithin(day, 0.1)).toBe(true)
  expect(perWeek(day)).toBeUndefined()
})

const bill = (more: Partial<Bill>): Bill => ({ ...billOf([], [], [], week), ...more })

test('true stays found before all; then the budget; then the delay; then fewer alarms', () => {
  const better = (one: Partial<Bill>, other: Partial<Bill>) => compareBills(bill(one), bill(other), 1) < 0
  expect(better({ labelled: 1, labelledFound: 1, falseAlarms: 50 }, { labelled: 1, labelledFound: 0 })).toBe(true)
  expect(better({ falseAlarms: 3, lateness: 60 }, { falseAlarms: 4, lateness: 1 })).toBe(true)
  expect(better({ falseAlarms: 1, lateness: 5 }, { falseAlarms: 0, lateness: 6 })).toBe(true)
  expect(better({ falseAlarms: 0.2, lateness: 5 }, { falseAlarms: 0.9, lateness: 5 })).toBe(true)
  expect(compareBills(bill({ falseAlarms: 0.1 + 0.2 }), bill({ falseAlarms: 0.3 }), 1)).toBe(0)
})
