/**
 * From two parsed files to a configuration, or to everything that is wrong with them at once: a person who mends one
 * complaint only to meet the next stops reading them. What the schema cannot say of one value (two tenants with one key,
 * `enforce` without a gateway) is checked here on the raw values, so that a wrong type elsewhere hides none of it.
 */
import type { z } from 'zod'
import { terminalSafe } from '../explanation/plain-text.ts'
import { csvHeaderOf } from '../formats/csv.ts'
import { type FormatName, fieldNamesOf, formatNames, latencyUnitsMs } from '../formats/field-names.ts'
import { ANONYMOUS } from '../vocabulary.ts'
import { type TenantsConfig, tenantsSchema, type WeirConfig, weirSchema } from './config.ts'
import {
  type ConfigPath,
  expectedOf,
  isMapping,
  namesAt,
  nodeAt,
  settingPaths,
  settings,
  valueAt,
} from './reference.ts'
import { looksLikeSecret, shownValue, withoutSecrets } from './secret.ts'
import { wayComplaints } from './way-schema.ts'

export type ConfigFile = 'weir' | 'tenants'

export interface Complaint {
  readonly file: ConfigFile
  readonly kind: 'wrong' | 'missing' | 'unknown' | 'syntax' | 'conflict'
  readonly path: ConfigPath
  /** What stands there, fit to be shown: secrets are hidden. undefined: nothing stands there. */
  readonly value: string | undefined
  /** What would be right. */
  readonly right: string
}

/** So many are told: who reads a file of another kind as a configuration has one for each of its lines. */
export const mostComplaints = 100

export type CheckedConfig =
  | { readonly kind: 'good'; readonly config: WeirConfig; readonly tenants: TenantsConfig }
  | { readonly kind: 'bad'; readonly complaints: readonly Complaint[] }

/**
 * `weir` and `tenants` as their files say them: plain values, nothing filled in. With `acts: false` (a replay, which
 * touches nothing) what only matters where limits are changed is let pass.
 */
export function checkConfig(raw: Readonly<Record<ConfigFile, unknown>>, { acts = true } = {}): CheckedConfig {
  const weir = withoutEmpty(raw.weir, 'weir')
  const tenants = withoutEmpty(raw.tenants, 'tenants')
  const config = weirSchema.safeParse(weir)
  const directory = tenantsSchema.safeParse(tenants)
  const complaints = [
    ...(config.error?.issues ?? []).slice(0, mostComplaints).flatMap(issue => complaintsOf(issue, 'weir', weir)),
    ...conflictingFields(weir),
    ...headerComplaints(weir),
    ...(acts ? enforceWithoutGateway(weir) : []),
    ...externalIdsWithoutRole(weir),
    ...sameGateways(weir),
    ...switchesElsewhere(weir),
    ...followedPipe(weir),
    ...(directory.error?.issues ?? [])
      .slice(0, mostComplaints)
      .flatMap(issue => complaintsOf(issue, 'tenants', tenants)),
    ...oneMetricTwice(config.data ?? weir),
    ...keyComplaints(tenants),
    ...(acts ? unknownGateways(tenants, namesOf(valueAt(weir, ['gateways']))) : []),
    ...(acts ? waysWithoutMeans(weir, tenants) : []),
    ...(acts && valueAt(weir, ['mode']) === 'enforce' ? sharedPlans(tenants, gatewaysIn(weir)) : []),
  ]
  return config.success && directory.success && complaints.length === 0
    ? { kind: 'good', config: config.data, tenants: directory.data }
    : { kind: 'bad', complaints }
}

/** One complaint as a line: `throttle.headroom is 0.5: should be a number from 1 to 10`. Nothing in it steers a terminal. */
export const complaintText = (complaint: Complaint): string => terminalSafe(sentence(complaint))

function sentence({ kind, path, value, right }: Complaint): string {
  const name = pathText(path)
  switch (kind) {
    case 'wrong':
    case 'conflict':
      return `${name} is ${value ?? 'empty'}: should be ${right}`
    case 'missing':
      return `${name} is missing: should be ${right}`
    case 'unknown':
      return `${name}${value === undefined ? '' : ` (${value})`} is no setting: ${right}`
    case 'syntax':
      return right
    default:
      return kind satisfies never
  }
}

