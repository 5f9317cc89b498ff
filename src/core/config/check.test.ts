import { expect, test } from 'vitest'
import { checkConfig, complaintText, pathText } from './check.ts'

test('two empty files are a good configuration', () => {
  expect(checkConfig({ weir: undefined, tenants: undefined })).toMatchObject({
    kind: 'good',
    config: { mode: 'observe', throttle: { headroom: 1.5 } },
    tenants: { tenants: {} },
  })
})

test('a way that is chosen has what it works with, for a gateway and for a key', () => {
  const gateway = { region: 'us-east-1', way: 'penalty-plan' }
  expect(texts({ gateway }, {})).toEqual([
    'gateway.way is "penalty-plan": should be another way, or have `penaltyPlan` beside it',
  ])
  const moving = { gateway: { ...gateway, penaltyPlan: 'plan-p' } }
  const keys = ['key-1', { id: 'key-2', way: 'authorizer-table' }]
  expect(texts(moving, { tenants: { a: { keys, way: 'penalty-plan' } } })).toEqual([
    'tenants.a.keys[1].way is "authorizer-table": should be another way, or `authorizerTable` has to stand in `gateway` of weir.yaml',
  ])
  expect(texts(moving, { tenants: { a: { keys: ['key-1'], way: 'own-plan' } } })).toEqual([])
})

test('a plan may be shared by those who are not lowered in it', () => {
  const gateway = { region: 'us-east-1', penaltyPlan: 'plan-p' }
  const tenants = (way?: string) => ({
    tenants: {
      a: { keys: ['key-1'], usagePlan: 'plan-s' },
      b: { keys: ['key-2'], usagePlan: 'plan-s', ...(way && { way }) },
    },
  })
  expect(texts({ mode: 'enforce', gateway }, tenants())).toHaveLength(1)
  expect(texts({ mode: 'enforce', gateway }, tenants('penalty-plan'))).toEqual([])
})

test('a mapping of two meanings to one field is told at the one that the user wrote', () => {
  expect(texts({ fields: { keyId: 'api_key' } }, {})).toEqual([
    'fields.keyId is "api_key": should be a field of its own: fields.apiKey reads this one',
  ])
  expect(texts({ fields: { keyId: 'client', time: ['at', 'client'] } }, {})).toEqual([
    'fields.time is "client": should be a field of its own: fields.keyId reads this one',
  ])
})

test('names are looked at as the format has them: what clashes with its own is told', () => {
  expect(texts({ format: 'kong', fields: { keyId: 'api_key' } }, {})).toEqual([])
  expect(texts({ format: 'nginx', fields: { keyId: 'request_time' } }, {})).toEqual([
    'fields.keyId is "request_time": should be a field of its own: fields.latencySeconds reads this one',
  ])
})

test('a call took one time, in one unit', () => {
  expect(texts({ fields: { latencyMs: 'took' } }, {})).toEqual([])
  expect(texts({ fields: { latencyMs: 'took', latencySeconds: 'rt' } }, {})).toEqual([
    'fields.latencySeconds is "rt": should be left out: fields.latencyMs says already how long a call took',
  ])
})

test('a CSV’s header names a column for the time, is there where a stream is read, and nowhere else', () => {
  const csv = (fields: object, source?: object) => texts({ format: 'csv', fields, ...(source && { source }) }, {})
  const kinesis = { kind: 'kinesis', stream: 'access-logs' }
  expect(csv({ header: 'requestTime;apiKeyId;status' }, kinesis)).toEqual([])
  expect(csv({}, { kind: 'files', paths: ['a.csv'] })).toEqual([])
  expect(csv({}, kinesis)).toEqual([
    'fields.header is missing: should be the names of the columns: a stream does not begin with them',
  ])
  expect(csv({ header: 'apiKeyId,status' })).toEqual([
    'fields.header is "apiKeyId,status": should be one that names a column for the time: requestTimeEpoch, requestTime, timestamp, time, ts',
  ])
  expect(csv({ header: 'at,apiKeyId', time: 'at' })).toEqual([])
  expect(csv({ header: 'time' })).toEqual([
    'fields.header is "time": should be names of columns with `,` `;` or a tab between them',
  ])
  expect(texts({ fields: { header: 'time,apiKeyId' } }, {})).toEqual([
    'fields.header is "time,apiKeyId": should be left out where format is not csv',
  ])
})

