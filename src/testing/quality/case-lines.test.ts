import { expect, test } from 'vitest'
import { caseLines } from './case-lines.ts'
import type { Measured } from './goals.ts'
import { foundAt, played, toldOf } from './testing-case.ts'

const surging = foundAt(12_500, { isPaged: true, detectors: [{ name: 'sequential-surge', score: 1.23456 }] })
const verdicts = { whole: surging, other: { kind: 'missed', isMerged: true } } as const
const surge = played(surging, { stage: 1, excessAt: undefined, verdicts })
const told = toldOf('b', { evidence: [{ measure: 'calls/min', observed: 180, usual: 50 }] })
const measured: Measured = {
  injected: { cases: [surge], bystanders: {} },
  busy: { tenants: [{ ...surge, name: 'sale', from: 11_000 }], sick: [] },
  ...{ clean: [], cleanRuns: [], series: [], claims: [] },
  cleanIncidents: [{ configuration: 'whole', tenants: 20, isPaged: false, isAlerted: true, throttles: false, told }],
}
const rows = () => caseLines(measured).map(line => JSON.parse(line) as unknown)

test('each case tells who played what, and what each configuration made of it since the onset', () => {
  expect(rows()[0]).toEqual({
    ...{ part: 'injected', stage: 1, name: 'surge-10x', tenant: 'a', set: 'lcg', callsPerMinute: 60 },
    ...{ usualPerMinute: 60, kind: 'surge', multiple: 10, harms: false, isSteady: true, isBeyondOwn: true },
    onsetAt: '1970-01-01T00:00:10.000Z',
    verdicts: {
      whole: {
        ...{ verdict: 'found', delaySeconds: 2.5, kind: 'surge', severity: 'high', throttles: false },
        scores: { 'sequential-surge': 1.235 },
      },
      other: { verdict: 'missed', isMerged: true },
    },
  })
  expect(rows()[1]).toMatchObject({ part: 'busy', name: 'sale', verdicts: { whole: { delaySeconds: 1.5 } } })
})

test('an incident of clean traffic tells when it was told and of how much, beside what is usual', () => {
  expect(rows()[2]).toEqual({
    ...{ part: 'clean', tenants: 20, configuration: 'whole', isPaged: false, throttles: false, tenant: 'b' },
    ...{ at: '1970-01-01T00:01:00.000Z', kind: 'surge', severity: 'low', scores: {}, callsPerMinute: 180 },
    ...{ seconds: 30, usual: '40-60/min', evidence: { 'calls/min': [180, 50] } },
  })
})
