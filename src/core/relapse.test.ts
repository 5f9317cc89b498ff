/** When a limit goes up again: what came before is no relapse, and what comes after it is. */
import { expect, test } from 'vitest'
import { inOrder, live, settingsOf, steady, streamInto, TEN, taught } from './testing-stream.ts'

const settings = settingsOf({ throttle: { expiresAfter: '2m', probation: '1m' } })
const rates = { key_a: 600, key_b: 600, key_c: 60 }

/** Storms of `key_c`, from and to in seconds; what was done to its limit, with the second. */
function limitsThrough(...storms: readonly (readonly [number, number])[]): string[] {
  const stream = streamInto(taught(settings, rates))
  const calls = Object.entries(rates).map(([key, rate]) =>
    steady(key, { perSecond: rate / 60, from: TEN, seconds: 420 }),
  )
  const bad = storms.map(([from, to]) =>
    steady('key_c', { perSecond: 100, from: TEN + from * 1_000, seconds: to - from, status: 503 }),
  )
  live(stream, inOrder(...calls, ...bad))
  return stream.effects.filter(({ kind }) => kind !== 'alert').map(({ id }) => id.replace(/^.*\//, ''))
}

test('a storm that ends just before its throttle does is not throttled again for what it was', () => {
  for (const endsBefore of [1, 4, 9, 20]) {
    expect([endsBefore, limitsThrough([30, 151 - endsBefore])]).toEqual([
      endsBefore,
      ['throttle-1', 'restore-1', 'restore-2'],
    ])
  }
})

test('one that goes on at half of the limit is lowered again', () => {
  expect(limitsThrough([30, 200])).toEqual(['throttle-1', 'restore-1', 'throttle-2', 'restore-2', 'restore-3'])
})

test('one that comes back on probation is lowered again', () => {
  expect(limitsThrough([30, 100], [175, 230]).slice(0, 3)).toEqual(['throttle-1', 'restore-1', 'throttle-2'])
})
