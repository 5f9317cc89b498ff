import { describe, expect, test } from 'vitest'
import { tenantsSchema } from './config/config.ts'
import type { Engine } from './engine.ts'
import { alertText } from './explanation/text.ts'
import { knowledgeFor } from './state/key-state.ts'
import {
  type Call,
  inOrder,
  live,
  plainKey,
  type Stream,
  settingsOf,
  stateOf,
  steady,
  streamInto,
  TEN,
  taught,
  timetable,
  type WrittenEvent,
} from './testing-stream.ts'

const MINUTE = 60_000
const SALE: WrittenEvent = { from: '2026-03-04 10:02', to: '2026-03-04 10:06', upTo: '20x', note: 'spring sale' }

/** Two days of 60 calls a minute of `a`, and of somebody who calls more; ten minutes of which some are `a`’s load. */
function day(load: Load, { planned = [SALE], fleet = [], more = [], mode = 'enforce' }: Plans = {}): Stream {
  const settings = settingsOf({ mode }, { client: { keys: ['a'], planned } }, fleet)
  const stream = streamInto(taught(settings, { a: 60, b: 1_800 }, { days: 2 }))
  live(stream, inOrder(asUsual('b', 30), asUsual('a', 1), loadOf('a', load), ...more), { until: TEN + 10 * MINUTE })
  return stream
}

interface Load {
  readonly perSecond: number
  readonly fromMinute: number
  readonly minutes: number
  readonly status?: number
}
interface Plans {
  readonly planned?: readonly WrittenEvent[]
  readonly fleet?: readonly WrittenEvent[]
  readonly more?: readonly (readonly Call[])[]
  readonly mode?: 'observe' | 'enforce'
}

const asUsual = (key: string, perSecond: number) => steady(key, { perSecond, from: TEN, seconds: 600 })
const loadOf = (key: string, { fromMinute, minutes, ...load }: Load) =>
  steady(key, { ...load, from: TEN + fromMinute * MINUTE, seconds: minutes * 60 })

/** Each incident as it opened; what is alerted of it may be more by and by. */
const opened = ({ changes }: Stream) =>
  timetable(
    changes.filter(
      (one, index) =>
        one.phase === 'open' && changes.findIndex(({ incidentId }) => incidentId === one.incidentId) === index,
    ),
  )
/** Seconds of the day at which the one incident opened. */
function secondOf({ changes }: Stream): number {
  expect(new Set(changes.map(({ incidentId }) => incidentId)).size).toBe(1)
  const first = changes.find(({ phase }) => phase === 'open')
  return ((first?.decidedAt ?? Number.NaN) - TEN) / 1_000
}

const asPlanned: Load = { perSecond: 20, fromMinute: 2, minutes: 4 }

describe('load that was planned', () => {
  test('surprises nobody, from the second it begins to the second it ends, and would have without the plan', () => {
    expect(day(asPlanned).changes).toEqual([])
    expect(opened(day(asPlanned, { planned: [] }))).toHaveLength(1)
  })

  test('may be planned of every client, as calls a minute, and by the calendar', () => {
    const rate: WrittenEvent = { when: 'Wed 05:02-05:06', zone: 'America/New_York', upTo: '1300 per minute' }
    expect(day(asPlanned, { planned: [], fleet: [rate] }).changes).toEqual([])
    expect(day(asPlanned, { planned: [{ ...rate, when: 'Thu 05:02-05:06' }] }).changes).not.toEqual([])
    expect(day(asPlanned, { planned: [{ ...rate, upTo: '5 per second' }] }).changes).not.toEqual([])
  })

  test('is planned of all keys of a client together as well, and of nobody else', () => {
    const settings = (planned: readonly WrittenEvent[]) =>
      settingsOf({}, { client: { keys: ['a', 'c'], planned }, other: { keys: ['d'] } })
    const busy = (key: string) => loadOf(key, asPlanned)
    const told = (keys: readonly string[], planned: readonly WrittenEvent[]) => {
      const stream = streamInto(taught(settings(planned), { a: 60, b: 1_800, c: 60, d: 60 }, { days: 2 }))
      live(stream, inOrder(asUsual('b', 30), ...keys.map(busy)), { until: TEN + 10 * MINUTE })
      return [...new Set(stream.changes.filter(({ phase }) => phase === 'open').map(({ keyId }) => keyId))]
    }
    expect(told(['a', 'c'], [SALE])).toEqual([])
    expect(told(['d'], [SALE])).toEqual(['d'])
  })

  test('surprises again beyond the plan, and is told with what was planned and how much more it is', () => {
    const stream = day({ ...asPlanned, perSecond: 100 })
    expect(opened(stream)).toHaveLength(1)
    const [alert] = stream.effects.flatMap(effect => (effect.kind === 'alert' ? [effect.explanation] : []))
    expect(alertText(alert!)).toContain(
      'Planned: spring sale, up to 20x, from 2026-03-04 10:02:00 UTC to 2026-03-04 10:06:00 UTC.\nThe last minute brought ',
    )
    expect(alert!.planned!.used).toBeGreaterThan(1)
    expect(alert!.expected!.upperPerMinute).toBe(alert!.planned!.upToPerMinute)
  })

  test('surprises before it was to begin, and when it goes on for longer than a minute after it was to end', () => {
    expect(secondOf(day({ ...asPlanned, fromMinute: 0 }))).toBeLessThan(60)
    const late = secondOf(day({ ...asPlanned, minutes: 7 }))
    expect(late).toBeGreaterThanOrEqual(7 * 60)
    expect(late).toBeLessThan(7 * 60 + 15)
  })

  test('that was beyond the plan and is over with it leaves no incident behind', () => {
    const { changes } = day({ perSecond: 60, fromMinute: 4, minutes: 2 }, { mode: 'observe' })
    expect(changes.at(-1)?.phase).toBe('closed')
    expect(new Set(changes.map(({ incidentId }) => incidentId)).size).toBe(1)
  })

  test('is the same after a checkpoint in the middle of it', () => {
    const settings = settingsOf({}, { client: { keys: ['a'], planned: [SALE] } })
    const calls = inOrder(asUsual('b', 30), asUsual('a', 1), loadOf('a', { ...asPlanned, minutes: 7 }))
    const first = streamInto(taught(settings, { a: 60, b: 1_800 }, { days: 2 }))
    const until = TEN + 250_000
    live(
      first,
      calls.filter(({ at }) => at < until),
      { until },
    )
    const second = first.afterCheckpoint()
    live(
      second,
      calls.filter(({ at }) => at >= until),
      { until: TEN + 10 * MINUTE },
    )
    expect(timetable(second.changes)).toEqual(timetable(day({ ...asPlanned, minutes: 7 }).changes))
  })

  test('may be planned while Weir runs, and the plan be given up', () => {
    const planned = (events: readonly WrittenEvent[]) =>
      tenantsSchema.parse({ tenants: { client: { keys: ['a'], planned: events } } })
    const told = (before: readonly WrittenEvent[], after: readonly WrittenEvent[]) => {
      const stream = streamInto(
        taught(settingsOf({}, { client: { keys: ['a'], planned: before } }), { a: 60, b: 1_800 }, { days: 2 }),
      )
      live(stream, asUsual('b', 30), { until: TEN + MINUTE })
      stream.take({ kind: 'tenants', ...planned(after), at: TEN + MINUTE })
      live(stream, inOrder(asUsual('b', 30).slice(1_800), loadOf('a', asPlanned)), { until: TEN + 6 * MINUTE })
      return opened(stream).length
    }
    expect([told([], [SALE]), told([SALE], []), told([SALE], [SALE])]).toEqual([0, 1, 0])
  })
})