test('a misspelled name is answered with the nearest known one of that place, or with those there are', () => {
  expect(texts({ source: { kind: 'kafka', brokers: ['b:1'], topic: 't', topics: 't', zzz: 1 } }, {})).toEqual([
    'source.topics ("t") is no setting: did you mean topic?',
    'source.zzz (1) is no setting: known here: kind, brokers, topic, groupId, from, keyed, tls, sasl',
  ])
})

test('whoever asks for a key’s id is never sent to where its value belongs', () => {
  for (const name of ['apiKeyID', 'apiKeyId', 'api_key_id', 'keyIds'])
    expect(texts({ fields: { [name]: 'x' } }, {})).toEqual([`fields.${name} ("x") is no setting: did you mean keyId?`])
  expect(texts({ fields: { apikey: 'x' } }, {})[0]).toContain('did you mean apiKey?')
})

test('enforce without a gateway is refused where limits are changed, and let pass where none is', () => {
  const raw = { weir: { mode: 'enforce' }, tenants: {} }
  expect(texts(raw.weir, raw.tenants)).toEqual([
    'mode is "enforce": should be observe or suggest: enforce needs `gateway: {region: …}`',
  ])
  expect(checkConfig(raw, { acts: false })).toMatchObject({ kind: 'good', config: { mode: 'enforce' } })
})

test('a source of a kind that is not there is answered with those that are', () => {
  expect(texts({ source: { kind: 'rabbit' } }, {})).toEqual([
    'source.kind is "rabbit": should be one of kafka, kinesis, files',
  ])
  expect(texts({ source: {} }, {})).toEqual(['source.kind is missing: should be one of kafka, kinesis, files'])
})

test('a password is named, never written, and a complaint about one does not repeat it', () => {
  const source = { kind: 'kafka', brokers: ['b:1'], topic: 't' }
  const sasl = { mechanism: 'scram-sha-512', username: 'weir' }
  const right = '{env: NAME} or {file: path}, never the secret itself'
  for (const password of ['hunter2', 12345, ['hunter2'], { value: 'hunter2' }, { env: 'A', file: 'b' }]) {
    const found = texts({ source: { ...source, sasl: { ...sasl, password } } }, {})
    expect(found).toHaveLength(1)
    expect(found[0]).toContain('source.sasl.password')
    expect(found[0]).not.toMatch(/hunter2|12345/)
  }
  expect(texts({ source: { ...source, sasl: { ...sasl, password: 'hunter2' } } }, {})).toEqual([
    `source.sasl.password is <hidden: looks like a secret>: should be ${right}`,
  ])
  expect(texts({ source: { ...source, sasl } }, {})).toEqual([`source.sasl.password is missing: should be ${right}`])
  expect(texts({ source: { ...source, sasl: { ...sasl, password: { env: 'KAFKA_PASSWORD' } } } }, {})).toEqual([])
})

test('what belongs to one way of signing in is no setting of another', () => {
  const source = { kind: 'kafka', brokers: ['b:1'], topic: 't' }
  expect(texts({ source: { ...source, sasl: { mechanism: 'kerberos' } } }, {})).toEqual([
    'source.sasl.mechanism is "kerberos": should be one of plain, scram-sha-256, scram-sha-512, aws-msk-iam',
  ])
  expect(texts({ source: { ...source, sasl: { mechanism: 'aws-msk-iam', username: 'weir' } } }, {})).toEqual([
    'source.sasl.username ("weir") is no setting: did you mean source (kafka).sasl (plain, scram-sha-256, scram-sha-512).username?',
  ])
})

test('a certificate comes with its key, and a broker with its port', () => {
  const source = { kind: 'kafka', brokers: ['b:1'], topic: 't' }
  expect(texts({ source: { ...source, tls: { certFile: 'a.pem' } } }, {})).toEqual([
    'source.tls.keyFile is missing: should be text',
  ])
  expect(texts({ source: { ...source, tls: { keyFile: 'a.pem' } } }, {})).toEqual([
    'source.tls.certFile is missing: should be text',
  ])
  expect(texts({ source: { ...source, tls: { cafile: 'a.pem' } } }, {})).toEqual([
    'source.tls.cafile ("a.pem") is no setting: did you mean caFile?',
  ])
  expect(texts({ source: { ...source, brokers: ['kafka.internal'] } }, {})).toEqual([
    'source.brokers[0] is "kafka.internal": should be host:port',
  ])
})

