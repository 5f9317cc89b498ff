import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { MeasuredMinute } from '../core/measured-minute.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../core/vocabulary.ts'
import { handClock, untilQuiet } from '../worker/testing-world.ts'
import type { Health } from './datums.ts'
import { createPublisher, type Publisher } from './publisher.ts'
import { createCloudWatch, failure } from './testing-cloudwatch.ts'

const noon = Date.UTC(2026, 10, 20, 12)
const rate = 'PayflowClientRequestRate'
const usual = 'PayflowClientRequestRateUsual'

const minuteOf = (
  counts: Readonly<Record<string, number>>,
  { at = noon - MINUTE_MS, usually, leftOut = 0 }: { at?: number; usually?: number; leftOut?: number } = {},
): MeasuredMinute => ({
  startsAt: at,
  keys: Object.keys(counts),
  calls: Object.values(counts),
  usual: Object.keys(counts).map(() => usually),
  leftOut,
})

const calm: Health = {
  ...{ at: noon, callsRead: 1_200, linesRejected: 3, lagMs: 250.4, checkpointAgeMs: 4_000 },
  ...{ effectsWaiting: 1, openIncidents: 2, throttledTenants: 1 },
}

function world({ mostWaiting }: { readonly mostWaiting?: number } = {}) {
  const clock = handClock(noon)
  const cloudWatch = createCloudWatch(clock.now)
  const publisher = createPublisher({
    ...{ client: cloudWatch.client, namespace: 'PayflowAPI', clock, random: () => 0.5 },
    rates: { metric: rate, usualMetric: usual, dimension: 'ApiKey' },
    health: { dimension: 'Worker', worker: 'weir-1' },
    ...(mostWaiting !== undefined && { mostWaiting }),
  })
  return { clock, cloudWatch, publisher }
}

/** They close, and a checkpoint that holds it is written. */
async function close(publisher: Publisher, ...minutes: readonly MeasuredMinute[]): Promise<void> {
  publisher.closed(minutes)
  publisher.covering()()
  await untilQuiet()
}

describe('a minute', () => {
  test('is sent as one value a key and metric, dated by its own time', async () => {
    const { cloudWatch, publisher } = world()
    await close(publisher, minuteOf({ key_a: 60, key_b: 0 }, { usually: 55.5 }))
    const dated = new Date(noon - MINUTE_MS)
    const datum = (MetricName: string, Value: number, key: string) => ({
      ...{ MetricName, Value, Unit: 'Count', Timestamp: dated, Dimensions: [{ Name: 'ApiKey', Value: key }] },
    })
    expect(cloudWatch.puts).toEqual([
      [datum(rate, 60, 'key_a'), datum(usual, 55.5, 'key_a'), datum(rate, 0, 'key_b'), datum(usual, 55.5, 'key_b')],
    ])
  })

  test('has no usual while nothing is known', async () => {
    const { cloudWatch, publisher } = world()
    await close(publisher, minuteOf({ key_a: 60 }))
    expect(cloudWatch.puts.flat().map(({ MetricName }) => MetricName)).toEqual([rate])
  })

  test('is sent when a checkpoint holds that it has closed, not before', async () => {
    const { cloudWatch, publisher } = world()
    publisher.closed([minuteOf({ key_a: 1 })])
    const isOnDisk = publisher.covering()
    publisher.closed([minuteOf({ key_a: 2 }, { at: noon })])
    await untilQuiet()
    expect(cloudWatch.puts).toEqual([])
    isOnDisk()
    await untilQuiet()
    expect(cloudWatch.puts.flat().map(({ Value }) => Value)).toEqual([1])
  })

  test('of many keys goes in requests of 1,000, however long their ids, and many minutes go together', async () => {
    const { cloudWatch, publisher } = world()
    const keys = Object.fromEntries(Array.from({ length: 700 }, (_, key) => [`key_${key}`.padEnd(256, 'x'), key]))
    await close(publisher, minuteOf(keys, { usually: 1 }))
    await close(
      publisher,
      ...Array.from({ length: 30 }, (_, ago) => minuteOf({ key_a: 1 }, { at: noon - ago * MINUTE_MS })),
    )
    expect(cloudWatch.puts.map(({ length }) => length)).toEqual([1_000, 400, 30])
  })

  test('that CloudWatch would not take for its age is left out, and counted', async () => {
    const { cloudWatch, publisher } = world()
    await close(
      publisher,
      minuteOf({ old: 1 }, { at: noon - 14 * DAY_MS - MINUTE_MS }),
      minuteOf({ young: 2 }, { at: noon - 13 * DAY_MS }),
      minuteOf({ ahead: 3 }, { at: noon + 3 * HOUR_MS }),
    )
    expect(cloudWatch.puts.flat().map(({ Value }) => Value)).toEqual([2])
    expect(publisher.summary()).toMatchObject({ sent: 1, dropped: { untimely: 2 } })
  })

  test('of a key whose id CloudWatch cannot hold does not fail those of the others', async () => {
    const { cloudWatch, publisher } = world()
    await close(publisher, minuteOf({ clé: 1, '  ': 2, 'a\u0007b': 3, 'hash:0123456789abcdef': 4 }))
    expect(cloudWatch.puts.flat().map(({ Value }) => Value)).toEqual([4])
    expect(publisher.summary()).toMatchObject({ sent: 1, dropped: { unnameable: 3 }, trouble: undefined })
  })
})