describe('harm is judged as ever while something is planned', () => {
  test('calls that chase failures are a retry storm, and lowered to what is usual without the plan', () => {
    const storm: Load = { ...asPlanned, status: 503 }
    const stream = day(storm)
    expect(opened(stream)).toEqual(opened(day(storm, { planned: [] })))
    expect(opened(stream)[0]).toContain('a#1 retry-storm high throttle')
    const limits = (of: Stream) => of.effects.flatMap(effect => (effect.kind === 'throttle' ? [effect.limits] : []))
    expect(limits(stream)[0]).toEqual(limits(day(storm, { planned: [] }))[0])
  })

  test('a client far beyond its plan, under which the others fail, is severe at the same multiple of its usual', () => {
    const drowned = ['b', 'c', 'd', 'e'].map(key => steady(key, { perSecond: 4, from: TEN, seconds: 600, status: 503 }))
    const { changes } = day({ ...asPlanned, perSecond: 400 }, { more: drowned })
    expect(changes.filter(({ keyId }) => keyId === 'a').map(({ severity }) => severity)).toContain('high')
  })

  test('a sick API is told of, whatever is planned of its clients', () => {
    const failing = ['c', 'd', 'e', 'f'].map(key => loadOf(key, { ...asPlanned, perSecond: 5, status: 503 }))
    const everybody: WrittenEvent = { ...SALE, upTo: '100x' }
    const { changes } = day({ ...asPlanned, status: 503 }, { planned: [], fleet: [everybody], more: failing })
    expect(changes.filter(({ kind }) => kind === 'platform').map(({ phase }) => phase)).toContain('open')
  })
})

describe('what planned load teaches', () => {
  const usualAtTen = (engine: Engine) => {
    const owner = engine.state.owners.get('')!
    const tomorrow = (TEN + 24 * 60 * MINUTE) / (5 * MINUTE)
    return knowledgeFor(
      { ...stateOf(engine, 'a'), earlySlot: undefined, finalSlot: undefined },
      owner,
      tomorrow,
      'early',
    ).usual!.upperPerMinute
  }
  const slotsOf = ({ engine }: Stream) => plainKey(engine, 'a').slots

  test('of an event that is once: nothing, so that it is no example of the usual', () => {
    const quiet = usualAtTen(day({ perSecond: 0, fromMinute: 0, minutes: 0 }).engine)
    expect(usualAtTen(day(asPlanned).engine)).toBeCloseTo(quiet, -1)
    expect(Math.max(...slotsOf(day(asPlanned)).map(([, calls]) => calls))).toBeLessThan(400)
  })

  test('of one that recurs: all, so that the plan need not be kept for ever', () => {
    const nightly: WrittenEvent = { when: 'daily 10:02-10:06', upTo: '20x' }
    const stream = day(asPlanned, { planned: [nightly] })
    expect(stream.changes).toEqual([])
    expect(usualAtTen(stream.engine)).toBeGreaterThan(2 * usualAtTen(day(asPlanned).engine))
  })
})
