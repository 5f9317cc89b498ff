import { expect, test } from 'vitest'
import { createCallOrder } from './call-order.ts'

function ordered(times: readonly number[], delayMs = 35_000) {
  const taken: number[] = []
  const order = createCallOrder(delayMs, (_, time) => taken.push(time))
  for (const time of times) order.add(0, time)
  const soFar = [...taken]
  order.end()
  return { taken, soFar }
}

test('calls that were answered in another order are handed on as they were made', () => {
  expect(ordered([29_000, 100, 28_999, 101, 40_000]).taken).toEqual([100, 101, 28_999, 29_000, 40_000])
})

test('a call waits only until nothing earlier is to be expected', () => {
  expect(ordered([100, 37_000]).soFar).toEqual([100])
  expect(ordered([100, 34_000]).soFar).toEqual([])
})

test('a call that comes too late is handed on at once, and no call is lost', () => {
  const { soFar, taken } = ordered([0, 100_000, 50])
  expect(soFar).toEqual([0, 50])
  expect(taken).toEqual([0, 50, 100_000])
})
