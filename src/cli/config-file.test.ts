import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { tenantDirectory } from '../core/config/tenants.ts'
import { StreamError } from '../core/errors.ts'
import { loadConfig, loadTenantsOf } from './config-file.ts'

const rawKey = 'h4Kq9ZpL2mX7vB1nT6cW8yR3sD5fG0jU4aE9iO2k'

test('a bare file gets every default, and tenants.yaml beside it is found', async () => {
  const { config, tenants, files } = await load({
    '/etc/weir/weir.yaml': 'source: {kind: files, paths: [a.log]}\n',
    '/etc/weir/tenants.yaml': 'tenants: {client-a: {name: Client A, keys: [key_abc123]}}\n',
  })
  expect({ mode: config.mode, source: config.source, time: config.time, state: config.state, files }).toEqual({
    mode: 'observe',
    source: { kind: 'files', paths: ['a.log'], follow: false },
    time: { delivery: 35_000, idleAfter: 30_000, future: 60_000 },
    state: { directory: '.weir', shared: false, checkpointEvery: 5_000, maxKeys: 1_000_000 },
    files: ['/etc/weir/weir.yaml', '/etc/weir/tenants.yaml'],
  })
  expect(tenants).toEqual({
    tenants: { 'client-a': { name: 'Client A', keys: [{ id: 'key_abc123' }], exempt: false, planned: [] } },
    planned: [],
  })
})

test('everything wrong in both files is told at once, with its line, its value and what would be right', async () => {
  const weir = [
    'mode: enforce',
    'source:',
    '  kind: kafka',
    '  brokers: 127.0.0.1:9092',
    'throttle:',
    '  headroom: 0.5',
    '  expireAfter: 10m',
    '  calmFor: 120',
    'checkpointEvery: 5s',
    'alerts:',
    '  sns:',
    '    topicArn: weir-alerts',
    'time: {delivery: 2h}',
  ].join('\n')
  const tenants = [
    'tenants:',
    '  client-a:',
    '    keys: [key_1, 1234567890]',
    '  client-b:',
    '    keys:',
    '      - key_2',
    '      - key_1',
    '    exempt: yes',
    '  client-c: {name: C}',
  ].join('\n')
  expect(await complaints({ '/etc/weir/weir.yaml': weir, '/etc/weir/tenants.yaml': tenants })).toBe(
    [
      'Cannot use /etc/weir/weir.yaml: 13 things are wrong',
      '  weir.yaml:1:1      mode is "enforce": should be observe or suggest: enforce needs `gateway: {region: …}`',
      '  weir.yaml:2:1      source.topic is missing: should be text',
      '  weir.yaml:4:3      source.brokers is "127.0.0.1:9092": should be a list of host:port',
      '  weir.yaml:6:3      throttle.headroom is 0.5: should be a number from 1 to 10',
      '  weir.yaml:7:3      throttle.expireAfter ("10m") is no setting: did you mean expiresAfter?',
      '  weir.yaml:8:3      throttle.calmFor is 120: should be a duration with its unit (ms, s, m, h, d) from 1s to 1d',
      '  weir.yaml:9:1      checkpointEvery ("5s") is no setting: did you mean state.checkpointEvery?',
      '  weir.yaml:12:5     alerts.sns.topicArn is "weir-alerts": should be the ARN of an SNS topic, e.g. arn:aws:sns:us-east-1:123456789012:weir-alerts',
      '  weir.yaml:13:8     time.delivery is "2h": should be a duration with its unit (ms, s, m, h, d) from 0s to 1h',
      '  tenants.yaml:3:19  tenants.client-a.keys[1] is 1234567890: should be an API key id, as text in quotes, or {id, …}',
      '  tenants.yaml:7:9   tenants.client-b.keys[1] is "key_1": should be named once: it stands at tenants.client-a.keys[0] already',
      '  tenants.yaml:8:5   tenants.client-b.exempt is "yes": should be true or false',
      '  tenants.yaml:9:3   tenants.client-c.keys is missing: should be a list of API key ids, as text in quotes, or {id, …}',
    ].join('\n'),
  )
})

