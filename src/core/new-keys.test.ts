/** Keys that nobody has seen before, among others whose week is known. */
import { describe, expect, test } from 'vitest'
import { alertText } from './explanation/text.ts'
import { inOrder, live, type Stream, settingsOf, steady, streamInto, TEN, taught, timetable } from './testing-stream.ts'

const others = { a: 60, b: 90, c: 120, d: 150, e: 180, f: 240 }
const goldKeys = ['g1', 'g2', 'g3', 'g4', 'g5']
const gold = Object.fromEntries(goldKeys.map(key => [key, 1_200]))
const inGold = Object.fromEntries([...goldKeys, 'new'].map(key => [key, { keys: [key], usagePlan: 'gold' }]))
/** So many that five gold keys are few among them. */
const many = Object.fromEntries(Array.from({ length: 110 }, (_, place) => [`n${place}`, 6]))

const EARLIER = TEN - 12 * 60_000

/** Their days are known, and for some minutes those of `others` have called as ever. */
function fleetWith(tenants = {}, known: Readonly<Record<string, number>> = others): Stream {
  const stream = streamInto(taught(settingsOf({}, tenants), known, { days: 3, until: EARLIER }))
  othersCall(stream, EARLIER, 12 * 60)
  return stream
}

const othersIn = (from: number, seconds: number) =>
  Object.entries(others).map(([key, perMinute]) => steady(key, { perSecond: perMinute / 60, from, seconds }))
const othersCall = (stream: Stream, from: number, seconds: number) => live(stream, inOrder(...othersIn(from, seconds)))

/** A key that begins to call, beside the others as ever. */
function begins(stream: Stream, perSecond: number, seconds = 100): void {
  live(stream, inOrder(steady('new', { perSecond, from: TEN + 20_000, seconds }), ...othersIn(TEN, seconds + 20)))
}

const told = (stream: Stream) => stream.changes.filter(({ keyId, phase }) => keyId === 'new' && phase === 'open')

describe('a key that was never seen', () => {
  test('and calls as the others do is nobody’s news', () => {
    const stream = fleetWith()
    begins(stream, 3)
    expect(told(stream)).toEqual([])
  })

  test('and calls far more than any other is told within seconds, and compared with them', () => {
    const stream = fleetWith()
    begins(stream, 60)
    const [first] = told(stream)
    expect(first).toMatchObject({ kind: 'surge', expected: { days: 0, peers: { keys: 6, plan: undefined } } })
    expect((first?.decidedAt ?? 0) - (TEN + 20_000)).toBeLessThan(10_000)
    expect(first && alertText(first)).toContain('what 6 other keys bring at most')
  })

  test('is not throttled, however much it harms: nobody knows what it needs', () => {
    const stream = fleetWith()
    begins(stream, 400)
    expect(told(stream).at(-1)).toMatchObject({
      severity: 'high',
      action: { kind: 'held', because: 'history-unknown' },
    })
    expect(stream.effects.filter(({ kind }) => kind === 'throttle')).toEqual([])
  })

  test('and drowns all others is told for as long as it does: a storm is not what it usually does', () => {
    const stream = fleetWith()
    begins(stream, 150, 600)
    const phases = stream.changes.filter(({ keyId }) => keyId === 'new').map(({ phase }) => phase)
    expect(new Set(phases)).toEqual(new Set(['open']))
  })

  test('of a plan whose keys call more is compared with those', () => {
    const known = { ...others, ...gold, ...many }
    const [inPlan, ofNoPlan] = [fleetWith(inGold, known), fleetWith({}, known)]
    begins(inPlan, 22)
    begins(ofNoPlan, 22)
    expect(told(inPlan)).toEqual([])
    expect(told(ofNoPlan)).not.toEqual([])
    begins(inPlan, 220)
    expect(told(inPlan)[0]).toMatchObject({ expected: { peers: { keys: 5, plan: 'gold' } } })
  })

  test('is nobody’s stranger where most keys are: who was taught a few clients compares the rest with themselves', () => {
    const stream = fleetWith({}, { a: 60, b: 90, c: 120, d: 150, e: 180 })
    const strangers = ['s1', 's2', 's3'].map(key => steady(key, { perSecond: 5, from: TEN, seconds: 1 }))
    live(stream, inOrder(...strangers, ...othersIn(TEN, 3_700)))
    live(
      stream,
      inOrder(steady('new', { perSecond: 60, from: TEN + 3_700_000, seconds: 60 }), ...othersIn(TEN + 3_700_000, 70)),
    )
    expect(told(stream)).toEqual([])
  })

  test('is compared with nobody in the first minutes after a history: it may be one that was not taught', () => {
    const stream = streamInto(taught(settingsOf(), others))
    begins(stream, 60)
    expect(told(stream)).toEqual([])
  })

  test('goes on after a checkpoint as without one', () => {
    const [one, other] = [fleetWith(), fleetWith().afterCheckpoint()]
    begins(one, 60)
    begins(other, 60)
    expect(timetable(other.changes)).toEqual(timetable(one.changes))
  })
})
