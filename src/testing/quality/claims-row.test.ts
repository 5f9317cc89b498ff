import { expect, test } from 'vitest'
import { partsOfStated } from './claims/rises.ts'
import { claimsRows, timesLeastSeen } from './claims-row.ts'

const client = (tenant: string, callsPerMinute: number, seen: number) => ({
  ...{ tenant, callsPerMinute },
  rises: [{ seconds: 5, trials: 10, seen: partsOfStated.map(part => (part >= 1 ? seen : 0)) }],
  usual: { band: { minutes: 100, above: 5, below: 1 }, weeks: 2, came: [30, 3, 0, 0] },
})

test('each size of client has its row, and all together one', () => {
  const rows = claimsRows([client('large', 600, 10), client('small', 0.2, 6)])
  expect(rows.map(({ of }) => of)).toEqual(['≥ 60/min', '< 1/min', 'all'])
  expect(rows.at(-1)).toMatchObject({
    rises: [{ seconds: 5, trials: 20, found: 0.8, timesLeastSeen: undefined }],
    ...{ minutes: 200, above: 0.05, below: 0.01, tenantWeeks: 4 },
    rarities: [{ stated: 10, came: 15 }, { stated: 1, came: 1.5 }, { came: 0 }, { came: 0 }],
  })
  expect(claimsRows([])).toEqual([])
})

test('a promise that holds far below what it states is a loose one', () => {
  const upTo = (least: number) => partsOfStated.map(part => (part >= least ? 1 : 0))
  expect(timesLeastSeen(upTo(0))).toBeCloseTo(2)
  expect(timesLeastSeen(upTo(1))).toBeCloseTo(1, 1)
  expect(timesLeastSeen(upTo(1 / 1.5))).toBeGreaterThan(1.5)
  expect(timesLeastSeen(partsOfStated.map(() => 0.9))).toBeUndefined()
})
