/**
 * What the schema knows of every setting: the reference that `weir config` prints, and the words in which a
 * complaint says what would be right. Both are made from the schema, so neither can tell of a setting that is not there.
 */
import { z } from 'zod'
import { tenantsSchema, weirSchema } from './config.ts'

export type ConfigPath = readonly (string | number)[]
type Node = z.core.JSONSchema.JSONSchema

/** Worked out where somebody asks: a replay without files of its own does not, and it would take a thirtieth of its start. */
export const settings = {
  get weir(): Node {
    made.weir ??= z.toJSONSchema(weirSchema, { io: 'input' }) as Node
    return made.weir
  },
  get tenants(): Node {
    made.tenants ??= z.toJSONSchema(tenantsSchema, { io: 'input' }) as Node
    return made.tenants
  },
}
const made: { weir?: Node; tenants?: Node } = {}

/** All settings of both files as Markdown: path, what it may be, default, sentence. */
export function describeConfig(): string {
  const table = (node: Node) => [
    '| setting | value | default | meaning |',
    '|---|---|---|---|',
    ...rows(node, '').map(row => `| ${row.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`),
  ]
  return ['## weir.yaml', '', ...table(settings.weir), '', '## tenants.yaml', '', ...table(settings.tenants), ''].join(
    '\n',
  )
}

/** Paths of all settings of a file, in the order of the schema. */
export function settingPaths(node: Node): readonly string[] {
  return rows(node, '').map(([path]) => path.replaceAll('`', ''))
}

/** The schema of what stands at `path` in `value`, or undefined where there is no such setting. */
export function nodeAt(node: Node, path: ConfigPath, value: unknown): Node | undefined {
  const [key, ...rest] = path
  if (key === undefined) return node
  const below = valueAt(value, [key])
  if (typeof key === 'number') return isNode(node.items) ? nodeAt(node.items, rest, below) : undefined

  const branches = options(node)
  if (branches.length > 0) {
    // Which branch is meant is said by `kind` or `mechanism`; while that is wrong itself, all it may be is known.
    const kinds = branches.flatMap(kindsOf)
    if (kindNames.includes(String(key)) && kinds.length > 0) return { enum: kinds }
    const meant = branchOf(branches, value)
    return meant && nodeAt(meant, path, value)
  }
  const property = node.properties?.[key] ?? node.additionalProperties
  return isNode(property) ? nodeAt(property, rest, below) : undefined
}

/** The names known inside of what stands at `path`. */
export function namesAt(node: Node, path: ConfigPath, value: unknown): readonly string[] {
  const at = nodeAt(node, path, value)
  if (!at) return []
  const meant = branchOf(options(at), valueAt(value, path)) ?? at
  return Object.keys(meant.properties ?? {})
}

/** `a whole number from 1 to 5`: what may stand there. */
export function expectedOf(node: Node): string {
  if (typeof node.expected === 'string') return node.expected
  if (node.const !== undefined) return String(node.const)
  if (node.enum) return `one of ${node.enum.join(', ')}`
  const branches = options(node)
  const kinds = branches.flatMap(kindsOf)
  if (kinds.length > 0)
    return `a mapping whose ${kindNameOf(branches[0])} is ${kinds.join(', ').replace(/, ([^,]+)$/, ' or $1')}`
  if (branches.length > 0) return branches.map(expectedOf).join(' or ')
  switch (node.type) {
    case 'integer':
      return `a whole number${range(node)}`
    case 'number':
      return `a number${range(node)}`
    case 'boolean':
      return 'true or false'
    case 'array':
      return `a list of ${isNode(node.items) ? expectedOf(node.items) : 'values'}`
    case 'object':
      return 'a mapping'
    default:
      if (node.format === 'uri') return 'a URL'
      return node.format === 'date-time' ? 'a time with zone, e.g. 2026-11-20T14:00:00Z' : 'text'
  }
}

