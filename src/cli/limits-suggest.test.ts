import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { scaledClock } from '../clock.ts'
import { readPatch } from '../core/limits/patch.ts'
import { DAY_MS, HOUR_MS, SECOND_MS } from '../core/vocabulary.ts'
import { createGateway, type Gateway } from '../simulation/gateway.ts'
import { type ServedGateway, serveGateway } from '../simulation/gateway-server.ts'
import { learnLogs } from './learn-logs.ts'
import { type SuggestOptions, suggestLimits } from './limits-suggest.ts'

const monday = Date.UTC(2026, 10, 16)
const limits = (rateLimit: number, burstLimit = 2 * rateLimit) => ({ rateLimit, burstLimit })

let folder: string
let config: string
let gateway: Gateway
let served: ServedGateway
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-suggest-'))
  config = join(folder, 'weir.yaml')
  const clock = scaledClock({ startsAt: 0, speed: 2_000 })
  gateway = createGateway({
    clock,
    plans: [
      { id: 'wide', name: 'Gold', limits: limits(1_000), keys: ['key-even'] },
      { id: 'shared', keys: ['key-batch', 'key-idle'] },
      { id: 'tight', limits: limits(1), keys: ['key-often'] },
      { id: 'new', keys: ['key-new'] },
      // Low on purpose: where keys are moved to, and whose key an authorizer answers with.
      { id: 'penalty', limits: limits(2), keys: ['key-guest'], stages: ['penal:live'] },
      { id: 'of-penalty-key', limits: limits(2), keys: ['key-slow'], stages: ['penal:live'] },
    ],
  })
  served = await serveGateway(gateway)
  const slow = '{id: key-slow, rateLimit: 2, burstLimit: 4}'
  const ways = `penaltyPlan: penalty, authorizerTable: {table: limits, penaltyKeys: [${slow}]}`
  await writeFile(config, `gateway: {endpoint: "${served.endpoint}", ${ways}}\npool: {concurrency: 3}\n`)
  await writeFile(join(folder, 'tenants.yaml'), 'tenants: {acme: {name: "Acme", keys: ["key-even"]}}\n')
})
afterEach(async () => {
  process.exitCode = undefined
  await served.close()
  await rm(folder, { recursive: true, force: true })
})

/** A week: one calls evenly for some minutes, one sends a batch, one calls four times a second, one is new on Sunday. */
async function week(): Promise<string> {
  const calls: { key: string; time: number }[] = []
  for (let day = monday; day < monday + 7 * DAY_MS; day += DAY_MS) {
    for (let call = 0; call < 3_000; call++) calls.push({ key: 'key-even', time: day + call * 50 })
    for (let call = 0; call < 120; call++) calls.push({ key: 'key-batch', time: day + HOUR_MS })
    for (let call = 0; call < 400; call++) calls.push({ key: 'key-often', time: day + 2 * HOUR_MS + call * 250 })
  }
  for (const after of [0, 1]) calls.push({ key: 'key-new', time: monday + 6.5 * DAY_MS + after })
  // The last call of a log is believed where another bears it out.
  for (const before of [2, 1]) calls.push({ key: 'key-batch', time: monday + 7 * DAY_MS - before * SECOND_MS })
  const lines = calls
    .sort((one, other) => one.time - other.time)
    .map(({ key, time }) =>
      JSON.stringify({ requestTimeEpoch: time, apiKeyId: key, status: 200, responseLatency: 200 }),
    )
  const path = join(folder, 'week.ndjson')
  await writeFile(path, `${lines.join('\n')}\n`)
  return path
}

async function said(logs: readonly string[], options: Partial<SuggestOptions> = {}) {
  const text = { out: '', err: '' }
  await suggestLimits(
    logs,
    { config, headroom: 1.5, refuseAtMost: 0, leastDays: 5, gateway: true, ...options },
    {
      out: {
        write: more => {
          text.out += more
        },
      },
      err: {
        write: more => {
          text.err += more
        },
      },
      clock: scaledClock({ startsAt: monday, speed: 2_000 }),
      env: {},
    },
  )
  return text
}

/** A column's texts, aligned as they are told, without what stands between. */
const squeezed = (text: string) => text.split('\n').map(line => line.trim().replaceAll(/ {2,}/g, ' | '))

