/** What holds for every detector there is. A new one is held to it by its line in index.ts, without a word here. */
import { readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Detector, Finding, Rest, TenantView } from './contract.ts'
import { detectors } from './index.ts'
import { leastOf } from './statistics.ts'
import { HALF_PAST, repeat, type Second, type Story, viewOf } from './testing-view.ts'
import { defaultValues } from './thresholds.ts'

const files = readdirSync(import.meta.dirname)
const notDetectors = ['contract.ts', 'index.ts', 'statistics.ts', 'testing-view.ts', 'thresholds.ts']

test('every detector is a file of its name with its test, and every such file is in the list', () => {
  const names = detectors.map(({ name }) => name).sort()
  const modules = files.filter(
    file => file.endsWith('.ts') && !file.endsWith('.test.ts') && !notDetectors.includes(file),
  )

  expect(names.map(name => `${name}.ts`)).toEqual(modules.sort())
  expect(files).toEqual(expect.arrayContaining(names.map(name => `${name}.test.ts`)))
})

test('the catalogue in README.md is what the detectors declare', () => {
  const readme = readFileSync(new URL('README.md', import.meta.url), 'utf8')

  expect(readme.split('\n').filter(line => line.startsWith('|'))).toEqual(catalogue())
})

describe.each(detectors)('$name', detector => {
  test('starts within the range that each threshold declares', () => {
    for (const [name, { default: value, min, max, unit, sentence }] of Object.entries(detector.thresholds)) {
      expect(min, name).toBeLessThanOrEqual(value)
      expect(max, name).toBeGreaterThanOrEqual(value)
      expect(unit && sentence, name).not.toBe('')
    }
  })

  test('says nothing, or a score below 1, of a tenant of whom nothing was ever seen', () => {
    const unknown = {
      slotMeanCalls: undefined,
      slotMinuteMean: undefined,
      slotMinuteStdDev: undefined,
      weekMinuteMean: undefined,
    }
    const nothing: Story = { usual: undefined, plain: unknown }

    expect(scoreOf(evaluate(detector, nothing))).toBeLessThan(1)
    expect(scoreOf(evaluate(detector, {}))).toBeLessThan(1)
  })

  test('answers any view with finite numbers and a beginning that is not in the future', () => {
    fc.assert(
      fc.property(stories, story => {
        const finding = evaluate(detector, story)
        if (finding === undefined) return
        const numbers = finding.evidence.flatMap(({ observed, usual }) => [observed, usual ?? 0])
        const compared = finding.comparisons.flatMap(({ observed, limit, parts }) => [
          ...[observed, limit],
          ...Object.values(parts),
        ])
        expect(
          [finding.score, finding.since, ...numbers, ...compared].filter(number => !Number.isFinite(number)),
        ).toEqual([])
        expect(finding.score).toBeGreaterThanOrEqual(0)
        expect(finding.since).toBeLessThanOrEqual(viewOf(story).at)
        expect([detector.kind, 'surge']).toContain(finding.kind)
      }),
    )
  })

  test('answers the same view with the same finding, with any thresholds in range, and leaves the view alone', () => {
    fc.assert(
      fc.property(stories, valuesOf(detector), (story, values) => {
        const view = deepFreeze(viewOf(story))
        expect(detector.evaluate(view, values)).toEqual(detector.evaluate(structuredClone(view), values))
      }),
    )
  })

  test('scores no higher when a threshold is turned to the side that it calls stricter', () => {
    const names = Object.entries(detector.thresholds).flatMap(([name, { stricter }]) =>
      stricter === 'neither' ? [] : [name],
    )
    fc.assert(
      fc.property(stories, valuesOf(detector), fc.nat(), fc.nat(100), (story, values, pick, percent) => {
        const name = names[pick % names.length] ?? ''
        const threshold = detector.thresholds[name]
        if (threshold === undefined) return
        const value = values[name] ?? threshold.default
        const end = threshold.stricter === 'lower' ? threshold.min : threshold.max
        const turned = { ...values, [name]: value + (percent / 100) * (end - value) }
        const [before, after] = [values, turned].map(these => scoreOf(detector.evaluate(viewOf(story), these)))
        expect(after).toBeLessThanOrEqual((before ?? 0) * (1 + 1e-9))
      }),
    )
  })

  test('tells the arithmetic of its score, and formulas that come to its limits', () => {
    fc.assert(
      fc.property(stories, valuesOf(detector), (story, values) => {
        const finding = detector.evaluate(viewOf(story), values)
        if (finding === undefined) {
          expect(detector.silence).toBeTruthy()
          return
        }
        expect(finding.comparisons).not.toEqual([])
        expect(finding.score).toBe(leastOf(finding.comparisons))
        for (const { formula, parts, limit } of finding.comparisons)
          expect(workedOut(formula, { ...values, ...parts })).toBeCloseTo(limit, 6)
      }),
    )
  })

  test('has nothing to say of a calm key, if it says that it rests then', () => {
    fc.assert(
      fc.property(stories, story => {
        if (!detector.restsWhenCalm) return
        const view = viewOf(story)
        const sequential = view.sequential.map(evidence => ({ ...evidence, nats: 0, calls: 0, usualCalls: 0 }))
        const calm = {
          ...view,
          ...{ sequential, last10s: { ...view.last10s, status5xx: 0 } },
          last60s: { ...view.last60s, status4xx: 0, status429: 0 },
          ...{ silentSeconds: 0, pool: view.pool && { ...view.pool, executions: 0 } },
          routes: view.routes && { ...view.routes, last60s: 0, mostCalled: { ...view.routes.mostCalled, evenness: 0 } },
          places: view.places && { ...view.places, callsFromNew: 0 },
        }
        expect(scoreOf(detector.evaluate(calm, defaultValues(detector)))).toBe(0)
      }),
    )
  })

  test('stays at or below any score as long as nothing stirs more than it says it takes', () => {
    fc.assert(
      fc.property(stories, valuesOf(detector), fc.double({ min: 0, max: 2, noNaN: true }), (story, values, score) => {
        const rest = detector.restsBelow?.(values, score)
        if (rest === undefined) return
        for (const calm of atRest(viewOf(story), rest))
          expect(scoreOf(detector.evaluate(calm, values))).toBeLessThanOrEqual(score * (1 + 1e-9) + Number.EPSILON)
      }),
    )
  })

  test('stays at or below any score as long as there are more calls than the share that it says it takes', () => {
    fc.assert(
      fc.property(stories, valuesOf(detector), fc.double({ min: 0, max: 2, noNaN: true }), (story, values, score) => {
        const share = detector.restsAbove?.(values, score)
        const view = viewOf(story)
        if (share === undefined || view.usual === undefined) return
        const calls = Math.max(view.last5min.calls, 5 * share * view.usual.callsPerMinute)
        const enough = { ...view, last5min: { ...view.last5min, calls } }
        expect(scoreOf(detector.evaluate(enough, values))).toBeLessThanOrEqual(score * (1 + 1e-9))
      }),
    )
  })

  test('is asked by what stirs, or by what is missing', () => {
    if (detector.restsAbove !== undefined) expect([detector.early, detector.restsWhenCalm]).toEqual([false, false])
  })
})

