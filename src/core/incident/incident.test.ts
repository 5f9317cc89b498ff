import { describe, expect, test } from 'vitest'
import { follow } from './incident.ts'
import { holdsLimit } from './incident-questions.ts'
import { play, rules } from './testing-incident.ts'

/** The same happening each second of a stretch. */
const each = (from: number, to: number, ...what: string[]): [number, ...string[]][] =>
  Array.from({ length: to - from + 1 }, (_, index) => [from + index, ...what])

describe('a throttled storm', () => {
  test('is opened at once, released on probation when the throttle expires, and lowered again when it returns', () => {
    expect(
      play(
        [
          [0, 'storm'],
          [1, 'applied'],
          [601, 'applied'],
          [640, 'storm'],
          [641, 'applied'],
        ],
        650,
      ),
    ).toEqual([
      '0s open',
      '0s ! alert: throttle',
      '0s ! key#1/throttle-1',
      '1s mitigated',
      '600s recovering',
      '600s ! alert: restore half (expired)',
      '600s ! key#1/restore-1 half',
      '640s open',
      '640s ! alert: throttle',
      '640s ! key#1/throttle-2',
      '641s mitigated',
    ])
  })

  test('gets its limit back in two steps and closes when it does not return', () => {
    expect(
      play(
        [
          [0, 'storm'],
          [1, 'applied'],
          [601, 'applied'],
          [722, 'applied'],
        ],
        800,
      ),
    ).toEqual([
      '0s open',
      '0s ! alert: throttle',
      '0s ! key#1/throttle-1',
      '1s mitigated',
      '600s recovering',
      '600s ! alert: restore half (expired)',
      '600s ! key#1/restore-1 half',
      '721s ! key#1/restore-2 full',
      '782s closed',
      '782s ! alert: restored',
    ])
  })

  test('gets its limit back early when it calls within its band for two minutes', () => {
    expect(play([[0, 'storm'], [1, 'applied', 'calling'], ...each(2, 30, 'storm')], 200)).toEqual([
      '0s open',
      '0s ! alert: throttle',
      '0s ! key#1/throttle-1',
      '1s mitigated',
      '150s recovering',
      '150s ! alert: restore half (calm)',
      '150s ! key#1/restore-1 half',
    ])
  })

  test('is not over because it fell silent: the gateway may have stopped logging what it refuses', () => {
    const lines = play(
      [
        [0, 'storm'],
        [1, 'applied', 'silent'],
      ],
      599,
    )
    expect(lines.at(-1)).toBe('1s mitigated')
    expect(
      play(
        [
          [0, 'storm'],
          [1, 'applied', 'silent'],
        ],
        600,
      ).slice(4),
    ).toEqual(['600s recovering', '600s ! alert: restore half (expired)', '600s ! key#1/restore-1 half'])
  })

  test('is not calm while its score stirs', () => {
    expect(play([[0, 'storm'], [1, 'applied', 'calling'], ...each(2, 400, 'stirring')], 400)).toHaveLength(4)
  })

  test('expires even while it goes on, and is lowered again only for what comes after the limit rose', () => {
    const lines = play(
      [[0, 'storm'], [1, 'applied'], ...each(2, 604, 'storm'), [605, 'applied'], ...each(606, 615, 'storm')],
      615,
    )
    expect(lines.slice(4)).toEqual([
      '600s recovering',
      '600s ! alert: restore half (expired)',
      '600s ! key#1/restore-1 half',
      '615s open',
      '615s ! alert: throttle',
      '615s ! key#1/throttle-2',
    ])
  })

  test('is throttled once, however often it is seen before the gateway answers', () => {
    const lines = play([...each(0, 50, 'storm'), [51, 'applied'], ...each(52, 90, 'storm')])
    expect(lines).toEqual(['0s open', '0s ! alert: throttle', '0s ! key#1/throttle-1', '51s mitigated'])
  })

  test('counts as throttled when the limit was that low already', () => {
    expect(
      play([
        [0, 'storm'],
        [1, 'already'],
      ]),
    ).toContain('1s mitigated')
  })

  test('has the next incident, with ids of its own, after it closed', () => {
    const lines = play(
      [
        [0, 'storm'],
        [1, 'applied'],
        [601, 'applied'],
        [722, 'applied'],
        [900, 'storm'],
      ],
      900,
    )
    expect(lines.slice(-3)).toEqual(['900s open', '900s ! alert: throttle', '900s ! key#2/throttle-1'])
  })
})

