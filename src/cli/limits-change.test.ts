/** Against the strict simulation of the gateway, by the real SDK: twenty of its seconds take ten milliseconds. */
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { scaledClock } from '../clock.ts'
import { createGateway, type Gateway } from '../simulation/gateway.ts'
import { type ServedGateway, serveGateway } from '../simulation/gateway-server.ts'
import { openEffectJournal } from '../stores/effect-journal.ts'
import { openLimitsJournal } from '../stores/limits-journal.ts'
import { exportAudit, verifyAuditLog } from './audit-log.ts'
import { applyLimits, listLimits, undoLimits } from './limits-change.ts'

const limits = (rateLimit: number, burstLimit = 2 * rateLimit) => ({ rateLimit, burstLimit })

let folder: string
let config: string
let gateway: Gateway
let served: ServedGateway
let clock: ReturnType<typeof scaledClock>
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-limits-'))
  config = join(folder, 'weir.yaml')
  clock = scaledClock({ startsAt: 0, speed: 2_000 })
  gateway = createGateway({
    clock,
    plans: [
      { id: 'wide', limits: limits(1_000), keys: ['key-a'] },
      { id: 'open', keys: ['key-b'] },
    ],
  })
  served = await serveGateway(gateway)
  await writeFile(config, `gateway: {endpoint: "${served.endpoint}"}\n`)
})
afterEach(async () => {
  process.exitCode = undefined
  await served.close()
  await rm(folder, { recursive: true, force: true })
})

const wide = { plan: 'wide', present: limits(1_000), suggested: limits(20) }
const open = { plan: 'open', present: null, suggested: limits(5) }

async function patch(...plans: readonly object[]): Promise<string> {
  const path = join(folder, 'limits.json')
  await writeFile(path, JSON.stringify({ schema: 'weir.limits/1', plans }))
  return path
}

type World = Parameters<typeof applyLimits>[2]

async function said(work: (world: World) => Promise<void>, ask?: (question: string) => Promise<boolean>) {
  let text = ''
  const out = {
    write: (more: string): void => {
      text += more
    },
  }
  await work({ out, clock, ask })
  return text
}
const apply = async (path: string, options = {}) =>
  said(world => applyLimits(path, { config, yes: true, as: 'alex', ...options }, world))
const undo = (id?: string, options = {}) =>
  said(world => undoLimits(id, { config, yes: true, as: 'alex', last: id === undefined, ...options }, world))
const has = () => [gateway.planLimits('wide'), gateway.planLimits('open')]
const listed = async () => {
  let text = ''
  await listLimits(
    { config },
    {
      write: more => {
        text += more
      },
    },
  )
  return text
}

test('an apply sets each plan in 20 seconds, and its undo brings back what was before, also where that was no limit', async () => {
  const text = await apply(await patch(wide, open))
  expect(has()).toEqual([limits(20), limits(5)])
  expect(text).toContain('[1/2] plan wide: 1,000/s, burst 2,000 → 20/s, burst 40 (about 20 s left)')
  expect(text).toContain('2 plans set. It takes up to two minutes to bite. Back: weir limits undo apply-1')
  const [first, second] = gateway.changes()
  expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(20_000)
  expect(await undo()).toContain('2 plans set back.')
  expect(has()).toEqual([limits(1_000), undefined])
  expect(await listed()).toMatch(
    /apply-1, 1970-01-01 .* by alex, .*\n {2}plan wide: .*, set back\n {2}plan open: no limit → 5\/s, burst 10, set back\n/,
  )
  expect(process.exitCode).toBeUndefined()
})

test('who changed what is in the audit log, in a chain of its own', async () => {
  await apply(await patch(open))
  await undo('apply-1', { as: 'kim' })
  let text = ''
  const out = {
    write: (more: string): void => {
      text += more
    },
  }
  await exportAudit({ config, format: 'ndjson' }, out)
  expect(
    text
      .trim()
      .split('\n')
      .map(line => JSON.parse(line)),
  ).toMatchObject([
    {
      by: 'alex',
      change: 'limits-apply',
      planId: 'open',
      from: null,
      to: limits(5),
      result: 'applied',
      version: expect.any(String),
    },
    {
      by: 'kim',
      change: 'limits-undo',
      planId: 'open',
      from: limits(5),
      to: null,
      result: 'applied',
      because: 'apply-1',
    },
  ])
  text = ''
  await verifyAuditLog({ config }, out)
  expect(text).toContain('The log of weir limits is as it was written: 2 entries.')
})

test('a dry run says what would be done and does nothing, not even on disk', async () => {
  gateway.changeByPerson('wide', limits(20))
  const text = await apply(await patch(wide, open, { ...wide, plan: 'gone' }), { dryRun: true })
  expect(text.split('\n')).toEqual([
    '  plan wide: has 20/s, burst 40 already',
    '  plan open: would be set: no limit → 5/s, burst 10',
    '  plan gone: cannot be told: not found: Invalid Usage Plan ID specified',
    ...['Nothing was changed.', ''],
  ])
  expect(has()).toEqual([limits(20), undefined])
  expect(await listed()).toBe('Nothing was applied from this state directory.\n')
})

test('nothing is set without a yes', async () => {
  const path = await patch(open)
  const asked = await said(
    world => applyLimits(path, { config }, world),
    async () => false,
  )
  expect(asked).toContain('Nothing was changed.')
  await expect(said(world => applyLimits(path, { config }, world))).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  expect(gateway.changes()).toEqual([])
})