describe.each(detectors.filter(({ early }) => early))('$name', detector => {
  test('may judge an early look: its score only rises when missing calls arrive', () => {
    fc.assert(
      fc.property(stories, missingCalls, (story, missing) => {
        const early = evaluate(detector, story)
        const final = evaluate(detector, { ...story, seconds: withCalls(story.seconds ?? [], missing) })
        expect(final === undefined).toBe(early === undefined)
        // The last bits may differ: the sums are made in another order.
        expect(scoreOf(final)).toBeGreaterThanOrEqual(scoreOf(early) * (1 - 1e-9))
      }),
      { numRuns: 300 },
    )
  })
})

/** The view as far as it may go with nothing exceeded: of what may stay below one of several, once below each. */
function atRest(view: TenantView, rest: Rest): readonly TenantView[] {
  const { nats, failures, refused, poolShare, clientErrors, oneRoute } = rest
  const most = (counted: number, limit = Number.POSITIVE_INFINITY) => Math.min(counted, limit)
  const { last10s, last60s, last5min, pool, routes, places } = view
  const errorsIn = (calls: number) => [clientErrors?.count, clientErrors && clientErrors.share * calls] as const
  const inSlot = errorsIn(last5min.calls)
  const errors = errorsIn(last60s.calls).map((limit, which) => ({ limit, slotLimit: inSlot[which] }))
  const usualCalls = 5 * (view.usual?.callsPerMinute ?? 0)
  const polls = [
    { evenness: oneRoute?.evenness },
    { calls: oneRoute?.calls },
    { calls: oneRoute && oneRoute.partOfUsual * usualCalls },
  ]
  const limits = errors.flatMap(error =>
    polls.map(poll => ({ ...error, evenness: undefined, calls: undefined, ...poll })),
  )
  return limits.map(({ limit, slotLimit, evenness, calls }) => ({
    ...view,
    sequential: view.sequential.map(evidence => ({ ...evidence, nats: most(evidence.nats, nats) })),
    silentSeconds: 0,
    last10s: { ...last10s, status5xx: most(last10s.status5xx, failures) },
    last60s: { ...last60s, status4xx: most(last60s.status4xx, limit), status429: most(last60s.status429, refused) },
    last5min: { ...last5min, status4xx: most(last5min.status4xx, slotLimit) },
    routes: routes && {
      ...routes,
      last60s: most(routes.last60s, rest.routes),
      mostCalled: { calls: most(routes.mostCalled.calls, calls), evenness: most(routes.mostCalled.evenness, evenness) },
    },
    places: places && { ...places, callsFromNew: most(places.callsFromNew, rest.callsFromNew) },
    pool: pool && { ...pool, executions: most(pool.executions, poolShare && poolShare * pool.concurrency) },
  }))
}

