import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Explanation } from '../core/explanation/explanation.ts'
import { groundsBody } from '../core/explanation/json.ts'
import { type LimitEntry, openAudit } from '../stores/audit.ts'
import { exportAudit, listAudit, verifyAuditLog } from './audit-log.ts'

let folder: string
let config: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-audit-cli-'))
  config = join(folder, 'weir.yaml')
  await writeFile(config, 'mode: observe\n')
})
afterEach(async () => {
  process.exitCode = undefined
  await rm(folder, { recursive: true, force: true })
})

const friday = Date.parse('2026-11-20T17:00:05Z')
const storm: LimitEntry = {
  at: friday,
  by: 'weir',
  change: 'throttle',
  keyId: 'key_abc123',
  planId: 'plan-a',
  incidentId: 'key_abc123#1',
  effectId: 'key_abc123#1/throttle-1',
  from: { rateLimit: 1000, burstLimit: 2000 },
  to: { rateLimit: 15, burstLimit: 30 },
  result: 'applied',
  because: undefined,
}
const explanation: Explanation = {
  ...{ incidentId: 'key_abc123#1', keyId: 'key_abc123', phase: 'open', kind: 'retry-storm', severity: 'high' },
  tenant: { id: 'client-a', name: 'Client A', contact: 'sre@partner.example', escalation: undefined },
  ...{ telling: 'alerted', onsetAt: friday - 3_000, decidedAt: friday, mode: 'enforce' },
  current: { calls: 2_500, seconds: 3, callsPerMinute: 50_000 },
  expected: { callsPerMinute: 500, lowerPerMinute: 400, upperPerMinute: 600, days: 7 },
  detectors: [{ name: 'retry-storm', score: 8.25 }],
  evidence: [{ measure: 'retries/min', observed: 49_000, usual: 3 }],
  action: { kind: 'throttle', limits: { rateLimit: 15, burstLimit: 30 }, expiresAt: friday + 600_000 },
}

async function record(all: readonly LimitEntry[]) {
  const audit = await openAudit(join(folder, '.weir'), failure => expect.fail(failure.message), undefined, {
    contextOf: entry => ({
      ...{ tenantId: 'client-a', mode: 'enforce', version: '0.1.0', config: 'c0ffee' },
      grounds: entry.change === 'throttle' ? groundsBody(explanation) : undefined,
    }),
  })
  for (const entry of all) await audit.record(entry)
  await audit.close()
}

async function said(work: (out: { write(text: string): void }) => Promise<void>): Promise<string> {
  let text = ''
  await work({
    write: more => {
      text += more
    },
  })
  return text
}

test('a person reads who lowered whose limit, from what to what, and on which numbers', async () => {
  await record([
    storm,
    {
      ...storm,
      at: friday + 600_000,
      change: 'restore-full',
      effectId: 'key_abc123#1/restore',
      from: storm.to,
      to: undefined,
    },
  ])
  expect(await said(out => listAudit({ config, lines: 50 }, out))).toBe(
    [
      '2026-11-20 17:00:05 UTC  weir      lowered     key_abc123 (client-a), plan plan-a: 1,000 req/s with a burst of 2,000 → 15 req/s with a burst of 30',
      '                         key_abc123#1 retry-storm, high: 50,000 req/min where 400-600 req/min is usual (retry-storm 8.3)',
      '                         mode enforce, weir 0.1.0, settings c0ffee',
      '2026-11-20 17:10:05 UTC  weir      given back  key_abc123 (client-a), plan plan-a: 15 req/s with a burst of 30 → no limit of its plan',
      '                         key_abc123#1',
      '                         mode enforce, weir 0.1.0, settings c0ffee',
      '',
    ].join('\n'),
  )
})

test('what a person commanded stands between what came of it', async () => {
  const audit = await openAudit(join(folder, '.weir'), failure => expect.fail(failure.message))
  const command = { kind: 'release', keyId: 'key_abc123' } as const
  await audit.record({
    ...{ at: friday, by: 'ann', change: 'command', command },
    answer: { kind: 'refused', because: 'it is not lowered' },
  })
  await audit.close()
  const text = await said(out => listAudit({ config, lines: 50, key: 'key_abc123' }, out))
  expect(text).toContain(
    'ann       commanded   release key_abc123: was refused\n                         it is not lowered\n',
  )
})

