/** What a person commands, through the engine: what is done, what is told, and what outlives a checkpoint. */
import { describe, expect, test } from 'vitest'
import { alertText } from './explanation/text.ts'
import type { Effect, Outcome } from './incident/effect.ts'
import { answerTo, type OperatorCommand } from './operator.ts'
import {
  type Call,
  inOrder,
  live,
  obeyed,
  type Stream,
  settingsOf,
  steady,
  streamInto,
  TEN,
  taught,
} from './testing-stream.ts'
import type { ApiKeyId } from './vocabulary.ts'

const settings = settingsOf({ throttle: { expiresAfter: '2m', probation: '1m' } })
const rates = { key_a: 600, key_b: 600, key_c: 60, key_d: 60 }
const c = 'key_c' as ApiKeyId

const quiet = (from: number, to: number): Call[] =>
  inOrder(
    ...Object.entries(rates).map(([key, rate]) =>
      steady(key, { perSecond: rate / 60, from: TEN + from * 1_000, seconds: to - from }),
    ),
  )
const storm = (key: string, from: number, to: number): Call[] =>
  steady(key, { perSecond: 100, from: TEN + from * 1_000, seconds: to - from, status: 503 })

/** Seconds since TEN in which `keys` storm, the whole time, beside what all usually call. */
function pass(stream: Stream, from: number, to: number, ...keys: string[]): void {
  for (let at = from; at < to; at += 300) {
    const end = Math.min(to, at + 300)
    live(stream, inOrder(quiet(at, end), ...keys.map(key => storm(key, at, end))))
  }
}

const command = (stream: Stream, second: number, said: OperatorCommand): void =>
  stream.take({ kind: 'operator', command: said, by: 'ann', at: TEN + second * 1_000 })

/** What was done to limits, with the second. */
const done = ({ effects }: Stream): string[] =>
  effects.flatMap(effect =>
    effect.kind === 'alert' ? [] : [`${Math.round((effect.decidedAt - TEN) / 1_000)}s ${effect.id}`],
  )

const begun = (answer?: (effect: Effect) => Outcome | undefined, of = settings): Stream => {
  const stream = streamInto(taught(of, rates), answer)
  pass(stream, 0, 30)
  return stream
}

describe('a release', () => {
  test('gives the limit back, says who asked for it, and the storm that goes on is not throttled again', () => {
    const stream = begun()
    pass(stream, 30, 50, 'key_c')
    command(stream, 50, { kind: 'release', keyId: c })
    pass(stream, 50, 120, 'key_c')
    expect(done(stream)).toEqual(['31s key_c#1/throttle-1', '50s key_c#1/restore-1'])
    expect(stream.effects.find(({ id }) => id === 'key_c#1/restore-1')).toMatchObject({ step: 'full', by: 'ann' })
    const told = stream.effects.flatMap(effect => (effect.kind === 'alert' ? [alertText(effect.explanation)] : []))
    expect(told.at(-2)).toContain('Client gets its whole limit back: ann asked for it.')
    expect(told.at(-1)).toContain('ann released it, and in this incident it is not lowered again.')
    expect(stream.changes.at(-1)).toMatchObject({
      phase: 'open',
      action: { kind: 'throttle-refused', because: 'released by ann' },
    })
  })

  test('that finds a limit somebody else has raised is told without alarm, and one that they lowered with it', () => {
    const original = { rateLimit: 100, burstLimit: 200 }
    for (const [rateLimit, severity] of [
      [500, 'low'],
      [50, 'high'],
    ] as const) {
      const others = [{ planId: 'plan-c', original, now: { rateLimit, burstLimit: 200 } }]
      const stream = begun(effect =>
        effect.kind === 'restore' ? { kind: 'refused', because: 'set by somebody else', others } : obeyed(effect),
      )
      pass(stream, 30, 50, 'key_c')
      command(stream, 50, { kind: 'release', keyId: c })
      pass(stream, 50, 55)
      expect(stream.changes.at(-1)).toMatchObject({ severity, action: { kind: 'restore-refused', others } })
    }
  })

  test('of one key leaves the others as they are', () => {
    const stream = begun()
    pass(stream, 30, 50, 'key_c', 'key_d')
    command(stream, 50, { kind: 'release', keyId: c })
    pass(stream, 50, 60, 'key_c', 'key_d')
    expect(done(stream).filter(line => line.includes('restore'))).toEqual(['50s key_c#1/restore-1'])
  })

  test('of all gives all back, and a new incident may be throttled', () => {
    const stream = begun()
    pass(stream, 30, 50, 'key_c', 'key_d')
    command(stream, 50, { kind: 'release-all' })
    expect(done(stream).slice(-2)).toEqual(['50s key_c#1/restore-1', '50s key_d#1/restore-1'])
    pass(stream, 50, 200)
    pass(stream, 200, 210, 'key_c')
    expect(done(stream).at(-1)).toBe('201s key_c#2/throttle-1')
  })

  test('without an incident spares the key in one that opens within the hour, and in none after it', () => {
    for (const [wait, thrown] of [
      [60, []],
      [3_660, ['3661s key_c#1/throttle-1']],
    ] as const) {
      const stream = begun()
      command(stream, 30, { kind: 'release', keyId: c })
      const later = stream.afterCheckpoint()
      pass(later, 30, wait)
      pass(later, wait, wait + 10, 'key_c')
      expect(done(later)).toEqual(thrown)
    }
  })
})

