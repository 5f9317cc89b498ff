import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Effect, Outcome, RestoreEffect, ThrottleEffect } from '../core/incident/effect.ts'
import type { ApiKeyId, PartitionId } from '../core/vocabulary.ts'
import { openEffectJournal } from '../stores/effect-journal.ts'
import { openThrottleSlots } from '../stores/throttle-slots.ts'
import { withinSlots } from './within-slots.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-slots-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const full = { rateLimit: 100, burstLimit: 200 }
const low = { rateLimit: 2, burstLimit: 4 }
const of = (keyId: string) => ({ incidentId: `${keyId}#1`, keyId: keyId as ApiKeyId, decidedAt: 0 })
const throttle = (keyId: string): ThrottleEffect => ({
  ...{ ...of(keyId), id: `${keyId}#1/throttle-1`, kind: 'throttle', limits: low, keys: [], siblings: [], urgency: 1 },
  expiresAt: 600_000,
})
const restore = (keyId: string, step: 'half' | 'full'): RestoreEffect => ({
  ...{ ...of(keyId), id: `${keyId}#1/restore-${step}`, kind: 'restore', step },
})

/** A worker's performer of one partition, whose gateway does as it is asked and journals it. */
async function worker(id: string, { most = 2, refuses = false } = {}) {
  const journal = await openEffectJournal(join(folder, id))
  const partition = `t/${id}` as PartitionId
  const slots = await openThrottleSlots(join(folder, 'throttled'), { most, partition, id })
  const inner = {
    async perform({ id: effectId, keyId, ...effect }: Effect): Promise<Outcome> {
      if (refuses) return { kind: 'refused', because: 'access denied' }
      const change = { at: 0, effectId, keyId, planId: `plan of ${keyId}` }
      const [before, after] = effect.kind === 'throttle' ? [full, low] : [low, full]
      if (effect.kind === 'restore' && effect.step === 'half') return { kind: 'applied' }
      // Nothing is owed of what was not lowered.
      if (effect.kind === 'restore' && !journal.stories().has(change.planId)) return { kind: 'applied' }
      await journal.append([
        { kind: 'plan-changing', ...change, before, after },
        { kind: 'plan-set', ...change },
      ])
      return { kind: 'applied' }
    },
  }
  const performer = await withinSlots(inner, { slots, journal, most })
  const signal = new AbortController().signal
  return async (effect: ThrottleEffect | RestoreEffect) => (await performer.perform(effect, signal)).kind
}

test('of ten workers that would throttle a tenant each at the same moment, as many do as are allowed', async () => {
  const workers = await Promise.all(Array.from({ length: 10 }, (_, each) => worker(String(each), { most: 3 })))
  const kinds = await Promise.all(workers.map((perform, each) => perform(throttle(`k${each}`))))
  expect(kinds.filter(kind => kind === 'applied')).toHaveLength(3)
  expect(kinds.filter(kind => kind === 'refused')).toHaveLength(7)
})

test('a slot is free again with the whole limit, and not with half of it; a second throttle of the key takes none', async () => {
  const one = await worker('1', { most: 1 })
  const two = await worker('2', { most: 1 })
  expect(await one(throttle('k1'))).toBe('applied')
  expect(await one(throttle('k1'))).toBe('applied')
  await one(restore('k1', 'half'))
  expect(await two(throttle('k2'))).toBe('refused')
  await one(restore('k1', 'full'))
  expect(await two(throttle('k2'))).toBe('applied')
})

test('what the gateway refuses takes no slot', async () => {
  const refused = await worker('1', { most: 1, refuses: true })
  expect(await refused(throttle('k1'))).toBe('refused')
  expect(await (await worker('2', { most: 1 }))(throttle('k2'))).toBe('applied')
})

test('of a partition whose worker died a slot stays taken while its limit is lowered, and no longer', async () => {
  await (await worker('1', { most: 2 }))(throttle('k1'))
  const slots = await openThrottleSlots(join(folder, 'throttled'), {
    most: 2,
    partition: 't/1' as PartitionId,
    id: 'x',
  })
  // Taken, and killed before the gateway was asked.
  await slots.take('k9' as ApiKeyId)
  const next = await worker('1', { most: 2 })
  const other = await worker('2', { most: 2 })
  expect(await other(throttle('k2'))).toBe('applied')
  expect(await other(throttle('k3'))).toBe('refused')
  await next(restore('k1', 'full'))
  expect(await other(throttle('k3'))).toBe('applied')
  expect((await readdir(join(folder, 'throttled'))).toSorted()).toEqual(['slot-1', 'slot-2'])
})

test('a throttle that waits for its slot while it is called back is not carried out behind that', async () => {
  const one = await worker('1', { most: 1 })
  const lowering = one(throttle('a'))
  const calledBack = one(restore('a', 'full'))
  expect([await lowering, await calledBack]).toEqual(['refused', 'applied'])
  expect(await readdir(join(folder, 'throttled'))).toEqual([])
})
