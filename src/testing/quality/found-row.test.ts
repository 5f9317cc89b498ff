import { expect, test } from 'vitest'
import { delayOf, foundRows } from './found-row.ts'
import type { Case, Verdict } from './verdict.ts'

const found = (at: number): Verdict => ({
  ...{ kind: 'found', at, named: 'surge', isPaged: false, throttles: false, detectors: ['sequential-surge'] },
})

const played = (verdict: Verdict, about: Partial<Case> = {}): Case => ({
  ...{ name: 'surge-10x', tenant: 'a', callsPerMinute: 100, kind: 'surge', multiple: 10, harms: false },
  ...{ isSteady: true, isBeyondOwn: true, onsetAt: 10_000, excessAt: 10_500 },
  verdicts: { whole: verdict },
  ...about,
})

test('a share is of those of whom no incident was open before', () => {
  const rows = foundRows([played(found(12_000)), played({ kind: 'missed' }), played({ kind: 'open before' })])
  expect(rows.find(({ of, tenants }) => of === 'all' && tenants === 'all')).toEqual({
    ...{ configuration: 'whole', of: 'all', tenants: 'all', cases: 2, openBefore: 1 },
    ...{ found: 0.5, paged: 0, throttled: 0, kindRight: 1 },
    delaySeconds: { median: 2, p95: 2, p99: 2, worst: 2 },
  })
})

test('what no detector has a name for cannot be named wrong', () => {
  const [row] = foundRows([played(found(12_000), { kind: undefined })])
  expect(row!.kindRight).toBeUndefined()
  const [misnamed] = foundRows([played(found(12_000), { kind: 'retry-storm' })])
  expect(misnamed!.kindRight).toBe(0)
})

test('small tenants stand apart from large ones', () => {
  const rows = foundRows([played(found(12_000)), played({ kind: 'missed' }, { callsPerMinute: 0.1 })])
  expect(rows.filter(({ of }) => of === 'surge-10x').map(({ tenants, found }) => [tenants, found])).toEqual([
    ['all', 0.5],
    ['≥ 60/min', 1],
    ['< 1/min', 0],
  ])
})

test('told while the loop still closed is told at once, and of nothing found there is no delay', () => {
  expect(foundRows([played(found(9_000))])[0]!.delaySeconds).toMatchObject({ worst: 0 })
  expect(delayOf([])).toBeUndefined()
  expect(delayOf([1, 2, 3, 4, 100])).toMatchObject({ median: 3, worst: 100 })
})
