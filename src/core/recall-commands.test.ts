/**
 * Law: killed after any entry of the journal, whatever the checkpoint, a worker knows of every limit, and of what people have
 * said, what it knew before; and it decides just what it had decided and not yet journaled.
 */
import { describe, expect, test } from 'vitest'
import { tenantsSchema } from './config/config.ts'
import { type Engine, restore, snapshot } from './engine.ts'
import type { EngineInput, Recollection } from './engine-input.ts'
import { watching } from './engine-state.ts'
import type { ThrottleEffect } from './incident/effect.ts'
import { holdsLimit } from './incident/incident-questions.ts'
import type { OperatorCommand } from './operator.ts'
import {
  type Call,
  copied,
  inOrder,
  live,
  type Stream,
  settingsOf,
  stateOf,
  steady,
  streamInto,
  TEN,
  taught,
} from './testing-stream.ts'
import type { ApiKeyId, EpochMs } from './vocabulary.ts'

const settings = settingsOf({ throttle: { expiresAfter: '1m', probation: '20s', repeatFactor: 2, longest: '6m' } })
const rates = { key_a: 600, key_b: 600, key_c: 60, key_d: 60 }
const [c, d] = ['key_c', 'key_d'] as [ApiKeyId, ApiKeyId]
const at = (second: number): EpochMs => TEN + second * 1_000

const quiet = (from: number, to: number): Call[] =>
  inOrder(
    ...Object.entries(rates).map(([key, rate]) =>
      steady(key, { perSecond: rate / 60, from: at(from), seconds: to - from }),
    ),
  )
const storm = (key: string, from: number, to: number): Call[] =>
  steady(key, { perSecond: 100, from: at(from), seconds: to - from, status: 503 })

type Happening =
  | { readonly kind: 'said'; readonly command: OperatorCommand }
  /** The gateway answers whatever it was asked and has not answered yet. */
  | { readonly kind: 'answered'; readonly refused?: string }
  /** Until the next one these storm. */
  | { readonly kind: 'storm'; readonly keys: readonly string[] }
  | { readonly kind: 'exempt'; readonly keyId: string }

const said = (command: OperatorCommand): Happening => ({ kind: 'said', command })
const answered: Happening = { kind: 'answered' }
const stormOf = (...keys: readonly string[]): Happening => ({ kind: 'storm', keys })

const stories: Readonly<Record<string, readonly (readonly [second: number, happening: Happening])[]>> = {
  'extended twice, and given back when that is over': [
    [0, stormOf('key_c')],
    [5, answered],
    [10, said({ kind: 'extend', keyId: c, byMs: 30_000 })],
    [20, said({ kind: 'extend', keyId: c, byMs: 30_000 })],
    [130, answered],
    [140, answered],
  ],
  'held while it is on its way, and on probation': [
    [0, stormOf('key_c')],
    [3, said({ kind: 'hold', keyId: c, forMs: 90_000 })],
    [8, answered],
    [20, stormOf()],
    [100, answered],
    [105, said({ kind: 'hold', keyId: c, forMs: 40_000 })],
    [150, answered],
  ],
  'halted, let go on, and throttled again': [
    [0, stormOf('key_c')],
    [5, answered],
    [10, said({ kind: 'halt' })],
    [12, answered],
    [20, said({ kind: 'go-on' })],
    [40, answered],
    [50, said({ kind: 'extend', keyId: c, byMs: 30_000 })],
  ],
  'released while on its way, in the middle of it, and all at once': [
    [0, stormOf('key_c', 'key_d')],
    [4, said({ kind: 'release', keyId: c })],
    [6, answered],
    [10, said({ kind: 'release-all' })],
    [15, answered],
    [20, said({ kind: 'release', keyId: d })],
    [25, said({ kind: 'release', keyId: 'key_a' as ApiKeyId })],
  ],
  'given back because it is exempt by now': [
    [0, stormOf('key_c')],
    [5, answered],
    [10, { kind: 'exempt', keyId: 'key_c' }],
    [15, answered],
  ],
  'refused by the gateway': [
    [0, stormOf('key_c', 'key_d')],
    [5, { kind: 'answered', refused: 'access denied' }],
    [10, said({ kind: 'release', keyId: c })],
  ],
}

/** All that is to be the same after a crash: of limits all of it, of other incidents what people said of them. */
function known(engine: Engine) {
  const { halted, spared, throttled } = engine.state
  const incidents = [...watching(engine.state)].flatMap(owner =>
    [...owner.incidents].flatMap(({ keyId, incident }) => {
      if (!('story' in incident)) return []
      const { incidentId, action, refused, extended, held, throttles, restores, alerts, verification } = incident.story
      const isLowered = holdsLimit(incident)
      const limit = isLowered ? { incident: { ...incident, story: {} }, action: { ...action, waiting: undefined } } : {}
      const verified = verification && { limits: verification.limits, changedAt: verification.changedAt }
      return [{ keyId, incidentId, refused, extended, held, throttles, restores, alerts, verified, ...limit }]
    }),
  )
  return structuredClone({ halted, spared, throttled, incidents })
}

