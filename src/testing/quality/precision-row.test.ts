import { expect, test } from 'vitest'
import { precision, precisionRows } from './precision-row.ts'
import { foundAt, played, toldOf } from './testing-case.ts'

const paged = foundAt(0, { isPaged: true, throttles: true })

test('a throttle is right where there is harm; bystanders, busy days, a sick API and clean traffic are wrong', () => {
  const [row] = precisionRows(
    {
      injected: {
        cases: [played(paged, { harms: true }), played(paged, { harms: false })],
        bystanders: { whole: [{ stage: 0, keyId: 'b', isPaged: true, throttles: false, told: toldOf('b') }] },
      },
      busy: {
        tenants: [{ ...played(paged), name: 'sale', from: 0 }],
        sick: [
          {
            ...{ stage: 0, name: 'outage', configuration: 'whole', tellings: [] },
            ...{ platformAlerts: 2, told: 3, paged: 1, throttled: 1 },
          },
        ],
      },
      clean: [
        {
          ...{ configuration: 'whole', tenants: 20, days: 7, tenantWeeks: 20 },
          ...{ low: 5, lowAlerted: 2, high: 1, throttles: 1, platform: 1 },
        },
      ],
    },
    ['whole'],
  )
  expect(row).toEqual({
    configuration: 'whole',
    throttles: { right: 1, wrong: 1 + 0 + 1 + 1 + 1 },
    pages: { right: 2 + 1, wrong: 1 + 1 + (1 + 1) + (1 + 1) },
  })
})

test('where nobody was throttled there is no precision', () => {
  expect(precision({ right: 0, wrong: 0 })).toBeUndefined()
  expect(precision({ right: 3, wrong: 1 })).toBe(0.75)
})
