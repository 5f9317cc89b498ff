/**
 * Both configuration files: whatever they say, there is a configuration or there are complaints, each in one sentence with a
 * place. Nothing else is ever thrown, no alias multiplies without end, and no name reaches a prototype.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadConfig, loadTenantsOf } from '../../cli/config-file.ts'
import { tenantDirectory } from '../../core/config/tenants.ts'
import { StreamError } from '../../core/errors.ts'
import { parseInstant, parseRecurring, stretchesOf } from '../../core/planned/when.ts'
import { DAY_MS } from '../../core/vocabulary.ts'
import type { FuzzTarget } from './target.ts'

const root = join(import.meta.dirname, '..', '..', '..')
/** The build stands a folder deeper than the source. */
const example = (name: string): string => {
  try {
    return readFileSync(join(root, name), 'utf8')
  } catch {
    return readFileSync(join(root, '..', name), 'utf8')
  }
}

/** Stretches of the example with what is commented out in force, and some small ones: most mistakes are in few lines. */
function pieces(text: string): readonly string[] {
  const lines = text.split('\n').map(line => line.replace(/^(\s*)# (?=\s*[\w-]+:)/, '$1'))
  const blocks = lines
    .join('\n')
    .split(/\n\s*\n/)
    .filter(block => block.trim() !== '')
  return [text, lines.join('\n'), ...blocks]
}

const weirPieces = [
  ...pieces(example('weir.example.yaml')),
  'mode: enforce\ngateway: {region: eu-west-1}\nalerts: {sns: {topicArn: "arn:aws:sns:eu-west-1:123456789012:t"}}\n',
  'source: {kind: kafka, brokers: [a:9092], topic: t, groupId: g, keyed: true}\nthrottle: {headroom: 1.5, floor: {rate: 1, burst: 2}}\n',
  'detectors:\n  request-surge: {timesUsual: 3}\n  retry-storm: {enabled: false}\nfields: {keyId: [a, b.c], latencySeconds: took}\nformat: envoy\n',
  'gateways:\n  a: {region: eu-west-1, roleArn: "arn:aws:iam::123456789012:role/x", externalId: y}\n  b: {region: us-east-1}\nserver: {listen: "0.0.0.0:9464", token: {env: T}, hosts: [a.b]}\n',
]
const tenantsPieces = [
  ...pieces(example('tenants.example.yaml')),
  'tenants:\n  a: {name: A, contact: "x@y", keys: [k1, {id: k2, gateway: g, hash: "hash:0123456789abcdef"}], exempt: true}\n',
  'planned:\n  - {from: 2026-11-27 00:00, to: 2026-11-28 00:00, zone: America/New_York, upTo: 5x}\n  - {when: daily 02:00-03:00, upTo: 20x}\ntenants: {}\n',
  'tenants:\n  a: {keys: [k1]}\n  b: {keys: [k1, k1], usagePlan: p}\n  "c.d": {keys: [anonymous]}\n',
]

const chosen = (texts: readonly string[], seed: number): Buffer => Buffer.from(texts[seed % texts.length] ?? '')

const missing = (): Promise<never> => Promise.reject(Object.assign(new Error('not there'), { code: 'ENOENT' }))

/** What came of reading, as text: twice the same. */
async function outcome(load: () => Promise<object>): Promise<string> {
  try {
    return JSON.stringify(await load())
  } catch (error) {
    if (!(error instanceof StreamError) || !error.code.startsWith('CONFIG_')) throw error
    const { message } = error
    if (message.length > 1_000_000) throw new Error(`its complaint has ${message.length} characters`)
    return message
  }
}

async function judge(load: () => Promise<object>): Promise<string | undefined> {
  const one = await outcome(load)
  if (({} as { polluted?: unknown }).polluted !== undefined || Object.hasOwn(Object.prototype, 'a')) {
    Reflect.deleteProperty(Object.prototype, 'a')
    return 'a name in it reached the prototype of all objects'
  }
  // Complaints are read in a terminal and stand in a log.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
  const control = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/.exec(one)
  if (control !== null && !one.startsWith('{'))
    return `a complaint holds ${JSON.stringify(control[0])}: ${JSON.stringify(one.slice(0, 400))}`
  return one === (await outcome(load)) ? undefined : 'it is read otherwise the second time'
}

const weir: FuzzTarget = {
  name: 'weir.yaml',
  share: 6,
  valid: seed => chosen(weirPieces, seed),
  judge: input =>
    judge(() =>
      loadConfig('weir.yaml', {
        readFile: path => (path.endsWith('weir.yaml') ? Promise.resolve(input.toString()) : missing()),
      }),
    ),
}

const tenants: FuzzTarget = {
  name: 'tenants.yaml',
  share: 6,
  valid: seed => chosen(tenantsPieces, seed),
  judge: input =>
    judge(async () => {
      const loaded = await loadTenantsOf('.', { readFile: () => Promise.resolve(input.toString()) })
      const { byKey, places, planned } = tenantDirectory(loaded.tenants)
      const now = Date.UTC(2026, 10, 27)
      // What is planned is asked each minute of a worker's life.
      for (const event of [...planned.fleet, ...[...planned.byTenant.values()].flat()].slice(0, 5))
        stretchesOf(event.when, { from: now, to: now + DAY_MS })
      return { keys: byKey.size, places: places.size }
    }),
}

const recurring = [
  ...['daily 02:00-03:00', 'Mon, Thu 22:00 for 4h', 'weekdays 09:00-17:30', 'monthly 1, 15 06:00-08:00'],
  ...[
    'monthly last day 22:00-02:00',
    'daily 00:00 for 7d',
    '2026-11-27T18:00:00Z',
    '2026-11-27 18:00',
    '0001-01-01 00:00',
  ],
]
const zones = ['UTC', 'Europe/Berlin', 'America/New_York', 'Pacific/Apia', 'Asia/Kathmandu']

const when: FuzzTarget = {
  name: 'planned',
  share: 4,
  valid: seed => chosen(recurring, seed),
  judge(input, seed) {
    const [text, zone] = [input.toString(), zones[seed % zones.length] ?? 'UTC']
    const at = parseInstant(text, zone)
    if (at !== undefined && !(Math.abs(at) <= 8.64e15)) return `it is at ${at}`
    const parsed = parseRecurring(text, zone)
    if (parsed === undefined) return undefined
    const from = Date.UTC(2026, seed % 12, 1 + (seed % 28))
    const stretches = stretchesOf(parsed, { from, to: from + 3 * DAY_MS })
    if (stretches.length > 20) return `it is ${stretches.length} times in three days`
    return stretches.every(one => one.to > one.from)
      ? undefined
      : `it ends before it begins: ${JSON.stringify(stretches)}`
  },
}

export const configTargets: readonly FuzzTarget[] = [weir, tenants, when]