test('calls without a key are nobody’s, and a hash belongs to one key', () => {
  const hash = 'hash:0123456789abcdef'
  const tenants = { a: { keys: ['anonymous', { id: 'k1', hash }] }, 'b.c': { keys: [{ id: 'k2', hash }] } }
  expect(texts({}, { tenants })).toEqual([
    'tenants.a.keys[0] is "anonymous": should be the id of an API key (calls without one are nobody’s)',
    `tenants."b.c".keys[0].hash is "${hash}": should be of one key only: tenants.a.keys[1] has it already`,
  ])
})

test('calls and what is usual do not share a metric', () => {
  const withRates = (rates: object) => texts({ metrics: { cloudWatch: { rates } } }, {})
  expect(withRates({ metric: 'A', usualMetric: 'A' })).toEqual([
    'metrics.cloudWatch.rates.usualMetric is "A": should be another name than that of `metric`',
  ])
  expect(withRates({ usualMetric: 'PayflowClientRequestRate' })).toHaveLength(1)
  expect(withRates({ metric: 'A', usualMetric: 'B' })).toEqual([])
})

test('names that CloudWatch would refuse are refused here', () => {
  const cloudWatch = {
    namespace: 'AWS/ApiGateway',
    rates: { dimension: ':key', metric: 'débit', maxKeys: 0 },
    health: { worker: 'two words' },
  }
  expect(texts({ metrics: { cloudWatch } }, {})).toEqual([
    'metrics.cloudWatch.namespace is "AWS/ApiGateway": should be a namespace: up to 255 letters, digits and . - / # : _, not beginning with AWS/',
    'metrics.cloudWatch.rates.maxKeys is 0: should be a whole number from 1 to 5000',
    'metrics.cloudWatch.rates.metric is "débit": should be a metric’s name, up to 255 ASCII characters',
    'metrics.cloudWatch.rates.dimension is ":key": should be a dimension’s name, up to 255 ASCII characters, not beginning with a colon',
    'metrics.cloudWatch.health.worker is "two words": should be a name without spaces, up to 255 ASCII characters',
  ])
})

test('an external id is told to whoever assumes a role, and to nobody else', () => {
  const roleArn = 'arn:aws:iam::123456789012:role/weir'
  expect(texts({ gateway: { externalId: 'partner-7', roleArn } }, {})).toEqual([])
  expect(texts({ gateway: { externalId: 'partner-7' } }, {})).toEqual([
    'gateway.externalId is "partner-7": should be beside a roleArn, whose trust policy asks for it',
  ])
})

test('one account and region has one name, or its plans would have two originals', () => {
  const eu = { region: 'eu-west-1' }
  expect(
    texts({ gateway: eu, gateways: { eu: { ...eu, roleArn: 'arn:aws:iam::123456789012:role/weir' } } }, {}),
  ).toEqual([])
  expect(texts({ gateway: eu, gateways: { eu } }, {})).toEqual([
    'gateways.eu is a mapping: should be another account or region than gateway',
  ])
})

test('the dead man’s switch is where the gateway is: what it calls asks no other region', () => {
  const deadMansSwitch = {
    functionArn: 'arn:aws:lambda:us-east-1:123456789012:function:weir-dead-man',
    schedulerRoleArn: 'arn:aws:iam::123456789012:role/weir-scheduler',
  }
  expect(texts({ gateway: { region: 'us-east-1', deadMansSwitch }, gateways: { eu: { deadMansSwitch } } }, {})).toEqual(
    [],
  )
  expect(texts({ gateways: { eu: { region: 'eu-west-1', deadMansSwitch } } }, {})).toEqual([
    'gateways.eu.deadMansSwitch.functionArn is arn:aws:lambda:us-east-1:123456789012:function:weir-dead-man: should be a function in eu-west-1, the region of gateways.eu',
  ])
  expect(texts({ gateway: { deadMansSwitch: { ...deadMansSwitch, margin: '30s' } } }, {})).toEqual([
    'gateway.deadMansSwitch.margin is "30s": should be a duration with its unit (ms, s, m, h, d) from 2m to 1d',
  ])
})

test('standard input cannot be followed', () => {
  const files = (given: object) => texts({ source: { kind: 'files', ...given } }, {})
  expect(files({ paths: ['access.log'], follow: true })).toEqual([])
  expect(files({ paths: ['access.log', '-'], follow: true })).toEqual([
    'source.follow is true: should be false where source.paths has `-`: standard input is read until it ends in any case',
  ])
})