test('a key that was moved is told as such, with what it cost its client; and so is a row that was written', async () => {
  await record([
    { ...storm, way: 'penalty-plan', planId: 'key eu/key_abc123', gateway: 'eu', gapMs: 61_200 },
    { ...storm, way: 'authorizer-table', planId: 'row key_abc123', from: undefined },
  ])
  const text = await said(out => listAudit({ config, lines: 50 }, out))
  expect(text).toMatch(
    /lowered {5}key_abc123 \(client-a\), key eu\/key_abc123: .*\n +its calls were refused \(403\) for 62 s/,
  )
  expect(text).toContain('key_abc123 (client-a), row key_abc123: ')
  expect(text).toMatch(/enforce, penalty-plan, (.|\n)*enforce, authorizer-table, /)
  expect(await said(out => exportAudit({ config, format: 'csv' }, out))).toContain(',61200,')
})

test('the log holds no contact and no name of a tenant', async () => {
  await record([storm])
  const text = await readFile(join(folder, '.weir', 'audit-2026-11.ndjson'), 'utf8')
  expect(text).toContain('"observed":49000')
  expect(text).not.toMatch(/partner|Client A/)
})

test('an export holds the lines as they were written, or a column each, of the key, tenant and time that are asked for', async () => {
  await record([
    storm,
    { ...storm, at: friday + 1_000, keyId: '=cmd()', result: 'refused', because: 'plan is shared, "so" to speak' },
  ])
  const whole = await said(out => exportAudit({ config, format: 'ndjson' }, out))
  expect(whole).toBe(await readFile(join(folder, '.weir', 'audit-2026-11.ndjson'), 'utf8'))
  const chosen = {
    config,
    format: 'ndjson',
    since: friday,
    until: friday + 1_000,
    key: 'key_abc123',
    tenant: 'client-a',
  } as const
  expect(await said(out => exportAudit(chosen, out))).toBe(`${whole.split('\n')[0]}\n`)
  expect(await said(out => exportAudit({ ...chosen, tenant: 'client-b' }, out))).toBe('')
  const csv = await said(out => exportAudit({ config, format: 'csv' }, out))
  expect(csv.split('\r\n')).toEqual([
    'seq,at,by,change,way,mode,tenantId,keyId,gateway,planId,fromRate,fromBurst,toRate,toBurst,result,because,bitesAfterMs,gapMs,command,incidentId,effectId,kind,severity,onsetAt,observed,usual,detectors,version,config',
    '1,2026-11-20T17:00:05.000Z,weir,throttle,,enforce,client-a,key_abc123,,plan-a,1000,2000,15,30,applied,,,,,key_abc123#1,key_abc123#1/throttle-1,retry-storm,high,2026-11-20T17:00:02.000Z,"50,000 req/min",400-600 req/min,retry-storm 8.25,0.1.0,c0ffee',
    `2,2026-11-20T17:00:06.000Z,weir,throttle,,enforce,client-a,'=cmd(),,plan-a,1000,2000,15,30,refused,"plan is shared, ""so"" to speak",,,,key_abc123#1,key_abc123#1/throttle-1,retry-storm,high,2026-11-20T17:00:02.000Z,"50,000 req/min",400-600 req/min,retry-storm 8.25,0.1.0,c0ffee`,
    '',
  ])
})

test('verify says that all is as it was written, or what is not, and fails then', async () => {
  await record([storm, storm])
  const path = join(folder, '.weir', 'audit-2026-11.ndjson')
  expect(await said(out => verifyAuditLog({ config }, out))).toMatch(
    /^The worker’s log is as it was written: 2 entries\.\n {2}last hash, to be kept elsewhere: [0-9a-f]{64}\n$/,
  )
  expect(process.exitCode).toBeUndefined()
  await writeFile(path, (await readFile(path, 'utf8')).replace('"rateLimit":15', '"rateLimit":16'))
  expect(await said(out => verifyAuditLog({ config }, out))).toMatch(
    /NOT as it was written: 2 entries, 1 breach\.\n {2}audit-2026-11\.ndjson:2: entry 1, before it, is not as it was written\n/,
  )
  expect(process.exitCode).toBe(1)
})

test('a log whose month is gone does not say that nothing was done', async () => {
  await record([storm])
  await rm(join(folder, '.weir', 'audit-2026-11.ndjson'))
  expect(await said(out => listAudit({ config, lines: 10 }, out))).toBe(
    'The audit log holds no such entry, but it is NOT whole.\nThe audit log is NOT as it was written (weir audit verify): audit-head.json: entry 1 is missing at the end\n',
  )
})

test('what stands in the log of others cannot paint on the screen', async () => {
  await record([{ ...storm, by: '\u001b[31mred', because: 'a\nb' }])
  expect(await said(out => listAudit({ config, lines: 1 }, out))).not.toMatch(/\p{Cc}\[31m|a\nb/u)
})