/** `tenants.client-a.keys[1]`; a name with a dot in it is quoted, what looks like a secret is hidden. */
export function pathText(path: ConfigPath): string {
  return path
    .map((key, i) => {
      if (typeof key === 'number') return `[${key}]`
      const shown = withoutSecrets(key)
      return (i === 0 ? '' : '.') + (/^[\w@-]+$/.test(shown) ? shown : JSON.stringify(shown))
    })
    .join('')
}

/**
 * A name with nothing behind it, as when all below it is commented out: an empty mapping where a mapping belongs, and
 * elsewhere the same as no name at all.
 */
function withoutEmpty(value: unknown, file: ConfigFile): unknown {
  // Either file is one.
  const isMappingAt = (path: ConfigPath): boolean =>
    path.length === 0 || nodeAt(settings[file], path, value)?.type === 'object'
  const clean = (at: unknown, path: ConfigPath): unknown => {
    if (at === null || at === undefined) return isMappingAt(path) ? {} : undefined
    if (Array.isArray(at)) return at.map((item, i) => (isMapping(item) ? clean(item, [...path, i]) : item))
    if (!isMapping(at)) return at
    return Object.fromEntries(
      Object.entries(at)
        .map(([name, below]) => [name, clean(below, [...path, name])] as const)
        .filter(([, below]) => below !== undefined),
    )
  }
  return clean(value, [])
}

function complaintsOf(issue: z.core.$ZodIssue, file: ConfigFile, root: unknown): readonly Complaint[] {
  const path = issue.path.map(key => (typeof key === 'number' ? key : String(key)))
  if (issue.code === 'unrecognized_keys')
    return issue.keys.slice(0, mostComplaints).map(name => {
      const value = shownValue(valueAt(root, [...path, name]), name)
      return { file, kind: 'unknown', path: [...path, name], value, right: nearest(name, path, file, root) }
    })

  const value = valueAt(root, path)
  const node = nodeAt(settings[file], path, root)
  const ownWords = issue.code === 'custom' && issue.message !== 'Invalid input' ? issue.message : ''
  const expected = ownWords || (node ? expectedOf(node) : issue.message)
  if (value === undefined) return [{ file, kind: 'missing', path, value: undefined, right: expected }]
  // YAML reads 1234567890 and 12e4567 as numbers: an id written so has lost its digits before anyone sees it.
  const right = expected === 'text' && typeof value !== 'string' ? 'text, in quotes' : expected
  return [{ file, kind: 'wrong', path, value: shownValue(value, String(path.at(-1) ?? '')), right }]
}

/** The known name that was likely meant: one spelled nearly so here, or the same name at another place. */
function nearest(name: string, path: ConfigPath, file: ConfigFile, root: unknown): string {
  const names = namesAt(settings[file], path, root)
  // Who asks for a key's id must not be sent to where its value belongs, however near that is spelled.
  if (/key.*id/i.test(name) && names.includes('keyId')) return 'did you mean keyId?'
  const near = names
    .map(known => ({ known, distance: editDistance(name.toLowerCase(), known.toLowerCase()) }))
    .filter(({ known, distance }) => distance <= Math.max(known.length > 3 ? 2 : 1, Math.floor(known.length / 3)))
    .sort((a, b) => a.distance - b.distance)[0]
  if (near) return `did you mean ${near.known}?`
  const elsewhere = settingPaths(settings[file]).find(known => known.split('.').at(-1) === name)
  if (elsewhere) return `did you mean ${elsewhere}?`
  return names.length > 0 ? `known here: ${names.join(', ')}` : 'nothing is known here'
}

