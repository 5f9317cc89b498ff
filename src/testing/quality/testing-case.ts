/** Judged cases for tests: a client of a call a second that surges tenfold, and what was told of it. */
import type { Telling } from './telling.ts'
import type { Case, Found, Verdict } from './verdict.ts'

export const foundAt = (at: number, about: Partial<Found> = {}): Found => ({
  ...{ kind: 'found', at, named: 'surge', isPaged: false, throttles: false, detectors: [] },
  ...about,
})

export const missed: Verdict = { kind: 'missed', isMerged: false }

export const played = (verdict: Verdict, about: Partial<Case> = {}): Case => ({
  ...{ stage: 0, name: 'surge-10x', tenant: 'a', set: 'lcg', callsPerMinute: 60, usualPerMinute: 60, kind: 'surge' },
  ...{ multiple: 10, harms: false, isSteady: true, isBeyondOwn: true, onsetAt: 10_000, excessAt: 10_500 },
  verdicts: { whole: verdict },
  ...about,
})

export const toldOf = (keyId: string, about: Partial<Telling> = {}): Telling => ({
  ...{ keyId, incidentId: `${keyId}#1`, at: 60_000, kind: 'surge', severity: 'low', isAlerted: true, throttles: false },
  ...{ isPlatforms: false, detectors: [], current: { calls: 90, seconds: 30, callsPerMinute: 180 } },
  expected: { callsPerMinute: 50, lowerPerMinute: 40.2, upperPerMinute: 60, days: 7 },
  evidence: [],
  ...about,
})
