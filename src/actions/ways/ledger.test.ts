import { expect, test } from 'vitest'
import type { GiveBackWatch } from '../../core/incident/give-back.ts'
import { low, original, planWorld, restore, throttle } from '../testing-plans.ts'

const world = planWorld()

test('what is owed is told before the gateway hears of it, with each change, and that it is over after the last', async () => {
  const told: unknown[] = []
  const has = () => world.gateway.planLimits('plan-a')
  const watch: GiveBackWatch = {
    async owed({ name, giveBack, expiresAt, holders }) {
      told.push({
        name,
        expiresAt,
        holders,
        ...(giveBack.kind === 'plan' && { mayHave: giveBack.mayHave }),
        has: has(),
      })
      return undefined
    },
    async over(name) {
      told.push({ over: name, has: has() })
    },
  }
  const { perform } = await world.live({ watch })
  await perform(throttle('throttle-1'))
  await perform(restore('half'))
  await perform(restore('full'))
  const half = { rateLimit: 22, burstLimit: 45 }
  const about = { name: 'plan-a', expiresAt: 600_001, holders: ['key-a'] }
  expect(told).toEqual([
    { ...about, mayHave: [original, low], has: original },
    { ...about, mayHave: [low, half], has: low },
    { ...about, mayHave: [half, original], has: half },
    { over: 'plan-a', has: original },
  ])
})

test('what must not be taken is not, and nothing is owed; what is lowered already is given back all the same', async () => {
  let isRefused = true
  const watch: GiveBackWatch = { owed: async () => (isRefused ? 'nobody watches' : undefined), over: async () => {} }
  const { perform, journal } = await world.live({ watch })
  expect(await perform(throttle('throttle-1'))).toEqual({ kind: 'refused', because: 'nobody watches' })
  expect([...journal.stories()]).toEqual([])
  isRefused = false
  await perform(throttle('throttle-2'))
  isRefused = true
  await perform(restore('half'))
  expect(await perform(throttle('throttle-3'))).toEqual({ kind: 'refused', because: 'nobody watches' })
  await perform(restore('full'))
  expect(world.gateway.planLimits('plan-a')).toEqual(original)
  expect([...journal.stories()]).toEqual([])
})
