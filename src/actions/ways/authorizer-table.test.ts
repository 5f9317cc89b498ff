/** Keys that the API's authorizer hands out: rows of a table kept in memory here; authorizer-rows.integration.test.ts has a real one. */
import { describe, expect, test } from 'vitest'
import { clock, limits, low, never, planWorld, restore, throttle } from '../testing-plans.ts'
import type { AuthorizerRows, Row, Written } from './authorizer-rows.ts'

const world = planWorld()
const penaltyKeys = [
  { id: 'slow-50', ...limits(50, 100) },
  { id: 'slow-2', ...limits(2, 4) },
  { id: 'slow-10', ...limits(10, 20) },
]
const expiresAt = () => clock.now() + 600_000
const lowering = (step: string, keyId = 'key-a', wanted = low) => ({
  ...throttle(step, wanted, { keyId }),
  ...{ expiresAt: expiresAt(), decidedAt: clock.now() },
})
const givingBack = (step: 'half' | 'full', keyId = 'key-a') => ({ ...restore(step, keyId), decidedAt: clock.now() })

/** The conditions of the table, without it; `failing` is answered first, one by one. */
function rowsInMemory(failing: Written[] = [], beyondMs = 0) {
  const rows = new Map<string, Pick<Row, 'penaltyKey' | 'expiresAt' | 'version'>>()
  const write = (name: string, ours: readonly string[], now: number, carryOut: () => void): Written => {
    const failure = failing.shift()
    if (failure !== undefined) return failure
    const row = rows.get(name)
    if (row !== undefined && row.expiresAt > now && !ours.includes(row.version))
      return { kind: 'others', hasEnded: false }
    carryOut()
    return { kind: 'ok' }
  }
  const table: AuthorizerRows = {
    put: async (row, ours, now) => write(row.row, [...ours, row.version], now, () => rows.set(row.row, row)),
    prolong: async ({ row: name, expiresAt }, ours, now) => {
      const row = rows.get(name)
      if (row === undefined || row.expiresAt <= now) return { kind: 'others', hasEnded: true }
      return write(name, ours, now, () => rows.set(name, { ...row, expiresAt }))
    },
    end: async ({ row: name, version }, ours, now) => {
      const row = rows.get(name)
      if (row === undefined) return { kind: 'others', hasEnded: true }
      return write(name, [...ours, version], now, () => rows.set(name, { ...row, expiresAt: now, version }))
    },
  }
  const penaltyKeyOf = (name: string) => {
    const row = rows.get(name)
    return row !== undefined && row.expiresAt > clock.now() ? row.penaltyKey.id : undefined
  }
  return {
    rows,
    failing,
    penaltyKeyOf,
    options: { way: 'authorizer-table', authorizerTable: { rows: table, penaltyKeys, beyondMs } } as const,
  }
}

