import { expect, test } from 'vitest'
import { isOfSame, lastLabels, verdictOn } from './label.ts'
import { labelled, told } from './testing-told.ts'

test('a label is of its key and its time, whatever number the incident has in a replay', () => {
  const incident = told('a', 1_000, { incidentId: 'a#17', ended: 1_100 })
  expect(isOfSame(labelled('a', 'true', 1_050), incident)).toBe(true)
  expect(isOfSame(labelled('a', 'true', 1_150), incident)).toBe(true)
  expect(isOfSame(labelled('a', 'true', 1_200), incident)).toBe(false)
  expect(isOfSame(labelled('b', 'true', 1_050), incident)).toBe(false)
})

test('of two that contradict each other about one time, what is true is not to be missed', () => {
  const incident = told('a', 1_000, { ended: 2_000 })
  const labels = [labelled('a', 'true', 1_500), { ...labelled('a', 'false-alarm', 1_000), incidentId: 'a#10' }]
  expect(verdictOn(incident, labels)).toBe('true')
  expect(verdictOn(incident, labels.slice(1))).toBe('false-alarm')
  expect(verdictOn(incident, [])).toBeUndefined()
})

test('the last word on an incident counts, whichever moment in it was named', () => {
  const incident = told('a', 1_000, { ended: 2_000 })
  const [first, second] = [labelled('a', 'true', 1_000, 1_000), labelled('a', 'false-alarm', 1_500, 1_500)]
  expect(verdictOn(incident, [first, second])).toBe('false-alarm')
  expect(verdictOn(incident, lastLabels([first, second, first]))).toBe('true')

  expect(lastLabels([labelled('a', 'true', 5), labelled('a', 'false-alarm', 5)])).toEqual([
    labelled('a', 'false-alarm', 5),
  ])
})
