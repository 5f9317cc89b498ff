/**
 * Who may import whom.
 *
 *     cli → worker → sources, actions, stores, metrics → core → detectors → nothing
 *     cli → server → worker, core             simulation → core, and the interfaces of sources and actions
 *     cli → dashboard → stores, core          dead-man → core: a function of its own, which nobody imports
 *
 * An area may import itself and whatever stands below it on its arrow. Tests and benches may import anything; only
 * they import `src/testing`. Packages are part of it: the pure areas name the few that they may use.
 */
import ts from 'typescript'
import { type Breach, isTest, type SourceText } from './source-text.ts'

const below: Readonly<Record<string, readonly string[]>> = {
  detectors: [],
  'src/core': ['detectors'],
  'src/sources': ['src/core'],
  'src/actions': ['src/core'],
  'src/stores': ['src/core'],
  'src/metrics': ['src/core'],
  // Runs by itself, in somebody's API: nothing of Weir's comes with it.
  'src/authorizer': [],
  'src/worker': ['src/sources', 'src/actions', 'src/stores', 'src/metrics', 'src/core', 'detectors'],
  'src/server': ['src/worker', 'src/core'],
  'src/dashboard': ['src/stores', 'src/core'],
  'src/dead-man': ['src/core'],
  'src/simulation': ['src/core'],
  'src/cli': [
    ...['src/worker', 'src/dashboard', 'src/simulation', 'src/sources', 'src/actions', 'src/stores', 'src/core'],
    ...['src/server', 'src/metrics', 'detectors'],
  ],
  'replay-data': ['src/simulation', 'src/core'],
  infra: [],
  bin: [],
}