/** Insertions, deletions and replacements from one to the other. Names only: cost is the product of the lengths. */
function editDistance(from: string, to: string): number {
  const limited = from.slice(0, 64)
  let row = Array.from({ length: to.length + 1 }, (_, i) => i)
  for (let i = 1; i <= limited.length; i++) {
    const next = [i]
    for (let j = 1; j <= to.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (limited[i - 1] === to[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[to.length] ?? 0
}

function enforceWithoutGateway(weir: unknown): readonly Complaint[] {
  const hasGateway = valueAt(weir, ['gateway']) !== undefined || namesOf(valueAt(weir, ['gateways'])).length > 0
  if (valueAt(weir, ['mode']) !== 'enforce' || hasGateway) return []
  const right = 'observe or suggest: enforce needs `gateway: {region: …}`'
  return [{ file: 'weir', kind: 'conflict', path: ['mode'], value: '"enforce"', right }]
}

/** Nothing of standard input can be read again, and it is read until it ends as it is. */
function followedPipe(weir: unknown): readonly Complaint[] {
  const paths = valueAt(weir, ['source', 'paths'])
  if (valueAt(weir, ['source', 'follow']) !== true || !Array.isArray(paths) || !paths.includes('-')) return []
  const right = 'false where source.paths has `-`: standard input is read until it ends in any case'
  return [{ file: 'weir', kind: 'conflict', path: ['source', 'follow'], value: 'true', right }]
}

/** It is told to whoever assumes a role, and to nobody else. */
function externalIdsWithoutRole(weir: unknown): readonly Complaint[] {
  const gateways = valueAt(weir, ['gateways'])
  const named = isMapping(gateways) ? Object.keys(gateways).map(name => ['gateways', name]) : []
  return [['source'], ['alerts', 'sns'], ['gateway'], ['metrics', 'cloudWatch'], ...named].flatMap(
    (section): readonly Complaint[] => {
      const path = [...section, 'externalId']
      const value = valueAt(weir, path)
      if (value === undefined || valueAt(weir, [...section, 'roleArn']) !== undefined) return []
      const right = 'beside a roleArn, whose trust policy asks for it'
      return [{ file: 'weir', kind: 'conflict', path, value: shownValue(value, 'externalId'), right }]
    },
  )
}

/** Under two names the same plan would have two originals, and the account's one change in 20 s two queues. */
function sameGateways(weir: unknown): readonly Complaint[] {
  const known = new Map<string, string>()
  const paths = [['gateway'], ...namesOf(valueAt(weir, ['gateways'])).map(name => ['gateways', name])]
  return paths.flatMap((path): readonly Complaint[] => {
    const settings = valueAt(weir, path)
    if (!isMapping(settings)) return []
    const { region, endpoint, roleArn } = settings
    const where = JSON.stringify([region, endpoint, roleArn])
    const other = known.get(where)
    known.set(where, other ?? pathText(path))
    if (other === undefined) return []
    const right = `another account or region than ${other}`
    return [{ file: 'weir', kind: 'conflict', path, value: 'a mapping', right }]
  })
}

/** The function asks the gateway of its own account and region, and Scheduler calls nothing elsewhere. */
function switchesElsewhere(weir: unknown): readonly Complaint[] {
  const paths = [['gateway'], ...namesOf(valueAt(weir, ['gateways'])).map(name => ['gateways', name])]
  return paths.flatMap((path): readonly Complaint[] => {
    const [functionArn, region] = [
      valueAt(weir, [...path, 'deadMansSwitch', 'functionArn']),
      valueAt(weir, [...path, 'region']),
    ]
    if (typeof functionArn !== 'string' || typeof region !== 'string' || functionArn.split(':')[3] === region) return []
    const right = `a function in ${region}, the region of ${pathText(path)}`
    return [
      { file: 'weir', kind: 'conflict', path: [...path, 'deadMansSwitch', 'functionArn'], value: functionArn, right },
    ]
  })
}

/** One field of the log cannot mean two things, above all not a key's id and its value; and a call took one time. */
function conflictingFields(weir: unknown): readonly Complaint[] {
  const written = weirSchema.shape.fields.safeParse(valueAt(weir, ['fields']) ?? {})
  if (!written.success) return []
  const { latency, latencyUnitMs, ...names } = fieldNamesOf(formatOf(weir), written.data)
  const unit = latencySettings.find(setting => latencyUnitsMs[setting] === latencyUnitMs) ?? 'latencyMs'
  const meaning = new Map<string, string>()
  const conflicts = Object.entries({ ...names, [unit]: latency }).flatMap(([name, candidates]) =>
    candidates.flatMap((field): readonly Complaint[] => {
      const other = meaning.get(field) ?? name
      meaning.set(field, other)
      if (other === name) return []
      // The complaint belongs to what the user wrote: the other may be a default that stands in no file.
      const [own, before] = valueAt(weir, ['fields', name]) === undefined ? [other, name] : [name, other]
      const right = `a field of its own: fields.${before} reads this one`
      return [{ file: 'weir', kind: 'conflict', path: ['fields', own], value: shownValue(field, ''), right }]
    }),
  )
  const [first, ...more] = latencySettings.filter(setting => written.data[setting] !== undefined)
  const twice = more.map((setting): Complaint => {
    const value = shownValue(written.data[setting]?.[0], '')
    const right = `left out: fields.${first} says already how long a call took`
    return { file: 'weir', kind: 'conflict', path: ['fields', setting], value, right }
  })
  return [...conflicts, ...twice]
}

/** A format that there is not is complained of elsewhere. */
const formatOf = (weir: unknown): FormatName => formatNames.find(name => name === valueAt(weir, ['format'])) ?? 'auto'

const latencySettings = ['latencyMs', 'latencySeconds', 'latencyMicros'] as const

/** A header that nothing reads would be believed to be in force; one without a time would cost every row. */
function headerComplaints(weir: unknown): readonly Complaint[] {
  const header = valueAt(weir, ['fields', 'header'])
  if (header === undefined && valueAt(weir, ['format']) === 'csv') {
    const kind = valueAt(weir, ['source', 'kind'])
    if (kind !== 'kafka' && kind !== 'kinesis') return []
    const right = 'the names of the columns: a stream does not begin with them'
    return [{ file: 'weir', kind: 'missing', path: ['fields', 'header'], value: undefined, right }]
  }
  if (typeof header !== 'string') return []
  const written = weirSchema.shape.fields.safeParse(valueAt(weir, ['fields']))
  const isCsv = valueAt(weir, ['format']) === 'csv'
  const times = fieldNamesOf('csv', written.data ?? {}).time
  if (isCsv && csvHeaderOf(header)?.names.some(name => times.includes(name)) !== false) return []
  const right = isCsv ? `one that names a column for the time: ${times.join(', ')}` : 'left out where format is not csv'
  return [{ file: 'weir', kind: 'conflict', path: ['fields', 'header'], value: shownValue(header, ''), right }]
}

interface RawKey {
  readonly tenant: string
  readonly path: ConfigPath
  readonly id: string
  /** Written as text: not vouched for by `{id}`. */
  readonly plain: boolean
  readonly hash: unknown
  readonly gateway: unknown
  readonly usagePlan: unknown
  readonly way: unknown
}

function keyComplaints(tenants: unknown): readonly Complaint[] {
  const ids = new Map<string, RawKey>()
  const hashes = new Map<string, RawKey>()
  return rawKeys(tenants).flatMap((key): readonly Complaint[] => {
    const { id, hash, path, plain } = key
    const complain = (at: ConfigPath, value: string | undefined, right: string): readonly Complaint[] => [
      { file: 'tenants', kind: 'conflict', path: at, value, right },
    ]
    if (plain && looksLikeSecret(id))
      return complain(path, shownValue(id, ''), 'the id of an API key, not its value (if it is an id, write {id: …})')
    if (id === ANONYMOUS)
      return complain(path, shownValue(id, ''), 'the id of an API key (calls without one are nobody’s)')
    const sameId = ids.get(id)
    if (sameId) return complain(path, shownValue(id, ''), `named once: it stands at ${pathText(sameId.path)} already`)
    ids.set(id, key)
    if (typeof hash !== 'string') return []
    const sameHash = hashes.get(hash)
    hashes.set(hash, key)
    return sameHash
      ? complain([...path, 'hash'], JSON.stringify(hash), `of one key only: ${pathText(sameHash.path)} has it already`)
      : []
  })
}

function rawKeys(tenants: unknown): readonly RawKey[] {
  return rawTenants(tenants).flatMap(([tenant, settingsOfOne]) => {
    const keys = valueAt(settingsOfOne, ['keys'])
    if (!Array.isArray(keys)) return []
    return keys.flatMap((key: unknown, i): readonly RawKey[] => {
      const path = ['tenants', tenant, 'keys', i]
      const told = {
        hash: valueAt(key, ['hash']),
        gateway: valueAt(key, ['gateway']),
        usagePlan: valueAt(key, ['usagePlan']),
        way: valueAt(key, ['way']),
      }
      if (typeof key === 'string') return [{ tenant, path, id: key, plain: true, ...told }]
      const id = valueAt(key, ['id'])
      return typeof id === 'string' ? [{ tenant, path, id, plain: false, ...told }] : []
    })
  })
}

function unknownGateways(tenants: unknown, known: readonly string[]): readonly Complaint[] {
  return rawKeys(tenants).flatMap(({ gateway, path }): readonly Complaint[] => {
    if (typeof gateway !== 'string' || known.includes(gateway)) return []
    const right =
      known.length === 0 ? 'a name in `gateways` of weir.yaml, which has none' : `one of ${known.join(', ')}`
    return [{ file: 'tenants', kind: 'conflict', path: [...path, 'gateway'], value: shownValue(gateway, ''), right }]
  })
}

const namesOf = (mapping: unknown): readonly string[] => (isMapping(mapping) ? Object.keys(mapping) : [])

type RawGateways = Parameters<typeof wayComplaints>[0]

/** By name; `gateway` has none. */
function gatewaysIn(weir: unknown): RawGateways {
  const paths = [['gateway'], ...namesOf(valueAt(weir, ['gateways'])).map(name => ['gateways', name])]
  return new Map(
    paths.flatMap(path => {
      const settings = valueAt(weir, path)
      return isMapping(settings) ? [[path[1], { path, settings }] as const] : []
    }),
  )
}

function waysWithoutMeans(weir: unknown, tenants: unknown): readonly Complaint[] {
  const ofTenants = rawTenants(tenants).flatMap(([tenant, settingsOfOne]) => {
    const way = valueAt(settingsOfOne, ['way'])
    const keys = rawKeys({ tenants: { [tenant]: settingsOfOne } })
    const gateways = new Set(keys.filter(key => key.way === undefined).map(({ gateway }) => gateway))
    const own = [...gateways].map(gateway => ({ path: ['tenants', tenant, 'way'], way, gateway }))
    return [...own, ...keys.map(key => ({ path: [...key.path, 'way'], way: key.way, gateway: key.gateway }))]
  })
  return wayComplaints(gatewaysIn(weir), ofTenants).map(one => ({ kind: 'conflict', ...one }))
}

/** Lowering a plan lowers it for all who are in it, the exempt ones too: only a plan of the tenant's own is lowered. */
function sharedPlans(tenants: unknown, gateways: RawGateways): readonly Complaint[] {
  const owner = new Map<string, string>()
  const plans = rawTenants(tenants).flatMap(([tenant, settingsOfOne]) => {
    const own = { tenant, plan: valueAt(settingsOfOne, ['usagePlan']), path: ['tenants', tenant, 'usagePlan'] }
    const wayOf = (key: RawKey): unknown => {
      const at = gateways.get(typeof key.gateway === 'string' ? key.gateway : undefined)
      return key.way ?? valueAt(settingsOfOne, ['way']) ?? at?.settings.way ?? 'own-plan'
    }
    const ofKeys = rawKeys({ tenants: { [tenant]: settingsOfOne } }).filter(key => wayOf(key) === 'own-plan')
    return [
      ...(ofKeys.length > 0 ? [own] : []),
      ...ofKeys.map(({ usagePlan, path }) => ({ tenant, plan: usagePlan, path: [...path, 'usagePlan'] })),
    ]
  })
  return plans.flatMap(({ tenant, plan, path }): readonly Complaint[] => {
    if (typeof plan !== 'string') return []
    const other = owner.get(plan) ?? tenant
    owner.set(plan, other)
    if (other === tenant) return []
    const right = `a plan of this tenant’s own when mode is enforce: ${pathText(['tenants', other])} has it too`
    return [{ file: 'tenants', kind: 'conflict', path, value: shownValue(plan, ''), right }]
  })
}

function rawTenants(tenants: unknown): readonly (readonly [string, unknown])[] {
  const all = valueAt(tenants, ['tenants'])
  return isMapping(all) ? Object.entries(all) : []
}

/** Calls and what is usual in one metric would be neither. */
function oneMetricTwice(weir: unknown): readonly Complaint[] {
  const rates = ['metrics', 'cloudWatch', 'rates']
  const metric = valueAt(weir, [...rates, 'metric'])
  const value = valueAt(weir, [...rates, 'usualMetric'])
  if (typeof value !== 'string' || value !== metric) return []
  const right = 'another name than that of `metric`'
  return [{ file: 'weir', kind: 'conflict', path: [...rates, 'usualMetric'], value: JSON.stringify(value), right }]
}
