import { describe, expect, test } from 'vitest'
import { journalIndex } from '../../stores/effect-journal.ts'
import { limits, low, never, original, planWorld, restore, throttle } from '../testing-plans.ts'

const world = planWorld()
const pets = { apiStage: 'api:live', method: '/pets/GET', limits: limits(50, 80) }
const slow = { apiStage: 'api:live', method: '/slow/POST', limits: limits(2, 2) }
const plan = [{ id: 'plan-a', limits: original, methods: [pets, slow], keys: ['key-a'] }]
const has = () => ({ plan: world.gateway.planLimits('plan-a'), methods: world.gateway.planMethods('plan-a') })
const withPets = (petLimits: typeof low) => expect.arrayContaining([{ ...pets, limits: petLimits }, slow])

describe('a plan whose methods have limits above its new ones', () => {
  test.each([
    'raw',
    'escaped',
  ] as const)('is lowered with them and given back with them (%s paths)', async methodPaths => {
    await world.serve(plan, undefined, { methodPaths })
    const { perform } = await world.live()
    expect(await perform(throttle('throttle-1'))).toEqual({ kind: 'applied', before: original, after: low })
    expect(has()).toEqual({ plan: low, methods: withPets(low) })
    expect(await perform(restore('half'))).toMatchObject({ kind: 'applied', after: limits(22, 45) })
    expect(has()).toEqual({ plan: limits(22, 45), methods: withPets(limits(16, 28)) })
    expect(await perform(restore('full'))).toEqual({ kind: 'applied', before: limits(22, 45), after: original })
    expect(has()).toEqual({ plan: original, methods: withPets(pets.limits) })
    expect(await world.storiesAfterRestart()).toEqual([])
    // The way that the gateway takes is found once.
    expect(world.gateway.changes()).toHaveLength(3)
  })

  test('that the gateway takes and does not store is lowered without them, and that is told', async () => {
    await world.serve(plan, undefined, { methodPaths: 'ignored' })
    const { perform } = await world.live()
    expect(await perform(throttle('throttle-1'))).toMatchObject({
      ...{ kind: 'applied', before: original, after: low },
      missed: 'the gateway did not take the limits of /pets/GET of api:live',
    })
    expect(has()).toEqual({ plan: low, methods: [pets, slow] })
    expect(await perform(restore('full'))).toMatchObject({ kind: 'applied' })
    expect(has()).toEqual({ plan: original, methods: [pets, slow] })
    expect(await world.storiesAfterRestart()).toEqual([])
  })

  test('of which a person changes one: theirs stays, the rest comes back', async () => {
    await world.serve(plan)
    const { perform } = await world.live()
    await perform(throttle('throttle-1'))
    world.gateway.changeByPerson('plan-a', low, [{ ...pets, limits: limits(7, 7) }, slow])
    expect(await perform(restore('full'))).toMatchObject({
      ...{ kind: 'applied', after: original },
      missed: '/pets/GET of api:live: changed meanwhile by someone else; left as it is',
    })
    expect(has()).toEqual({ plan: original, methods: withPets(limits(7, 7)) })
    expect(await world.storiesAfterRestart()).toEqual([])
  })

  test('of which a person changes its own limits: theirs stay, and the methods come back', async () => {
    await world.serve(plan)
    const { perform } = await world.live()
    await perform(throttle('throttle-1'))
    world.gateway.changeByPerson('plan-a', limits(60, 70))
    expect(await perform(restore('full'))).toMatchObject({
      kind: 'applied',
      missed: expect.stringContaining('set by somebody else'),
    })
    expect(has()).toEqual({ plan: limits(60, 70), methods: withPets(pets.limits) })
    expect(await world.storiesAfterRestart()).toEqual([])
  })

  test('is whole again wherever a crash came, with the methods’ originals from the journal', async () => {
    for (let step = 0; ; step++) {
      await world.renew(plan)
      const { died } = await world.dieAt(step, throttle('throttle-1'))
      if (!died) break
      const { perform, journal } = await world.start()
      await perform(throttle('throttle-1'), never)
      expect([step, has()]).toEqual([step, { plan: low, methods: withPets(low) }])
      await journal.close()
      const dying = await world.dieAt(step, restore('full'))
      const after = await world.start()
      if (dying.died) await after.perform(restore('full'), never)
      expect([step, has()]).toEqual([step, { plan: original, methods: withPets(pets.limits) }])
      expect(journalIndex(after.journal.recovered).stories.size).toBeLessThanOrEqual(1)
    }
  })
})
