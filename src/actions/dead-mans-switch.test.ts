import { describe, expect, test, vi } from 'vitest'
import type { GiveBackWatch } from '../core/incident/give-back.ts'
import { openEffectJournal } from '../stores/effect-journal.ts'
import type { EffectJournal } from '../stores/journal-entry.ts'
import { deadManWorld, functionArn, marginMs, probationMs, schedulerRoleArn } from './testing-dead-man.ts'
import { expiresAt, limits, low, original, planWorld, restore, throttle, type WorldOptions } from './testing-plans.ts'

const world = planWorld()
const aws = deadManWorld(world)

/** A worker's life with a switch: its journal, its performer. It dies without a word where the test goes on without it. */
async function live(options: Parameters<typeof aws.open>[1] = {}, way: WorldOptions = {}) {
  const journal = await openEffectJournal(world.directory)
  const watch = aws.open(journal, options)
  const worker = await world.live({ ...way, journal, watch })
  return { ...worker, journal, watch }
}

const dueAt = expiresAt + probationMs + marginMs
const inWholeSeconds = Math.ceil(dueAt / 1_000) * 1_000
const order = {
  schema: 'weir.standing-order/1',
  effectId: 'key-a#1/throttle-1',
  holders: ['key-a'],
  expiresAt,
  giveBack: { kind: 'plan', planId: 'plan-a', original, mayHave: [low, limits(22, 45)], methods: [] },
}

describe('a schedule', () => {
  test('is there before the limit is lowered, with all that whoever gives it back has to know, and gone after the restore', async () => {
    const seen: unknown[] = []
    const journal = await openEffectJournal(world.directory)
    const watch = aws.open(journal)
    const watching: GiveBackWatch = {
      ...watch,
      async owed(owed) {
        const answer = await watch.owed(owed)
        seen.push({ has: world.gateway.planLimits('plan-a'), schedules: aws.scheduler.schedules().length })
        return answer
      },
    }
    const { perform } = await world.live({ journal, watch: watching })
    await perform(throttle('throttle-1'))
    expect(seen).toEqual([{ has: original, schedules: 1 }])
    expect(aws.scheduler.schedules()).toEqual([
      {
        ...{ name: 'weir-plan-plan-a', group: 'default', at: inWholeSeconds, input: order },
        ...{ functionArn, roleArn: schedulerRoleArn, deletesItself: true },
      },
    ])
    await perform(restore('half'))
    await perform(restore('full'))
    await vi.waitUntil(() => aws.scheduler.schedules().length === 0, 10_000)
    // The half was in the order from the beginning.
    expect(aws.scheduler.calls()).toEqual(['CreateSchedule weir-plan-plan-a', 'DeleteSchedule weir-plan-plan-a'])
  })

  test('is another when the storm returns: it knows the new limit, and waits for the new end', async () => {
    const { perform } = await live()
    await perform(throttle('throttle-1'))
    await perform(restore('half'))
    await perform({ ...throttle('throttle-2', limits(3, 6)), expiresAt: expiresAt + 300_000 })
    const [schedule] = aws.scheduler.schedules()
    expect(schedule).toMatchObject({
      at: inWholeSeconds + 300_000,
      input: { effectId: 'key-a#1/throttle-2', giveBack: { original } },
    })
    expect(schedule!.input).toMatchObject({ giveBack: { mayHave: expect.arrayContaining([limits(3, 6)]) } })
  })

  test('waits longer for a limit that is wanted for longer, and is low enough already', async () => {
    const { perform } = await live()
    await perform(throttle('throttle-1'))
    expect(await perform({ ...throttle('throttle-2'), expiresAt: expiresAt + 300_000 })).toMatchObject({
      kind: 'already',
    })
    expect(aws.scheduler.schedules()).toMatchObject([{ at: inWholeSeconds + 300_000 }])
  })

  test('goes with what a person has taken over', async () => {
    const { perform } = await live()
    await perform(throttle('throttle-1'))
    world.gateway.changeByPerson('plan-a', limits(60, 70))
    await perform(restore('full'))
    await vi.waitUntil(() => aws.scheduler.schedules().length === 0, 10_000)
  })

  test('that cannot be made keeps no limit from being lowered: it is told, and there as soon as Scheduler answers', async () => {
    aws.scheduler.failNext('CreateSchedule', 'server-error', 2)
    const { perform, watch } = await live()
    expect(await perform(throttle('throttle-1'))).toMatchObject({ kind: 'applied' })
    expect(watch.troubles).toMatchObject([{ name: 'weir-plan-plan-a', effectId: 'key-a#1/throttle-1' }])
    await vi.waitUntil(() => watch.made.length === 1, 10_000)
    expect(aws.scheduler.schedules()).toMatchObject([{ input: order }])
  })

  test('that could not be made before the limit was back is not made any more', async () => {
    aws.scheduler.failNext('CreateSchedule', 'silent-after')
    const { perform } = await live()
    await perform(throttle('throttle-1'))
    await perform(restore('full'))
    await vi.waitUntil(() => aws.scheduler.calls().includes('DeleteSchedule weir-plan-plan-a'), 10_000)
    await vi.waitUntil(() => aws.scheduler.schedules().length === 0, 10_000)
  })

  test('that is required and cannot be made refuses the throttle, and the limit is as it was', async () => {
    aws.scheduler.failNext('CreateSchedule', 'denied', 50)
    const { perform, journal } = await live({ required: true })
    expect(await perform(throttle('throttle-1'))).toMatchObject({
      kind: 'refused',
      because: expect.stringContaining('deadMansSwitch.required'),
    })
    expect(world.gateway.changes()).toEqual([])
    expect([...journal.stories()]).toEqual([])
  })

  test('is of the gateways that have a switch only', async () => {
    const { perform } = await live({ gateways: ['eu'] })
    expect(await perform(throttle('throttle-1'))).toMatchObject({ kind: 'applied' })
    expect(aws.scheduler.calls()).toEqual([])
  })
})

