/**
 * weir.yaml and the tenants.yaml beside it, read once at the edge. Whatever is wrong in either is told together, each
 * complaint with its file, line and column: `weir.yaml:12:13  throttle.headroom is 0.5: should be a number from 1 to 10`.
 */
import { basename, dirname, join, resolve } from 'node:path'
import type { Document } from 'yaml'
import { type Complaint, type ConfigFile, checkConfig, complaintText, mostComplaints } from '../core/config/check.ts'
import type { TenantsConfig, WeirConfig } from '../core/config/config.ts'
import { type ConfigPath, isMapping } from '../core/config/reference.ts'
import { withoutSecrets } from '../core/config/secret.ts'
import { StreamError } from '../core/errors.ts'
import { beyondBounds, namesTwice } from './yaml-bounds.ts'

export interface LoadedConfig {
  readonly config: WeirConfig
  readonly tenants: TenantsConfig
  /** The files it came from: that of the tenants only where there is one. */
  readonly files: readonly string[]
}

export interface ConfigReading {
  /** False where no limit is ever changed: what only matters there is let pass. */
  readonly acts?: boolean
  /** Rejects with `code: 'ENOENT'` where there is no such file, as `node:fs/promises` does. */
  readonly readFile: (path: string) => Promise<string>
}

const defaultTenants = 'tenants.yaml'

/** Throws StreamError: CONFIG_UNREADABLE if the file cannot be read, CONFIG_INVALID with all complaints in its message. */
export async function loadConfig(path: string, { readFile, acts }: ConfigReading): Promise<LoadedConfig> {
  const weir = await parseYaml('weir', path, await readOrThrow(path, readFile))
  const named = namedTenants(weir.value)
  const tenantsPath = tenantsPathOf(path, named)
  const text = await readIfThere(tenantsPath, readFile)
  const tenants = text === undefined ? undefined : await parseYaml('tenants', tenantsPath, text)
  const missing = named !== undefined && text === undefined ? [missingTenants(named)] : []
  return checkFiles(path, { weir, tenants }, missing, acts)
}

/** Every default, and the tenants.yaml of `folder` if there is one. Throws as `loadConfig` does. */
export async function loadTenantsOf(folder: string, { readFile, acts }: ConfigReading): Promise<LoadedConfig> {
  const path = join(folder, defaultTenants)
  const text = await readIfThere(path, readFile)
  const tenants = text === undefined ? undefined : await parseYaml('tenants', path, text)
  return checkFiles(path, { weir: undefined, tenants }, [], acts)
}

/**
 * The text of the tenants that belong to this configuration; undefined where there is no such file. Throws
 * CONFIG_UNREADABLE.
 */
export async function tenantsText(path: string, readFile: ConfigReading['readFile']): Promise<string | undefined> {
  const weir = await parseYaml('weir', path, await readOrThrow(path, readFile))
  return readIfThere(tenantsPathOf(path, namedTenants(weir.value)), readFile)
}

const namedTenants = (weir: unknown): string | undefined =>
  isMapping(weir) && typeof weir.tenants === 'string' ? weir.tenants : undefined

const tenantsPathOf = (path: string, named: string | undefined): string =>
  resolve(dirname(path), named ?? defaultTenants)

interface ParsedFiles {
  readonly weir: ParsedFile | undefined
  readonly tenants: ParsedFile | undefined
}

/** What the files say, or everything that is wrong with them: `path` is the one that the user named. */
function checkFiles(
  path: string,
  { weir, tenants }: ParsedFiles,
  missing: readonly Complaint[],
  acts: boolean | undefined,
): LoadedConfig {
  const files = [weir, tenants].filter(file => file !== undefined)
  const checked = checkConfig({ weir: weir?.value, tenants: tenants?.value }, { acts })
  const complaints: readonly Complaint[] = [
    ...(weir?.complaints ?? []),
    ...missing,
    ...(tenants?.complaints ?? []),
    ...(checked.kind === 'bad' ? checked.complaints : []),
  ]
  if (checked.kind === 'good' && complaints.length === 0)
    return { config: checked.config, tenants: checked.tenants, files: files.map(file => file.path) }

  const found = files.flatMap(file =>
    complaints
      // Where one stands is looked for through all before it.
      .slice(0, mostComplaints)
      .filter(complaint => complaint.file === (file === weir ? 'weir' : 'tenants'))
      .map(complaint => ({ offset: file.offsetOf(complaint), file, what: complaintText(complaint) }))
      .sort((a, b) => (a.offset ?? 0) - (b.offset ?? 0)),
  )
  const lines = found.map(({ offset, file, what }) => {
    const at = offset === undefined ? '' : file.positionAt(offset)
    return { where: `${basename(file.path)}${at}`, what }
  })
  throw new StreamError('CONFIG_INVALID', complaintsText(path, lines), {
    retry: 'never',
    hint: 'weir config lists every setting with its unit and default',
  })
}