/** What stands at `path`, or undefined. */
export function valueAt(value: unknown, path: ConfigPath): unknown {
  return path.reduce<unknown>((at, key) => {
    if (Array.isArray(at)) return at[Number(key)]
    return isMapping(at) && Object.hasOwn(at, key) ? at[key] : undefined
  }, value)
}

export function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

type Row = readonly [path: string, value: string, fallback: string, meaning: string]

function rows(node: Node, path: string, required = false): readonly Row[] {
  const inside = (name: string) => (path === '' ? name : `${path}.${name}`)
  const properties = Object.entries(node.properties ?? {})
  const branches = options(node).filter(branch => branch.properties)
  const fallback = required ? '(required)' : shownDefault(node)
  if (isNode(node.additionalProperties)) return rows(node.additionalProperties, inside('<id>'))
  if (properties.length > 0) {
    const own: readonly Row[] = node.description ? [[`\`${path}\``, 'a mapping', '', node.description]] : []
    return [
      ...own,
      ...properties.flatMap(([name, property]) =>
        isNode(property) ? rows(property, inside(name), node.required?.includes(name)) : [],
      ),
    ]
  }
  // A list whose items may also be mappings (keys of a tenant) is one setting; a choice of mappings is a row for each.
  if (branches.length > 0 && node.type !== 'array')
    return [
      [`\`${path}\``, expectedOf(node), fallback, node.description ?? ''],
      ...branches.flatMap(branch => rows(branch, `${path} (${kindsOf(branch).join(', ') || 'mapping'})`)),
    ]
  const own: Row = [`\`${path}\``, expectedOf(node), fallback, node.description ?? '']
  const items = isNode(node.items) && node.items.properties ? rows(node.items, `${path}[]`) : []
  return [own, ...items]
}

function shownDefault({ default: filledIn, usual }: Node): string {
  const value = filledIn ?? usual
  if (value === undefined) return ''
  return typeof value === 'object' ? [value].flat().map(String).join(', ') : String(value)
}

function range({ minimum, maximum }: Node): string {
  // A whole number without bounds has those of what a double can hold: nothing a person would want to read.
  const from = minimum === undefined || minimum <= Number.MIN_SAFE_INTEGER ? undefined : minimum
  const to = maximum === undefined || maximum >= Number.MAX_SAFE_INTEGER ? undefined : maximum
  if (from !== undefined && to !== undefined) return ` from ${from} to ${to}`
  if (from !== undefined) return ` of at least ${from}`
  return to === undefined ? '' : ` of at most ${to}`
}

function options(node: Node): readonly Node[] {
  return (node.oneOf ?? node.anyOf ?? []).filter(isNode)
}

/** The setting of a mapping that says which of several kinds of mapping it is. */
const kindNames: readonly string[] = ['kind', 'mechanism']

const kindNameOf = (branch: Node | undefined): string | undefined =>
  kindNames.find(name => branch?.properties?.[name] !== undefined)

/** What it may be for the branch to be meant: nothing where the branch has no such setting. */
function kindsOf(branch: Node): readonly string[] {
  const node = branch.properties?.[kindNameOf(branch) ?? '']
  return isMapping(node) && Array.isArray(node.enum) ? node.enum.map(String) : [constant(node) ?? []].flat()
}

/** Of branches with kinds the one of that kind; of others the one that is a mapping. */
function branchOf(branches: readonly Node[], value: unknown): Node | undefined {
  const kind = valueAt(value, [kindNameOf(branches.find(branch => kindNameOf(branch))) ?? 'kind'])
  return branches.find(branch => {
    const kinds = kindsOf(branch)
    return kinds.length > 0 ? kinds.some(each => each === kind) : branch.properties !== undefined && kind === undefined
  })
}

function constant(node: unknown): string | undefined {
  return isMapping(node) && typeof node.const === 'string' ? node.const : undefined
}

function isNode(node: unknown): node is Node {
  return isMapping(node)
}
