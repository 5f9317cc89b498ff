import { expect, test } from 'vitest'
import type { Performer } from '../actions/performer.ts'
import { scaledClock } from '../clock.ts'
import { StreamError } from '../core/errors.ts'
import type { Explanation } from '../core/explanation/explanation.ts'
import type { AlertEffect, Effect, Outcome } from '../core/incident/effect.ts'
import { createPerforming } from './performing.ts'

const explanation: Explanation = {
  ...{
    incidentId: 'k1#1',
    keyId: 'k1',
    tenant: undefined,
    phase: 'open',
    kind: 'surge',
    severity: 'high',
    telling: 'alerted',
  },
  ...{ onsetAt: 0, decidedAt: 1_000, current: { calls: 9, seconds: 1, callsPerMinute: 540 }, expected: undefined },
  ...{ detectors: [], evidence: [], mode: 'enforce', action: { kind: 'none' } },
}
const alert = (id: string, keyId = 'k1'): AlertEffect => ({
  ...{ id, incidentId: `${keyId}#1`, keyId, decidedAt: 0, kind: 'alert', explanation },
})
const restoring = (id: string): Effect => ({
  ...{ id, incidentId: 'k1#1', keyId: 'k1', decidedAt: 0, kind: 'restore', step: 'full' },
})

/** Answers when told to; what it was asked stands in `asked`. */
function heldPerformer() {
  const asked: string[] = []
  const waiting = new Map<string, (outcome: Outcome) => void>()
  const performer: Performer = {
    perform: (effect, signal) =>
      new Promise((resolve, reject) => {
        asked.push(effect.id)
        waiting.set(effect.id, resolve)
        signal.addEventListener('abort', () => reject(signal.reason))
      }),
  }
  return { performer, asked, answer: (id: string, outcome: Outcome) => waiting.get(id)?.(outcome) }
}

function begin(performer: Performer, maxAlerts = 10) {
  const settled: string[] = []
  const failures: unknown[] = []
  const performing = createPerforming({
    performers: { alert: performer, plan: performer },
    clock: scaledClock({ startsAt: 0, speed: 1_000 }),
    maxAlerts,
    settled: async (effect, outcome) => {
      if (effect.id === 'unrecordable') throw new Error('disk full')
      settled.push(`${effect.id} ${outcome.kind}`)
    },
    failed: cause => failures.push(cause),
  })
  return { performing, settled, failures }
}

/** All that can happen without time passing has happened. */
const settle = () => new Promise(resolve => setImmediate(resolve))

test('alerts of one key go out one after another, those of others do not wait', async () => {
  const sns = heldPerformer()
  const { performing, settled } = begin(sns.performer)
  for (const effect of [alert('k1-open'), alert('k1-closed'), alert('k2-open', 'k2')]) performing.begin(effect)
  await settle()
  expect(sns.asked).toEqual(['k1-open', 'k2-open'])

  sns.answer('k1-open', { kind: 'applied' })
  await settle()
  expect(sns.asked).toEqual(['k1-open', 'k2-open', 'k1-closed'])
  expect(settled).toEqual(['k1-open applied'])
  expect(performing.running()).toBe(2)
})

test('with too many alerts waiting the next is refused, and a limit is given back all the same', async () => {
  const silent = heldPerformer()
  const { performing, settled } = begin(silent.performer, 2)
  for (const effect of [alert('a1'), alert('a2', 'k2'), alert('a3', 'k3'), restoring('r1')]) performing.begin(effect)
  await settle()
  expect(settled).toEqual(['a3 refused'])
  expect(silent.asked.toSorted()).toEqual(['a1', 'a2', 'r1'])
})

test('what has no answer when patience ends stays open, and is not settled', async () => {
  const silent = heldPerformer()
  const { performing, settled } = begin(silent.performer)
  performing.begin(alert('first'))
  performing.begin(alert('second'))
  expect(await performing.finish(5_000)).toEqual(['first', 'second'])
  expect(settled).toEqual([])
  // The second was waiting for the first: nobody sends it after all is over.
  expect(silent.asked).toEqual(['first'])
})

test('what waits long for its answer is known by name', async () => {
  const silent = heldPerformer()
  const { performing } = begin(silent.performer)
  performing.begin(restoring('r1'))
  expect(performing.delayed(60_000).effectIds).toEqual([])
  expect(performing.delayed(-1).effectIds).toEqual(['r1'])
})

test('a performer that breaks its promise counts as a refusal', async () => {
  const broken: Performer = { perform: () => Promise.reject(new Error('cannot read properties of undefined')) }
  const { performing, settled, failures } = begin(broken)
  performing.begin(restoring('r1'))
  await settle()
  expect([settled, failures]).toEqual([['r1 refused'], []])
})

test('an outcome that cannot be recorded is trouble for the worker', async () => {
  const sns = heldPerformer()
  const { performing, failures } = begin(sns.performer)
  performing.begin(restoring('unrecordable'))
  await settle()
  sns.answer('unrecordable', { kind: 'applied' })
  await settle()
  expect(failures).toEqual([new Error('disk full')])
})

test('asks how those throttles and restores stand that have been under way for long enough, and of nothing else', async () => {
  const { performer, answer } = heldPerformer()
  const asking: Performer = { ...performer, progress: id => ({ ahead: 2, waitMs: 40_000, because: id }) }
  const { performing } = begin(asking)
  const throttling = {
    ...restoring('k1#1/throttle-1'),
    kind: 'throttle',
    limits: { rateLimit: 1, burstLimit: 2 },
  } as const
  performing.begin({ ...throttling, keys: [], siblings: [], urgency: 1 } as Effect)
  performing.begin(restoring('k1#1/restore-1'))
  performing.begin(alert('k1#1/alert-1'))
  await settle()
  expect(performing.progress(3_600_000)).toEqual([])
  expect(performing.progress(0)).toEqual([
    { effectId: 'k1#1/throttle-1', ahead: 2, waitMs: 40_000, because: 'k1#1/throttle-1' },
    { effectId: 'k1#1/restore-1', ahead: 2, waitMs: 40_000, because: 'k1#1/restore-1' },
  ])
  answer('k1#1/throttle-1', { kind: 'applied' })
  answer('k1#1/restore-1', { kind: 'applied' })
  await settle()
  expect(performing.progress(0)).toEqual([])
})

test('what another worker has in hand by now has no outcome here: its life is over', async () => {
  const held = new StreamError('STATE_HELD', 'another worker is using it', { retry: 'never', hint: 'let it' })
  const { performing, settled, failures } = begin({ perform: () => Promise.reject(held) })
  performing.begin(alert('a1'))
  performing.begin(restoring('r1'))
  await settle()
  expect([settled, failures]).toEqual([[], [held, held]])
})
