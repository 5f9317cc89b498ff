import { describe, expect, test } from 'vitest'
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../core/vocabulary.ts'
import { followNotices, quietNotices } from './notices.ts'

const rules = { behindAfterMs: 2 * MINUTE_MS, checkpointEveryMs: 5_000 }

interface Seen {
  readonly behindMs: number
  readonly undelivered: number
  readonly checkpointAgeMs: number
}

/** So many seconds each with what is seen then, and what was told when: `15s behind`. */
function tell(...stretches: readonly (readonly [seconds: number, seen: Partial<Seen>])[]): string[] {
  const told: string[] = []
  let state = quietNotices
  let second = 0
  for (const [seconds, { behindMs = 0, undelivered = 0, checkpointAgeMs = 0 }] of stretches) {
    for (const end = second + seconds; second < end; second++) {
      const at = second * SECOND_MS
      const reading = { at, behindMs, readTo: at - behindMs, checkpointedAt: at - checkpointAgeMs, undelivered }
      const [next, notices] = followNotices(state, reading, rules)
      state = next
      for (const notice of notices) told.push(`${second}s ${notice.kind}`)
    }
  }
  return told
}

describe('a worker that is behind', () => {
  test('says so when that has lasted for some seconds, and that it has caught up when that has lasted for a minute', () => {
    expect(tell([100, {}], [300, { behindMs: 3 * MINUTE_MS }], [120, {}])).toEqual(['115s behind', '460s caught-up'])
  })

  test('says nothing of what passes in seconds, nor of what is less than the setting', () => {
    expect(tell([14, { behindMs: HOUR_MS }], [600, { behindMs: 2 * MINUTE_MS }], [60, {}])).toEqual([])
  })

  test('that comes and goes about the bound says it once', () => {
    const about = [3, 1.5, 2.5, 1.2, 4, 1.9].map(minutes => [40, { behindMs: minutes * MINUTE_MS }] as const)
    expect(tell(...about, ...about, ...about)).toEqual(['15s behind'])
  })

  test('that is near for a moment and falls back has not caught up', () => {
    expect(tell([60, { behindMs: HOUR_MS }], [59, {}], [60, { behindMs: HOUR_MS }], [59, {}])).toEqual(['15s behind'])
  })

  test('and stays so says it again each hour', () => {
    expect(tell([2 * 3_600 + 60, { behindMs: HOUR_MS }])).toEqual(['15s behind', '3615s behind', '7215s behind'])
  })

  test('and is so again within ten minutes says it when those are over', () => {
    expect(tell([20, { behindMs: HOUR_MS }], [70, {}], [700, { behindMs: HOUR_MS }])).toEqual([
      '15s behind',
      '80s caught-up',
      '615s behind',
    ])
  })
})

test('what is told of being behind is since when, how far, and up to where the stream was read', () => {
  const at = 100 * MINUTE_MS
  const reading = { at, behindMs: HOUR_MS, readTo: at - HOUR_MS, checkpointedAt: at, undelivered: 0 }
  const [state] = followNotices(quietNotices, { ...reading, at: at - 15 * SECOND_MS }, rules)
  const [later, notices] = followNotices(state, reading, rules)
  const since = at - 15 * SECOND_MS
  expect(notices).toEqual([{ kind: 'behind', at, since, behindMs: HOUR_MS, readTo: at - HOUR_MS }])
  const near = { ...reading, behindMs: 0 }
  const [nearly] = followNotices(later, { ...near, at: at + SECOND_MS }, rules)
  const [, over] = followNotices(nearly, { ...near, at: at + SECOND_MS + MINUTE_MS }, rules)
  expect(over).toEqual([{ kind: 'caught-up', at: at + SECOND_MS, since, mostMs: HOUR_MS }])
})

test('a state that is not kept for two minutes is told once, and that it is kept again', () => {
  expect(tell([100, { checkpointAgeMs: 119_000 }], [100, { checkpointAgeMs: 121_000 }], [10, {}])).toEqual([
    '100s checkpoint-failing',
    '200s checkpoint-working',
  ])
})

test('undelivered alerts are told when there are more, once an hour at most, and not when a person has sent some', () => {
  expect(
    tell(
      [60, { undelivered: 3 }],
      [60, { undelivered: 4 }],
      [60, { undelivered: 0 }],
      [3_600, { undelivered: 1 }],
      [3_600, { undelivered: 1 }],
    ),
  ).toEqual(['0s alerts-undelivered', '3600s alerts-undelivered'])
})
