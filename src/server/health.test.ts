import { expect, test } from 'vitest'
import { MINUTE_MS, SECOND_MS } from '../core/vocabulary.ts'
import type { TelemetryEvent } from '../worker/telemetry.ts'
import { events, reading } from '../worker/testing-events.ts'
import { liveness, readiness } from './health.ts'
import { createPulse, enter, follow, type Pulse } from './pulse.ts'
import type { WorkerStatus } from './worker-status.ts'

const limits = { readyLagMs: MINUTE_MS, checkpointEveryMs: 5 * SECOND_MS }
const start = Date.UTC(2026, 10, 20, 14, 0, 0)

/** What was told, each at its second since the start; asked at `at` seconds. */
type Told = readonly (readonly [second: number, event: TelemetryEvent])[]

function pulseOf(told: Told): Pulse {
  const pulse = createPulse(start)
  for (const [second, event] of told) follow(pulse, event, start + second * SECOND_MS, limits)
  return pulse
}

const read = (more: Partial<typeof reading> = {}): TelemetryEvent => ({ name: 'batchesRead', ...reading, ...more })
const quiet = read({ records: 0, calls: 0, lag: undefined })
const written: TelemetryEvent = { name: 'checkpointWritten', partitions: 1, tookMs: 0 }
/** Reads all the time, and keeps what it knows. */
const well: Told = [
  [1, events.workerStarted],
  [2, read()],
  [3, written],
]

const statusAt = (second: number, more: Partial<WorkerStatus> = {}): WorkerStatus => ({
  ...{ effectWaits: [], rejected: new Map(), heardAt: start + second * SECOND_MS, partitions: 1 },
  ...more,
})

function ready(told: Told, second: number, status: Partial<WorkerStatus> = {}) {
  const { ok, checks } = readiness(pulseOf(told), statusAt(second, status), limits, start + second * SECOND_MS)
  return ok
    ? 'ready'
    : checks.filter(check => !check.ok).map(({ name, value, atMost }) => `${name}: ${value} (${atMost})`)
}

test('a worker that reads, is not behind and has a checkpoint is ready', () => {
  expect(ready(well, 4)).toBe('ready')
  const { checks } = readiness(pulseOf(well), statusAt(4), limits, start + 4 * SECOND_MS)
  expect(checks).toEqual([
    { name: 'watching', ok: true, value: 'running', atMost: null, says: 'The stream is watched' },
    {
      ...{ name: 'source', ok: true, value: 0, atMost: 60 },
      says: 'The source answered 0 s ago; a record was read 2 s ago',
    },
    { name: 'caught-up', ok: true, value: 'yes', atMost: null, says: 'Has come up with the stream since its start' },
    { name: 'lag', ok: true, value: 0, atMost: 60, says: 'Reading is 0 s behind the stream' },
    {
      ...{ name: 'checkpoint', ok: true, value: 1, atMost: 45 },
      says: 'The last checkpoint is 1 s old; a crash would take up from there',
    },
    { name: 'effects', ok: true, value: 0, atMost: 60, says: 'Nothing waits to be done' },
  ])
})

test('it is not ready before it watches: while it reads its state, learns, or stops', () => {
  expect(ready([], 4)).toEqual(['watching: starting (null)'])
  expect(ready([[1, events.historyBegun]], 400)).toEqual(['watching: learning (null)'])
  const stopping = pulseOf(well)
  enter(stopping, 'stopping', start + 4 * SECOND_MS)
  // What is told on the way out does not bring it back.
  follow(stopping, events.workerStarted, start + 5 * SECOND_MS, limits)
  expect(readiness(stopping, statusAt(5), limits, start + 5 * SECOND_MS)).toMatchObject({
    ok: false,
    phase: 'stopping',
  })
})

test('a quiet stream is no fault, and one that is not there is', () => {
  const told: Told = [
    [1, events.workerStarted],
    [2, quiet],
    [598, written],
    [599, quiet],
  ]
  expect(ready(told, 600)).toBe('ready')
  expect(ready(told, 600, { heardAt: undefined })).toEqual(['source: 599 (60)', 'caught-up: no (null)'])
  expect(ready(told, 600, { heardAt: start + 539 * SECOND_MS })).toEqual(['source: 61 (60)'])
  // A file cannot be asked, and standard input neither.
  expect(ready(told, 600, { heardAt: 'untold' })).toBe('ready')
})