test("a key's value given as its id is refused, and shown nowhere, in whatever place it was pasted", async () => {
  const message = await complaints({
    '/etc/weir/weir.yaml': `apiKey: ${rawKey}\nfields: {keyId: ${rawKey}, status: ${rawKey}}\n`,
    '/etc/weir/tenants.yaml': `tenants:\n  ${rawKey}: {keys: ["${rawKey}"], nmae: "${rawKey}"}\n`,
  })
  expect(message).toBe(
    [
      'Cannot use /etc/weir/weir.yaml: 4 things are wrong',
      '  weir.yaml:1:1      apiKey (<hidden: looks like a secret>) is no setting: did you mean fields.apiKey?',
      '  weir.yaml:2:59     fields.status is <hidden: looks like a secret>: should be a field of its own: fields.keyId reads this one',
      '  tenants.yaml:2:53  tenants."<hidden>".keys[0] is <hidden: looks like a secret>: should be the id of an API key, not its value (if it is an id, write {id: …})',
      '  tenants.yaml:2:98  tenants."<hidden>".nmae (<hidden: looks like a secret>) is no setting: did you mean name?',
    ].join('\n'),
  )
})

test('an id that only looks like a value is accepted when it is written out as an id', async () => {
  const { tenants } = await load({
    '/etc/weir/weir.yaml': '',
    '/etc/weir/tenants.yaml': `tenants: {a: {keys: [{id: 5f4dcc3b5aa765d61d8327de}, 3f2504e0-4f89-41d3-9a0c-0305e82c3301]}}\n`,
  })
  expect(tenants.tenants.a?.keys).toEqual([
    { id: '5f4dcc3b5aa765d61d8327de' },
    { id: '3f2504e0-4f89-41d3-9a0c-0305e82c3301' },
  ])
})

test('a file that is no YAML is told with its line, without its content, and the other file is still checked', async () => {
  expect(
    await complaints({
      '/etc/weir/weir.yaml': `mode: observe\nmode: suggest\nsource: {kind: files, paths: [${rawKey}\n`,
      '/etc/weir/tenants.yaml': 'tenant: {}\n',
    }),
  ).toBe(
    [
      'Cannot use /etc/weir/weir.yaml: 4 things are wrong',
      '  weir.yaml:2:1     Map keys must be unique',
      '  weir.yaml:4:1     Flow sequence in block collection must be sufficiently indented and end with a ]',
      '  weir.yaml:4:1     Flow map in block collection must be sufficiently indented and end with a }',
      '  tenants.yaml:1:1  tenant (a mapping) is no setting: did you mean tenants?',
    ].join('\n'),
  )
})

test('names with nothing behind them are as if they were not there, but for a gateway, which then is the default one', async () => {
  const { config } = await load({ '/etc/weir/weir.yaml': 'mode: enforce\ngateway:\nthrottle:\ntenants:\nalerts:\n' })
  expect(config.gateway).toEqual({})
  expect(config.alerts.sns).toBeUndefined()
})

test('one usage plan for two tenants is refused only where plans are changed', async () => {
  const tenants = 'tenants:\n  a: {keys: [k1], usagePlan: p}\n  b: {keys: [k2], usagePlan: p, exempt: true}\n'
  const files = (mode: string) => ({
    '/etc/weir/weir.yaml': `mode: ${mode}\ngateway: {}\n`,
    '/etc/weir/tenants.yaml': tenants,
  })
  expect((await load(files('observe'))).config.mode).toBe('observe')
  expect(await complaints(files('enforce'))).toBe(
    [
      'Cannot use /etc/weir/weir.yaml: one thing is wrong',
      '  tenants.yaml:3:19  tenants.b.usagePlan is "p": should be a plan of this tenant’s own when mode is enforce: tenants.a has it too',
    ].join('\n'),
  )
})