/** Single files that may be imported against the drawing, and why. */
const exceptions: readonly {
  readonly from: RegExp
  readonly to: RegExp
  readonly typesOnly: boolean
  readonly because: string
}[] = [
  {
    from: /^(src\/(?!core\/)|replay-data\/)/,
    to: /^src\/clock\.ts$/,
    typesOnly: false,
    because: 'the clock is how time enters the shell; core and detectors get times as arguments',
  },
  {
    from: /^src\/clock\.ts$/,
    to: /^src\/core\/vocabulary\.ts$/,
    typesOnly: true,
    because: 'a clock speaks in EpochMs',
  },
  {
    from: /^src\/(sources|actions|metrics|cli)\//,
    to: /^src\/aws-client\.ts$/,
    typesOnly: false,
    because: 'sources, actions and metrics are AWS’s clients in one way, and none may import another',
  },
  {
    from: /^src\/simulation\//,
    to: /^src\/(sources\/source|actions\/performer)\.ts$/,
    typesOnly: true,
    because:
      'the simulation stands in for a source and for the world an action acts upon: it knows their interfaces only',
  },
  {
    from: /^src\/dead-man\//,
    to: /^src\/actions\/ways\/own-plan-decision\.ts$/,
    typesOnly: false,
    because: 'how a plan is patched is told by one pure function, for Weir and for what stands in for it',
  },
  { from: /^src\/cli\//, to: /^package\.json$/, typesOnly: false, because: '--version says what the package says' },
  {
    from: /^src\/actions\//,
    to: /^src\/stores\//,
    typesOnly: true,
    because: 'what a plan had is journaled before the gateway is called, so an action is handed the journal',
  },
  {
    from: /^src\/actions\//,
    to: /^src\/stores\/journal-[^/]*\.ts$/,
    typesOnly: false,
    because:
      'what the journal’s entries mean is told by pure functions (syntax.ts holds them to it), for stores and actions alike',
  },
]

/** What the pure areas may use from outside. The shell may use any dependency. */
const packages: Readonly<Record<string, readonly string[]>> = {
  detectors: ['simple-statistics'],
  'src/core': [
    'fzstd',
    'simple-statistics',
    'zod',
    'node:crypto',
    'node:zlib',
    'node:buffer',
    'node:assert',
    'node:assert/strict',
  ],
  'src/authorizer': ['@aws-sdk/client-dynamodb', 'node:crypto'],
}

/** node:crypto can also be random: only its hashes are functions. */
const importable: Readonly<Record<string, readonly string[]>> = { 'node:crypto': ['createHash', 'createHmac'] }

interface Import {
  readonly line: number
  readonly specifier: string
  readonly typesOnly: boolean
  /** Undefined when everything is imported (`* as`, a default, `export *`). */
  readonly names: readonly string[] | undefined
}

export function arrowBreaches(files: readonly SourceText[]): readonly Breach[] {
  return [
    ...files.flatMap(file => findImports(file).flatMap(found => judge(file.path, found))),
    ...cycleBreaches(files),
  ]
}

function judge(path: string, found: Import): readonly Breach[] {
  const breach = (says: string) => [{ path, line: found.line, rule: 'arrows', says }]
  const area = areaOf(path)
  if (isTest(path)) return []
  if (area === undefined)
    return path.includes('/') ? breach(`${path} is in no known area: draw its arrow in arrows.ts`) : []

  if (!found.specifier.startsWith('.')) return judgePackage(area, found).flatMap(breach)
  const target = resolvePath(path, found.specifier)
  const targetArea = areaOf(target)
  if (isTest(target)) return breach(`only tests import ${target}`)
  if (targetArea === area || (targetArea !== undefined && below[area]?.includes(targetArea))) return []
  if (
    exceptions.some(({ from, to, typesOnly }) => from.test(path) && to.test(target) && (found.typesOnly || !typesOnly))
  )
    return []
  return breach(`${area} may not import ${target}${found.typesOnly ? '' : ' (as a value)'}`)
}

function judgePackage(area: string, { specifier, names }: Import): readonly string[] {
  const allowed = packages[area]
  if (allowed === undefined) return []
  if (!allowed.includes(specifier)) return [`${area} may not import the package ${specifier}`]
  const pureNames = importable[specifier]
  if (pureNames === undefined) return []
  return names === undefined || names.some(name => !pureNames.includes(name))
    ? [`${area} may import only ${pureNames.join(', ')} from ${specifier}`]
    : []
}

/** The folder a rule speaks of; what stands beside the folders of src, and files of the root, stand alone. */
function areaOf(path: string): string | undefined {
  if (path === 'src/clock.ts' || path === 'src/aws-client.ts') return path
  return Object.keys(below).find(area => path.startsWith(`${area}/`))
}

function resolvePath(from: string, specifier: string): string {
  return new URL(specifier, `file:///${from}`).pathname.slice(1)
}

/** Import cycles, types included: two files that need each other to be understood are one file. One breach a cycle. */
function cycleBreaches(files: readonly SourceText[]): readonly Breach[] {
  const targets = new Map(
    files.map(file => [
      file.path,
      findImports(file)
        .filter(({ specifier }) => specifier.startsWith('.'))
        .map(({ specifier }) => resolvePath(file.path, specifier)),
    ]),
  )
  const done = new Set<string>()
  const breaches: Breach[] = []
  const visit = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path)
    if (at >= 0) {
      const cycle = [...trail.slice(at), path].join(' → ')
      breaches.push({ path, line: 1, rule: 'cycles', says: cycle })
    } else if (!done.has(path)) {
      for (const target of targets.get(path) ?? []) visit(target, [...trail, path])
      done.add(path)
    }
  }
  for (const { path } of files) visit(path, [])
  return breaches
}

function findImports({ path, text }: SourceText): readonly Import[] {
  const tree = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)
  const found: Import[] = []
  const visit = (node: ts.Node): void => {
    const line = tree.getLineAndCharacterOfPosition(node.getStart()).line + 1
    const add = (at: ts.Node | undefined, rest: Pick<Import, 'typesOnly' | 'names'>) => {
      if (at !== undefined && ts.isStringLiteralLike(at)) found.push({ line, specifier: at.text, ...rest })
    }
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, importedBy(node.importClause))
    if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, { typesOnly: node.isTypeOnly, names: undefined })
    if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument))
      add(node.argument.literal, { typesOnly: true, names: undefined })
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      add(node.arguments[0], { typesOnly: false, names: undefined })
    ts.forEachChild(node, visit)
  }
  visit(tree)
  return found
}

function importedBy(clause: ts.ImportClause | undefined): Pick<Import, 'typesOnly' | 'names'> {
  if (clause === undefined) return { typesOnly: false, names: [] }
  const typesOnly = clause.phaseModifier === ts.SyntaxKind.TypeKeyword
  const bindings = clause.namedBindings
  if (clause.name !== undefined || bindings === undefined || !ts.isNamedImports(bindings))
    return { typesOnly, names: undefined }
  return {
    typesOnly: typesOnly || (bindings.elements.length > 0 && bindings.elements.every(element => element.isTypeOnly)),
    names: bindings.elements.map(({ name, propertyName }) => (propertyName ?? name).text),
  }
}
