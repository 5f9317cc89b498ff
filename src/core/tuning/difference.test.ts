import { expect, test } from 'vitest'
import { type Difference, differences } from './difference.ts'
import { told } from './testing-told.ts'

const words = (difference: Difference): string =>
  difference.kind === 'moves'
    ? `${difference.before.keyId} moves: ${difference.how.join(', ')}`
    : `${(difference.kind === 'goes' ? difference.before : difference.after).keyId} ${difference.kind}`

test('what comes, goes and moves is told in the order of time, and what stays is not', () => {
  const before = [told('gone', 100), told('same', 200), told('worse', 300), told('late', 400)]
  const after = [
    told('same', 200),
    told('worse', 300, { severity: 'high', kind: 'retry-storm' }),
    told('late', 400, { opened: 420 }),
    told('new', 150),
  ]
  expect(differences(before, after).map(words)).toEqual([
    'gone goes',
    'new comes',
    'worse moves: kind, severity',
    'late moves: later',
  ])
})

test('two incidents of a key that were one are that one and a new one', () => {
  const before = [told('a', 100, { ended: 900 })]
  const after = [told('a', 100, { ended: 300 }), told('a', 700, { ended: 900, incidentId: 'a#2' })]
  expect(differences(before, after).map(words)).toEqual(['a comes'])
})

test('the same key at another time is another incident', () => {
  expect(differences([told('a', 100)], [told('a', 9_000)]).map(words)).toEqual(['a goes', 'a comes'])
})