describe('halted', () => {
  test('every limit is given back and nobody is throttled, until a person says go on', () => {
    const stream = begun()
    pass(stream, 30, 50, 'key_c')
    command(stream, 50, { kind: 'halt' })
    pass(stream, 50, 80, 'key_c', 'key_d')
    expect(done(stream)).toEqual(['31s key_c#1/throttle-1', '50s key_c#1/restore-1'])
    expect(stream.changes.filter(({ phase }) => phase === 'open').at(-1)?.action).toMatchObject({
      ...{ kind: 'held', because: 'halted', by: 'ann' },
    })

    const later = stream.afterCheckpoint()
    expect(later.engine.state.halted).toEqual({ by: 'ann', since: TEN + 50_000 })
    pass(later, 80, 90, 'key_c', 'key_d')
    expect(done(later)).toHaveLength(2)

    command(later, 90, { kind: 'go-on' })
    pass(later, 90, 110, 'key_c', 'key_d')
    expect(
      done(later)
        .slice(2)
        .map(line => line.replace(/^\d+s /, ''))
        .toSorted(),
    ).toEqual(['key_c#1/throttle-2', 'key_d#1/throttle-1'])
  })

  test('who storms on is told once as bad again, with who halted, and nobody is called recovering for it', () => {
    const stream = begun()
    pass(stream, 30, 50, 'key_c')
    command(stream, 50, { kind: 'halt' })
    pass(stream, 50, 120, 'key_c')
    const told = stream.effects.flatMap(effect => (effect.kind === 'alert' ? [alertText(effect.explanation)] : []))
    expect(told.slice(-2).map(text => text.split('\n').slice(0, 3))).toMatchObject([
      ['key_c gets its limit back.', expect.any(String), 'Client gets its whole limit back: ann asked for it.'],
      [
        'key_c is at it again, and NOTHING holds it.',
        expect.stringContaining('Current: '),
        "Client's limit was given back, and is not lowered again: ann has halted throttling (weir throttles go-on ends that).",
      ],
    ])
    expect(stream.changes.filter(({ isAlert }) => isAlert)).toHaveLength(told.length)
  })

  test('a throttle that is on its way is called back', () => {
    const stream = begun(effect => (effect.kind === 'throttle' ? undefined : obeyed(effect)))
    pass(stream, 30, 40, 'key_c')
    command(stream, 40, { kind: 'halt' })
    expect(done(stream)).toEqual(['31s key_c#1/throttle-1', '40s key_c#1/restore-1'])
  })
})

