import { expect, test } from 'vitest'
import { delayOf, foundRows } from './found-row.ts'
import { foundAt, missed, played } from './testing-case.ts'

test('a share is of those of whom no incident was open before', () => {
  const rows = foundRows([played(foundAt(12_000)), played(missed), played({ kind: 'open before' })])
  expect(rows.find(({ of, tenants }) => of === 'all' && tenants === 'all')).toEqual({
    ...{ configuration: 'whole', of: 'all', tenants: 'all', cases: 2, openBefore: 1 },
    ...{ found: 0.5, paged: 0, throttled: 0, kindRight: 1 },
    delaySeconds: { median: 2, p95: 2, p99: 2, worst: 2 },
  })
})

test('what no detector has a name for cannot be named wrong', () => {
  const [row] = foundRows([played(foundAt(12_000), { kind: undefined })])
  expect(row!.kindRight).toBeUndefined()
  const [misnamed] = foundRows([played(foundAt(12_000), { kind: 'retry-storm' })])
  expect(misnamed!.kindRight).toBe(0)
})

test('small tenants stand apart from large ones', () => {
  const rows = foundRows([played(foundAt(12_000)), played(missed, { callsPerMinute: 0.1 })])
  expect(rows.filter(({ of }) => of === 'surge-10x').map(({ tenants, found }) => [tenants, found])).toEqual([
    ['all', 0.5],
    ['≥ 60/min', 1],
    ['< 1/min', 0],
  ])
})

test('told while the loop still closed is told at once, and of nothing found there is no delay', () => {
  expect(foundRows([played(foundAt(9_000))])[0]!.delaySeconds).toMatchObject({ worst: 0 })
  expect(delayOf([])).toBeUndefined()
  expect(delayOf([1, 2, 3, 4, 100])).toMatchObject({ median: 3, worst: 100 })
})
