import { expect, test } from 'vitest'
import { judgedFrom } from '../contract.ts'
import { WEEK_SECONDS } from './arrivals.ts'
import { LEAST_CALLS, recordedTenants } from './recorded-tenants.ts'

const from = Date.UTC(2005, 10, 20) / 1_000
const at = (client: string, ...seconds: readonly number[]) => seconds.map(second => ({ client, second: from + second }))
const hourly = (client: string, calls: number) =>
  at(client, ...Array.from({ length: calls }, (_, hour) => hour * 3_600))

test('calls of a log lie in the second in which they were made, a week after its beginning is judged', () => {
  const judged = WEEK_SECONDS + 3_600
  const calls = [...at('a', judged + 7, judged + 7, judged + 2), ...hourly('a', 20)]
  const [tenant] = recordedTenants({ set: 'lcg', from, judgedDays: 4, calls })
  expect(tenant).toMatchObject({ id: 'lcg/a', set: 'lcg', judgedTo: judgedFrom + 4 * 86_400_000 })
  expect([...tenant!.countsOf(judgedFrom + 3_600_000, 10)]).toEqual([0, 0, 1, 0, 0, 0, 0, 2, 0, 0])
  expect(tenant!.callsOf(judgedFrom + 3_607_000, 1).map(call => Math.floor(call.at / 1_000) * 1_000)).toEqual([
    judgedFrom + 3_607_000,
    judgedFrom + 3_607_000,
  ])
})

test('history tells the stretches in which somebody called, and no others', () => {
  const [tenant] = recordedTenants({ set: 'lcg', from, judgedDays: 4, calls: hourly('a', 20) })
  const rows = tenant!.history()
  expect(rows.map(({ start, calls }) => [(start - judgedFrom) / 1_000 + WEEK_SECONDS, calls])).toEqual(
    Array.from({ length: 20 }, (_, hour) => [hour * 3_600, 1]),
  )
  expect(tenant!.callsPerMinute).toBeCloseTo(20 / 10_080, 12)
})

test('who hardly ever called is no client to be judged', () => {
  const calls = [...hourly('often', LEAST_CALLS), ...hourly('hardly', LEAST_CALLS - 1)]
  expect(recordedTenants({ set: 'erddap', from, judgedDays: 2, calls }).map(({ id }) => id)).toEqual(['erddap/often'])
})
