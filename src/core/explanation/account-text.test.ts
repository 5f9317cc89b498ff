import { expect, test } from 'vitest'
import { inOrder, live, settingsOf, steady, streamInto, TEN, taught } from '../testing-stream.ts'
import type { Account } from './account.ts'
import { accountLine } from './account-json.ts'
import { accountText } from './account-text.ts'
import { aftermathOf, observe } from './observation.ts'

/** Two clients of whom two days are known, 60 and 1,800 calls a minute; `a` calls so often from the 30th second on. */
function accountOf({
  config = {},
  perSecond = 1,
  status = 200,
  at = TEN + 40_000,
  taughtDays = 2,
}: {
  readonly config?: Readonly<Record<string, unknown>>
  readonly perSecond?: number
  readonly status?: number
  readonly at?: number
  readonly taughtDays?: number
} = {}): Account {
  const settings = settingsOf(config)
  const engine = taught(settings, { a: 60, b: 1_800 }, { days: taughtDays })
  const stream = streamInto(engine)
  const calls = inOrder(
    steady('a', { perSecond: 1, from: TEN, seconds: 30 }),
    steady('a', { perSecond, from: TEN + 30_000, seconds: (at - TEN) / 1_000 - 30, status }),
    steady('b', { perSecond: 30, from: TEN, seconds: (at - TEN) / 1_000 }),
  )
  live(
    stream,
    calls.filter(call => call.at < at - 1_000),
    { until: at - 1_000 },
  )
  stream.give(calls.filter(call => call.at >= at - 1_000))
  const observation = observe(engine, 'a', at)!
  stream.tick(at)
  const { staysAbove, closesAfter } = settings.config.incident
  return {
    ...{ keyId: 'a', tenant: undefined, at, stretch: undefined, mode: settings.config.mode },
    ...{
      staysAbove,
      closesAfterMs: closesAfter,
      plannedThatDay: [],
      observation,
      aftermath: aftermathOf(engine, 'a')!,
    },
  }
}

test('a decision not to act is told with what was missing, and each score with its formula and the numbers in it', () => {
  expect(accountText(accountOf({ perSecond: 5 })).split('\n')).toEqual([
    'a at 2026-03-04 10:00:40 UTC',
    '',
    'Nothing was done: it was suspected (a score above 0.5), and an incident takes a score above 1.',
    'Nearest: sequential-surge stood at 0.849. It would have taken more than 94.2 calls in 60 s (there were 80).',
    'Above 1, and only to corroborate what others open: minute-sigma 1.08.',
    '',
    '                calls  calls/min        2xx        4xx        429        5xx',
    'Last 10 s          50        300         50          0          0          0',
    'Last 60 s          80         80         80          0          0          0',
    'Last 5 min         80         16         80          0          0          0',
    'Usual here: 39.4-77.8 req/min, 58.6 in the middle; 0 % fail (5xx).',
    'The last 60 s had 1.03 × the upper end. Dispersion 0.0227 (0: minutes differ as by chance). Usual is based on 2 of 7 days.',
    'By itself it goes beyond 85.6 calls in a minute about 1.06 times a week, beyond twice that 0.187 times. Its busiest minute of the last weeks: 120.',
    'A rise would be seen from 1,140/min (19.5 ×) within 5 s, from 371/min (6.34 ×) within 15 s, from 200/min (3.42 ×) within 60 s on.',
    'At this alert budget people would be told of it from 1,550/min (26.4 ×) within 5 s, from 649/min (11.1 ×) within 15 s, from 201/min (3.43 ×) within 60 s on.',
    '',
    'Detectors. What was counted ÷ its limit: all of a detector’s have to be exceeded, so the least is its score; 1 is the threshold.',
    '  sequential-surge    0.849, may open',
    '      23.9 ÷ 13 = 1.84    nats of evidence                        limit: natsThreshold 13',
    '      37 ÷ 20 = 1.85      calls beyond the usual since it began   limit: excessFloor 20',
    '      80 ÷ 94.2 = 0.849   calls in 60 s                           limit: max(excessFloor 20, min(timesBusiest 1.5 × busiestCalls 120 + chance 32.9, upperCalls 85.6 × timesUpper 1.1))',
    '  retry-storm         0, may open',
    '      0 ÷ 20 = 0         5xx in 10 s     limit: max(failureFloor 20, timesUsualFailures 10 × usualFailures 0)',
    '      50 ÷ 38.9 = 1.28   calls in 10 s   limit: timesUsual 3 × upperCalls 13',
    '  error-loop          0, may open, of the seconds closed, up to 10:00:04 UTC',
    '      0 ÷ 40 = 0   4xx in 60 s   limit: max(errorFloor 40, shareOfCalls 0.2 × calls 4, usualErrors 0 + sigmas 6 × spread 0)',
    '  limit-pressure      0, may open',
    '      0 ÷ 30 = 0   429s in 60 s   limit: max(refusedFloor 30, shareOfUsual 0.2 × upperPerMinute 77.8, usualRefused 0 + sigmas 6 × spread 0)',
    '  silence             0, may open, of the seconds closed, up to 10:00:04 UTC',
    '      0 ÷ 110 = 0   seconds of silence   limit: silentFloor 110',
    '      0 ÷ 60 = 0    calls missing        limit: missingFloor 60',
    '      0 ÷ 40 = 0    nats of evidence     limit: natsUnknown 40',
    '  slot-mean-multiple  0.091, only corroborates',
    '      80 ÷ 879 = 0.091   calls in this five-minute slot so far   limit: timesUsual 3 × slotMeanCalls 293',
    '  minute-sigma        1.08, only corroborates',
    '      80 ÷ 73.9 = 1.08   calls in this minute so far   limit: slotMinuteMean 58.6 + sigmas 2 × slotMinuteStdDev 7.66',
    '  week-mean-multiple  0.267, only corroborates',
    '      80 ÷ 300 = 0.267   calls in this minute so far   limit: timesUsual 5 × weekMinuteMean 59.9',
    '  pool-share          silent: no pool is configured (`pool.concurrency`), or how long its calls usually run is not known',
    '  enumeration         silent: it is blind, no call of the last minutes has a route (`fields.route`)',
    '  new-place           silent: it is blind, no call of the last minutes has a source (`fields.source`)',
    '  stuck-poller        silent: it is blind, no call of the last minutes has a route (`fields.route`)',
    '  fall                silent: it has paused within five minutes, or too few days of this time are known',
  ])
})

