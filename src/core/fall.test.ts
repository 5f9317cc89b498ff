/** What is missing: a key that calls far less is told of, once, and a pause, a gap in delivery or the end of one are not. */
import { expect, test } from 'vitest'
import { type Call, inOrder, live, settingsOf, steady, streamInto, TEN, taught, timetable } from './testing-stream.ts'

const rates = { key_a: 600, key_b: 600 }

/** `key_a` at these calls a second, each for so many seconds; `key_b` as ever, but for a gap in which nothing was delivered. */
function told(
  stretches: readonly (readonly [perSecond: number, seconds: number])[],
  { gap, through }: { readonly gap?: readonly [from: number, to: number]; readonly through?: number } = {},
): string[] {
  const calls: Call[] = []
  let from = TEN
  for (const [perSecond, seconds] of stretches) {
    if (perSecond > 0) calls.push(...steady('key_a', { perSecond, from, seconds }))
    from += seconds * 1_000
  }
  const others = steady('key_b', { perSecond: 10, from: TEN, seconds: (from - TEN) / 1_000 })
  const isDelivered = ({ at }: Call) => gap === undefined || at < TEN + gap[0] * 1_000 || at >= TEN + gap[1] * 1_000
  const all = inOrder(calls, others).filter(isDelivered)
  let stream = streamInto(taught(settingsOf(), rates, { days: 7 }))
  const cut = through === undefined ? TEN : TEN + through * 1_000
  if (cut > TEN) {
    live(
      stream,
      all.filter(({ at }) => at < cut),
      { until: cut },
    )
    stream = stream.afterCheckpoint()
  }
  live(
    stream,
    all.filter(({ at }) => at >= cut),
    { until: from },
  )
  return timetable(stream.changes)
}

const fallen = [
  '636s open key_a#1 fall low held (no-harm)',
  '1005s recovering key_a#1 fall low held (no-harm)',
  '1035s closed key_a#1 fall low held (no-harm)',
]

test('a key with a tenth of its calls left is told of when five minutes of a slot have shown it, and again when it is back', () => {
  const story = [
    [10, 240],
    [1, 660],
    [10, 240],
  ] as const

  expect(told(story)).toEqual(fallen)
  expect(told(story, { through: 500 })).toEqual(fallen)
  expect(told(story, { through: 800 })).toEqual(fallen)
})

test('who stops for four minutes and comes back was silent and has not fallen; of whom nothing was delivered neither is told', () => {
  const pause = [
    [10, 200],
    [0, 240],
    [10, 500],
  ] as const

  expect(told(pause)).toEqual([
    '395s open key_a#1 silence low held (no-harm)',
    '505s recovering key_a#1 silence low held (no-harm)',
    '535s closed key_a#1 silence low held (no-harm)',
  ])
  expect(told([[10, 940]], { gap: [200, 440] })).toEqual([])
})

test('who has called half as often for an hour is let be', () => {
  expect(told([[5, 3_600]])).toEqual([])
})

test('who falls and then stops calling altogether is told to be silent, until it calls again', () => {
  const story = [
    [10, 240],
    [1, 660],
    [0, 600],
    [10, 240],
  ] as const

  expect(told(story)).toEqual([
    '636s open key_a#1 fall low held (no-harm)',
    '965s recovering key_a#1 fall low held (no-harm)',
    '1055s open key_a#1 silence low held (no-harm)',
    '1565s recovering key_a#1 silence low held (no-harm)',
    '1595s closed key_a#1 silence low held (no-harm)',
  ])
})
