import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createRandom } from '../../simulation/random.ts'
import {
  addNewPlaceCall,
  addRoute,
  callsFromNewPlaces,
  createCallPlaces,
  hasFewRoutes,
  mostCalledRoute,
  routesIn,
  stretchPlace,
} from './call-places.ts'

/** A whole minute. */
const BEGIN = 1_800_000_000

interface Call {
  /** Seconds after the beginning. */
  readonly second: number
  readonly route: number
  readonly isNew?: boolean
}

function counted(calls: readonly Call[]) {
  const places = createCallPlaces()
  for (const { second, route, isNew } of calls) {
    const place = stretchPlace(places, BEGIN + second, BEGIN)
    if (route !== 0) addRoute(places, place, route)
    if (isNew) addNewPlaceCall(places, place, BEGIN + second)
  }
  return places
}

/** So many routes, hashed as well as drawn. */
function drawn(count: number, seed = 1): readonly number[] {
  const random = createRandom(seed)
  return Array.from({ length: count }, () => random.integer(2 ** 32) | 0 || 1)
}

const [poll = 1, other = 2] = drawn(2, 99)

describe('how many routes', () => {
  test.each([1, 20, 200, 1_000])('%i of them are counted to within a tenth, however often each is called', count => {
    const routes = drawn(count)
    const places = counted([...routes, ...routes].map((route, index) => ({ second: index % 60, route })))
    expect(Math.abs(routesIn(places, BEGIN + 60, 60) - count)).toBeLessThanOrEqual(Math.max(1, count * 0.1))
  })

  test('a minute forgets what was called before it, five minutes do not', () => {
    const places = counted([...drawn(50).map(route => ({ second: 5, route })), { second: 100, route: other }])
    expect([routesIn(places, BEGIN + 110, 60), routesIn(places, BEGIN + 110, 300)]).toEqual([1, expect.closeTo(51, -1)])
    expect(routesIn(places, BEGIN + 320, 300)).toBe(1)
  })

  test('few are told from many without counting them, and a stretch that is not over is not read', () => {
    const places = counted(drawn(100).map(route => ({ second: 25, route })))
    expect(hasFewRoutes(places, BEGIN + 29, 60)).toBe(true)
    expect(hasFewRoutes(places, BEGIN + 30, 60)).toBe(false)
    expect(hasFewRoutes(places, BEGIN + 90, 60)).toBe(true)
  })
})

describe('how evenly the route comes that is called most', () => {
  const evennessAfter = (calls: readonly Call[], at = BEGIN + 300) => mostCalledRoute(counted(calls), at, 'final')
  const everySecond = (seconds: number): Call[] =>
    Array.from({ length: seconds }, (_, second) => ({ second, route: poll }))

  test('a machine is dozens of times as even as chance, also beside somebody else’s bursts on another route', () => {
    const bursts = Array.from({ length: 200 }, (_, index) => ({ second: 40 + (index % 25), route: other }))
    expect(evennessAfter([...everySecond(300), ...bursts])).toMatchObject({
      calls: 300,
      evenness: expect.closeTo(182, -1),
    })
  })

  test('one that began two minutes ago, or has paused for one of five, is not', () => {
    expect(evennessAfter(everySecond(300).slice(180)).evenness).toBe(0)
    expect(evennessAfter(everySecond(300).filter(({ second }) => second < 120 || second >= 180)).evenness).toBeLessThan(
      2,
    )
  })

  test('chance comes so in none of a thousand times', () => {
    const random = createRandom(3)
    const times = Array.from({ length: 1_000 }, () => {
      const perStretch = 3 + random.integer(40)
      const calls = Array.from({ length: 30 }, (_, stretch) =>
        Array.from({ length: random.poisson(perStretch) }, () => ({ second: stretch * 10, route: poll })),
      )
      return evennessAfter(calls.flat()).evenness
    })
    expect(Math.max(...times)).toBeLessThan(8)
    expect(times.reduce((sum, evenness) => sum + evenness, 0) / times.length).toBeCloseTo(1, 0)
  })
})

test('calls from new places count for five minutes', () => {
  const places = counted([
    { second: 3, route: 0, isNew: true },
    { second: 14, route: 0, isNew: true },
  ])
  const after = [9, 10, 20, 300, 310, 320].map(seconds => callsFromNewPlaces(places, BEGIN + seconds))
  expect(after).toEqual([0, 1, 2, 2, 1, 0])
})

test('in whatever order the calls of five minutes come, the same is read', () => {
  const call = fc.record({ second: fc.nat(299), route: fc.constantFrom(...drawn(30)), isNew: fc.boolean() })
  fc.assert(
    fc.property(
      fc.array(call, { maxLength: 200 }),
      fc.array(fc.nat(), { minLength: 200, maxLength: 200 }),
      (calls, order) => {
        const read = (some: readonly Call[]) => {
          const places = counted(some)
          const end = BEGIN + 300
          return [
            routesIn(places, end, 60),
            routesIn(places, end, 300),
            mostCalledRoute(places, end, 'final'),
            callsFromNewPlaces(places, end),
          ]
        }
        const shuffled = calls.map((one, index) => ({ one, at: order[index] ?? 0 })).sort((one, two) => one.at - two.at)
        expect(read(shuffled.map(({ one }) => one))).toEqual(read(calls))
      },
    ),
    { numRuns: 50 },
  )
})

test('a partition that is ten minutes ahead takes the place of what it must, and what is behind is let go', () => {
  const places = createCallPlaces()
  for (let second = 0; second < 1_200; second += 10) addRoute(places, stretchPlace(places, BEGIN + second, BEGIN), poll)
  expect(stretchPlace(places, BEGIN, BEGIN)).toBe(-1)
  expect(places.stretches).toHaveLength(64)
})