test('each plan gets what its neediest key needs, told beside what it has', async () => {
  const { out } = await said([await week()])
  expect(squeezed(out)).toEqual([
    `By ${folder}/week.ndjson: 24,644 calls, 2026-11-16 00:00 UTC to 2026-11-22 23:59 UTC`,
    'With headroom 1.5, refusing none of what each client called on its usual days.',
    '',
    'plan, key | days | calls | busiest 1 s | 10 s | 60 s | usual up to | has now | suggested',
    'wide (Gold) | 1,000/s, burst 2,000 | 30/s, burst 60 | is 33 × what it needs',
    expect.stringMatching(/^Acme \(key-even\) \| 7\.0 \| 21,000 \| 20 \| 200 \| 1,200 \| .* \| needs 30\/s, burst 60$/),
    'shared | no limit | 1/s, burst 200 | has no limit',
    expect.stringMatching(/^key-batch \| 7\.0 \| 842 \| 120 \| 120 \| 120 \| .* \| needs 1\/s, burst 200$/),
    '1 key without a call',
    'tight | 1/s, burst 2 | 6/s, burst 12 | is below what it needs: refuses 2,093 calls in 7 days',
    expect.stringMatching(
      /^key-often \| 6\.9 \| 2,800 \| 4 \| 40 \| 240 \| .* \| needs 6\/s, burst 12 \| refused 2,093 calls as it is$/,
    ),
    'new | no limit | not suggested: key-new is not known well enough',
    expect.stringMatching(/^key-new \| 0\.5 \| 2 \| .* \| not suggested: not known long enough$/),
    '',
    "All suggestions together: 37 calls a second for 3 clients; the account's limit is 10,000. All of them at their limits at once do not exhaust the account.",
    'The pool runs 3 calls at once. The largest at its limit exhausts the pool, at their usual latencies.',
    'Not suggested: 1 client, known for less than 5 days or without a key id.',
    '',
  ])
  expect(gateway.changes()).toEqual([])
})

test('the patch holds what would be changed, in YAML or JSON, and is what apply reads', async () => {
  const log = await week()
  const { err } = await said([log], { out: join(folder, 'limits.yaml') })
  expect(err).toContain('limits.yaml holds what would be changed')
  await said([log], { out: join(folder, 'limits.json') })
  const { parse } = await import('yaml')
  const [yaml, json] = await Promise.all(
    ['limits.yaml', 'limits.json'].map(name => readFile(join(folder, name), 'utf8')),
  )
  expect(JSON.parse(json ?? '').plans).toEqual(parse(yaml ?? '').plans)
  expect(readPatch(parse(yaml ?? ''))).toEqual({
    kind: 'good',
    plans: [
      { planId: 'wide', present: limits(1_000), suggested: limits(30), reason: 'is 33 × what it needs' },
      { planId: 'shared', present: null, suggested: limits(1, 200), reason: 'has no limit' },
      {
        planId: 'tight',
        present: limits(1),
        suggested: limits(6),
        reason: 'is below what it needs: refuses 2,093 calls in 7 days',
      },
    ],
  })
})

test('--json holds every key with its numbers', async () => {
  const { out } = await said([await week()], { json: true })
  const { schema, plans, totals } = JSON.parse(out)
  expect({ schema, totals }).toMatchObject({
    schema: 'weir.limit-suggestions/1',
    totals: { ratePerSecond: 37, pool: { of: 3, clients: 1 } },
  })
  expect(plans[0]).toMatchObject({
    plan: 'wide',
    verdict: { kind: 'too-wide' },
    keys: [{ keyId: 'key-even', tenantId: 'acme', latencyMs: 200 }],
  })
})

test('without a gateway the plans are those of tenants.yaml, of which nobody knows what they have', async () => {
  await writeFile(join(folder, 'tenants.yaml'), 'tenants: {acme: {keys: ["key-even"], usagePlan: gold}}\n')
  const { out, err } = await said([await week()], { gateway: false, out: join(folder, 'limits.yaml') })
  expect(squeezed(out)).toContain('gold | not known | 30/s, burst 60 | what it has now is not known')
  expect(squeezed(out)).toContain('in no known plan')
  expect(err).toContain('was not written: there is no plan that would be changed')
})

test('without logs a worker’s state is asked, as an estimate, and left as it is', async () => {
  const rows: string[] = []
  for (let start = monday; start < monday + 7 * DAY_MS; start += 300 * SECOND_MS)
    rows.push(JSON.stringify({ key: 'key-even', start, seconds: 300, calls: 6_000, status2xx: 6_000 }))
  await writeFile(join(folder, 'counts.ndjson'), `${rows.join('\n')}\n`)
  const silent = { write: () => undefined }
  const learning = { out: silent, err: silent, now: () => monday + 7 * DAY_MS }
  await learnLogs([join(folder, 'counts.ndjson')], { config }, learning)
  const before = await readdir(join(folder, '.weir'))
  const { out } = await said([])
  expect(await readdir(join(folder, '.weir'))).toEqual(before)
  expect(out).toContain('an estimate, since it has no single calls')
  expect(squeezed(out).find(line => line.startsWith('Acme'))).toMatch(
    /^Acme \(key-even\) \| 7\.0 \| .* needs 60\/s, burst 1,000/,
  )
})

test('a state of which nothing is known, and a gateway that does not let itself be read, are told', async () => {
  await expect(said([])).rejects.toMatchObject({ code: 'NOTHING_READ' })
  served.failNext('GetUsagePlans', 'AccessDeniedException')
  await expect(said([await week()])).rejects.toMatchObject({ code: 'GATEWAY_REFUSED' })
})