test('tenants that are named and not there are a complaint; without a name there are none', async () => {
  expect(await complaints({ '/etc/weir/weir.yaml': 'tenants: customers.yaml\n' })).toBe(
    [
      'Cannot use /etc/weir/weir.yaml: one thing is wrong',
      '  weir.yaml:1:1  tenants is "customers.yaml": should be the path of a file that is there, from the folder of this one',
    ].join('\n'),
  )
  expect((await load({ '/etc/weir/weir.yaml': '' })).tenants).toEqual({ tenants: {}, planned: [] })
})

test('a configuration that cannot be read says which, and how to name another', async () => {
  await expect(load({})).rejects.toMatchObject({
    code: 'CONFIG_UNREADABLE',
    message: 'Cannot read the configuration /etc/weir/weir.yaml: there is no such file',
  })
})

test('a folder given for a configuration is told as one', async () => {
  await expect(loadConfig('src', { readFile: path => readFile(path, 'utf8') })).rejects.toMatchObject({
    message: 'Cannot read the configuration src: it is a directory',
  })
})

test('tenants are found without a configuration, and what is wrong with them is told', async () => {
  const tenantsOf = (text: string) =>
    loadTenantsOf('/logs', {
      readFile: async path => (path === '/logs/tenants.yaml' ? text : Promise.reject(new Error(path))),
    })
  expect(await tenantsOf('tenants: {a: {name: A, keys: [k1]}}')).toMatchObject({
    config: { mode: 'observe' },
    tenants: { tenants: { a: { name: 'A' } } },
    files: ['/logs/tenants.yaml'],
  })
  await expect(tenantsOf('tenant: {}')).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message:
      'Cannot use /logs/tenants.yaml: one thing is wrong\n  tenants.yaml:1:1  tenant (a mapping) is no setting: did you mean tenants?',
  })
  const noFile = Object.assign(new Error('none'), { code: 'ENOENT' })
  expect(await loadTenantsOf('/logs', { readFile: () => Promise.reject(noFile) })).toMatchObject({ files: [] })
})

test('aliases that multiply without end are refused', async () => {
  const levels = Array.from({ length: 9 }, (_, i) => `a${i + 1}: &a${i + 1} [${Array(9).fill(`*a${i}`)}]`)
  const message = await complaints({ '/etc/weir/weir.yaml': ['a0: &a0 [x]', ...levels].join('\n') })
  expect(message).toBe(
    'Cannot use /etc/weir/weir.yaml: one thing is wrong\n  weir.yaml  Excessive alias count indicates a resource exhaustion attack',
  )
})

test('the examples in the repository are good as they stand', async () => {
  const root = new URL('../../', import.meta.url)
  const text = (name: string) => readFile(new URL(name, root), 'utf8')
  const { config, tenants } = await load({
    '/etc/weir/weir.yaml': await text('weir.example.yaml'),
    '/etc/weir/tenants.yaml': await text('tenants.example.yaml'),
  })
  expect(config.source?.kind).toBe('kafka')
  expect(tenantDirectory(tenants).byKey.get('key_abc123')).toEqual({
    tenantId: 'client-a',
    name: 'Client A',
    contact: 'client-a-sre@partner.com',
    escalation: 'payments-oncall',
    exempt: false,
    keys: ['key_abc123'],
  })
})

function load(files: Readonly<Record<string, string>>) {
  const readFileOf = async (path: string) => {
    const text = files[path]
    if (text === undefined) throw Object.assign(new Error('no such file'), { code: 'ENOENT' })
    return text
  }
  return loadConfig('/etc/weir/weir.yaml', { readFile: readFileOf })
}

async function complaints(files: Readonly<Record<string, string>>): Promise<string> {
  const error = await load(files).then(
    () => undefined,
    (cause: unknown) => cause,
  )
  if (!(error instanceof StreamError)) throw new Error('the configuration was accepted')
  expect(error.code).toBe('CONFIG_INVALID')
  return error.message
}
