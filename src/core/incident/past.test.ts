import { describe, expect, test } from 'vitest'
import { play } from './testing-incident.ts'

describe('what is decided long after the fact', () => {
  test('is told as history, from its beginning to its end, and wakes nobody', () => {
    expect(play([[0, 'past storm']], 100)).toEqual(['0s open', '30s recovering', '60s closed'])
  })

  test('and goes on when the worker has caught up is alerted then, as what it is now, and throttled', () => {
    expect(
      play([
        [0, 'past storm'],
        [10, 'past storm'],
        [20, 'storm'],
        [21, 'applied'],
      ]),
    ).toEqual(['0s open', '20s ! alert: throttle', '20s ! key#1/throttle-1', '21s mitigated'])
  })

  test('and returns when the worker has caught up is alerted then, though it was about to close', () => {
    expect(
      play([
        [0, 'past surge'],
        [40, 'surge'],
      ]),
    ).toEqual(['0s open', '30s recovering', '40s open', '40s ! alert: held (no-harm)'])
  })

  test('of an incident that people know of: it is closed for them as any other, and what it became meanwhile waits for the present', () => {
    expect(
      play(
        [
          [0, 'surge'],
          [5, 'past storm'],
        ],
        100,
      ),
    ).toEqual([
      '0s open',
      '0s ! alert: held (no-harm)',
      '5s open',
      '35s recovering',
      '65s closed',
      '65s ! alert: held (no-harm)',
    ])
    expect(
      play([
        [0, 'surge'],
        [5, 'past storm'],
        [10, 'storm'],
      ]).slice(2),
    ).toEqual(['5s open', '10s ! alert: throttle', '10s ! key#1/throttle-1'])
  })

  test('and came back meanwhile, of an incident that people know of, is closed for them all the same, and wakes nobody before', () => {
    expect(
      play(
        [
          [0, 'surge'],
          [40, 'past surge'],
        ],
        140,
      ).slice(2),
    ).toEqual(['30s recovering', '40s open', '70s recovering', '100s closed', '100s ! alert: held (no-harm)'])
  })

  test('a silence that goes on is alerted when the worker has caught up, once', () => {
    expect(
      play([
        [0, 'past errors'],
        [10, 'present'],
        [11, 'present'],
      ]),
    ).toEqual(['0s open', '10s open', '10s ! alert: held (no-harm)'])
    expect(
      play([
        [0, 'errors'],
        [10, 'present'],
      ]),
    ).toEqual(['0s open', '0s ! alert: held (no-harm)'])
  })
})