/** A formula in names, worked out: sums, products, `max` and `min`. */
function workedOut(formula: string, numbers: Readonly<Record<string, number>>): number {
  const names = ['max', 'min', ...Object.keys(numbers)]
  const sum: (...values: unknown[]) => number = new Function(
    ...names,
    `return ${formula.replaceAll('×', '*')}`,
  ) as never
  return sum(Math.max, Math.min, ...Object.values(numbers))
}

function evaluate(detector: Detector, story: Story): Finding | undefined {
  return detector.evaluate(viewOf(story), defaultValues(detector))
}

function scoreOf(finding: Finding | undefined): number {
  return finding?.score ?? 0
}

// Stories: five minutes of any calls, calm with storms in it, by tenants of any size, known and unknown.

const count = fc.oneof({ weight: 3, arbitrary: fc.nat(20) }, fc.nat(5_000))
const anySecond: fc.Arbitrary<Second> = fc.record({
  status2xx: count,
  status4xx: count,
  status429: count,
  status5xx: count,
  ranMs: fc.nat(100_000),
})
const stretch = fc
  .tuple(fc.integer({ min: 1, max: 120 }), fc.oneof(anySecond, fc.record({ status2xx: fc.nat(20) }), fc.constant({})))
  .map(([length, second]) => repeat(length, second))
const fiveMinutes = fc
  .array(stretch, { maxLength: 8 })
  .map(stretches => [...repeat(300, {}), ...stretches.flat()].slice(-300))

