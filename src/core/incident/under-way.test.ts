import { expect, test } from 'vitest'
import { play } from './testing-incident.ts'

test('a throttle without an answer is told to people after a minute, once, and again when it has one', () => {
  expect(
    play(
      [
        [0, 'storm'],
        [100, 'applied'],
      ],
      200,
    ).slice(3),
  ).toEqual(['60s ! alert: throttle (late)', '100s mitigated', '100s ! alert: throttled'])
})

test('of one that is part of a platform incident by then nobody hears', () => {
  expect(
    play(
      [
        [0, 'storm'],
        [1, 'platform'],
      ],
      100,
    ),
  ).not.toContain('60s ! alert: throttle (late)')
})