describe('when Weir dies', () => {
  test('with a limit lowered, the limit returns to the fraction, and people are told', async () => {
    const { perform } = await live()
    await perform(throttle('throttle-1'))
    expect(await aws.timePasses()).toContainEqual(expect.objectContaining({ level: 'warn', event: 'limitGivenBack' }))
    expect(world.gateway.planLimits('plan-a')).toEqual(original)
    expect(aws.scheduler.schedules()).toEqual([])
    expect(aws.notices()).toMatchObject([
      { kind: 'limit-given-back', text: expect.stringContaining('given back by the dead man’s switch') },
    ])
  })

  test('with half of a limit given back, all of it returns', async () => {
    const { perform } = await live()
    await perform(throttle('throttle-1'))
    await perform(restore('half'))
    await aws.timePasses()
    expect(world.gateway.planLimits('plan-a')).toEqual(original)
  })

  test('and Scheduler was silent when the storm returned: the limit of then is still known, once it answers', async () => {
    const { perform, watch } = await live()
    await perform(throttle('throttle-1'))
    await perform(restore('half'))
    aws.scheduler.failNext('GetSchedule', 'server-error', 1)
    await perform(throttle('throttle-2', limits(3, 6)))
    await vi.waitUntil(() => watch.made.length === 1, 10_000)
    await aws.timePasses()
    expect(world.gateway.planLimits('plan-a')).toEqual(original)
  })

  test('and a person has set another limit meanwhile, theirs stays, and people are told', async () => {
    const { perform } = await live()
    await perform(throttle('throttle-1'))
    world.gateway.changeByPerson('plan-a', limits(60, 70))
    expect(await aws.timePasses()).toMatchObject([{ event: 'limitLeft', because: 'others' }])
    expect(world.gateway.planLimits('plan-a')).toEqual(limits(60, 70))
    expect(aws.notices()).toMatchObject([{ kind: 'limit-left' }])
  })

  test('a plan that had no throttle has none again', async () => {
    await world.serve([{ id: 'plan-a', keys: ['key-a'] }])
    const { perform } = await live()
    await perform(throttle('throttle-1'))
    await aws.timePasses()
    expect(world.gateway.planLimits('plan-a')).toBeUndefined()
    expect(world.gateway.changes()).toHaveLength(2)
  })
})

describe('a key that is moved to a penalty plan', () => {
  const moving = { way: 'penalty-plan', penaltyPlan: 'plan-slow' } as const
  const serve = () =>
    world.serve([
      { id: 'plan-shared', limits: original, keys: ['key-a', 'key-b'] },
      { id: 'plan-slow', limits: low },
    ])

  test('has a schedule from before it leaves its plan until it is back', async () => {
    await serve()
    const { perform } = await live({}, moving)
    await perform(throttle('throttle-1'))
    expect(aws.scheduler.schedules()).toMatchObject([
      {
        name: 'weir-key-key-a',
        at: inWholeSeconds,
        input: { giveBack: { kind: 'move', movedKey: 'key-a', from: ['plan-shared'], to: 'plan-slow' } },
      },
    ])
    await perform(restore('full'))
    await vi.waitUntil(() => aws.scheduler.schedules().length === 0, 10_000)
    expect(world.gateway.plansOfKey('key-a')).toEqual(['plan-shared'])
  })

  test('returns to its plan when Weir dies', async () => {
    await serve()
    const { perform } = await live({}, moving)
    await perform(throttle('throttle-1'))
    expect(world.gateway.plansOfKey('key-a')).toEqual(['plan-slow'])
    await aws.timePasses()
    expect(world.gateway.plansOfKey('key-a')).toEqual(['plan-shared'])
    expect(aws.notices()).toMatchObject([{ kind: 'limit-given-back' }])
  })

  test('is not moved where a schedule is required and cannot be made', async () => {
    await serve()
    aws.scheduler.failNext('CreateSchedule', 'denied', 50)
    const { perform, journal } = await live({ required: true }, moving)
    expect(await perform(throttle('throttle-1'))).toMatchObject({ kind: 'refused' })
    expect(world.gateway.plansOfKey('key-a')).toEqual(['plan-shared'])
    expect([...journal.stories()]).toEqual([])
  })
})