interface Cut {
  /** So many entries are in the journal. */
  readonly entries: number
  readonly known: ReturnType<typeof known>
  /** Decided by the last entry, and not journaled. */
  readonly lost: readonly string[]
}

/** The whole story without a crash, with all it could be cut at, and checkpoints every ten seconds. */
function tell(happenings: (typeof stories)[string]) {
  const stream = streamInto(taught(settings, rates), () => undefined)
  const cuts: Cut[] = []
  const saved: { readonly from: number; readonly snapshot: ReturnType<typeof copied> }[] = []
  const take = (input: EngineInput): void => {
    const before = { entries: stream.journaled.length, effects: stream.effects.length }
    stream.take(input)
    if (stream.journaled.length === before.entries) return
    const seen = known(stream.engine)
    const lost = stream.effects.slice(before.effects).map(({ id }) => id)
    if (input.kind === 'operator' || input.kind === 'outcome')
      cuts.push({ entries: before.entries + 1, known: seen, lost })
    cuts.push({ entries: stream.journaled.length, known: seen, lost: [] })
  }
  const watched: Stream = { ...stream, give: stream.give, take, tick: moment => take({ kind: 'tick', at: moment }) }
  const answers = new Set<string>()
  live(watched, quiet(-30, 0))
  saved.push({ from: 0, snapshot: copied(snapshot(stream.engine)) })
  let storming: readonly string[] = []
  for (let second = 0; second < 180; second++) {
    for (const [when, happening] of happenings) if (when === second) happen(happening, second)
    live(watched, inOrder(quiet(second, second + 1), ...storming.map(key => storm(key, second, second + 1))))
    if (second % 5 === 4) saved.push({ from: stream.journaled.length, snapshot: copied(snapshot(stream.engine)) })
  }
  return { stream, cuts, saved }

  function happen(happening: Happening, second: number): void {
    if (happening.kind === 'storm') storming = happening.keys
    if (happening.kind === 'said') take({ kind: 'operator', command: happening.command, by: 'ann', at: at(second) })
    if (happening.kind === 'exempt') {
      const { tenants } = tenantsSchema.parse({ tenants: { t: { keys: [happening.keyId], exempt: true } } })
      take({ kind: 'tenants', tenants, at: at(second) })
    }
    if (happening.kind !== 'answered') return
    for (const effect of stream.effects.filter(({ kind, id }) => kind !== 'alert' && !answers.has(id))) {
      answers.add(effect.id)
      const plans = effect.kind === 'throttle' ? { after: effect.limits, plans: [planOf(effect)] } : {}
      const applied = { kind: 'applied', ...plans } as const
      const outcome =
        happening.refused === undefined ? applied : ({ kind: 'refused', because: happening.refused } as const)
      take({ kind: 'outcome', report: { effectId: effect.id, outcome }, at: at(second) })
    }
  }
}

const planOf = ({ keyId, limits }: Pick<ThrottleEffect, 'keyId' | 'limits'>) => ({
  ...{ planId: `plan-${keyId}`, limits, keys: [keyId] },
})

const fromDisk = (journaled: readonly Recollection[]): Recollection[] => JSON.parse(JSON.stringify(journaled))

describe.each(Object.entries(stories))('%s', (_, happenings) => {
  const { stream, cuts, saved } = tell(happenings)

  test('is known after a crash at any entry, from any checkpoint before it', () => {
    let tried = 0
    for (const { from, snapshot: kept } of saved) {
      for (const cut of cuts.filter(({ entries }) => entries > from)) {
        const second = streamInto(restore(settings, copied(kept)), () => undefined)
        const entries = fromDisk(stream.journaled.slice(from, cut.entries))
        second.take({ kind: 'recalled', entries, at: at(1_000) })
        const where = { from, entries: cut.entries }
        expect({ ...where, known: known(second.engine), decided: second.effects.map(({ id }) => id) }).toEqual({
          ...where,
          known: cut.known,
          decided: cut.lost,
        })
        tried++
      }
    }
    expect(tried).toBeGreaterThan(5)
  })
})

test('an incident of a partition that is silent since is given its time: the limit is given back when the throttle expires', () => {
  const keyed = { ...settings, keyed: true }
  const engine = taught(keyed, rates)
  const saved = copied(snapshot(engine))
  const first = streamInto(engine)
  for (let second = 0; second < 40; second++) {
    const calls = inOrder(quiet(second, second + 1), second < 31 ? [] : storm('key_c', second, second + 1))
    first.give(calls, { partition: 't/3', arrivedAt: at(second + 1) })
    first.tick(at(second + 1))
  }
  expect(stateOf(first.engine, 'key_c', 't/3').incident.phase).toBe('mitigated')

  const second = streamInto(restore(keyed, saved))
  second.take({ kind: 'recalled', entries: fromDisk(first.journaled), at: at(40) })
  for (let now = 41; now < 120; now++) second.tick(at(now))
  const back = second.effects.filter(({ kind }) => kind === 'restore')
  expect(back.map(({ id, decidedAt }) => [id, decidedAt])).toEqual([
    ['key_c#1/restore-1', at(92)],
    ['key_c#1/restore-2', at(112)],
  ])
  for (const memo of second.journaled) if (memo.kind === 'memo') expect(memo.memo.at).toBeGreaterThan(0)
})