describe('a key that the authorizer hands out', () => {
  test('whose limit a person wants for longer has a row that ends later, also where the table is silent at first', async () => {
    const { options, penaltyKeyOf, rows, failing } = rowsInMemory()
    const { perform, performer } = await world.live(options)
    const lowered = lowering('throttle-1')
    await perform(lowered)
    const until = lowered.expiresAt + 3_600_000
    failing.push({ kind: 'unknown', because: 'no answer' })
    await performer.prolong?.('key-a', until, never)
    expect(rows.get('key-a')?.expiresAt).toBe(until)
    // Nor does the end that it had before cut it short again.
    expect(await perform({ ...lowered, id: 'key-a#1/throttle-2' })).toMatchObject({ kind: 'already' })
    expect(rows.get('key-a')?.expiresAt).toBe(until)
    await perform(givingBack('full'))
    expect(penaltyKeyOf('key-a')).toBeUndefined()
  })

  test('is answered with the lowest penalty key that leaves what it needs, until all is given back', async () => {
    const { options, penaltyKeyOf, rows } = rowsInMemory()
    const { perform } = await world.live(options)
    const lowered = lowering('throttle-1')
    expect(await perform(lowered)).toEqual({ kind: 'applied', after: limits(10, 20), wholeOnly: true })
    expect(rows.get('key-a')).toMatchObject({ expiresAt: lowered.expiresAt, incidentId: 'key-a#1' })
    expect(penaltyKeyOf('key-a')).toBe('slow-10')
    expect(await perform(givingBack('half'))).toEqual({ kind: 'already', wholeOnly: true })
    expect(penaltyKeyOf('key-a')).toBe('slow-10')
    expect(await perform(givingBack('full'))).toEqual({ kind: 'applied' })
    expect(penaltyKeyOf('key-a')).toBeUndefined()
    expect(await world.storiesAfterRestart()).toEqual([])
  })

  test('keeps its row for the probation that begins when its throttle expires, and for no longer', async () => {
    const probationMs = 40_000_000
    const { options, penaltyKeyOf, rows } = rowsInMemory([], probationMs)
    const { perform, performer } = await world.live(options)
    const lowered = { ...lowering('throttle-1'), expiresAt: clock.now() + 20_000 }
    await perform(lowered)
    expect(rows.get('key-a')?.expiresAt).toBe(lowered.expiresAt + probationMs)
    await clock.sleep(20_000)
    expect(await perform(givingBack('half'))).toEqual({ kind: 'already', wholeOnly: true })
    expect(penaltyKeyOf('key-a')).toBe('slow-10')
    // In use still, so nobody else's.
    await perform(lowering('throttle-1', 'key-b'))
    expect(penaltyKeyOf('key-b')).not.toBe('slow-10')
    await performer.prolong?.('key-b', clock.now() + 900_000, never)
    expect(rows.get('key-b')?.expiresAt).toBeGreaterThan(clock.now() + 900_000)
    expect(await perform(givingBack('full'))).toEqual({ kind: 'applied' })
    expect(penaltyKeyOf('key-a')).toBeUndefined()
  })

  test('is not lowered any more when it is called back while that is being announced', async () => {
    const { options, penaltyKeyOf } = rowsInMemory()
    const { perform } = await world.live(options)
    const lowered = perform(lowering('throttle-1'))
    await Promise.all([lowered, perform(givingBack('full'))])
    expect(penaltyKeyOf('key-a')).toBeUndefined()
    expect(await world.storiesAfterRestart()).toEqual([])
  })

  test('has a penalty key of its own while it is lowered, and is refused when none is left', async () => {
    const { options, penaltyKeyOf } = rowsInMemory()
    const { perform } = await world.live(options)
    await Promise.all(['key-a', 'key-b', 'key-c'].map(keyId => perform(lowering('throttle-1', keyId))))
    expect(new Set(['key-a', 'key-b', 'key-c'].map(penaltyKeyOf)).size).toBe(3)
    expect(await perform(lowering('throttle-1', 'key-d'))).toMatchObject({
      because: expect.stringContaining('all 3 penalty keys are in use'),
    })
    await perform(givingBack('full', 'key-b'))
    expect(await perform(lowering('throttle-2', 'key-d'))).toMatchObject({ kind: 'applied' })
  })

  test('is looked up by its hash where the authorizer sees its value', async () => {
    const { options, penaltyKeyOf } = rowsInMemory()
    const placeOf = () => ({ gateway: undefined, usagePlan: undefined, row: 'hash:0123456789abcdef' })
    const { perform } = await world.live({ ...options, placeOf })
    await perform(lowering('throttle-1'))
    expect([penaltyKeyOf('hash:0123456789abcdef'), penaltyKeyOf('key-a')]).toEqual(['slow-10', undefined])
  })

  test('is lowered for longer by a relapse, with the same penalty key', async () => {
    const { options, penaltyKeyOf, rows } = rowsInMemory()
    const { perform } = await world.live(options)
    await perform(lowering('throttle-1'))
    await clock.sleep(5_000)
    const again = lowering('throttle-2', 'key-a', limits(1, 1))
    expect(await perform(again)).toMatchObject({ kind: 'applied', after: limits(10, 20) })
    expect([penaltyKeyOf('key-a'), rows.get('key-a')?.expiresAt]).toEqual(['slow-10', again.expiresAt])
  })
})