describe('a crash', () => {
  /** Dies where the world is told of by `when`. */
  function dying(watch: GiveBackWatch, when: 'before' | 'after'): { watch: GiveBackWatch; crash: AbortController } {
    const crash = new AbortController()
    return {
      crash,
      watch: {
        ...watch,
        async owed(owed) {
          const answer = when === 'after' ? await watch.owed(owed) : undefined
          crash.abort(new Error('crash'))
          return answer
        },
        async over(name) {
          if (when === 'after') await watch.over(name)
        },
      },
    }
  }

  async function crashing(when: 'before' | 'after'): Promise<EffectJournal> {
    const journal = await openEffectJournal(world.directory)
    const { watch, crash } = dying(aws.open(journal), when)
    const { perform } = await world.start({ journal, watch })
    await expect(perform(throttle('throttle-1'), crash.signal)).rejects.toThrow('crash')
    expect(world.gateway.changes()).toEqual([])
    return journal
  }

  test('between schedule and gateway is harmless: the function finds the original', async () => {
    await crashing('after')
    expect(await aws.timePasses()).toMatchObject([{ level: 'info', event: 'limitLeft', because: 'back' }])
    expect(world.gateway.changes()).toEqual([])
    expect(aws.notices()).toEqual([])
  })

  test('between journal and schedule: the next life makes it, whether the limit was lowered or not', async () => {
    const journal = await crashing('before')
    expect(aws.scheduler.schedules()).toEqual([])
    await journal.close()
    const next = await live()
    await next.watch.reconcile()
    expect(aws.scheduler.schedules()).toMatchObject([{ name: 'weir-plan-plan-a', at: inWholeSeconds }])
  })

  test('between restore and deletion: it does nothing when it comes due, and the next life deletes it before', async () => {
    const journal = await openEffectJournal(world.directory)
    const watch = aws.open(journal)
    const { perform } = await world.live({ journal, watch: { ...watch, over: async () => {} } })
    await perform(throttle('throttle-1'))
    await perform(restore('full'))
    expect(aws.scheduler.schedules()).toHaveLength(1)
    await journal.close()
    const next = await live()
    await next.watch.reconcile()
    await vi.waitUntil(() => aws.scheduler.schedules().length === 0, 10_000)
  })

  test('of the disk itself: a worker that knows of nothing leaves the schedules that it finds', async () => {
    const { perform } = await live()
    await perform(throttle('throttle-1'))
    const journal = { recovered: [], stories: () => new Map() }
    await aws.open(journal).reconcile()
    await aws.timePasses()
    expect(world.gateway.planLimits('plan-a')).toEqual(original)
  })

  test('and a start again and again put nothing off', async () => {
    const { perform, journal } = await live()
    await perform(throttle('throttle-1'))
    const [before] = aws.scheduler.schedules()
    await journal.close()
    for (let n = 0; n < 3; n++) {
      const next = await live()
      await next.watch.reconcile()
      await next.journal.close()
    }
    expect(aws.scheduler.schedules()).toEqual([before])
  })

  test('after the function has given the limit back: Weir finds it so, and owes nothing', async () => {
    const { perform, journal } = await live()
    await perform(throttle('throttle-1'))
    await aws.timePasses()
    await journal.close()
    const next = await live()
    expect(await next.perform(restore('full'))).toMatchObject({ kind: 'already' })
    expect([...next.journal.stories()]).toEqual([])
  })
})

test('a limit is lowered for a second key of the plan: the order is for both, until the last of them', async () => {
  await world.serve([{ id: 'plan-a', limits: original, keys: ['key-a', 'key-b'] }])
  const { perform } = await live()
  const both = [
    { keyId: 'key-a', limits: low },
    { keyId: 'key-b', limits: low },
  ]
  await perform(throttle('throttle-1', low, { keys: both }))
  await perform({ ...throttle('throttle-1', low, { keyId: 'key-b', keys: both }), expiresAt: expiresAt + 60_000 })
  expect(aws.scheduler.schedules()).toMatchObject([
    { at: inWholeSeconds + 60_000, input: { holders: ['key-a', 'key-b'], expiresAt: expiresAt + 60_000 } },
  ])
  await perform(restore('full'))
  expect(aws.scheduler.schedules()).toHaveLength(1)
  await perform(restore('full', 'key-b'))
  await vi.waitUntil(() => aws.scheduler.schedules().length === 0, 10_000)
})
