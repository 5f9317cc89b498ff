import { expect, test } from 'vitest'
import type { Clock } from '../clock.ts'
import type { Explanation } from '../core/explanation/explanation.ts'
import { type Notice, noticeText } from '../core/explanation/notice.ts'
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../core/vocabulary.ts'
import { createNoticing } from './noticing.ts'
import type { Reading, TelemetryEvent } from './telemetry.ts'

const noon = Date.UTC(2026, 10, 20, 12)

const quiet: Reading = {
  ...{ overMs: 1_000, records: 0, bytes: 0, calls: 0, rejected: 0, lag: undefined, eventTime: undefined },
  ...{ watermark: undefined, keys: 0, activeKeys: 0, totalCalls: 0, late: 0, future: 0 },
  ...{ openIncidents: 0, throttled: 0, isHalted: false, history: false, catchingUpFrom: undefined },
}

const change = (changed: Partial<Explanation>): Explanation => ({
  ...{ incidentId: 'k1#1', keyId: 'k1', tenant: undefined, phase: 'open', kind: 'surge', severity: 'low' },
  ...{ telling: 'history', onsetAt: noon - HOUR_MS, decidedAt: noon - HOUR_MS + 2_000, action: { kind: 'none' } },
  ...{ current: { calls: 9, seconds: 1, callsPerMinute: 540 }, expected: undefined, detectors: [], evidence: [] },
  ...{ mode: 'observe', ...changed },
})

function begin(send: 'takes all' | 'is silent' = 'takes all') {
  let now = noon
  // Nobody has the patience to wait.
  const clock: Clock = { now: () => now, sleep: async () => {} }
  const told: TelemetryEvent[] = []
  const sent: string[] = []
  const noticing = createNoticing({
    ...{ clock, behindAfterMs: 2 * MINUTE_MS, checkpointEveryMs: 5_000, telemetry: event => void told.push(event) },
    async send(notice, { source }, signal) {
      if (send === 'is silent')
        await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
      sent.push(noticeText(notice, source))
      return { kind: 'applied' }
    },
  })
  const tell = noticing.hearing(event => void told.push(event))
  tell({
    name: 'workerStarted',
    source: 'topic calls',
    mode: 'observe',
    resumedFrom: noon - 2 * HOUR_MS,
    note: undefined,
  })
  return {
    ...{ noticing, sent, tell },
    notices: (): Notice[] => told.flatMap(event => (event.name === 'noticeTold' ? [event.notice] : [])),
    async seconds(seconds: number, reading: (at: number) => Partial<Reading>) {
      for (let second = 0; second < seconds; second++) {
        tell({ name: 'checkpointWritten', partitions: 1, tookMs: 1 })
        tell({ name: 'batchesRead', ...quiet, ...reading(clock.now()) })
        now += SECOND_MS
      }
      await new Promise(resolve => setImmediate(resolve))
    },
  }
}

test('a Kafka topic that is behind is told by the age of what is read, and Kinesis by its own word', async () => {
  for (const lag of [{ records: 5_000 }, { ms: 10 * MINUTE_MS }]) {
    const world = begin()
    await world.seconds(20, at => ({ records: 1, lag, eventTime: at - 10 * MINUTE_MS }))
    expect(world.notices()).toMatchObject([{ kind: 'behind', behindMs: 10 * MINUTE_MS }])
    expect(world.sent).toEqual([
      `Weir is 10 min 0 s behind and does not see what happens now.
It has read up to 2026-11-20 11:50:15 UTC: storms of the last 10 min 0 s are not seen yet, and nobody is alerted or throttled for them.
Behind since 2026-11-20 12:00:00 UTC.
Source: topic calls.`,
    ])
  }
})

