import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { scaledClock } from '../clock.ts'
import { StreamError } from '../core/errors.ts'
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../core/vocabulary.ts'
import { oneTimeSchedules, type ScheduleTrouble, schedulerClient } from './one-time-schedules.ts'
import { type ServedScheduler, serveScheduler } from './testing-scheduler.ts'

const functionArn = 'arn:aws:lambda:us-east-1:123456789012:function:weir-dead-man'
const schedulerRoleArn = 'arn:aws:iam::123456789012:role/weir-scheduler'
const startsAt = Date.parse('2026-11-20T14:00:00Z')
const patient = { withinMs: 5 * HOUR_MS, mustAsk: false }

let scheduler: ServedScheduler
let closing: (() => Promise<void>)[]
let now: () => number

beforeEach(async () => {
  closing = []
  now = () => startsAt
  scheduler = await serveScheduler(() => now(), ['default', 'weir'])
  closing.push(scheduler.close)
})

afterEach(async () => {
  for (const close of closing.reverse()) await close()
})

/** A worker's life. A minute takes 60 ms, unless the test says otherwise. */
function live({
  speed = 1_000,
  group = 'default',
  stillOurs = async () => undefined,
}: {
  speed?: number
  group?: string
  stillOurs?: () => Promise<void>
} = {}) {
  const clock = scaledClock({ startsAt, speed })
  now = clock.now
  const troubles: ScheduleTrouble[] = []
  const made: string[] = []
  const schedules = oneTimeSchedules({
    ...{
      client: schedulerClient({ endpoint: scheduler.endpoint, timeoutMs: 250 }),
      group,
      functionArn,
      schedulerRoleArn,
    },
    ...{ clock, random: () => 0.5, stillOurs },
    onTrouble: trouble => troubles.push(trouble),
    onMade: ({ name }) => made.push(name),
  })
  closing.push(() => schedules.close(1_000 * SECOND_MS))
  return { ...schedules, clock, troubles, made }
}

const schedule = (dueAt = startsAt + 30 * MINUTE_MS, limit = 5) => ({
  ...{
    name: 'weir-plan-a',
    dueAt,
    input: JSON.stringify({ limit }),
    description: 'usage plan a',
    effectId: 'key-a#1/throttle-1',
  },
})

test('what is wanted is there when it is answered: once, in whole seconds of UTC, deleting itself', async () => {
  const { want } = live()
  expect(await want(schedule(startsAt + 30 * MINUTE_MS + 1), patient)).toEqual({ kind: 'made' })
  expect(scheduler.schedules()).toEqual([
    {
      ...{ name: 'weir-plan-a', group: 'default', at: Date.parse('2026-11-20T14:30:01Z'), input: { limit: 5 } },
      ...{ functionArn, roleArn: schedulerRoleArn, deletesItself: true },
    },
  ])
})

test('what a frozen worker still wants gone, or otherwise, is the schedule of the worker that has taken over: it stays', async () => {
  let isTakenOver = false
  const frozen = live({
    stillOurs: async () => {
      if (isTakenOver) throw new StreamError('STATE_HELD', 'another worker is using it', { retry: 'later' })
    },
  })
  await frozen.want(schedule(), patient)
  scheduler.failNext('DeleteSchedule', 'server-error', 1)
  frozen.unwant('weir-plan-a')
  await vi.waitFor(() => expect(scheduler.calls()).toContain('DeleteSchedule weir-plan-a'))
  isTakenOver = true
  const next = live()
  await next.want(schedule(startsAt + 90 * MINUTE_MS), patient)
  await frozen.clock.sleep(10 * MINUTE_MS)
  expect(await frozen.want(schedule(startsAt, 7), { withinMs: MINUTE_MS, mustAsk: true })).toMatchObject({
    kind: 'missing',
  })
  expect(scheduler.schedules()).toMatchObject([{ at: startsAt + 90 * MINUTE_MS, input: { limit: 5 } }])
  expect(frozen.troubles).toEqual([])
})

test('wanted otherwise it is another, and wanted no longer it is gone', async () => {
  const { want, unwant } = live()
  await want(schedule(), patient)
  await want(schedule(startsAt + 50 * MINUTE_MS, 3), patient)
  expect(scheduler.schedules()).toMatchObject([{ at: startsAt + 50 * MINUTE_MS, input: { limit: 3 } }])
  unwant('weir-plan-a')
  await vi.waitUntil(() => scheduler.schedules().length === 0, 10_000)
})

test('wanted otherwise while it is being made, it is as it was wanted last', async () => {
  const { want } = live()
  const first = want(schedule(), patient)
  const second = want(schedule(startsAt + 50 * MINUTE_MS, 3), patient)
  expect([await first, await second]).toEqual([{ kind: 'made' }, { kind: 'made' }])
  expect(scheduler.schedules()).toMatchObject([{ at: startsAt + 50 * MINUTE_MS, input: { limit: 3 } }])
})

