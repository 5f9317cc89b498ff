/** When many are wrong at once: is the API sick, or has each a reason of its own? */
import { describe, expect, test } from 'vitest'
import { restore, snapshot } from '../engine.ts'
import {
  type Call,
  copied,
  inOrder,
  live,
  type Stream,
  settingsOf,
  steady,
  streamInto,
  TEN,
  taught,
} from '../testing-stream.ts'

const keys = Array.from({ length: 8 }, (_, index) => `client_${index}`)
const settings = settingsOf({ mode: 'suggest' })
const week = snapshot(taught(settings, Object.fromEntries(keys.map(key => [key, 60]))))
const fleet = (): Stream => streamInto(restore(settings, copied(week)))

const usual = (seconds: number): Call[] =>
  inOrder(...keys.map(key => steady(key, { perSecond: 1, from: TEN, seconds })))

/** Calls beyond its own: six times as many as usual for two minutes, answered so. */
const surging = (key: string, at: number, { seconds = 120, status = 200 } = {}): Call[] =>
  steady(key, { perSecond: 6, from: TEN + at * 1_000, seconds, status })

const alertsOf = ({ effects }: Stream): string[] => effects.flatMap(({ id, kind }) => (kind === 'alert' ? [id] : []))
/** Whose incidents opened, each once. */
const openedOf = ({ changes }: Stream): string[] => [
  ...new Map(
    changes.flatMap(({ phase, incidentId, keyId, action }) =>
      phase === 'open' && action.kind !== 'none' ? [[incidentId, keyId] as const] : [],
    ),
  ).values(),
]

describe('clients that surge while nobody fails', () => {
  test('are told one by one when they began minutes apart, however many are at it at once', () => {
    const stream = fleet()
    const surges = keys.slice(0, 4).map((key, place) => surging(key, 30 + 65 * place, { seconds: 250 }))
    live(stream, inOrder(usual(480), ...surges))
    expect(openedOf(stream)).toEqual(keys.slice(0, 4))
  })

  test('are told one by one when three began within a minute of a fleet that is not known for it yet', () => {
    const stream = fleet()
    live(stream, inOrder(usual(200), ...[0, 1, 2].map(place => surging(keys[place]!, 30 + 15 * place))))
    expect(openedOf(stream)).toEqual(keys.slice(0, 3))
  })

  test('are one platform incident when all begin in the same second: told once, and nobody by name until it is over', () => {
    const stream = fleet()
    live(stream, inOrder(usual(300), ...keys.map(key => surging(key, 30, { seconds: 100 }))))
    expect(alertsOf(stream)).toEqual(['platform#1/alert-1', 'platform#1/alert-2'])
    const [sick] = stream.changes
    expect(sick).toMatchObject({ kind: 'platform', severity: 'high' })
    expect(sick!.evidence).toContainEqual({
      ...{ measure: 'of these, wrong only since a minute', observed: keys.length },
      usual: expect.closeTo(1 / 60, 2),
    })
  })

  test.each([
    { how: 'quiet', turns: 0, isSick: true },
    { how: 'restless', turns: 10, isSick: false },
  ])('are a sick API when it is four at once, in a fleet that was $how for an hour: $isSick', ({ turns, isSick }) => {
    const stream = fleet()
    const before = Array.from({ length: turns }, (_, turn) =>
      surging(keys[turn % 8]!, 10 + 300 * turn, { seconds: 30 }),
    )
    const four = keys.slice(0, 4).map(key => surging(key, 3_000, { seconds: 30 }))
    live(stream, inOrder(usual(3_040), ...before, ...four))
    expect(openedOf(stream).length).toBeGreaterThan(turns)
    expect(openedOf(stream).includes('*')).toBe(isSick)
  })

  test('wake nobody while they are a few of those that call, and wake people when they begin to fail', () => {
    const stream = fleet()
    const few = keys.slice(0, 4)
    const surges = few.map(key => surging(key, 30, { seconds: 60 }))
    const failing = few.map(key => surging(key, 90, { seconds: 30, status: 503 }))
    live(stream, inOrder(usual(200), ...surges, ...failing))
    const told = stream.changes.filter(({ keyId, phase }) => keyId === '*' && phase === 'open')
    expect(told.map(({ severity, incidentId }) => [severity, incidentId])).toEqual([
      ['low', 'platform#1'],
      ['high', 'platform#1'],
    ])
    expect(alertsOf(stream).filter(id => id.startsWith('platform'))).toEqual([
      'platform#1/alert-1',
      'platform#1/alert-2',
    ])
  })
})

test('clients that fail are a sick API as soon as they are many, whatever chance would bring', () => {
  const stream = fleet()
  live(stream, inOrder(usual(200), ...[0, 1, 2].map(place => surging(keys[place]!, 30 + 15 * place, { status: 503 }))))
  expect(openedOf(stream)).toContain('*')
})

test('who is told of before the API fell sick is still told of by name, and who turns wrong while it is sick is not', () => {
  const stream = fleet()
  const sick = keys.slice(2).map(key => surging(key, 150, { status: 503 }))
  live(stream, inOrder(usual(300), surging(keys[0]!, 30), surging(keys[1]!, 160, { seconds: 60 }), ...sick))
  expect(alertsOf(stream)).toEqual([`${keys[0]}#1/alert-1`, 'platform#1/alert-1'])
})