test('a file that says nothing of a lag is behind by the age of what it brings; one that brings nothing is only quiet', async () => {
  const late = begin()
  await late.seconds(20, at => ({ records: 1, eventTime: at - 10 * MINUTE_MS }))
  expect(late.notices().map(({ kind }) => kind)).toEqual(['behind'])
  const still = begin()
  await still.seconds(600, () => ({ eventTime: noon - 10 * MINUTE_MS }))
  expect(still.notices()).toEqual([])
})

test('a source that brings nothing and is in trouble is a blind one', async () => {
  const world = begin()
  for (let minute = 0; minute < 4; minute++) {
    world.tell({ name: 'sourceReported', level: 'warn', detail: 'broker is away' })
    await world.seconds(60, () => ({ lag: { records: 0 }, eventTime: noon }))
  }
  expect(world.notices()).toMatchObject([{ kind: 'behind', at: noon + 136 * SECOND_MS }])
})

test('while SNS is silent the newest word on a subject waits and no more, and the end waits for none of it', async () => {
  const world = begin('is silent')
  await world.seconds(20, at => ({ lag: { ms: HOUR_MS }, records: 1, eventTime: at }))
  await world.seconds(70, at => ({ lag: { ms: 0 }, records: 1, eventTime: at }))
  expect(world.notices().map(({ kind }) => kind)).toEqual(['behind', 'caught-up'])
  await world.noticing.finish()
  expect(world.sent).toEqual([])
})

test('what was history is summed up once, when the worker has caught up and what still goes on was alerted', async () => {
  const world = begin()
  const tell = (explanation: Explanation) => world.tell({ name: 'incidentChanged', explanation })
  tell(change({ incidentId: 'k0#1', telling: 'alerted' }))
  tell(change({}))
  tell(change({ incidentId: 'k2#1', keyId: 'k2', severity: 'high', kind: 'retry-storm' }))
  await world.seconds(5, at => ({ records: 1, eventTime: at - MINUTE_MS, catchingUpFrom: noon - 100 * MINUTE_MS }))
  tell(change({ phase: 'closed', decidedAt: noon - 30 * MINUTE_MS }))
  await world.seconds(5, () => ({}))
  tell(
    change({
      incidentId: 'k2#1',
      keyId: 'k2',
      severity: 'high',
      kind: 'retry-storm',
      telling: 'alerted',
      decidedAt: noon,
    }),
  )
  await world.seconds(20, () => ({}))
  expect(world.sent).toEqual([
    `While Weir was away (2026-11-20 10:20:00 UTC to 2026-11-20 12:00:05 UTC): 2 incidents, of which 1 is over.
What was over by then nobody was alerted of. What still went on was alerted when Weir had caught up.
- k1: a surge, low severity, since 2026-11-20 11:00:00 UTC, over by 2026-11-20 11:30:00 UTC (k1#1)
- k2: a retry storm, high severity, since 2026-11-20 11:00:00 UTC, still going on, and alerted (k2#1)
Source: topic calls.`,
  ])
})

test('a backlog that was read between two looks, or whose worker stops before its end, is summed up all the same', async () => {
  const fast = begin()
  fast.tell({ name: 'incidentChanged', explanation: change({}) })
  await fast.seconds(15, () => ({}))
  expect(fast.notices()).toMatchObject([{ kind: 'history', from: noon - 2 * HOUR_MS, at: noon }])

  const stopped = begin()
  stopped.tell({ name: 'incidentChanged', explanation: change({}) })
  stopped.tell({ name: 'workerStopping', because: 'asked', effectsRunning: 0 })
  await stopped.noticing.finish()
  expect(stopped.sent).toHaveLength(1)
})

test('more incidents than a message has room for are counted', async () => {
  const world = begin()
  for (let key = 0; key < 150; key++)
    world.tell({ name: 'incidentChanged', explanation: change({ incidentId: `k${key}#1` }) })
  await world.seconds(15, () => ({}))
  expect(world.sent[0]).toContain('150 incidents, of which 0 are over')
  expect(world.sent[0]?.split('\n').at(-2)).toBe('- and 50 more')
})