test('an incident is told with what was done, and why no more', () => {
  expect(accountText(accountOf({ perSecond: 16 })).split('\n')).toEqual([
    'a at 2026-03-04 10:00:40 UTC',
    '',
    'Incident a#1 was open: a surge, severity low, begun at 2026-03-04 10:00:30 UTC, opened at 2026-03-04 10:00:33 UTC.',
    "Client's limit was not changed: so far it harms nobody else. (mode: enforce)",
    'Alert budget: by itself it goes so far 0.566 times a week; an alert takes 10 times a week or less: 20 alerts a week, shared by 2 keys.',
    'It closes when no score has been above 0.5 for 1 min 0 s.',
    'Above 1, and only to corroborate what others open: minute-sigma 2.57.',
    '',
    '                calls  calls/min        2xx        4xx        429        5xx',
    'Last 10 s         160        960        160          0          0          0',
    'Last 60 s         190        190        190          0          0          0',
    'Last 5 min        190         38        190          0          0          0',
    'Usual here: 39.4-77.8 req/min, 58.6 in the middle; 0 % fail (5xx).',
    'The last 60 s had 2.44 × the upper end. Dispersion 0.0227 (0: minutes differ as by chance). Usual is based on 2 of 7 days.',
    'By itself it goes beyond 85.6 calls in a minute about 1.06 times a week, beyond twice that 0.187 times. Its busiest minute of the last weeks: 120.',
    'A rise would be seen from 1,140/min (19.5 ×) within 5 s, from 371/min (6.34 ×) within 15 s, from 200/min (3.42 ×) within 60 s on.',
    'At this alert budget people would be told of it from 1,550/min (26.4 ×) within 5 s, from 649/min (11.1 ×) within 15 s, from 201/min (3.43 ×) within 60 s on.',
    '',
    'Detectors. What was counted ÷ its limit: all of a detector’s have to be exceeded, so the least is its score; 1 is the threshold.',
    '  sequential-surge    2.6, may open',
    '      60 ÷ 13 = 4.62     nats of evidence                        limit: natsThreshold 13',
    '      147 ÷ 20 = 7.35    calls beyond the usual since it began   limit: excessFloor 20',
    '      160 ÷ 61.4 = 2.6   calls in 10 s                           limit: max(excessFloor 20, min(timesBusiest 1.5 × busiestCalls 30 + chance 16.4, upperCalls 85.6 × timesUpper 1.1))',
    '  retry-storm         0, may open',
    '      0 ÷ 20 = 0          5xx in 10 s     limit: max(failureFloor 20, timesUsualFailures 10 × usualFailures 0)',
    '      160 ÷ 38.9 = 4.11   calls in 10 s   limit: timesUsual 3 × upperCalls 13',
    '  error-loop          0, may open, of the seconds closed, up to 10:00:04 UTC',
    '      0 ÷ 40 = 0   4xx in 60 s   limit: max(errorFloor 40, shareOfCalls 0.2 × calls 4, usualErrors 0 + sigmas 6 × spread 0)',
    '  limit-pressure      0, may open',
    '      0 ÷ 30 = 0   429s in 60 s   limit: max(refusedFloor 30, shareOfUsual 0.2 × upperPerMinute 77.8, usualRefused 0 + sigmas 6 × spread 0)',
    '  silence             0, may open, of the seconds closed, up to 10:00:04 UTC',
    '      0 ÷ 110 = 0   seconds of silence   limit: silentFloor 110',
    '      0 ÷ 60 = 0    calls missing        limit: missingFloor 60',
    '      0 ÷ 40 = 0    nats of evidence     limit: natsUnknown 40',
    '  slot-mean-multiple  0.216, only corroborates',
    '      190 ÷ 879 = 0.216   calls in this five-minute slot so far   limit: timesUsual 3 × slotMeanCalls 293',
    '  minute-sigma        2.57, only corroborates',
    '      190 ÷ 73.9 = 2.57   calls in this minute so far   limit: slotMinuteMean 58.6 + sigmas 2 × slotMinuteStdDev 7.66',
    '  week-mean-multiple  0.634, only corroborates',
    '      190 ÷ 300 = 0.634   calls in this minute so far   limit: timesUsual 5 × weekMinuteMean 59.9',
    '  pool-share          silent: no pool is configured (`pool.concurrency`), or how long its calls usually run is not known',
    '  enumeration         silent: it is blind, no call of the last minutes has a route (`fields.route`)',
    '  new-place           silent: it is blind, no call of the last minutes has a source (`fields.source`)',
    '  stuck-poller        silent: it is blind, no call of the last minutes has a route (`fields.route`)',
    '  fall                silent: it has paused within five minutes, or too few days of this time are known',
    '',
    'Harm, by the last 10 s. A surge is severe with the first three and either the next two or the sixth, where it is rare:',
    '  yes  12.3 × the upper end of its usual; many is 10 × or more',
    '  yes  100 % of everyone’s calls beyond the usual; most is 50 % or more',
    '  yes  … which are 32 % of everyone’s calls; the API feels 10 % or more',
    '  no   34.8 % of everyone’s calls; drowning takes 50 % or more',
    '  no   … while all 460 calls are more than 3 × the 310 that have been carried before',
    '  no   many others are failing',
    '  yes  by itself it goes so far 0.566 times a week; rare is 10 times a week or less',
  ])
  const storm = accountText(accountOf({ perSecond: 40, status: 503 }))
  expect(storm).toContain('Incident a#1')
  expect(storm).toContain('a retry storm, severity high')
  expect(storm).not.toContain('Harm, by')
})