describe('a row', () => {
  const others = { penaltyKey: penaltyKeys[0]!, expiresAt: Number.POSITIVE_INFINITY, version: 'of a person' }

  test('that somebody else wrote is left as it is, and nothing is owed', async () => {
    const { options, rows } = rowsInMemory()
    rows.set('key-a', others)
    const { perform } = await world.live(options)
    expect(await perform(lowering('throttle-1'))).toMatchObject({
      because: expect.stringContaining('somebody else wrote'),
    })
    expect(rows.get('key-a')).toBe(others)
    expect(await world.storiesAfterRestart()).toEqual([])
  })

  test('that somebody else changed meanwhile is not given back over them', async () => {
    const { options, rows } = rowsInMemory()
    const { perform } = await world.live(options)
    await perform(lowering('throttle-1'))
    rows.set('key-a', others)
    expect(await perform(givingBack('full'))).toMatchObject({ because: expect.stringContaining('changed meanwhile') })
    expect(rows.get('key-a')).toBe(others)
    expect(await world.storiesAfterRestart()).toEqual([])
  })

  test('ends by itself: a restore that comes later asks nobody', async () => {
    const { options, failing } = rowsInMemory()
    const { perform } = await world.live(options)
    await perform({ ...lowering('throttle-1'), expiresAt: clock.now() + 10_000 })
    await clock.sleep(11_000)
    failing.push({ kind: 'refused', because: 'the role is gone' })
    expect(await perform(givingBack('full'))).toEqual({ kind: 'already' })
    expect(failing).toHaveLength(1)
  })

  test('is written when the table answers again, and refused where only a person can mend it', async () => {
    const passing: Written = { kind: 'unknown', because: 'no answer' }
    const { options, failing, penaltyKeyOf } = rowsInMemory([passing, { ...passing, kind: 'passing' }])
    const { perform } = await world.live(options)
    expect(await perform(lowering('throttle-1'))).toMatchObject({ kind: 'applied' })
    failing.push({ kind: 'refused', because: 'denied' }, passing)
    expect(await perform(givingBack('full'))).toEqual({ kind: 'applied' })
    expect(penaltyKeyOf('key-a')).toBeUndefined()
    failing.push({ kind: 'refused', because: 'denied' })
    expect(await perform(lowering('throttle-2'))).toEqual({ kind: 'refused', because: 'denied' })
    expect(await world.storiesAfterRestart()).toEqual([])
  })

  test('that a crash left between journal and table is written by whoever does it again, or ends with the restore', async () => {
    for (const isDoneAgain of [true, false])
      for (let step = 0; ; step++) {
        await world.renew([])
        const { options, penaltyKeyOf } = rowsInMemory()
        const effect = lowering('throttle-1')
        const { died } = await world.dieAt(step, effect, options)
        if (!died) break
        const { perform } = await world.start(options)
        if (isDoneAgain) {
          await perform(effect, never)
          expect(penaltyKeyOf('key-a')).toBe('slow-10')
        }
        await perform(givingBack('full'), never)
        expect([step, penaltyKeyOf('key-a')]).toEqual([step, undefined])
      }
  })
})

test('a key that is still lowered in another way is not lowered in this one too', async () => {
  const { options, penaltyKeyOf } = rowsInMemory()
  const before = await world.live()
  await before.perform(throttle('throttle-1'))
  await before.journal.close()
  const { perform } = await world.live(options)
  expect(await perform(lowering('throttle-2'))).toMatchObject({ because: expect.stringContaining('plan-a') })
  expect(penaltyKeyOf('key-a')).toBeUndefined()
  await perform(givingBack('full'))
  expect(await perform(lowering('throttle-3'))).toMatchObject({ kind: 'applied' })
})

test('without a table nothing is lowered, and it says what is wanting', async () => {
  const { perform } = await world.live({ way: 'authorizer-table' })
  expect(await perform(lowering('throttle-1'))).toEqual({
    ...{ kind: 'refused', because: 'no `authorizerTable` is configured to write to' },
  })
})
