/** When a key is looked at for what is missing: rarely, and not when it has paused. */
import { expect, test } from 'vitest'
import { createActivity, type KeyActivity, type SlotKnowledge } from './key-state.ts'
import { isLull, noteSteady, restFromLull, steadySeconds } from './lull.ts'
import { addCounts, closePane, openPane } from './pane.ts'

/** Of sixty calls a minute. */
const known = { usual: { callsPerMinute: 60, days: 7 } } as SlotKnowledge
const HALF = 0.5

/** One closed pane a second, `from` to `to`, of so many calls each. */
function closed(activity: KeyActivity, from: number, to: number, calls: number): KeyActivity {
  const none = { status2xx: 0, status4xx: 0, status429: 0, status5xx: 0, latencySumMs: 0, latencyCount: 0, bytes: 0 }
  for (let second = from; second < to; second++) {
    addCounts(activity.panes, openPane(activity.panes, second), { ...none, calls })
    closePane(activity.panes)
    noteSteady(activity, second)
  }
  return activity
}

/** Seconds in which it is a lull, of those from `from` on. */
function lulls(activity: KeyActivity, from: number, to: number, calls: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index).filter(second => {
    closed(activity, second, second + 1, calls)
    return isLull(activity, known, second, HALF)
  })
}

test('a key that calls as usual is looked at once in a slot, and then is no lull', () => {
  const activity = closed(createActivity(), 3_000, 3_300, 1)

  expect(lulls(activity, 3_300, 3_900, 1)).toEqual([])
  expect(activity.lullFrom).toBe(3_900)
})

test('a key with half of its calls is a lull from the slot’s first second on, and one with a call more is not', () => {
  const half = createActivity()
  for (let second = 3_000; second < 3_300; second += 2) closed(half, second, second + 1, 1)
  closed(half, 3_300, 3_301, 0)

  expect(isLull(half, known, 3_300, HALF)).toBe(true)
  closed(half, 3_301, 3_302, 2)
  expect(isLull(half, known, 3_301, HALF)).toBe(false)
})

test('what nobody finds of interest is not looked at again before the next slot', () => {
  const activity = closed(createActivity(), 3_000, 3_300, 0)
  expect(lulls(activity, 3_300, 3_302, 0)).toEqual([3_300, 3_301])

  restFromLull(activity, 3_301)
  expect(lulls(activity, 3_302, 3_602, 0)).toEqual([3_600, 3_601])
})

test('of a key of which no day is known nothing is missing', () => {
  const activity = closed(createActivity(), 3_000, 3_300, 0)
  const isMissing = (usual: SlotKnowledge['usual']) => isLull(activity, { ...known, usual }, 3_299, HALF)

  expect(isMissing(undefined)).toBe(false)
  activity.lullFrom = 0
  expect(isMissing(known.usual && { ...known.usual, days: 0 })).toBe(false)
})

test('a pause of a minute is borne, and a longer one begins it anew, while it lasts too', () => {
  const activity = closed(createActivity(), 3_000, 3_100, 1)
  expect(steadySeconds(activity, 3_100)).toBe(100)
  closed(activity, 3_159, 3_160, 1)
  expect(steadySeconds(activity, 3_160)).toBe(160)
  expect(steadySeconds(activity, 3_220)).toBe(0)
  closed(activity, 3_220, 3_221, 1)
  expect(steadySeconds(activity, 3_221)).toBe(1)
})

test('of a key that has not called nothing is steady', () => {
  expect(steadySeconds(createActivity(), 3_000)).toBe(0)
})
