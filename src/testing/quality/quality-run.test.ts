import { expect, test } from 'vitest'
import { theOriginalThree, whole } from './configuration.ts'
import { judgedFrom, type MadeCall, type Play } from './contract.ts'
import { createStage, playScene, withWeek } from './quality-run.ts'
import { steadyTenant } from './testing-tenant.ts'
import { bystandersOf, verdictOf } from './verdict.ts'

const at = judgedFrom + 36_000_000

/** Three calls a second each: the first of them is played. */
const stage = createStage({
  tenants: [steadyTenant('played', { perSecond: 3 }), steadyTenant('other', { perSecond: 3 })],
  at,
  seconds: 120,
  configurations: [whole, theOriginalThree],
})

/** So many calls a second, answered so, from a second of the play on. */
const calling = (perSecond: number, { status = 200, onset = 0 } = {}): Play => ({
  second(index, own): readonly MadeCall[] {
    if (index < onset) return own
    const start = stage.from + index * 1_000
    return Array.from({ length: perSecond }, (_, call) => ({
      ...{ at: start + Math.floor((call * 1_000) / perSecond), status, latencyMs: 50 },
      ...{ route: '/v1/payments', source: '192.0.2.1' },
    }))
  },
  onsetAt: () => stage.from + onset * 1_000,
})

const played = (play: Play, seconds = 120) => playScene({ stage, played: [{ key: 0, play }], seconds, until: 'told' })

test('who goes on as usual is told of by nobody, and neither is who stands beside', () => {
  for (const { openBefore, tellings } of played({ second: (_, own) => own, onsetAt: () => undefined })) {
    expect([...openBefore]).toEqual([])
    expect(tellings).toEqual([])
  }
})

test('a storm is found within two seconds, paged, throttled and named, and nobody else is', () => {
  const [watched] = played(calling(300, { status: 503, onset: 10 }))
  const verdict = verdictOf(watched!, 'played')
  expect(verdict).toMatchObject({ kind: 'found', named: 'retry-storm', isPaged: true, throttles: true })
  expect(verdict.kind === 'found' && verdict.at - (stage.from + 10_000)).toBeLessThanOrEqual(2_000)
  expect(bystandersOf(watched!, 0, new Set(['played']))).toEqual([])
})

test('the same scene gives the same tellings', () => {
  expect(played(calling(30))).toEqual(played(calling(30)))
})

test('who has always called so is not told of: a week may be another than the tenant’s own', () => {
  const isNow = (start: number) => (start - stage.from) % 86_400_000 === 0
  const busy = (calls: number) => ({ calls: calls * 10, status2xx: calls * 10 })
  const week = stage.weeks[0]!.map(row => ({ ...row, ...(isNow(row.start) && busy(row.calls)) }))
  const [watched] = playScene({
    stage: withWeek(stage, 0, week),
    played: [{ key: 0, play: calling(30) }],
    ...{ seconds: 120, until: 'told' },
  })
  expect(verdictOf(watched!, 'played')).toEqual({ kind: 'missed', isMerged: false })
  const [unlearned] = played(calling(30))
  expect(verdictOf(unlearned!, 'played')).toMatchObject({ kind: 'found' })
})