test('made again after it was deleted, word for word as before, it is there again', async () => {
  const { want, unwant } = live()
  await want(schedule(), patient)
  unwant('weir-plan-a')
  await vi.waitUntil(() => scheduler.schedules().length === 0, 10_000)
  await want(schedule(), patient)
  expect(scheduler.schedules()).toHaveLength(1)
})

test('found as it is wanted, by a worker that starts again, it is left', async () => {
  await live().want(schedule(), patient)
  await live().want(schedule(), patient)
  expect(scheduler.calls()).toEqual([
    'CreateSchedule weir-plan-a',
    'CreateSchedule weir-plan-a',
    'GetSchedule weir-plan-a',
  ])
})

test('an overdue one that is missing comes a minute later; what is there already is not put off by starting again and again', async () => {
  const overdue = schedule(startsAt - MINUTE_MS)
  await live({ speed: 1 }).want(overdue, patient)
  const [first] = scheduler.schedules()
  expect(first!.at).toBeGreaterThanOrEqual(startsAt + MINUTE_MS)
  const later = live({ speed: 1 })
  await later.clock.sleep(1_100)
  await later.want({ ...overdue, input: '{"limit":3}' }, patient)
  expect(scheduler.schedules()).toEqual([{ ...first!, input: { limit: 3 } }])
})

test('deleting what is gone already is done', async () => {
  const { want, unwant, clock, troubles } = live()
  unwant('weir-plan-b')
  await want(schedule(), patient)
  await clock.sleep(10 * MINUTE_MS)
  expect(troubles).toEqual([])
  expect(scheduler.calls().filter(call => call.includes('plan-b'))).toEqual(['DeleteSchedule weir-plan-b'])
})

test.each([
  'throttled',
  'server-error',
  'silent-after',
] as const)('%s: it is told as missing, tried for beside, and told when it is there', async fault => {
  scheduler.failNext('CreateSchedule', fault, 2)
  const { want, troubles, made } = live({ speed: 100 })
  expect(await want(schedule(), patient)).toMatchObject({ kind: 'missing' })
  await vi.waitUntil(() => made.length === 1, 10_000)
  expect(troubles).toMatchObject([{ name: 'weir-plan-a', needsPerson: false, effectId: 'key-a#1/throttle-1' }])
  expect(scheduler.schedules()).toHaveLength(1)
}, 30_000)

test('whoever wants one waits no longer than it said, and not at all while the last call has failed', async () => {
  scheduler.failNext('CreateSchedule', 'silent')
  const { want } = live({ speed: 1 })
  const began = performance.now()
  expect(await want(schedule(), { withinMs: 100, mustAsk: false })).toEqual({
    kind: 'missing',
    because: 'EventBridge Scheduler has not answered within 0.1 s',
  })
  expect(performance.now() - began).toBeLessThan(2_000)

  const other = live({ speed: 1 })
  scheduler.failNext('CreateSchedule', 'denied', 5)
  await other.want(schedule(), patient)
  const asked = scheduler.calls().length
  expect(await other.want({ ...schedule(), name: 'weir-plan-b' }, patient)).toMatchObject({
    kind: 'missing',
    because: expect.stringContaining('AccessDenied'),
  })
  // Its own call is not out yet.
  expect(scheduler.calls()).toHaveLength(asked)
  // Unless it must know.
  expect(await other.want({ ...schedule(), name: 'weir-plan-c' }, { ...patient, mustAsk: true })).toMatchObject({
    kind: 'missing',
  })
  expect(scheduler.calls().length).toBeGreaterThan(asked)
})

test('what a person must mend is told with what to do, and asked again five minutes later', async () => {
  scheduler.failNext('CreateSchedule', 'denied')
  const { want, troubles, made, clock } = live()
  await want(schedule(), patient)
  expect(troubles).toMatchObject([{ needsPerson: true, because: expect.stringContaining('iam:PassRole') }])
  const began = clock.now()
  await vi.waitUntil(() => made.length === 1, 10_000)
  expect(clock.now() - began).toBeGreaterThan(4 * MINUTE_MS)
})

test('a group that does not exist is named', async () => {
  const { want } = live({ group: 'elsewhere' })
  expect(await want(schedule(), patient)).toMatchObject({
    because: expect.stringContaining('Create the schedule group elsewhere'),
  })
})

test('no longer wanted while it could not be made, it is not made', async () => {
  scheduler.failNext('CreateSchedule', 'server-error', 1)
  const { want, unwant, clock } = live()
  await want(schedule(), patient)
  unwant('weir-plan-a')
  await vi.waitUntil(() => scheduler.calls().includes('DeleteSchedule weir-plan-a'), 10_000)
  await clock.sleep(5 * MINUTE_MS)
  expect(scheduler.schedules()).toEqual([])
})

test('a worker that stops leaves what is wanted: it is then that it is needed', async () => {
  const { want, close } = live()
  await want(schedule(), patient)
  await close(SECOND_MS)
  expect(scheduler.schedules()).toHaveLength(1)
})