test('a stream is named by its name or its ARN, and a role by its ARN', () => {
  const kinesis = (given: object) => texts({ source: { kind: 'kinesis', ...given } }, {})
  const stream = 'arn:aws:kinesis:eu-west-1:123456789012:stream/access-logs'
  expect(kinesis({ stream, roleArn: 'arn:aws:iam::123456789012:role/team/weir' })).toEqual([])
  expect(kinesis({ stream: 'arn:aws:kinesis:eu-west-1:123456789012:access-logs', roleArn: 'weir' })).toEqual([
    'source.stream is "arn:aws:kinesis:eu-west-1:123456789012:access-logs": should be a stream’s name, or its ARN, e.g. arn:aws:kinesis:us-east-1:123456789012:stream/access-logs',
    'source.roleArn is "weir": should be the ARN of an IAM role, e.g. arn:aws:iam::123456789012:role/weir-reader',
  ])
})

test('a path reads as one would write it', () => {
  expect(pathText(['tenants', 'b.c', 'keys', 2, 'id'])).toBe('tenants."b.c".keys[2].id')
})

test('a planned event is told of where it stands: what is not understood, not enough, or too much', () => {
  const planned = (event: object) => texts({}, { tenants: { a: { keys: ['k'], planned: [event] } } })
  const daily = 'daily 02:00-03:00'
  const at = 'tenants.a.planned[0]'
  expect(planned({ when: daily, zone: 'Europe/Berlin', upTo: '20x', note: 'nightly export' })).toEqual([])
  expect(planned({ when: 'daily at 2', upTo: '20x' })[0]).toMatch(
    /^tenants\.a\.planned\[0\]\.when is "daily at 2": should be `daily 02:00-03:00`, /,
  )
  expect(planned({ upTo: '20x' })[0]).toMatch(/^tenants\.a\.planned\[0\]\.when is missing: .* `from` and `to`$/)
  expect(planned({ from: '2026-11-27 18:00', upTo: '20x' })[0]).toMatch(/^tenants\.a\.planned\[0\]\.to is missing: /)
  expect(planned({ from: '2026-11-27 18:00', to: '2026-11-27T17:00:00Z', upTo: '2x', zone: 'Asia/Tokyo' })).toEqual([])
  expect(planned({ from: '2026-11-27 18:00', to: '2026-11-27 18:00', upTo: '2x' })).toEqual([
    `${at}.to is "2026-11-27 18:00": should be after \`from\``,
  ])
  expect(planned({ when: daily, to: '2026-11-27 18:00', upTo: '2x' })).toEqual([
    `${at}.to is "2026-11-27 18:00": should be left out beside \`when\`: an event recurs, or it is once`,
  ])
  expect(planned({ when: daily, zone: 'Berlin', upTo: 20, nota: 'x' })).toEqual([
    `${at}.zone is "Berlin": should be the name of a time zone, e.g. Europe/Berlin`,
    `${at}.upTo is 20: should be \`20x\`: so many times the usual, or \`5000 per minute\`, or \`per second\``,
    `${at}.nota ("x") is no setting: did you mean note?`,
  ])
  for (const upTo of ['1x', '0.5x', '0 per minute', '5,000 per minute', '20 times', 'x'])
    expect(planned({ when: daily, upTo })).toHaveLength(1)
})

function texts(weir: unknown, tenants: unknown): readonly string[] {
  const checked = checkConfig({ weir, tenants })
  return checked.kind === 'bad' ? checked.complaints.map(complaintText) : []
}

test('a server that others can reach needs a token, said where it is missing, and never shown', () => {
  const server = (setting: object) => texts({ server: setting }, {})
  const missing =
    'server.token is missing: should be {env: NAME} or {file: path}, needed where server.listen is no loopback address'
  for (const listen of ['0.0.0.0:9464', '[::]:9464', '10.0.0.7:9464', 'weir.internal:9464', '127.evil.example:80'])
    expect(server({ listen })).toEqual([missing])
  expect(server({ listen: '0.0.0.0:9464', token: { env: 'WEIR_TOKEN' } })).toEqual([])
  for (const listen of ['127.0.0.1:0', 'localhost:80', '[::1]:9464', 'off']) expect(server({ listen })).toEqual([])
  for (const listen of ['9464', '127.0.0.1', '127.0.0.1:70000', 'http://localhost:80', ':9464'])
    expect(server({ listen })).toEqual([`server.listen is "${listen}": should be host:port (IPv6 in brackets), or off`])
  expect(server({ token: 'reader-0123456789abcdef' }).join()).not.toContain('0123456789')
})