/** Whole counts over seven days, so that zeroes and small numbers come often. */
const rate = fc.oneof(fc.nat(50), fc.nat(50_000)).map(calls => calls / 7)
const share = fc.oneof(fc.constantFrom(0, 1), fc.double({ min: 0, max: 1, noNaN: true }))
const usual = fc
  .record({
    rates: fc.tuple(rate, rate, rate).map(rates => rates.sort((one, other) => one - other)),
    dispersion: fc.double({ min: 0, max: 5, noNaN: true }),
    clientErrorShare: share,
    refusedShare: share,
    failureShare: share,
    answered: fc.nat(1_000_000),
    latencyMs: fc.option(fc.nat(20_000), { nil: undefined }),
    days: fc.nat(7),
  })
  .map(({ rates: [lowerPerMinute = 0, callsPerMinute = 0, upperPerMinute = 0], ...rest }) => ({
    ...rest,
    lowerPerMinute,
    callsPerMinute,
    upperPerMinute,
  }))
const plain = fc.record({
  slotMeanCalls: fc.option(rate, { nil: undefined }),
  slotMinuteMean: fc.option(rate, { nil: undefined }),
  slotMinuteStdDev: fc.option(rate, { nil: undefined }),
  weekMinuteMean: fc.option(rate, { nil: undefined }),
})
const routes = fc.record({
  last60s: count,
  last5min: count,
  mostCalled: fc.record({ calls: count, evenness: fc.double({ min: 0, max: 100, noNaN: true }) }),
  usual: fc.option(fc.record({ perMinute: rate, upperPerMinute: rate, upperEvenCalls: rate }), { nil: undefined }),
})
const places = fc.record({
  callsFromNew: count,
  newToday: fc.nat(12),
  newPerDay: fc.nat(84).map(week => week / 7),
  known: fc.nat(12),
})
const stories: fc.Arbitrary<Story> = fc.record({
  at: fc.nat(600).map(second => HALF_PAST + second * 1_000),
  seconds: fiveMinutes,
  usual: fc.option(usual, { nil: undefined }),
  plain,
  concurrency: fc.option(fc.integer({ min: 1, max: 5_000 }), { nil: undefined }),
  routes: fc.option(routes, { nil: undefined }),
  places: fc.option(places, { nil: undefined }),
  steadySeconds: fc.nat(1_000),
})

const missingCalls = fc.array(fc.tuple(fc.nat(299), anySecond), { minLength: 1, maxLength: 20 })

function withCalls(
  seconds: readonly Second[],
  missing: readonly (readonly [index: number, calls: Second])[],
): Second[] {
  const complete = [...seconds]
  for (const [index, calls] of missing) {
    const before = complete[index] ?? {}
    complete[index] = {
      status2xx: (before.status2xx ?? 0) + (calls.status2xx ?? 0),
      status4xx: (before.status4xx ?? 0) + (calls.status4xx ?? 0),
      status429: (before.status429 ?? 0) + (calls.status429 ?? 0),
      status5xx: (before.status5xx ?? 0) + (calls.status5xx ?? 0),
      ranMs: (before.ranMs ?? 0) + (calls.ranMs ?? 0),
    }
  }
  return complete
}

function valuesOf({ thresholds }: Detector) {
  const ranges = Object.entries(thresholds).map(([name, { min, max }]) => [name, fc.double({ min, max, noNaN: true })])
  return fc.record(Object.fromEntries(ranges) as Record<string, fc.Arbitrary<number>>)
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null)
    for (const part of Object.values(Object.freeze(value))) deepFreeze(part)
  return value
}

// The catalogue, row by row. Where the test fails, paste what it expected.

function catalogue(): string[] {
  return [
    '| detector | sees | alone it | thresholds |',
    '|---|---|---|---|',
    ...detectors.map(({ name, sees, opens, thresholds }) => {
      const settings = Object.entries(thresholds).map(
        ([setting, { default: value, unit, sentence }]) => `\`${setting}\` ${value} ${unit}: ${sentence}`,
      )
      return `| [${name}](${name}.ts) | ${sees} | ${opens ? 'opens' : 'corroborates'} | ${settings.join('<br>')} |`
    }),
  ]
}
