/**
 * weir.yaml and tenants.yaml: one schema with units and defaults, from which help, complaints and types are made.
 * Parsed once at the edge (`cli/`); behind it nothing is optional "just in case". Durations are written with their unit.
 */
import { z } from 'zod'
import type { Detector } from '../../../detectors/contract.ts'
import { detectors } from '../../../detectors/index.ts'
import { formatNames, usualNames } from '../formats/field-names.ts'
import { deadMansSwitch } from './dead-mans-switch-schema.ts'
import { duration } from './duration.ts'
import { plannedEvent } from './planned-schema.ts'
import { secret } from './secret-schema.ts'
import { server } from './server-schema.ts'
import { tenantWay, type WayName, waySettings } from './way-schema.ts'

const perWeek = { hour: 7 * 24, day: 7, week: 1, month: 7 / 30 } as const

/** So many times in a stretch of time; parsed to times a week. */
const rate = (fallback: string) =>
  z
    .string()
    .regex(/^\d+(\.\d+)? per (hour|day|week|month)$/)
    .transform(text => {
      const [times = '', , unit = 'week'] = text.split(' ')
      return Number(times) * perWeek[unit as keyof typeof perWeek]
    })
    .prefault(fallback)
    .meta({ expected: 'a number of times per hour, day, week or month, e.g. 1 per week' })

const awsClient = {
  region: z.string().optional().describe('AWS region; without it the SDK’s own chain (AWS_REGION, profile) decides'),
  endpoint: z.url().optional().describe('another endpoint, e.g. a simulation on loopback'),
  roleArn: z
    .string()
    .regex(/^arn:aws[a-z-]*:iam::\d{12}:role\/.+$/)
    .optional()
    .describe('role to assume for this, e.g. one of another account; without it the SDK’s own chain of credentials')
    .meta({ expected: 'the ARN of an IAM role, e.g. arn:aws:iam::123456789012:role/weir-reader' }),
  externalId: z.string().min(2).optional().describe('what the trust policy of roleArn asks for, where it does'),
}

const kafkaTls = z
  .union([
    z.boolean(),
    z
      .strictObject({
        caFile: z
          .string()
          .min(1)
          .optional()
          .describe('PEM file of the authority that signed the brokers’ certificates'),
        certFile: z.string().min(1).optional().describe('PEM file of our certificate, where the brokers ask for one'),
        keyFile: z.string().min(1).optional().describe('PEM file of its key, without a passphrase'),
        servername: z
          .string()
          .min(1)
          .optional()
          .describe('name in the certificates, where it is not the brokers’ host'),
      })
      .refine(tls => tls.keyFile !== undefined || tls.certFile === undefined, { path: ['keyFile'] })
      .refine(tls => tls.certFile !== undefined || tls.keyFile === undefined, { path: ['certFile'] }),
  ])
  .meta({ expected: 'true, false, or a mapping of caFile, certFile, keyFile, servername' })

const kafkaSasl = z.discriminatedUnion('mechanism', [
  z.strictObject({
    mechanism: z.enum(['plain', 'scram-sha-256', 'scram-sha-512']).describe('how the password is proved'),
    username: z.string().min(1).describe('as the brokers know it'),
    password: secret.describe('where the password is: an environment variable, or a file from the folder of this one'),
  }),
  z.strictObject({
    mechanism: z.literal('aws-msk-iam').describe('Amazon MSK with the AWS SDK’s credentials'),
    region: z.string().min(1).optional().describe('AWS region; without it the one in the brokers’ host names'),
    roleArn: z
      .string()
      .startsWith('arn:')
      .optional()
      .describe('role to assume for it')
      .meta({ expected: 'the ARN of a role' }),
  }),
])

const brokerAddress = z
  .string()
  .regex(/^[^\s:/@]+:\d{1,5}$/)
  .meta({ expected: 'host:port' })

