import { expect, test } from 'vitest'
import { precision, precisionRows } from './precision-row.ts'
import type { Case, Verdict } from './verdict.ts'

const paged: Verdict = {
  ...{ kind: 'found', at: 0, named: 'surge', isPaged: true, throttles: true, detectors: [] },
}
const played = (harms: boolean): Case => ({
  ...{ name: 'a', tenant: 'a', callsPerMinute: 1, kind: 'surge', multiple: 10, harms, isSteady: true },
  ...{ isBeyondOwn: true, onsetAt: 0, excessAt: 0, verdicts: { whole: paged } },
})

test('a throttle is right where there is harm; bystanders, busy days, a sick API and clean traffic are wrong', () => {
  const [row] = precisionRows(
    {
      injected: {
        cases: [played(true), played(false)],
        bystanders: { whole: [{ stage: 0, keyId: 'b', isPaged: true, throttles: false }] },
      },
      busy: {
        tenants: [{ name: 'sale', configuration: 'whole', isTold: true, isPaged: true, throttles: true }],
        sick: [{ name: 'outage', configuration: 'whole', platformAlerts: 2, told: 3, paged: 1, throttled: 1 }],
      },
      clean: [
        {
          ...{ configuration: 'whole', tenants: 20, days: 7, tenantWeeks: 20 },
          ...{ low: 5, high: 1, throttles: 1, platform: 1 },
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
