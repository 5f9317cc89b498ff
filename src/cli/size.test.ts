import { expect, test } from 'vitest'
import { parseSize, sizeText } from './size.ts'

test('a size is an amount and a unit', () => {
  expect(['500MB', '2GB', '1.5 GB', '10kB', '1TB'].map(parseSize)).toEqual([5e8, 2e9, 1.5e9, 1e4, 1e12])
})

test.each(['500', '2gb', 'MB', '-1MB', '0MB', '', 'much'])('%j is none', text => {
  expect(() => parseSize(text)).toThrow('with its unit')
})

test('sizes are told as people say them', () => {
  expect([0, 999, 1_500, 12_345_678, 2e9].map(sizeText)).toEqual(['0 B', '999 B', '1.5 kB', '12 MB', '2.0 GB'])
})
