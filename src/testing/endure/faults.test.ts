import { expect, test } from 'vitest'
import { drawRounds } from './faults.ts'

test('the same seed draws the same rounds, another one others', () => {
  expect(drawRounds(7, 30, 1)).toEqual(drawRounds(7, 30, 1))
  expect(drawRounds(7, 30, 1)).not.toEqual(drawRounds(8, 30, 1))
})

test('every combination comes before one comes again, and all workers die only where there are several', () => {
  const kindsOf = (rounds: number, workers: number) =>
    drawRounds(3, rounds, workers).map(({ faults }) => faults.map(({ kind }) => kind).join('+'))
  expect(new Set(kindsOf(8, 1)).size).toBe(8)
  expect(new Set(kindsOf(9, 2)).size).toBe(9)
  expect(kindsOf(200, 1)).not.toContain('all-workers-killed')
  expect(kindsOf(9, 2)).toContain('all-workers-killed')
})

test('a frozen worker stands still for longer than its group waits for it', () => {
  const frozen = drawRounds(1, 200, 2)
    .flatMap(({ faults }) => faults)
    .flatMap(fault => (fault.kind === 'worker-frozen' ? [fault.forMs] : []))
  expect(Math.min(...frozen)).toBeGreaterThan(10_000)
})

test('some faults come before anybody can have been told, most of them anywhere until the limit should be back', () => {
  const moments = drawRounds(4, 400, 1).map(({ afterMs }) => afterMs)
  const early = moments.filter(afterMs => afterMs < 1_000).length / moments.length
  expect(early).toBeGreaterThan(0.2)
  expect(early).toBeLessThan(0.35)
  expect(Math.max(...moments)).toBeGreaterThan(45_000)
})