describe('a plan is left alone and told', () => {
  test('when it has not what the patch says it had', async () => {
    gateway.changeByPerson('wide', limits(500))
    expect(await apply(await patch(wide, open))).toContain(
      'plan wide: left alone: it has 500/s, burst 1,000 by now, and not 1,000/s, burst 2,000: somebody has changed it',
    )
    expect(has()).toEqual([limits(500), limits(5)])
    expect(process.exitCode).toBe(1)
  })

  test('while Weir has lowered it, since an applied limit would be taken for what it owes', async () => {
    const journal = await openEffectJournal(join(folder, '.weir'))
    const about = { at: 1, effectId: 'key-a#1/throttle-1', keyId: 'key-a', planId: 'wide' }
    await journal.append([{ kind: 'plan-changing', ...about, before: limits(1_000), after: limits(3) }])
    const path = await patch(wide)
    expect(await apply(path)).toContain(
      'plan wide: left alone: Weir has lowered it at the moment for key-a and owes it 1,000/s, burst 2,000',
    )
    expect(gateway.changes()).toEqual([])
    // Given back, the same patch goes on.
    await journal.append([{ kind: 'plan-left', ...about }])
    await journal.close()
    await apply(path)
    expect(has()[0]).toEqual(limits(20))
  })

  test('when it is to be undone and somebody has changed it since', async () => {
    await apply(await patch(wide, open))
    gateway.changeByPerson('open', limits(7))
    expect(await undo('apply-1')).toContain('plan open: left alone: it has 7/s, burst 14 by now')
    expect(has()).toEqual([limits(1_000), limits(7)])
    await expect(undo()).rejects.toMatchObject({ code: 'LIMITS_UNKNOWN' })
  })

  test('when its gateway is not configured', async () => {
    expect(await apply(await patch({ ...open, gateway: 'eu' }))).toContain('no gateway eu is configured')
  })
})

describe('after a crash', () => {
  const place = { id: 'apply-1', at: 1, planId: 'open' }
  async function crashed(path: string, arrived: boolean) {
    const { createHash } = await import('node:crypto')
    const digest = createHash('sha256')
      .update(await readFile(path))
      .digest('hex')
    const journal = await openLimitsJournal(join(folder, '.weir'))
    await journal.append({ kind: 'apply', id: 'apply-1', at: 1, by: 'alex', file: path, digest })
    await journal.append({ kind: 'changing', ...place, isUndo: false, before: null, after: limits(5) })
    await journal.close()
    await appendFile(join(folder, '.weir', 'limits', 'limits.ndjson'), '{"kind":"chan')
    if (arrived) gateway.changeByPerson('open', limits(5))
  }

  test('between journal and call the same patch goes on', async () => {
    const path = await patch(open)
    await crashed(path, false)
    expect(await apply(path)).toContain('apply-1 goes on: 1 plan')
    expect(has()[1]).toEqual(limits(5))
    expect(await listed()).toContain('no limit → 5/s, burst 10, set\n')
    expect(await apply(path)).toBe('Nothing is left to be done of apply-1.\n')
  })

  test('between call and answer it is seen that the plan has it, and can be undone', async () => {
    const path = await patch(open)
    await crashed(path, true)
    expect(await apply(path)).toContain('has 5/s, burst 10 already')
    await undo()
    expect(has()[1]).toBeUndefined()
  })

  test('it can be undone without going on first', async () => {
    await crashed(await patch(open), true)
    await undo('apply-1')
    expect(has()[1]).toBeUndefined()
  })
})

describe('a gateway', () => {
  test('that another client keeps busy is waited for, longer than it says', async () => {
    served.failNext('UpdateUsagePlan', 'TooManyRequestsException')
    const text = await apply(await patch(open))
    expect(text).toMatch(/plan open: TooManyRequestsException.*; tried again in 40 s/)
    expect(has()[1]).toEqual(limits(5))
  })

  test('that does not answer after it made the change is not asked to make it twice', async () => {
    served.failNext('UpdateUsagePlan', 'server-error')
    await apply(await patch(open))
    expect(gateway.changes()).toHaveLength(1)
  })

  test('that forbids it is told, and can be tried again', async () => {
    const path = await patch(open)
    served.failNext('UpdateUsagePlan', 'AccessDeniedException')
    expect(await apply(path)).toContain('plan open: left alone: AccessDeniedException')
    expect(await apply(path)).toContain('1 plan set.')
  })
})

test('two at once do not mix: the second is told to wait, and a worker’s lock is in nobody’s way', async () => {
  const path = await patch(open)
  const journal = await openLimitsJournal(join(folder, '.weir'))
  await expect(apply(path)).rejects.toMatchObject({
    code: 'STORE_UNWRITABLE',
    message: expect.stringContaining('Another'),
  })
  await journal.close()
  await writeFile(join(folder, '.weir', 'lock'), '{"pid":1}')
  expect(await apply(path)).toContain('each second change is left to its throttles')
})

test('what is no patch is refused before anything is done', async () => {
  await writeFile(join(folder, 'x.yaml'), 'schema: weir.limits/1\nplans: [{plan: a')
  await expect(apply(join(folder, 'x.yaml'))).rejects.toMatchObject({ code: 'PATCH_UNUSABLE' })
  await expect(apply(join(folder, 'none.yaml'))).rejects.toMatchObject({ code: 'PATCH_UNUSABLE' })
  await expect(undo('apply-9')).rejects.toMatchObject({ code: 'LIMITS_UNKNOWN' })
})