const kafkaSource = z.strictObject({
  kind: z.literal('kafka').describe('a Kafka topic'),
  brokers: z.array(brokerAddress).min(1).describe('bootstrap addresses, host:port'),
  topic: z.string().min(1).describe('topic of access-log records'),
  groupId: z.string().min(1).default('weir').describe('consumer group'),
  from: z.enum(['latest', 'earliest']).default('latest').describe('where a group with no position starts'),
  keyed: z.boolean().default(false).describe('true only if every call of a key is always in the same partition'),
  tls: kafkaTls.optional().describe('whether the brokers are spoken to over TLS; with aws-msk-iam they always are'),
  sasl: kafkaSasl.optional().describe('how the brokers are told who we are'),
})

const kinesisSource = z.strictObject({
  kind: z.literal('kinesis').describe('a Kinesis data stream'),
  stream: z
    .string()
    .regex(/^(arn:aws[a-z-]*:kinesis:[a-z0-9-]+:\d{12}:stream\/)?[A-Za-z0-9_.-]{1,128}$/)
    .describe('name of the stream, or its ARN where it is another account’s')
    .meta({ expected: 'a stream’s name, or its ARN, e.g. arn:aws:kinesis:us-east-1:123456789012:stream/access-logs' }),
  from: z
    .union([z.enum(['LATEST', 'TRIM_HORIZON']), z.iso.datetime({ offset: true })])
    .default('LATEST')
    .describe('where a shard with no position starts: LATEST, TRIM_HORIZON or a time with zone'),
  // AWS lets all consumers of a shard together read five times a second: faster than that is refused anyway.
  pollEvery: duration('1s', { from: '200ms', to: '1m' }).describe(
    'pause between reads of one shard; AWS allows 5 reads a second, shared by all consumers',
  ),
  ...awsClient,
})

const fileSource = z.strictObject({
  kind: z.literal('files').describe('files, folders of files or standard input'),
  paths: z
    .array(z.string().min(1))
    .min(1)
    .describe('plain, gzip or zstd; of a folder all files, in order of their names; `-` is standard input'),
  follow: z
    .boolean()
    .default(false)
    .describe(
      'true: the files are logs that grow and are rotated, read on for ever, from their beginning where nothing is known',
    ),
})

/**
 * Which field of a line means what. A value is the field's name, or several of which the first present is taken. The
 * default shown is that of `auto`, `access-log` and `csv`; the other formats have their own (core/formats/README.md).
 */
const fieldName = (usual: readonly string[]) =>
  z
    .union([z.string().min(1), z.array(z.string().min(1)).min(1)])
    .transform(name => [name].flat())
    .optional()
    .meta({
      expected: 'the name of a field, or a list of names of which the first present counts',
      usual,
    })
const fields = z.strictObject({
  keyId: fieldName(usualNames.keyId).describe('id of the API key, not its value'),
  apiKey: fieldName(usualNames.apiKey).describe(
    'raw key value, if the log (wrongly) carries it: becomes a keyed hash in the decoder',
  ),
  time: fieldName(usualNames.time).describe(
    'time of the request: epoch s or ms, ISO 8601, or the gateway’s dd/MMM/yyyy:HH:mm:ss ±hhmm',
  ),
  status: fieldName(usualNames.status).describe('HTTP status of the answer'),
  latencyMs: fieldName(usualNames.latency).describe('how long the answer took, ms'),
  latencySeconds: fieldName([]).describe('the same in seconds, as nginx’s $request_time'),
  latencyMicros: fieldName([]).describe('the same in microseconds, as Apache’s %D'),
  bytes: fieldName(usualNames.bytes).describe('length of the answer, bytes'),
  route: fieldName(usualNames.route).describe(
    'path that was called, also with its method before it; a hash of it without its query is counted, and forgotten in minutes',
  ),
  source: fieldName(usualNames.source).describe(
    'address it was called from, as the gateway saw it; a keyed hash of its network (/24, /48) is kept',
  ),
  header: z
    .string()
    .regex(/[,;\t]/)
    .optional()
    .describe('CSV: the header line as it would stand in the log; without it the log’s first line is taken for it')
    .meta({ expected: 'names of columns with `,` `;` or a tab between them' }),
})