test('the worker’s own state is sent under its name; a lag that nobody knows is not none', async () => {
  const { cloudWatch, publisher } = world()
  publisher.health(calm)
  publisher.health({ ...calm, lagMs: undefined })
  await untilQuiet()
  const sent = cloudWatch.puts.flat()
  expect(sent.slice(0, 7).map(({ MetricName, Value, Unit }) => `${MetricName} ${Value} ${Unit}`)).toEqual([
    'CallsRead 1200 Count',
    'LinesRejected 3 Count',
    'SourceLag 250 Milliseconds',
    'CheckpointAge 4000 Milliseconds',
    'EffectsWaiting 1 Count',
    'OpenIncidents 2 Count',
    'ThrottledTenants 1 Count',
  ])
  expect(sent.slice(7).map(({ MetricName }) => MetricName)).not.toContain('SourceLag')
  expect(new Set(sent.map(({ Dimensions }) => JSON.stringify(Dimensions)))).toEqual(
    new Set(['[{"Name":"Worker","Value":"weir-1"}]']),
  )
})

describe('CloudWatch that does not take it', () => {
  test('for now, is tried again with growing pauses, and nothing is lost or sent twice', async () => {
    const { clock, cloudWatch, publisher } = world()
    cloudWatch.failNext(
      failure('ThrottlingException', 400),
      failure('InternalServiceFault', 500),
      new Error('ECONNRESET'),
    )
    await close(publisher, minuteOf({ key_a: 1 }))
    await close(publisher, minuteOf({ key_a: 2 }, { at: noon }))
    expect(publisher.summary()).toMatchObject({
      ...{ sent: 0, waiting: 3, trouble: { because: 'ThrottlingException: as told by the test', isTried: true } },
    })
    // Half of 0.5 s, 1 s and 2 s.
    for (const ms of [250, 500, 999]) await clock.pass(ms)
    expect(cloudWatch.puts).toEqual([])
    await clock.pass(1)
    expect(cloudWatch.puts.flat().map(({ Value }) => Value)).toEqual([1, 2])
    expect(publisher.summary()).toMatchObject({ sent: 2, waiting: 0, dropped: {} })
  })

  test('for good, costs that request and no other; the permission that lacks is named', async () => {
    const { cloudWatch, publisher } = world()
    cloudWatch.failNext(failure('AccessDeniedException', 403, 'not authorized'))
    await close(publisher, minuteOf({ key_a: 1 }))
    await close(publisher, minuteOf({ key_a: 2 }))
    expect(cloudWatch.puts.flat().map(({ Value }) => Value)).toEqual([2])
    const because = 'the worker’s role lacks cloudwatch:PutMetricData: AccessDeniedException: not authorized'
    expect(publisher.summary()).toMatchObject({
      sent: 1,
      dropped: { refused: 1 },
      trouble: { because, isTried: false },
    })
  })

  test('for hours, costs the oldest minutes when more wait than may', async () => {
    const { clock, cloudWatch, publisher } = world({ mostWaiting: 10 })
    cloudWatch.failNext(failure('ServiceUnavailable', 503))
    for (let minute = 0; minute < 8; minute++)
      await close(publisher, minuteOf({ key_a: minute }, { at: noon + minute * MINUTE_MS }))
    await clock.pass(60_000)
    // The first is in hand; of the seven others five have room, two datums each.
    expect(cloudWatch.puts.flat().map(({ Value }) => Value)).toEqual([0, 3, 4, 5, 6, 7])
    expect(publisher.summary()).toMatchObject({ sent: 6, dropped: { overflow: 4 } })
  })
})