test('a reader that is busy asks for no more, and is not deaf', () => {
  const busy: Told = [...well, [100, written], [100, read()]]
  expect(ready(busy, 101, { heardAt: start + 2 * SECOND_MS })).toBe('ready')
})

test('in the first seconds a source that has answered may still have all the stream to bring', () => {
  const told: Told = [
    [1, events.workerStarted],
    [2, written],
  ]
  expect(ready(told, 3)).toEqual(['caught-up: no (null)'])
  expect(ready(told, 6)).toBe('ready')
})

test('who is behind is not ready, at the start and later', () => {
  const behind = read({ lag: { ms: 61_000 } })
  const late: Told = [
    [1, events.workerStarted],
    [2, behind],
    [3, written],
  ]
  expect(ready(late, 4)).toEqual(['caught-up: no (null)', 'lag: 61 (60)'])
  expect(ready([...late, [5, read()]], 6)).toBe('ready')
  expect(ready([...late, [5, read()], [6, behind]], 7)).toEqual(['lag: 61 (60)'])
  // Counted in records, the newest call's age is how far it is behind.
  const hour = read({ lag: { records: 9 }, eventTime: start - 3_600_000 })
  expect(ready([...late, [5, hour]], 5)).toEqual(['caught-up: no (null)', 'lag: 3605 (60)'])
  const fresh = read({ lag: { records: 9 }, eventTime: start })
  expect(ready([...late, [5, fresh]], 5)).toBe('ready')
})

test('a checkpoint may be missed, and three may not', () => {
  expect(ready([...well, [48, read()]], 48)).toBe('ready')
  expect(ready([...well, [49, read()]], 49)).toEqual(['checkpoint: 46 (45)'])
  const none: Told = [
    [1, events.workerStarted],
    [46, read()],
  ]
  expect(ready(none, 46)).toBe('ready')
  expect(ready(none, 47)).toEqual(['checkpoint: 46 (45)'])
})

test('an alert that does not get out is worse than a change that waits for its turn at the gateway', () => {
  const since = (second: number) => start + second * SECOND_MS
  const told: Told = [...well, [100, written], [100, read()]]
  const waiting = (kind: 'alert' | 'throttle', beganAt: number) =>
    ready(told, 100, { effectWaits: [{ kind, beganAt }] })
  expect(waiting('alert', since(40))).toBe('ready')
  expect(waiting('alert', since(39))).toEqual(['effects: 61 (60)'])
  expect(waiting('throttle', since(-200))).toBe('ready')
  expect(waiting('throttle', since(-201))).toEqual(['effects: 301 (300)'])
  const both = [
    { kind: 'throttle', beganAt: since(0) },
    { kind: 'alert', beganAt: since(38) },
    { kind: 'alert', beganAt: since(90) },
  ] as const
  const { checks } = readiness(pulseOf(told), statusAt(100, { effectWaits: both }), limits, since(100))
  expect(checks.at(-1)).toMatchObject({ ok: false, says: '3 wait to be done, the first alert for 62 s' })
})

test('a stream that has ended is not missed while its limits are given back', () => {
  const told: Told = [...well, [4, events.sourceEnded], [299, written]]
  expect(ready(told, 300, { heardAt: start })).toBe('ready')
})

test('who does not turn is not live; who learns, or stops, may take its time', () => {
  const live = (told: Told, second: number) => liveness(pulseOf(told), start + second * SECOND_MS)
  expect(live([], 600).ok).toBe(true)
  expect(live([[1, events.historyBegun]], 600).ok).toBe(true)
  expect(live([[1, events.workerStarted]], 61).ok).toBe(true)
  expect(live([[1, events.workerStarted]], 62).ok).toBe(false)
  expect(live(well, 62).ok).toBe(true)
  expect(live(well, 63)).toEqual({
    ...{ ok: false, phase: 'running' },
    checks: [
      {
        ...{ name: 'watching', ok: false, value: 61, atMost: 60 },
        says: 'The loop has not turned for 61 s, and should each second',
      },
    ],
  })
  expect(live([...well, [4, events.workerStopping]], 600).ok).toBe(true)
})