describe('an outcome that is not what was wanted', () => {
  test('a refused throttle is told once, however long the storm lasts', () => {
    const lines = play([[0, 'storm'], [1, 'no plan'], ...each(2, 100, 'storm')], 200)
    expect(lines).toEqual([
      '0s open',
      '0s ! alert: throttle',
      '0s ! key#1/throttle-1',
      '1s ! alert: throttle-refused (the key has no usage plan of its own)',
      '130s recovering',
      '160s closed',
      '160s ! alert: throttle-refused (the key has no usage plan of its own)',
    ])
  })

  test('a refused throttle is not asked for again when the storm comes back, nor told again', () => {
    const lines = play(
      [
        [0, 'storm'],
        [1, 'no plan'],
        [35, 'storm'],
        [36, 'storm'],
      ],
      40,
    )
    expect(lines.slice(3)).toEqual([
      '1s ! alert: throttle-refused (the key has no usage plan of its own)',
      '30s recovering',
      '35s open',
    ])
  })

  test('a limit that a person changed meanwhile stays as it is, and people are told', () => {
    const lines = play(
      [
        [0, 'storm'],
        [1, 'applied'],
        [601, 'person changed it'],
        [602, 'already'],
      ],
      700,
    )
    expect(lines.slice(4)).toEqual([
      '600s recovering',
      '600s ! alert: restore half (expired)',
      '600s ! key#1/restore-1 half',
      '601s ! alert: restore-refused (somebody else has changed the limit)',
      // Of several plans the others are still to get all of theirs back.
      '601s ! key#1/restore-2 full',
      '662s closed',
      '662s ! alert: restore-refused (somebody else has changed the limit)',
    ])
  })

  test('a throttle without an answer expires too: a part of it may have arrived', () => {
    expect(play([[0, 'storm']], 700).slice(3)).toEqual([
      '60s ! alert: throttle (late)',
      '600s ! alert: restore full (expired)',
      '600s ! key#1/restore-1 full',
      '660s ! alert: restore full (expired, late)',
    ])
  })

  test('a restore that is not confirmed is waited for; nothing closes over it', () => {
    expect(
      play(
        [
          [0, 'storm'],
          [1, 'applied'],
        ],
        5_000,
      ).at(-1),
    ).toBe('660s ! alert: restore half (expired, late)')
  })

  test('an answer to something else changes nothing', () => {
    const open = follow(
      { phase: 'quiet' },
      {
        kind: 'signal',
        isPast: false,
        signal: {
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
        },
        action: { kind: 'throttle', limits: { rateLimit: 1, burstLimit: 2 }, expiresAt: 10 },
        incidentId: 'key#1',
        now: 0,
      },
      rules,
    ).incident
    const outcome = { kind: 'applied' } as const
    expect(follow(open, { kind: 'outcome', effectId: 'key#1/throttle-2', outcome, newest: 0, now: 1 }, rules)).toEqual({
      incident: open,
    })
    expect(holdsLimit(open)).toBe(true)
  })
})

describe('an incident that is not acted upon', () => {
  test.each([
    ['storm, observe', 'held (observe-mode)'],
    ['storm, exempt', 'held (exempt)'],
    ['storm, anonymous', 'held (anonymous)'],
    ['storm, too many', 'held (too-many-throttled)'],
    ['storm, suggest', 'suggest'],
    ['surge', 'held (no-harm)'],
  ])('%s: is told when it opens and when it closes, and in between it is quiet', (what, action) => {
    expect(play(each(0, 100, what), 300)).toEqual([
      '0s open',
      `0s ! alert: ${action}`,
      '130s recovering',
      '160s closed',
      `160s ! alert: ${action}`,
    ])
  })

  test('closes a minute after it was last bad, a pause of half a minute notwithstanding', () => {
    expect(play([...each(0, 10, 'surge'), ...each(50, 60, 'surge')], 200)).toEqual([
      '0s open',
      '0s ! alert: held (no-harm)',
      '40s recovering',
      '50s open',
      '90s recovering',
      '120s closed',
      '120s ! alert: held (no-harm)',
    ])
  })

  test('stays open on a lower level than it opened on', () => {
    expect(play([[0, 'surge'], ...each(1, 100, 'stirring')], 160)).toEqual([
      '0s open',
      '0s ! alert: held (no-harm)',
      '130s recovering',
      '160s closed',
      '160s ! alert: held (no-harm)',
    ])
  })

  test('is throttled as soon as it does harm: people hear of it again', () => {
    expect(
      play([
        [0, 'surge'],
        [20, 'surge'],
        [30, 'storm'],
        [31, 'applied'],
      ]),
    ).toEqual([
      '0s open',
      '0s ! alert: held (no-harm)',
      '30s ! alert: throttle',
      '30s ! key#1/throttle-1',
      '31s mitigated',
    ])
  })

  test('is throttled as soon as another tenant’s throttle has ended', () => {
    const lines = play([...each(0, 9, 'storm, too many'), ...each(10, 20, 'storm'), [21, 'applied']])
    expect(lines).toEqual([
      '0s open',
      '0s ! alert: held (too-many-throttled)',
      '10s ! alert: throttle',
      '10s ! key#1/throttle-1',
      '21s mitigated',
    ])
  })
})