const throttle = z.strictObject({
  headroom: z.number().min(1).max(10).default(1.5).describe('new limit = upper band × headroom'),
  floorPerSecond: z.number().int().min(1).default(1).describe('never below this rate, calls a second'),
  burstSeconds: z.number().min(1).max(60).default(2).describe('burst = this many seconds of the new rate'),
  expiresAfter: duration('10m', { from: '1s', to: '1d' }).describe(
    'every throttle is given back after this, storm or no storm',
  ),
  repeatFactor: z
    .number()
    .min(1)
    .max(10)
    .default(1)
    .describe('each further throttle of a key within 7 days expires so many times later; 1: as the first'),
  longest: duration('4h', { from: '1s', to: '7d' }).describe(
    '… but no later than after this, unless expiresAfter is longer',
  ),
  calmFor: duration('2m', { from: '1s', to: '1d' }).describe(
    'demand back within the band for this long starts the giving back early',
  ),
  probation: duration('2m', { from: '1s', to: '1d' }).describe(
    'at half the way back for this long, then the whole limit',
  ),
  settle: duration('2m', { from: '10s', to: '1h' }).describe(
    'a changed limit may take so long to bite (AWS: up to two minutes); one that the log does not show to bite after it is told to people',
  ),
  maxTenants: z.number().int().min(0).default(5).describe('at most so many tenants throttled at once'),
})

const detectorSettings = (detector: Detector) =>
  z
    .strictObject({
      enabled: z.boolean().default(true).describe('whether it is asked at all'),
      opens: z
        .boolean()
        .default(detector.opens)
        .describe('whether its finding alone opens an incident; if not it only corroborates'),
      ...Object.fromEntries(
        Object.entries(detector.thresholds).map(([name, { default: value, min, max, sentence, unit }]) => [
          name,
          z.number().min(min).max(max).default(value).describe(`${sentence} (${unit})`),
        ]),
      ),
    })
    .prefault({})

const topicArn = z
  .string()
  .regex(/^arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}(\.fifo)?$/)
  .describe('SNS topic that alerts are published to')
  .meta({ expected: 'the ARN of an SNS topic, e.g. arn:aws:sns:us-east-1:123456789012:weir-alerts' })

const gateway = {
  ...awsClient,
  deadMansSwitch,
  stages: z
    .array(
      z
        .string()
        .regex(/^[a-z0-9]+\/[A-Za-z0-9_-]+$/)
        .meta({ expected: 'an API’s id and its stage, e.g. a1b2c3d4e5/prod' }),
    )
    .min(1)
    .optional()
    .describe('the stages whose log this is: only plans of one of them are throttled; without it all plans of a key'),
  ...waySettings(awsClient),
}
/** As CloudWatch takes it: printable ASCII, at most 255 characters; `AWS/` is for AWS’s own. */
const cloudWatchName = (pattern: RegExp, expected: string) => z.string().regex(pattern).meta({ expected })
const metricName = cloudWatchName(/^[!-~]([ -~]{0,253}[!-~])?$/, 'a metric’s name, up to 255 ASCII characters')
const dimensionName = cloudWatchName(
  /^(?!:)[!-~]([ -~]{0,253}[!-~])?$/,
  'a dimension’s name, up to 255 ASCII characters, not beginning with a colon',
)

