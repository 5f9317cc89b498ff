import { expect, test } from 'vitest'
import type { Knob, Setting } from './knob.ts'
import { rungOf, type Search, type Searched, search } from './search.ts'

const knob = (detector: string, threshold: string, present: number, more: Partial<Knob> = {}): Knob => ({
  ...{ path: ['detectors', detector, threshold], name: `${detector}.${threshold}`, detector },
  ...{ min: 0.01, max: 10_000, unit: '×', stricter: 'higher', present },
  ...more,
})

const knobs = [knob('a', 'loud', 10), knob('a', 'deaf', 3), knob('b', 'silent', 5)]

/** What a setting costs, told by a formula instead of by a replay. */
function searched(cost: (setting: Setting) => number, more: Partial<Search<number>> = {}) {
  const batches: number[] = []
  const steps = search<number>({
    ...{ knobs, tries: 30, compare: (one, other) => one - other, speaks: (_, detector) => detector === 'a' },
    ...more,
  })
  let step = steps.next()
  while (!step.done) {
    batches.push(step.value.length)
    step = steps.next(step.value.map(cost))
  }
  return { ...(step.value satisfies Searched<number>), batches }
}

test('it finds the knob that matters, and leaves the others as they are', () => {
  const { suggested, present } = searched(setting => Math.abs(Math.log((setting['a.loud'] ?? 0) / 28)))
  expect(suggested.setting).toEqual({ ...present.setting, 'a.loud': 28 })
})

test('where nothing is better than what there is, nothing is suggested', () => {
  const { suggested, present } = searched(setting => Math.abs(Math.log((setting['a.loud'] ?? 0) / 10)))
  expect(suggested).toBe(present)
})

test('the present setting is judged first and alone, and none is judged twice', () => {
  const seen = new Set<string>()
  const { batches, trials } = searched(setting => {
    const name = JSON.stringify(Object.entries(setting).sort())
    expect(seen.has(name)).toBe(false)
    seen.add(name)
    return setting['a.deaf'] ?? 0
  })
  expect(batches[0]).toBe(1)
  expect(trials).toHaveLength(seen.size)
})

test('it tries no more than it may, and without a try it says what there is', () => {
  for (const tries of [0, 1, 5, 12]) {
    const { trials, batches } = searched(setting => setting['a.loud'] ?? 0, { tries })
    expect(trials.length - 1).toBeLessThanOrEqual(tries)
    expect(batches.reduce((sum, length) => sum + length, 0)).toBe(trials.length)
  }
  expect(searched(() => 0, { tries: 0 }).trials).toHaveLength(1)
})

test('a setting that is a rung of the ladder is known as one', () => {
  const { trials } = searched(setting => setting['a.loud'] ?? 0, { tries: 8 })
  expect(trials.map(({ setting }) => rungOf(knobs, setting)).slice(0, 4)).toEqual([
    ...[undefined, 1 / 2, 1 / Math.SQRT2, Math.SQRT2],
  ])
})

test('knobs stay within what the setting may be, in two digits', () => {
  const narrow = [knob('a', 'loud', 10, { min: 9, max: 11 })]
  const { trials } = searched(setting => setting['a.loud'] ?? 0, { knobs: narrow })
  for (const { setting } of trials) expect([9, 10, 11]).toContain(setting['a.loud'])
})
