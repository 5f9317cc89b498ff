import { describe, expect, test } from 'vitest'
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../vocabulary.ts'
import { type Backlog, followBacklog, NO_BACKLOG } from './backlog.ts'

const noon = Date.UTC(2026, 10, 20, 12)
const deliveryMs = 35 * SECOND_MS

/** Arrival minutes after noon, and how many minutes event time is behind it then. */
function phases(told: readonly (readonly [number, number])[]): string[] {
  let backlog: Backlog = NO_BACKLOG
  return told.map(([minute, behind]) => {
    const now = noon + minute * MINUTE_MS
    const eventTime = now - behind * MINUTE_MS
    backlog = followBacklog(backlog, { now, eventTime, before: noon - HOUR_MS, deliveryMs })
    return backlog.phase
  })
}

describe('a worker', () => {
  test('that was away for an hour and reads fast catches up until it is a minute from now', () => {
    expect(
      phases([
        [0, 60],
        [0.5, 40],
        [1, 20],
        [1.5, 2],
        [1.6, 1.5],
      ]),
    ).toEqual(['catching-up', 'catching-up', 'catching-up', 'catching-up', 'none'])
  })

  test('that reads what is five minutes old has no backlog, and one that was late and is near again none any more', () => {
    expect(phases([[0, 5.5]])).toEqual(['none'])
    expect(
      phases([
        [0, 5.6],
        [1, 5],
        [2, 1.5],
      ]),
    ).toEqual(['catching-up', 'catching-up', 'none'])
  })

  test('to which the newest comes ten minutes late, always, is not catching up after the first minute', () => {
    expect(
      phases([
        [0, 10],
        [0.9, 10],
        [1, 10],
        [5, 10.2],
      ]),
    ).toEqual(['catching-up', 'catching-up', 'standing-still', 'standing-still'])
  })

  test('that gains nothing for a while and then does is catching up again', () => {
    expect(
      phases([
        [0, 90],
        [1, 90],
        [2, 60],
        [3, 30],
      ]),
    ).toEqual(['catching-up', 'standing-still', 'catching-up', 'catching-up'])
  })

  test('whose log runs ahead of its clock has no backlog', () => {
    expect(phases([[0, -3]])).toEqual(['none'])
  })
})

test('a backlog knows where it began', () => {
  const backlog = followBacklog(NO_BACKLOG, {
    now: noon,
    eventTime: noon - HOUR_MS,
    before: noon - 2 * HOUR_MS,
    deliveryMs,
  })
  expect(backlog).toEqual({ phase: 'catching-up', from: noon - 2 * HOUR_MS, pacedAt: noon, behindMs: HOUR_MS })
})