test('what is noted only tells how common it is and may be, and why all that it drowns does not make it severe', () => {
  const text = accountText(accountOf({ config: { alertBudget: '0 per week' }, perSecond: 120 }))
  expect(text).toContain('a surge, severity low')
  expect(text).toMatch(
    /^Alert budget: by itself it goes so far 0\.\d+ times a week; an alert takes 0 times a week or less: 0 alerts a week, shared by 2 keys\.$/m,
  )
  expect(text).toContain('At this alert budget nobody is told of a rise alone.')
  const answers = text.split('\n').filter(line => /^ {2}(yes|no ) /.test(line))
  expect(answers.map(line => line.slice(2, 5))).toEqual(['yes', 'yes', 'yes', 'yes', 'yes', 'no ', 'no '])
  expect(answers.at(-1)).toMatch(/rare is 0 times a week or less$/)
})

test('what its busiest minute may reach by chance has no rate of its own', () => {
  const account = accountOf({ perSecond: 16 })
  const { testimonies } = account.observation
  const common = testimonies.map(one =>
    one.kind === 'spoke' && one.finding.timesAWeek !== undefined
      ? { ...one, finding: { ...one.finding, timesAWeek: Number.POSITIVE_INFINITY } }
      : one,
  )
  const within = { ...account, observation: { ...account.observation, testimonies: common } }
  expect(accountText(within)).toContain(
    'Alert budget: by itself it has gone so far, or nearly, in the last weeks; an alert',
  )
  expect(accountText(within)).not.toContain('Infinity')
  expect(JSON.parse(accountLine(within)).alertBudget).toMatchObject({
    isByOwnPast: true,
    timesAWeek: null,
    allowed: 10,
  })
})

