import { expect, test } from 'vitest'
import { describeConfig, settingPaths, settings } from './reference.ts'

test('the reference tells path, value, default and meaning of a setting', () => {
  const lines = describeConfig().split('\n')
  for (const line of [
    '| `throttle.headroom` | a number from 1 to 10 | 1.5 | new limit = upper band × headroom |',
    '| `throttle.maxTenants` | a whole number of at least 0 | 5 | at most so many tenants throttled at once |',
    '| `throttle.expiresAfter` | a duration with its unit (ms, s, m, h, d) from 1s to 1d | 10m | every throttle is given back after this, storm or no storm |',
    '| `source` | a mapping whose kind is kafka, kinesis or files |  | the stream of access logs |',
    '| `source (kafka).topic` | text | (required) | topic of access-log records |',
    '| `source (kinesis).from` | one of LATEST, TRIM_HORIZON or a time with zone, e.g. 2026-11-20T14:00:00Z | LATEST | where a shard with no position starts: LATEST, TRIM_HORIZON or a time with zone |',
    '| `fields.keyId` | the name of a field, or a list of names of which the first present counts | apiKeyId, keyId, api_key_id | id of the API key, not its value |',
    '| `tenants.<id>.exempt` | true or false | false | never acted upon, alerted on all the same |',
  ])
    expect(lines).toContain(line)
})

test('no setting is without a sentence', () => {
  const silent = describeConfig()
    .split('\n')
    .filter(line => line.startsWith('| `') && line.endsWith('|  |'))
  expect(silent).toEqual([])
  expect(settingPaths(settings.tenants)).toEqual([
    ...listed('planned'),
    'tenants.<id>.name',
    'tenants.<id>.keys',
    'tenants.<id>.contact',
    'tenants.<id>.escalation',
    'tenants.<id>.usagePlan',
    'tenants.<id>.way',
    'tenants.<id>.exempt',
    ...listed('tenants.<id>.planned'),
  ])
})

const listed = (name: string): string[] => [
  name,
  ...['when', 'from', 'to', 'zone', 'upTo', 'note'].map(setting => `${name}[].${setting}`),
]
