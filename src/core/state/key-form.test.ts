/** Each field of a live key comes back, whatever is in it. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { sequentialModel } from './accumulator.ts'
import { createCallPlaces } from './call-places.ts'
import { nothingRare, readKeys, writeKey } from './key-form.ts'
import { readRings, writeRings } from './key-rings.ts'
import { createActivity, createKeyState, type KeyState, type SlotKnowledge } from './key-state.ts'
import { createNumberBytes, numbersIn, readOptional, takeWritten, writeOptional } from './number-bytes.ts'
import { createLatencyBlocks } from './sketches.ts'
import { createWindows } from './window.ts'

let last = 0
/** Another one each time, of each of the lengths that a number may have. */
const another = (): number => {
  last++
  return [last, last * 300, last * 70_000, last / 7, -last][last % 5] ?? last
}
const whole = (): number => Math.abs(Math.trunc(another()))

/** Each number in it another one; each truth another than at the beginning. */
function stirred<Value>(value: Value): Value {
  if (typeof value === 'number') return whole() as Value
  if (typeof value === 'boolean') return !value as Value
  if (ArrayBuffer.isView(value)) {
    const numbers = value as unknown as Float64Array
    for (let index = 0; index < numbers.length; index++) numbers[index] = 1 + (whole() % 60_000)
    return value
  }
  if (Array.isArray(value)) return value.map(stirred) as Value
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, stirred(item)])) as Value
}

function knowledge(lent: SlotKnowledge['lent'], planned: SlotKnowledge['planned']): SlotKnowledge {
  const usual = {
    ...{ callsPerMinute: 1.5, lowerPerMinute: 2.5, upperPerMinute: 3.5, slotUpperPerMinute: 4.5 },
    ...{ slotLowerPerMinute: 5.5, dispersion: 0.5, clientErrorShare: 0.1, refusedShare: 0.2, failureShare: 0.3 },
    ...{ answered: 6.5, latencyMs: 7.5, days: 3, longestPause: 8.5, peers: { keys: 9, plan: 'gold' } },
    reaches: [
      { seconds: 10, upperCalls: 20.5, perWeek: 0.25, tail: 2.5, cautiousTail: 1.5, busiestCalls: undefined },
      { seconds: 60, upperCalls: 21.5, perWeek: 0.75, tail: 3.5, cautiousTail: 4.5, busiestCalls: 33 },
    ],
  } as const
  const plain = { slotMeanCalls: 1.25, slotMinuteMean: undefined, slotMinuteStdDev: 2.25, weekMinuteMean: 3.25 }
  return { slot: 9_000_000, minutes: 77, lessons: 78, usual, plain, model: sequentialModel(usual), planned, lent }
}

function fullKey(): KeyState {
  const known = knowledge(undefined, undefined)
  const { usual, plain } = known
  const early = knowledge({ usual: usual && { ...usual, days: 1 }, plain }, undefined)
  const activity = createActivity()
  Object.assign(activity, stirred({ ...activity, panes: activity.panes }))
  Object.assign(activity.panes, { mask: 3, first: 5, firstOpen: 7, end: 9, quiet: 11, surplus: 12 })
  activity.panes.heads = stirred(new Uint32Array(8))
  activity.panes.counts = stirred(new Uint32Array(4 * 14))
  activity.panes.sums = stirred(new Float64Array(12)).map(sum => sum / 3)
  activity.windows = stirred(createWindows())
  activity.earlyWindows = stirred(createWindows())
  activity.latency = stirred(createLatencyBlocks())
  activity.places = stirred(createCallPlaces())
  activity.early.model = early.model
  return {
    ...createKeyState('k' as never, { number: 41, knownFrom: 42, incidents: 43 }),
    activity,
    earlySlot: early,
    finalSlot: known,
    isDirty: true,
    incident: { phase: 'suspected', lastBadAt: 44 },
    wrong: { onsetAt: 45, foundAt: 46, until: 47 },
  }
}

function thereAndBack(...keys: readonly KeyState[]): readonly KeyState[] {
  const out = { keys: createNumberBytes(16), rare: nothingRare() }
  const rings = createNumberBytes(16)
  for (const key of keys) {
    writeKey(out, key)
    if (key.activity) writeRings(rings, key.number, key.activity)
  }
  const read = new Map(readRings(takeWritten(rings)))
  return [...readKeys(takeWritten(out.keys), out.rare, read, () => 'k' as never)]
}

test('a key of which every field has something to say comes back as it was', () => {
  const key = fullKey()
  expect(thereAndBack(key)).toEqual([key])
})

test('a key of which nothing is known comes back as it was, and so do its neighbours', () => {
  const bare = createKeyState('k' as never, { number: 1, knownFrom: 0, incidents: 0 })
  const begun = { ...bare, number: 2, activity: createActivity() }
  const keys = [bare, fullKey(), begun, { ...fullKey(), number: 3, earlySlot: undefined }, bare]
  expect(thereAndBack(...keys)).toEqual(keys)
})

test('what a plan makes of a slot stands beside it, each with its key', () => {
  const plan = { name: 'sale', sinceSecond: 3, stretches: [] } as never
  const { usual, plain } = knowledge(undefined, undefined)
  const keys = [1, 2].map(number => ({
    ...fullKey(),
    number,
    finalSlot: knowledge(undefined, { plan, usual, plain: { ...plain, slotMeanCalls: number } }),
  }))
  expect(thereAndBack(...keys)).toEqual(keys)
})

test('whose model early evidence goes by is still the same afterwards, and one of before is still another', () => {
  const [one] = thereAndBack(fullKey())
  expect(one?.activity?.early.model).toBe(one?.earlySlot?.model)
  const key = fullKey()
  const known = knowledge(undefined, undefined)
  if (key.activity)
    key.activity.early.model = sequentialModel({ ...fullKey().earlySlot?.usual, upperPerMinute: 99 } as never)
  const [two] = thereAndBack({ ...key, earlySlot: known, finalSlot: known })
  expect(two?.finalSlot).toBe(two?.earlySlot)
  expect(two?.activity?.early.model).toEqual(key.activity?.early.model)
  expect(two?.activity?.early.model).not.toBe(two?.earlySlot?.model)
})

test('any number comes back to the bit, and so does none', () => {
  const numbers = fc.array(fc.oneof(fc.double(), fc.integer(), fc.nat(70_000), fc.constant(undefined), fc.constant(-0)))
  fc.assert(
    fc.property(numbers, values => {
      const out = createNumberBytes(1)
      for (const value of values) writeOptional(out, value)
      const back = numbersIn(takeWritten(out))
      for (const value of values) expect(readOptional(back)).toBe(value)
      expect(back.at).toBe(back.bytes.length)
    }),
  )
})