const cloudWatch = z.strictObject({
  namespace: cloudWatchName(
    /^(?!AWS\/)[\w.\-/#: ]{1,255}$/,
    'a namespace: up to 255 letters, digits and . - / # : _, not beginning with AWS/',
  )
    .default('PayflowAPI')
    .describe('namespace of all metrics below'),
  ...awsClient,
  rates: z
    .strictObject({
      enabled: z
        .boolean()
        .default(false)
        .describe('send each key’s calls a minute and its usual: two metrics a key, about $0.30 a month each'),
      keys: z
        .enum(['busiest', 'listed'])
        .default('busiest')
        .describe('busiest: those with the most calls in the last week; listed: only those in tenants.yaml'),
      maxKeys: z.number().int().min(1).max(5_000).default(200).describe('at most so many keys: this bounds the bill'),
      metric: metricName.default('PayflowClientRequestRate').describe('calls a minute, refused ones too'),
      usualMetric: metricName
        .default('PayflowClientRequestRateUsual')
        .describe('what a minute usually brings at this time of day'),
      dimension: dimensionName.default('ApiKey').describe('dimension that holds the id of the key, never its value'),
    })
    .prefault({}),
  health: z
    .strictObject({
      enabled: z
        .boolean()
        .default(false)
        .describe('send the worker’s own state once a minute: seven metrics, about $0.30 a month each'),
      worker: cloudWatchName(/^(?!:)[!-~]{1,255}$/, 'a name without spaces, up to 255 ASCII characters')
        .optional()
        .describe('which worker it is; without it the name of the host'),
      dimension: dimensionName.default('Worker').describe('dimension that holds the worker’s name'),
    })
    .prefault({}),
  history: z
    .strictObject({
      namespace: z.string().min(1).max(255).optional().describe('without it the one above'),
      metric: metricName.optional().describe('a metric by key of your own; without it the one that `rates` sends'),
      dimension: dimensionName.optional().describe('its one dimension, the key’s id; without it that of `rates`'),
      statistic: z
        .enum(['Maximum', 'Average', 'Sum', 'SampleCount'])
        .default('Maximum')
        .describe('which statistic of a minute is its calls: Maximum of what `rates` sends, mostly Sum of others'),
    })
    .prefault({}),
})

export const weirSchema = z.strictObject({
  mode: z
    .enum(['observe', 'suggest', 'enforce'])
    .default('observe')
    .describe('observe: alert only; suggest: say which limit it would set; enforce: set it'),
  alertBudget: rate('1 per week').describe(
    'how often the whole fleet may wake people for nothing: pages on surprise alone; alerts of low severity are 20 times that',
  ),
  source: z
    .discriminatedUnion('kind', [kafkaSource, kinesisSource, fileSource])
    .optional()
    .describe('the stream of access logs'),
  format: z
    .enum(formatNames)
    .default('auto')
    .describe('auto looks at the content of each record, for JSON; text lines and other gateways’ logs are named here'),
  fields: fields.prefault({}),
  time: z
    .strictObject({
      delivery: duration('35s', { from: '0s', to: '1h' }).describe(
        'a pane closes this long behind the newest call: gateway timeout (29 s) + log delivery',
      ),
      idleAfter: duration('30s', { from: '1s', to: '1d' }).describe(
        'a partition that brings nothing for this long no longer holds the others back',
      ),
      future: duration('60s', { from: '1s', to: '1h' }).describe(
        'a call dated further than this past its arrival is rejected',
      ),
    })
    .prefault({}),
  alerts: z
    .strictObject({
      sns: z
        .strictObject({
          topicArn,
          ...awsClient,
          region: z.string().optional().describe('AWS region; without it that of the topic’s ARN'),
        })
        .optional(),
      giveUpAfter: duration('6h', { from: '1m', to: '7d' }).describe(
        'an alert that SNS does not take for this long is given up on, and kept for `weir alerts`',
      ),
      tellBehindAfter: duration('2m', { from: '30s', to: '1d' }).describe(
        'further behind the stream than this is told through SNS: storms since then are not seen yet',
      ),
    })
    .prefault({}),
  gateway: z.strictObject(gateway).optional().describe('the API Gateway whose usage plans are throttled'),
  gateways: z
    .record(z.string().min(1), z.strictObject(gateway))
    .default({})
    .describe('API Gateways of further accounts and regions, by a name of your own that tenants.yaml’s keys refer to'),
  throttle: throttle.prefault({}),
  incident: z
    .strictObject({
      staysAbove: z
        .number()
        .min(0.05)
        .max(1)
        .default(0.5)
        .describe('an open incident stays open while a score is above this'),
      closesAfter: duration('60s', { from: '1s', to: '1d' }).describe('… and closes after so long below it'),
    })
    .prefault({}),
  platform: z
    .strictObject({
      keys: z.number().int().min(2).default(3).describe('at least so many keys wrong at once …'),
      share: z
        .number()
        .min(0)
        .max(1)
        .default(0.3)
        .describe('… and at least this share of those active: then the API is sick, not its clients'),
    })
    .prefault({}),
  pool: z
    .strictObject({
      concurrency: z
        .number()
        .int()
        .min(1)
        .describe('so many calls can run at once, of all clients together: a function’s concurrency, a worker pool'),
    })
    .optional()
    .describe('what all calls run in; without it pool-share is blind'),
  detectors: z
    .strictObject(Object.fromEntries(detectors.map(detector => [detector.name, detectorSettings(detector)])))
    .prefault({}),
  tenants: z.string().optional().describe('path of tenants.yaml, from the folder of this file'),
  metrics: z.strictObject({ cloudWatch: cloudWatch.prefault({}) }).prefault({}),
  audit: z
    .strictObject({
      // Four hundred days: a year, and the month in which somebody asks about it.
      keepFor: duration('400d', { from: '1d', to: '3660d' }).describe(
        'how long the audit log is kept; whole months are deleted when all of the month is longer ago',
      ),
    })
    .prefault({}),
  server,
  state: z
    .strictObject({
      directory: z.string().min(1).default('.weir').describe('checkpoint, effect journal, audit log and rejects'),
      shared: z
        .boolean()
        .default(false)
        .describe(
          'true: several workers of one Kafka group use this directory, each partition with a part of its own (keyed streams)',
        ),
      checkpointEvery: duration('5s', { from: '100ms', to: '10m' }).describe('time between checkpoints'),
      maxKeys: z
        .number()
        .int()
        .min(1_000)
        .max(4_000_000)
        .default(1_000_000)
        .describe(
          'known keys, up to 3.7 KB of memory each; beyond it the longest idle that no tenant owns are forgotten',
        ),
    })
    .prefault({}),
})

/** A key written out as `{id}` is an id by the user's word, even where it looks like a key's value. */
export interface TenantKey {
  readonly id: string
  readonly hash?: string | undefined
  readonly gateway?: string | undefined
  readonly usagePlan?: string | undefined
  readonly way?: WayName | undefined
}

const tenant = z.strictObject({
  name: z.string().min(1).optional().describe('as people know it'),
  keys: z
    .array(
      z
        .union([
          z
            .string()
            .min(1)
            .transform((id): TenantKey => ({ id })),
          z
            .strictObject({
              id: z.string().min(1),
              hash: z.string().startsWith('hash:').optional().describe('as Weir shows a raw key that the log carries'),
              gateway: z.string().min(1).optional().describe('its name in `gateways`, where it is not in `gateway`'),
              usagePlan: z.string().min(1).optional().describe('id of its plan, where it is not the tenant’s'),
              way: tenantWay,
            })
            .transform((key): TenantKey => key),
        ])
        .meta({ expected: 'an API key id, as text in quotes, or {id, …}' }),
    )
    .min(1)
    .describe('API key ids (not values)')
    .meta({ expected: 'a list of API key ids, as text in quotes, or {id, …}' }),
  contact: z.string().min(1).optional().describe('whom to call'),
  escalation: z.string().min(1).optional().describe('name or link of the escalation policy'),
  usagePlan: z.string().min(1).optional().describe('id of the plan; without it the gateway is asked'),
  way: tenantWay,
  exempt: z.boolean().default(false).describe('never acted upon, alerted on all the same'),
  planned: z
    .array(plannedEvent)
    .default([])
    .describe('events of which it is known that they bring more: of the tenant as a whole, and of each of its keys')
    .meta({ expected: 'a list of events {when or from and to, zone, upTo, note}' }),
})

export const tenantsSchema = z.strictObject({
  planned: z
    .array(plannedEvent)
    .default([])
    .describe('the same of every client there is, also of those that are not listed here')
    .meta({ expected: 'a list of events {when or from and to, zone, upTo, note}' }),
  tenants: z.record(z.string().min(1), tenant).default({}).describe('tenants by an id of your own'),
})

export type GatewayConfig = NonNullable<WeirConfig['gateway']>
export type DeadMansSwitchConfig = NonNullable<GatewayConfig['deadMansSwitch']>
export type KafkaSourceConfig = z.output<typeof kafkaSource>
export type WeirConfig = z.output<typeof weirSchema>
export type TenantsConfig = z.output<typeof tenantsSchema>
export type Tenant = TenantsConfig['tenants'][string]
export type Mode = WeirConfig['mode']
export type { FormatName } from '../formats/field-names.ts'