test('what is told as something worse than the surge that makes it severe tells of its harm as well', () => {
  const text = accountText(accountOf({ perSecond: 120, status: 429 }))
  expect(text).toContain('a run into its limit, severity high')
  expect(text).toContain('Harm, by the last 10 s.')
})

test('of what no past of its own tells how common it is the week of its kind is told', () => {
  const text = accountText(accountOf({ perSecond: 2, status: 404, at: TEN + 90_000 }))
  expect(text).toContain('a loop of errors, severity low')
  expect(text).toContain(
    'Alert budget: no past of its own says how common this is; of its kind 1 of 10 alerts a week have been told.',
  )
})

test('who judges closed seconds only is told with their end, since its counts are not those of the moment', () => {
  const account = accountOf({ perSecond: 1, status: 404, at: TEN + 70_000 })
  expect(accountText(account)).toMatch(
    /^Nearest: error-loop stood at 0\.\d+, of the seconds closed, up to 10:00:34 UTC\. It would have taken more than 40 4xx in 60 s/m,
  )
  const { detectors } = JSON.parse(accountLine(account))
  const atOf = (name: string) => detectors.find((one: { name: string }) => one.name === name).at
  expect([atOf('error-loop'), atOf('retry-storm')]).toEqual(['2026-03-04T10:00:34.000Z', '2026-03-04T10:01:10.000Z'])
})

test('the moment of a stretch says that it is one, and that it only corroborates what does', () => {
  const account = accountOf({ config: { detectors: { 'sequential-surge': { opens: false } } }, perSecond: 16 })
  const text = accountText({ ...account, stretch: { from: TEN, to: TEN + 3_600_000, looks: 1_234 } })
  expect(text).toContain(
    '(the highest score of 1,230 moments looked at from 2026-03-04 10:00:00 UTC to 2026-03-04 11:00:00 UTC)',
  )
  expect(text).toContain('Those that may open one all stood at 0.')
  expect(text).toMatch(
    /^Above 1, and only to corroborate what others open: minute-sigma 2.57, sequential-surge 2.6\.$/m,
  )
})

test('for machines what is unknown is null, and a silence has its reason', () => {
  const json = JSON.parse(accountLine(accountOf({ taughtDays: 0 })))
  expect(json).toMatchObject({
    ...{
      schema: 'weir.account/1',
      keyId: 'a',
      tenantId: null,
      stretch: null,
      mode: 'enforce',
      usual: null,
      incident: null,
    },
    ...{ at: '2026-03-04T10:00:40.000Z', atMs: TEN + 40_000, platformIncidentId: null },
    verdict: {
      kind: 'below',
      nearest: { name: 'retry-storm', score: 0, needed: [{ measure: '5xx in 10 s', moreThan: 300, observed: 0 }] },
    },
    counted: { last10s: { calls: 10, status2xx: 10, status4xx: 0, status429: 0, status5xx: 0 } },
    plain: { slotMeanCalls: null, weekMinuteMean: null },
    planned: { events: [], now: null },
    standing: { provenCalls: null, timesUpper: null, harm: { isManyTimes: false } },
  })
  expect(json.detectors[0]).toEqual({
    ...{ name: 'slot-mean-multiple', state: 'silent', opens: false },
    because: 'no mean of this slot is known: it takes a day, and this slot on one',
  })
})