describe('stopping', () => {
  test('sends what waits', async () => {
    const { cloudWatch, publisher } = world()
    publisher.closed([minuteOf({ key_a: 1 })])
    publisher.covering()()
    await publisher.finish(5_000)
    expect(cloudWatch.puts.flat()).toHaveLength(1)
  })

  test('gives up after its moment, and says how much', async () => {
    const { clock, cloudWatch, publisher } = world()
    cloudWatch.failNext(...Array.from({ length: 50 }, () => failure('ServiceUnavailable', 503)))
    await close(publisher, minuteOf({ key_a: 1 }))
    await close(publisher, minuteOf({ key_a: 2, key_b: 1 }))
    const finished = publisher.finish(5_000)
    await clock.pass(5_000)
    await finished
    expect(cloudWatch.puts).toEqual([])
    expect(publisher.summary().dropped.stopped).toBeGreaterThanOrEqual(3)
  })

  test('leaves what no checkpoint holds: it closes again at the next start, and is sent then', async () => {
    const { cloudWatch, publisher } = world()
    publisher.closed([minuteOf({ key_a: 1 })])
    await publisher.finish(5_000)
    expect(cloudWatch.puts).toEqual([])
    expect(publisher.summary().dropped).toEqual({})
  })
})

test('that keys are left out is told when it begins, not each minute', async () => {
  const { publisher } = world()
  const told: (number | undefined)[] = []
  for (const leftOut of [0, 3, 3, 5, 0, 2]) {
    await close(publisher, minuteOf({ key_a: 1 }, { leftOut }))
    told.push(publisher.summary().leftOutNow)
  }
  expect(told).toEqual([undefined, 3, undefined, undefined, undefined, 2])
})

test('every datum is sent or counted as dropped, whatever goes wrong', async () => {
  const wrong = fc.constantFrom('fine', 'throttled', 'refused', 'lost')
  const failures = {
    throttled: failure('Throttling', 400),
    refused: failure('AccessDenied', 403),
    lost: new Error('lost'),
  }
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ keys: fc.integer({ min: 1, max: 40 }), wrong }), { minLength: 1, maxLength: 8 }),
      async steps => {
        const { clock, cloudWatch, publisher } = world({ mostWaiting: 60 })
        let made = 0
        for (const [index, { keys, wrong }] of steps.entries()) {
          if (wrong !== 'fine') cloudWatch.failNext(failures[wrong])
          const counts = Object.fromEntries(Array.from({ length: keys }, (_, key) => [`key_${key}`, index]))
          made += 2 * keys
          await close(publisher, minuteOf(counts, { at: noon - index * MINUTE_MS, usually: 1 }))
        }
        for (let round = 0; round < 6; round++) await clock.pass(60_000)
        const { sent, waiting, dropped } = publisher.summary()
        expect(waiting).toBe(0)
        expect(sent).toBe(cloudWatch.puts.flat().length)
        expect(sent + (dropped.overflow ?? 0) + (dropped.refused ?? 0)).toBe(made)
        const names = cloudWatch.puts
          .flat()
          .map(datum => JSON.stringify([datum.MetricName, datum.Dimensions, datum.Timestamp]))
        expect(new Set(names).size).toBe(names.length)
      },
    ),
    { numRuns: 6 },
  )
})
