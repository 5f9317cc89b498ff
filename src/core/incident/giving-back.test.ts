import { expect, test } from 'vitest'
import { play } from './testing-incident.ts'

const lowered: [number, ...string[]][] = [
  [0, 'storm'],
  [1, 'applied'],
  [100, 'ann halts'],
]
const after = (lines: readonly string[]) => lines.slice(7)

test('a limit that does not come back is told to people after a minute, once, and again when it has come', () => {
  expect(after(play([...lowered, [110, 'no answer'], [180, 'no answer'], [900, 'applied']], 900))).toEqual([
    '160s ! alert: restore full (operator, late)',
    '900s ! alert: restored',
  ])
})

test('also half of it', () => {
  const lines = play(
    [
      [0, 'storm'],
      [1, 'applied'],
      [700, 'applied'],
    ],
    700,
  )
  expect(lines.slice(-2)).toEqual([
    '660s ! alert: restore half (expired, late)',
    '700s ! alert: restore half (expired)',
  ])
})

test('what comes within the minute is not told twice', () => {
  expect(after(play([...lowered, [159, 'applied']], 159))).toEqual([])
})

test('one whose turn has not come is told of a minute after that, and in any case after eleven', () => {
  expect(after(play([...lowered, [110, 'two minutes to wait']], 400))).toEqual([
    '290s ! alert: restore full (operator, late)',
  ])
  expect(after(play([...lowered, [110, 'ten hours to wait']], 1_000))).toEqual([
    '760s ! alert: restore full (operator, late)',
  ])
})
