/** What the worker hears of a throttle after it was decided: told to people in time, and the same again when it is replayed. */
import { afterEach, expect, test } from 'vitest'
import { weirSchema } from '../core/config/config.ts'
import { engineSettings } from '../core/engine.ts'
import type { Effect, Outcome } from '../core/incident/effect.ts'
import { findRecording } from '../stores/recording-reader.ts'
import { replayRecording } from './recorded-replay.ts'
import type { TelemetryEvent } from './telemetry.ts'
import { full, live, newFolder, noon, removeFolders } from './testing-life.ts'

afterEach(removeFolders)

const alertsOf = (told: readonly TelemetryEvent[]) =>
  told.flatMap(event =>
    event.name === 'effectIntended' && event.effect.kind === 'alert' ? [event.effect.explanation] : [],
  )

async function partingOf(directory: string) {
  const { segments } = await findRecording(directory)
  const { parting, inputs } = await replayRecording({ segments, changed: () => {}, noted: () => {} })
  return { parting, isReplayed: inputs > 0 }
}

test('a throttle that the gateway does not carry out is told to people after a minute, with where it stands', async () => {
  const directory = newFolder()
  const life = await live({
    ...{ folder: newFolder(), record: { directory } },
    answer: effect => (effect.kind === 'alert' ? { kind: 'applied' } : undefined),
    progress: () => ({ ahead: 2, waitMs: 40_000, because: undefined }),
  })
  await life.bring(5, 1)
  await life.bring(66, 200)
  await life.stop()
  const late = alertsOf(life.told).flatMap(({ action }) => (action.kind === 'throttle' ? [action.waiting] : []))
  expect(late).toEqual([undefined, expect.objectContaining({ isLate: true, ahead: 2, waitMs: 40_000 })])
  expect(life.asked().filter(id => id.includes('alert'))).toEqual(['k1#1/alert-1', 'k1#1/alert-2'])
  expect(await partingOf(directory)).toEqual({ parting: undefined, isReplayed: true })
})

test('a limit that the gateway does not give back is told to people, with why and how they do it, and again when it is back', async () => {
  const directory = newFolder()
  const byHand = [{ giveBack: { kind: 'row', row: 'r1', expiresAt: noon } }] as const
  let isDown = true
  const life = await live({
    ...{ folder: newFolder(), record: { directory } },
    answer: effect => (effect.kind === 'restore' && isDown ? undefined : { kind: 'applied' }),
    progress: id => (id.includes('restore') ? { ahead: 0, waitMs: 0, because: 'TimeoutError', byHand } : undefined),
  })
  await life.bring(5, 1)
  await life.bring(10, 200)
  await life.say({ kind: 'halt' })
  await life.bring(90, 1)
  const image = await life.crashImage()
  await life.stop()
  isDown = false
  const late = alertsOf(life.told).flatMap(({ action }) => (action.kind === 'restore' ? [action.waiting] : []))
  expect(late).toEqual([
    undefined,
    expect.objectContaining({ isLate: true, askedAt: noon + 15_000, because: 'TimeoutError', byHand }),
  ])
  expect(await partingOf(directory)).toEqual({ parting: undefined, isReplayed: true })
  const next = await live({ folder: image, startsAt: noon + 105_000, given: life.source.given })
  await next.bring(5, 1)
  await next.stop()
  expect(alertsOf(next.told).map(({ action }) => action.kind)).toEqual(['restored'])
})

test('a limit that does not bite is told to people and to telemetry, over a crash once, and the same when it is replayed', async () => {
  const settled = weirSchema.parse({ mode: 'enforce', gateway: {}, ...quick })
  const engine = engineSettings(settled, {})
  const directory = newFolder()
  const answer = (effect: Effect): Outcome =>
    effect.kind === 'throttle'
      ? {
          kind: 'applied',
          before: full,
          after: effect.limits,
          plans: [{ planId: 'p', limits: effect.limits, keys: ['k1'] }],
        }
      : { kind: 'applied' }
  const life = await live({ folder: newFolder(), record: { directory }, answer, engine })
  await life.bring(5, 1)
  await life.bring(55, 200)
  const image = await life.crashImage()
  await life.stop()
  expect(alertsOf(life.told).map(({ phase, verification }) => `${phase} ${verification?.verdict.kind}`)).toEqual([
    'open undefined',
    'mitigated does-not-bite',
  ])
  expect(life.told.filter(({ name }) => name === 'throttleVerified')).toMatchObject([{ verdict: 'does-not-bite' }])
  expect(await partingOf(directory)).toEqual({ parting: undefined, isReplayed: true })

  const next = await live({
    folder: image,
    startsAt: Date.UTC(2026, 10, 20, 12, 1, 0),
    given: life.source.given,
    answer,
    engine,
  })
  await next.bring(20, 200)
  await next.stop()
  expect(alertsOf(next.told).filter(({ phase }) => phase === 'mitigated')).toEqual([])
})

const quick = { time: { delivery: '2s' }, throttle: { settle: '10s', calmFor: '10m', probation: '10s' } }
