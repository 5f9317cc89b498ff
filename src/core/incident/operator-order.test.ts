import { describe, expect, test } from 'vitest'
import type { Action } from '../explanation/explanation.ts'
import type { Outcome } from './effect.ts'
import { follow, type Incident, type Signal } from './incident.ts'
import { LONGEST_WORD_MS, obey } from './operator-order.ts'
import { play, rules } from './testing-incident.ts'

const each = (from: number, to: number, ...what: string[]): [number, ...string[]][] =>
  Array.from({ length: to - from + 1 }, (_, index) => [from + index, ...what])

const throttled = ['0s open', '0s ! alert: throttle', '0s ! key#1/throttle-1', '1s mitigated']

describe('released by a person', () => {
  test('a limit is given back in full at once, and is not lowered again while the incident lasts', () => {
    const lines = play(
      [
        [0, 'storm'],
        [1, 'applied'],
        ...each(2, 99, 'storm'),
        [100, 'ann releases it'],
        [102, 'applied'],
        ...each(112, 200, 'storm'),
      ],
      200,
    )
    expect(lines).toEqual([
      ...throttled,
      '100s recovering',
      '100s ! alert: restore full (operator)',
      '100s ! key#1/restore-1 full',
      // Bad again, and nothing holds it: told once, since people heard last that its limit comes back.
      '112s open',
      '112s ! alert: throttle-refused (released by ann), again',
    ])
  })

  test('the next incident is throttled as any other', () => {
    const lines = play([
      [0, 'storm'],
      [1, 'applied'],
      [100, 'ann releases it'],
      [102, 'applied'],
      [300, 'storm'],
    ])
    expect(lines.slice(-3)).toEqual(['300s open', '300s ! alert: throttle', '300s ! key#2/throttle-1'])
  })

  test('a throttle that is still on its way is called back', () => {
    const lines = play(
      [
        [0, 'storm'],
        [5, 'ann releases it'],
      ],
      10,
    )
    expect(lines.slice(3)).toEqual([
      '5s recovering',
      '5s ! alert: restore full (operator)',
      '5s ! key#1/restore-1 full',
    ])
  })

  test('a limit on probation is given back in full, whether its half has arrived or not', () => {
    for (const half of [[601, 'applied'], [601]] as [number, ...string[]][]) {
      const lines = play([[0, 'storm'], [1, 'applied'], half, [610, 'ann releases it']], 615)
      expect(lines.slice(-3)).toEqual([
        '610s recovering',
        '610s ! alert: restore full (operator)',
        '610s ! key#1/restore-2 full',
      ])
    }
  })

  test('a limit that is on its way back already is not asked for twice, and not lowered again', () => {
    const lines = play(
      [
        [0, 'storm'],
        [1, 'applied'],
        [601, 'applied'],
        [725, 'ann releases it'],
        [730, 'applied'],
        ...each(741, 760, 'storm'),
      ],
      760,
    )
    expect(lines.slice(-3)).toEqual([
      '721s ! key#1/restore-2 full',
      '741s open',
      '741s ! alert: throttle-refused (released by ann), again',
    ])
  })

  test('an incident that is not throttled yet will not be', () => {
    const lines = play([[0, 'storm, too many'], [5, 'ann releases it'], ...each(6, 20, 'storm')], 20)
    expect(lines).toEqual(['0s open', '0s ! alert: held (too-many-throttled)'])
  })

  test('where there is no incident there is nothing to release', () => {
    expect(play([[0, 'ann releases it']], 1)).toEqual(['0s no: it has no incident'])
  })
})

describe('the kill switch', () => {
  test('gives a limit back, and once Weir may go on the same incident may be throttled again', () => {
    const lines = play(
      [[0, 'storm'], [1, 'applied'], [100, 'ann halts'], [102, 'applied'], ...each(112, 130, 'storm')],
      130,
    )
    expect(lines.slice(4)).toEqual([
      '100s recovering',
      '100s ! alert: restore full (operator)',
      '100s ! key#1/restore-1 full',
      '112s open',
      '112s ! alert: throttle',
      '112s ! key#1/throttle-2',
    ])
  })
})