interface ParsedFile {
  readonly path: string
  /** What the file says; undefined where it is not YAML, so that the other file is still checked. */
  readonly value: unknown
  readonly complaints: readonly Complaint[]
  /** Where what a complaint is about begins, or the nearest thing around it that is in the file. */
  readonly offsetOf: (complaint: Complaint) => number | undefined
  /** `:line:column` */
  readonly positionAt: (offset: number) => string
}

async function parseYaml(file: ConfigFile, path: string, text: string): Promise<ParsedFile> {
  // Loaded only where there is a file to parse: most replays have none, and it takes as long as to read ten thousand lines.
  const yaml = await import('yaml')
  const lines = new yaml.LineCounter()
  const positionAt = (offset: number) => {
    const { line, col } = lines.linePos(offset)
    return `:${line}:${col}`
  }
  const syntax = (message: string): Complaint => {
    return { file, kind: 'syntax', path: [], value: undefined, right: withoutSecrets(message) }
  }
  const beyond = beyondBounds(yaml, text)
  if (beyond !== undefined) {
    lines.addNewLine(0)
    for (let at = text.indexOf('\n'); at >= 0 && at < beyond.offset; at = text.indexOf('\n', at + 1))
      lines.addNewLine(at + 1)
    return { path, value: undefined, complaints: [syntax(beyond.says)], offsetOf: () => beyond.offset, positionAt }
  }
  // Its own look for names that stand twice compares each with all before it: a minute for twenty thousand tenants.
  const document = yaml.parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false })
  const errors = [
    ...document.errors.map(({ message, pos }) => [message, pos[0]] as const),
    ...namesTwice(yaml, document),
  ]
  if (errors.length > 0) {
    const offsets = new Map(errors.slice(0, mostComplaints).map(([message, offset]) => [syntax(message), offset]))
    const complaints = [...offsets.keys()]
    return { path, value: undefined, complaints, offsetOf: complaint => offsets.get(complaint), positionAt }
  }
  try {
    const offsetOf = (complaint: Complaint) => offsetAt(yaml, document, complaint.path)
    return { path, value: document.toJS(), complaints: [], offsetOf, positionAt }
  } catch (error) {
    // The parser's guard against aliases that multiply without end: the one thing it finds only when it builds the value.
    const complaints = [syntax(error instanceof Error ? error.message : String(error))]
    return { path, value: undefined, complaints, offsetOf: () => undefined, positionAt }
  }
}

/** Where the value at `path` begins, or its name where the name is what is wrong, or the deepest thing above it. */
function offsetAt(
  { isNode, isPair, isScalar }: typeof import('yaml'),
  document: Document.Parsed,
  path: ConfigPath,
): number | undefined {
  for (let length = path.length; length > 0; length--) {
    const parent = document.getIn(path.slice(0, length - 1), true)
    const key = path[length - 1]
    const pairs = isNode(parent) && 'items' in parent ? parent.items : []
    const pair = pairs.find(item => isPair(item) && isScalar(item.key) && String(item.key.value) === key)
    if (isPair(pair) && isScalar(pair.key) && pair.key.range) return pair.key.range[0]
    const item = document.getIn(path.slice(0, length), true)
    if (isNode(item) && item.range) return item.range[0]
  }
  return undefined
}

function missingTenants(named: string): Complaint {
  const right = 'the path of a file that is there, from the folder of this one'
  return { file: 'weir', kind: 'wrong', path: ['tenants'], value: JSON.stringify(named), right }
}

function complaintsText(path: string, lines: readonly { readonly where: string; readonly what: string }[]): string {
  const width = Math.max(...lines.map(({ where }) => where.length))
  const many = lines.length < mostComplaints ? `${lines.length} things are` : `${mostComplaints} things and more are`
  const count = lines.length === 1 ? 'one thing is' : many
  return [`Cannot use ${path}: ${count} wrong`, ...lines.map(l => `  ${l.where.padEnd(width)}  ${l.what}`)].join('\n')
}

const unreadable: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'it is a directory',
  EACCES: 'it may not be read by this user',
}

const codeOf = (cause: unknown): string => (cause instanceof Error && 'code' in cause ? String(cause.code) : '')

async function readOrThrow(path: string, readFile: ConfigReading['readFile']): Promise<string> {
  try {
    return await readFile(path)
  } catch (cause) {
    const reason = unreadable[codeOf(cause)] ?? (cause instanceof Error ? cause.message : String(cause))
    throw new StreamError('CONFIG_UNREADABLE', `Cannot read the configuration ${path}: ${reason}`, {
      retry: 'never',
      hint: 'Give its path with --config; weir.example.yaml shows what one looks like',
      cause,
    })
  }
}

async function readIfThere(path: string, readFile: ConfigReading['readFile']): Promise<string | undefined> {
  try {
    return await readFile(path)
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return undefined
    return readOrThrow(path, () => Promise.reject(cause))
  }
}
