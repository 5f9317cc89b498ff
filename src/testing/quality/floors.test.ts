import { expect, test } from 'vitest'
import type { Figure } from '../bench/figure.ts'
import { isMet } from '../bench/figure.ts'
import { againstFloors } from './floors.ts'

const found = (share: number): Figure => ({
  what: '500× at ≥ 60/min: found',
  value: { min: share, median: share, max: share },
  unit: '',
  cases: 4,
  limit: { atLeast: 0.1 },
})

test('what falls back behind its floor has failed, whatever the goal is', () => {
  expect(againstFloors([found(1)], false).every(isMet)).toBe(true)
  expect(againstFloors([found(0.75)], false).every(isMet)).toBe(false)
})

test('a figure without a floor is told for information', () => {
  const [figure] = againstFloors([{ ...found(0), what: 'another' }], false)
  expect(figure!.limit).toBeUndefined()
})

test('a floor that guards nothing is an error, where the whole bench ran', () => {
  expect(() => againstFloors([found(1)], true)).toThrow('no figure is called')
})