describe('extended', () => {
  test('a throttle ends later, and is given back when it does', () => {
    expect(
      play(
        [
          [0, 'storm'],
          [1, 'applied'],
          [500, 'ann extends it'],
        ],
        900,
      ).slice(4),
    ).toEqual([
      '500s mitigated',
      '900s recovering',
      '900s ! alert: restore half (expired)',
      '900s ! key#1/restore-1 half',
    ])
  })

  test('calm gives it back all the same', () => {
    const lines = play(
      [
        [0, 'storm'],
        [1, 'applied', 'calling'],
        [2, 'ann extends it'],
      ],
      130,
    )
    expect(lines).toContain('120s ! alert: restore half (calm)')
  })

  test('a relapse within the extended time is lowered until its end', () => {
    const lines = play(
      [
        [0, 'storm'],
        [1, 'applied', 'calling'],
        [2, ...Array(4).fill('ann extends it')],
        [121, 'applied'],
        [140, 'storm'],
        [141, 'applied', 'silent'],
      ],
      1_800,
    )
    expect(lines).toContain('140s ! key#1/throttle-2')
    // Throttled at 140 s for ten minutes by the policy; until 1,800 s by Ann.
    expect(lines.slice(-3)).toEqual([
      '1800s recovering',
      '1800s ! alert: restore half (expired)',
      '1800s ! key#1/restore-2 half',
    ])
  })

  test('never for longer than a week from when it was said', () => {
    let incident: Incident = throttledIncident()
    const now = 100_000
    const obeyed = obey(incident, { order: { kind: 'extend', byMs: 30 * 86_400_000 }, by: 'ann', now })
    if (obeyed.kind === 'step') incident = obeyed.step.incident
    expect(incident).toMatchObject({
      story: { extended: { by: 'ann', until: now + LONGEST_WORD_MS }, action: { expiresAt: now + LONGEST_WORD_MS } },
    })
  })

  test('only what is lowered can be', () => {
    expect(
      play([
        [0, 'storm, observe'],
        [1, 'ann extends it'],
      ]),
    ).toContain('1s no: its limit is not lowered, or is being given back already')
    expect(
      play([
        [0, 'storm'],
        [1, 'applied'],
        [605, 'ann extends it'],
      ]),
    ).toContain('605s no: its limit is not lowered, or is being given back already')
  })
})

