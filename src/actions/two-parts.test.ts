/**
 * Two parts of a shared stream, each with a journal of its own, and one thing that both would lower: a plan, a key, a row, a penalty
 * key. Whatever of the one dies at whichever step, the other never takes what it set for the original.
 */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import type { PartitionId } from '../core/vocabulary.ts'
import { openEffectJournal } from '../stores/effect-journal.ts'
import { openSharedMarks } from '../stores/shared-marks.ts'
import { limits, low, never, original, planWorld, restore, throttle, type WorldOptions } from './testing-plans.ts'
import type { AuthorizerRows } from './ways/authorizer-rows.ts'
import { claimsBy } from './ways/claims.ts'

const world = planWorld()
const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

const claimed = () => join(world.directory, 'claimed')

async function claims(part: string) {
  const owner = { partition: `t/${part}` as PartitionId, id: `worker of ${part}` }
  return claimsBy(await openSharedMarks(claimed(), owner))
}

/** A life of one part, which finds what its last one has left. */
async function life(part: 'one' | 'two', options: WorldOptions = {}) {
  const directory = part === 'one' ? world.directory : join(world.directory, part)
  const journal = await openEffectJournal(directory)
  closing.push(journal.close)
  const worker = await world.live({ ...options, journal, claims: await claims(part) })
  await worker.resume(never)
  return worker
}

/** The same key for both: as after a topic has got more partitions, or where records are not keyed as said. */
const lowering = (wanted = low) => ({ ...throttle('throttle-1', wanted), expiresAt: Number.MAX_SAFE_INTEGER })
const storm = { one: lowering(), two: { ...lowering(limits(2, 4)), incidentId: 'key-a#9' } }

/** Its conditions are the table's own story: here all is written. */
function table() {
  const rows = new Map<string, string>()
  const written: AuthorizerRows = {
    async put({ row, penaltyKey }) {
      rows.set(row, penaltyKey.id)
      return { kind: 'ok' }
    },
    prolong: async () => ({ kind: 'ok' }),
    async end({ row }) {
      rows.delete(row)
      return { kind: 'ok' }
    },
  }
  return { rows, written }
}

const penaltyKeys = [
  { id: 'slow-10', ...limits(10, 20) },
  { id: 'slow-50', ...limits(50, 100) },
]

const ways = {
  'own-plan': () => {
    return {
      options: { way: 'own-plan' } as const,
      plans: [{ id: 'plan-a', limits: original, keys: ['key-a'] }],
      has: () => world.gateway.planLimits('plan-a'),
    }
  },
  'penalty-plan': () => {
    const stages = ['api:live']
    return {
      options: { way: 'penalty-plan', penaltyPlan: 'plan-slow' } as const,
      plans: [
        { id: 'plan-a', limits: original, keys: ['key-a', 'key-b'], stages },
        { id: 'plan-slow', limits: low, keys: ['key-z'], stages },
      ],
      has: () => [...world.gateway.plansOfKey('key-a')],
    }
  },
  'authorizer-table': () => {
    const { rows, written } = table()
    return {
      options: { way: 'authorizer-table', authorizerTable: { rows: written, penaltyKeys, beyondMs: 0 } } as const,
      plans: [{ id: 'plan-a', limits: original, keys: ['key-a'] }],
      has: () => [...rows],
    }
  },
} as const

test.each([
  'own-plan',
  'penalty-plan',
  'authorizer-table',
] as const)('%s: one part dies at any step of lowering, the other lowers or is told whose it is, and all comes back', async name => {
  const kinds = new Set<string>()
  for (let crashAt = 0; ; crashAt++) {
    const { options, plans, has } = ways[name]()
    await world.renew(plans)
    const before = has()
    for (const close of closing.splice(0)) await close()
    const { died } = await world.dieAt(crashAt, storm.one, { ...options, claims: await claims('one') })
    const two = await life('two', options)
    const met = await two.perform(storm.two)
    const told = met.kind === 'refused' ? met.because : met.kind
    kinds.add(told.includes('by another part of the stream already (t/one)') ? 'told whose it is' : told)
    const one = await life('one', options)
    await one.perform(storm.one)
    await two.perform(restore('full'))
    await one.perform(restore('full'))
    expect(has()).toEqual(before)
    expect([...one.journal.stories(), ...two.journal.stories()]).toEqual([])
    expect(await readdir(claimed())).toEqual([])
    if (!died) break
  }
  expect([...kinds]).toEqual(expect.arrayContaining(['applied', 'told whose it is']))
})

test('what one part has given back the other may lower', async () => {
  const one = await life('one')
  const two = await life('two')
  await one.perform(storm.one)
  await one.perform(restore('half'))
  expect(await two.perform(storm.two)).toMatchObject({ kind: 'refused' })
  await one.perform(restore('full'))
  expect(await two.perform({ ...storm.two, id: 'key-a#9/throttle-2' })).toMatchObject({ before: original })
})

test('two parts answer no two keys with the same penalty key', async () => {
  const { rows, written } = table()
  const options = { way: 'authorizer-table', authorizerTable: { rows: written, penaltyKeys, beyondMs: 0 } } as const
  const one = await life('one', options)
  const two = await life('two', options)
  const of = (keyId: string) => ({ ...throttle('throttle-1', low, { keyId }), expiresAt: Number.MAX_SAFE_INTEGER })
  await Promise.all([one.perform(of('key-a')), two.perform(of('key-b'))])
  expect(new Set(rows.values()).size).toBe(2)
  expect(await two.perform(of('key-c'))).toMatchObject({ kind: 'refused' })
  await one.perform(restore('full', 'key-a'))
  expect(await two.perform(of('key-d'))).toMatchObject({ kind: 'applied' })
})