describe('held and extended', () => {
  test('a key of an exempt tenant is refused for that reason, since its limit is never lowered', () => {
    const exempt = { only: { keys: ['key_c'], exempt: true } }
    const stream = begun(undefined, settingsOf({ throttle: { expiresAfter: '2m', probation: '1m' } }, exempt))
    pass(stream, 30, 50, 'key_c')
    for (const said of [
      { kind: 'hold', keyId: c, forMs: 300_000 },
      { kind: 'extend', keyId: c, byMs: 300_000 },
    ] as const)
      expect(answerTo(stream.engine, { command: said, by: 'ann', at: stream.engine.state.now })).toMatchObject({
        kind: 'refused',
        because: expect.stringContaining('exempt'),
      })
  })

  test('a limit stays lowered past its expiry over a checkpoint, and alerts say who wants it', () => {
    const stream = begun()
    pass(stream, 30, 50, 'key_c')
    command(stream, 50, { kind: 'hold', keyId: c, forMs: 300_000 })
    const later = stream.afterCheckpoint()
    pass(later, 50, 349)
    expect(done(later)).toHaveLength(1)
    expect(later.changes.at(-1)).toMatchObject({ phase: 'mitigated', held: { by: 'ann', until: TEN + 350_000 } })
    const held = later.changes.at(-1)
    expect(held && alertText(held)).toContain('Held by ann until 2026-03-04 10:05:50 UTC.')
    pass(later, 349, 352)
    expect(done(later).at(-1)).toBe('350s key_c#1/restore-1')
  })

  test('the answer says until when, or why not', () => {
    const stream = begun()
    pass(stream, 30, 50, 'key_c')
    const answer = (said: OperatorCommand) =>
      answerTo(stream.engine, { command: said, by: 'ann', at: stream.engine.state.now })
    expect(answer({ kind: 'extend', keyId: c, byMs: 60_000 })).toEqual({
      kind: 'obeyed',
      keyIds: [c],
      incidentIds: ['key_c#1'],
      until: TEN + 211_000,
    })
    expect(answer({ kind: 'hold', keyId: 'key_a' as ApiKeyId, forMs: 1_000 })).toMatchObject({ kind: 'refused' })
    expect(answer({ kind: 'go-on' })).toEqual({ kind: 'refused', because: 'Weir is not halted' })
    expect(answer({ kind: 'release-all' })).toEqual({ kind: 'obeyed', keyIds: [c], incidentIds: ['key_c#1'] })
    // Asking has changed nothing.
    pass(stream, 50, 152)
    expect(done(stream).at(-1)).toBe('151s key_c#1/restore-1')
  })
})

describe('who is throttled again within a week', () => {
  const repeating = settingsOf({
    throttle: { expiresAfter: '2m', probation: '30s', repeatFactor: 2, longest: '6m' },
  })
  /** How long each throttle lasted, in seconds. */
  const lengths = ({ changes }: Stream): number[] =>
    changes.flatMap(({ phase, action, decidedAt }) =>
      phase === 'mitigated' && action.kind === 'throttled' ? [Math.round((action.expiresAt - decidedAt) / 1_000)] : [],
    )

  test('is held twice as long each time, up to a bound, and is told so', () => {
    const stream = begun(undefined, repeating)
    pass(stream, 30, 1_200, 'key_c')
    expect(lengths(stream).slice(0, 4)).toEqual([120, 240, 360, 360])
    const again = stream.changes.filter(({ phase }) => phase === 'mitigated')[1]
    expect(again && alertText(again)).toContain('its 2nd throttle in 7 days, and longer for that')
  })

  test('also in another incident, over a checkpoint; and not once the week is over', () => {
    const stream = begun(undefined, repeating)
    pass(stream, 30, 40, 'key_c')
    pass(stream, 40, 600)
    const later = stream.afterCheckpoint()
    pass(later, 600, 610, 'key_c')
    expect(lengths(later)).toEqual([120, 240])
    expect(later.changes.at(-1)?.incidentId).toBe('key_c#2')
    expect(later.engine.state.throttled).toEqual(new Map([[c, [TEN + 31_000, TEN + 601_000]]]))
  })

  test('but not where a person has released it: that throttle counts as none', () => {
    const stream = begun(undefined, repeating)
    pass(stream, 30, 40, 'key_c')
    command(stream, 40, { kind: 'release', keyId: c })
    expect(stream.engine.state.throttled).toEqual(new Map())
  })

  test('nor where nobody has asked for it', () => {
    const stream = begun()
    pass(stream, 30, 500, 'key_c')
    expect(new Set(lengths(stream))).toEqual(new Set([120]))
  })
})

test('a storm while all of the limit is on its way back is lowered again once the gateway has answered', () => {
  let waiting: Effect | undefined
  const stream = begun(effect => {
    if (effect.kind !== 'restore' || effect.step === 'half') return obeyed(effect)
    waiting = effect
    return undefined
  })
  pass(stream, 30, 40, 'key_c')
  pass(stream, 40, 230)
  expect(done(stream).at(-1)).toBe('211s key_c#1/restore-2')
  pass(stream, 230, 300, 'key_c')
  expect(done(stream).at(-1)).toBe('211s key_c#1/restore-2')
  const effectId = waiting?.id ?? ''
  stream.take({ kind: 'outcome', at: TEN + 300_000, report: { effectId, outcome: { kind: 'applied' } } })
  pass(stream, 300, 320, 'key_c')
  expect(done(stream).at(-1)).toBe('310s key_c#1/throttle-2')
})