describe('a suspicion', () => {
  test('is told to nobody, and forgotten after half a minute', () => {
    expect(play(each(0, 20, 'stirring'), 100)).toEqual([])
    const suspected = follow({ phase: 'quiet' }, { kind: 'stirring', at: 0 }, rules).incident
    const time = (eventTime: number) =>
      follow(suspected, { kind: 'time', eventTime, now: eventTime, calls: true }, rules).incident.phase
    expect([time(30_000), time(30_001)]).toEqual(['suspected', 'quiet'])
  })

  test('becomes an incident by evidence, not by time', () => {
    expect(play([[0, 'stirring', 'storm']]).slice(0, 1)).toEqual(['0s open'])
  })
})

describe('a platform incident', () => {
  test('swallows an incident that is not acted upon: it closes unheard', () => {
    expect(play([[0, 'surge'], [5, 'platform'], ...each(6, 20, 'storm, platform')], 200)).toEqual([
      '0s open',
      '0s ! alert: held (no-harm)',
      '50s recovering',
      '80s closed',
    ])
  })

  test('that is known already is not told again for each of its keys', () => {
    expect(play(each(0, 10, 'storm, platform'), 100)).toEqual(['0s open', '40s recovering', '70s closed'])
  })

  test('gives a throttled tenant the whole limit back at once', () => {
    expect(
      play(
        [
          [0, 'storm'],
          [1, 'applied'],
          [9, 'platform'],
          [10, 'applied'],
        ],
        100,
      ),
    ).toEqual([
      '0s open',
      '0s ! alert: throttle',
      '0s ! key#1/throttle-1',
      '1s mitigated',
      '9s recovering',
      '9s ! alert: restore full (platform-incident)',
      '9s ! key#1/restore-1 full',
      '70s closed',
    ])
  })

  test('gives a limit back that was still on its way down when the guard saw them all', () => {
    expect(
      play(
        [
          [0, 'storm'],
          [2, 'platform'],
          [20, 'applied'],
          [21, 'applied'],
        ],
        100,
      ),
    ).toEqual([
      '0s open',
      '0s ! alert: throttle',
      '0s ! key#1/throttle-1',
      '20s recovering',
      '20s ! alert: restore full (platform-incident)',
      '20s ! key#1/restore-1 full',
      '81s closed',
    ])
  })

  test('leaves a limit that is being given back on its way', () => {
    const lines = play(
      [
        [0, 'storm'],
        [1, 'applied'],
        [601, 'applied'],
        [610, 'platform'],
      ],
      721,
    )
    expect(lines.slice(-2)).toEqual(['600s ! key#1/restore-1 half', '721s ! key#1/restore-2 full'])
  })

  test('is left by a key that goes on when the others are well: it is told, and throttled', () => {
    expect(play([...each(0, 10, 'storm, platform'), [20, 'storm'], [21, 'applied']])).toEqual([
      '0s open',
      '20s ! alert: throttle',
      '20s ! key#1/throttle-1',
      '21s mitigated',
    ])
  })

  test('that makes a surge look like a storm is still told once', () => {
    expect(play([[0, 'surge'], ...each(1, 20, 'storm, platform')])).toEqual(['0s open', '0s ! alert: held (no-harm)'])
  })
})

describe('a tenant that a person makes exempt', () => {
  const givenBack = (at: number, restore: number) => [
    `${at}s recovering`,
    `${at}s ! alert: restore full (operator)`,
    `${at}s ! key#1/restore-${restore} full`,
  ]

  test('gets the whole limit back at once', () => {
    const lines = play([
      [0, 'storm'],
      [1, 'applied'],
      [9, 'exempted'],
      [10, 'applied'],
      ...each(11, 30, 'storm, exempt'),
    ])
    expect(lines.slice(4)).toEqual([...givenBack(9, 1), '20s open', '20s ! alert: held (exempt), again'])
  })

  test('does not wait for the end of its probation', () => {
    const lines = play([
      [0, 'storm'],
      [1, 'applied'],
      [601, 'applied'],
      [610, 'exempted'],
    ])
    expect(lines.slice(-3)).toEqual(givenBack(610, 2))
  })

  test('gets back what was still on its way down', () => {
    const lines = play([
      [0, 'storm'],
      [2, 'exempted'],
      [20, 'applied'],
    ])
    expect(lines.slice(3)).toEqual(givenBack(2, 1))
  })

  test('that was left alone stays left alone', () => {
    expect(
      play([
        [0, 'surge'],
        [5, 'exempted'],
      ]),
    ).toEqual(['0s open', '0s ! alert: held (no-harm)'])
  })
})

describe('what an incident is called', () => {
  test('changes when harm is seen in what was a surge: those who follow are told, and nobody is woken again', () => {
    expect(
      play([
        [0, 'surge'],
        [30, 'errors'],
        [31, 'errors'],
        [32, 'surge'],
      ]),
    ).toEqual(['0s open', '0s ! alert: held (no-harm)', '30s open'])
  })

  test('changes with what is done about it, and a storm is no surge again', () => {
    expect(
      play([
        [0, 'surge'],
        [5, 'storm, suggest'],
        [6, 'surge'],
      ]),
    ).toEqual(['0s open', '0s ! alert: held (no-harm)', '5s ! alert: suggest'])
  })
})