describe('held', () => {
  test('neither calm nor expiry gives it back before the hold is over', () => {
    expect(
      play(
        [
          [0, 'storm'],
          [1, 'applied', 'calling'],
          [100, 'ann holds it'],
        ],
        1_000,
      ).slice(4),
    ).toEqual([
      '100s mitigated',
      '1000s recovering',
      '1000s ! alert: restore half (expired)',
      '1000s ! key#1/restore-1 half',
    ])
  })

  test('nor does the fleet guard, but who is made exempt gets it back', () => {
    const told: [number, ...string[]][] = [
      [0, 'storm'],
      [1, 'applied'],
      [100, 'ann holds it'],
      [110, 'platform'],
    ]
    expect(play(told, 200).slice(4)).toEqual(['100s mitigated'])
    expect(play([...told, [120, 'exempted']], 200)).toContain('120s ! alert: restore full (operator)')
  })

  test('a throttle on its way is held as well, also where the fleet guard would call it back', () => {
    const lines = play(
      [
        [0, 'storm'],
        [1, 'ann holds it'],
        [2, 'platform'],
        [3, 'applied'],
      ],
      890,
    )
    expect(lines.slice(3)).toEqual(['1s open', '3s mitigated'])
  })

  test('nor is one called back that the guard wanted back before it was held', () => {
    const lines = play(
      [
        [0, 'storm'],
        [1, 'platform'],
        [2, 'ann holds it'],
        [3, 'applied'],
      ],
      890,
    )
    expect(lines.slice(3)).toEqual(['2s open', '3s mitigated'])
  })

  test('what is told of a throttle in it is when the hold ends', () => {
    let incident = throttledIncident()
    incident = follow(incident, { kind: 'time', eventTime: 600_000, now: 600_000, calls: false }, rules).incident
    const half: Outcome = { kind: 'applied' }
    incident = follow(
      incident,
      { kind: 'outcome', effectId: 'key#1/restore-1', outcome: half, now: 601_000, newest: 601_000 },
      rules,
    ).incident
    const held = obey(incident, { order: { kind: 'hold', forMs: 900_000 }, by: 'ann', now: 610_000 })
    if (held.kind === 'step') incident = held.step.incident
    const action: Action = { kind: 'throttle', limits, expiresAt: 1_240_000 }
    const seen = { ...signal, at: 640_000 }
    const again = follow(
      incident,
      { kind: 'signal', signal: seen, action, incidentId: 'key#1', isPast: false, now: 640_000 },
      rules,
    ).incident
    expect(again).toMatchObject({ phase: 'open', story: { action: { expiresAt: 1_510_000 } } })
  })

  test('on probation half of it stays away until the hold is over', () => {
    const lines = play(
      [
        [0, 'storm'],
        [1, 'applied'],
        [601, 'applied'],
        [610, 'ann holds it'],
      ],
      1_510,
    )
    expect(lines.slice(7)).toEqual(['610s recovering', '1510s ! key#1/restore-2 full'])
  })

  test('a relapse in it is lowered until its end', () => {
    const lines = play(
      [
        [0, 'storm'],
        [1, 'applied'],
        [601, 'applied'],
        [610, 'ann holds it'],
        [640, 'storm'],
        [641, 'applied', 'calling'],
      ],
      1_510,
    )
    expect(lines.slice(8)).toEqual([
      '640s open',
      '640s ! alert: throttle',
      '640s ! key#1/throttle-2',
      '641s mitigated',
      '1510s recovering',
      '1510s ! alert: restore half (expired)',
      '1510s ! key#1/restore-2 half',
    ])
  })

  test('a release ends it', () => {
    const lines = play([
      [0, 'storm'],
      [1, 'applied'],
      [100, 'ann holds it'],
      [110, 'ann releases it'],
    ])
    expect(lines).toContain('110s ! key#1/restore-1 full')
  })
})

test('a storm that comes back while all of the limit is on its way back is lowered again once that has arrived', () => {
  const lines = play(
    [
      [0, 'storm'],
      [1, 'applied'],
      [601, 'applied'],
      ...each(722, 800, 'storm'),
      [801, 'applied'],
      ...each(802, 830, 'storm'),
    ],
    830,
  )
  expect(lines.slice(-4)).toEqual([
    '801s ! alert: restored',
    '811s open',
    '811s ! alert: throttle',
    '811s ! key#1/throttle-2',
  ])
})

const limits = { rateLimit: 1, burstLimit: 2 }
const signal: Signal = {
  at: 0,
  decidedAt: 0,
  onsetAt: 0,
  kind: 'surge',
  severity: 'high',
  detectors: [],
  evidence: [],
  current: { calls: 1, seconds: 1, callsPerMinute: 60 },
  expected: undefined,
  timesAWeek: undefined,
  isHeard: true,
}

function throttledIncident(): Incident {
  const action: Action = { kind: 'throttle', limits, expiresAt: 600_000 }
  const opened = follow(
    { phase: 'quiet' },
    { kind: 'signal', isPast: false, signal, action, incidentId: 'key#1', now: 0 },
    rules,
  )
  const outcome: Outcome = { kind: 'applied', after: limits }
  return follow(
    opened.incident,
    { kind: 'outcome', effectId: 'key#1/throttle-1', outcome, now: 1_000, newest: 0 },
    rules,
  ).incident
}

test('a storm that goes on after a halt is told once as bad again, however often it comes and goes', () => {
  const lines = play(
    [
      [0, 'storm'],
      [1, 'applied'],
      [50, 'ann halts'],
      [52, 'applied'],
      ...each(53, 90, 'storm, halted'),
      ...each(130, 160, 'storm, halted'),
    ],
    160,
  )
  expect(lines.slice(7)).toEqual(['62s open', '62s ! alert: held (halted), again', '120s recovering', '130s open'])
})
