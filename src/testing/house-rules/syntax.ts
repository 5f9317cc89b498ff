/**
 * What a TypeScript file may say, told from its syntax tree, so that a string or a comment is never mistaken for code:
 * erasable syntax, no `any`, no `!` outside tests, and no clock, chance, environment, network or waiting in the core.
 */
import ts from 'typescript'
import { type Breach, isTest, type SourceText } from './source-text.ts'

type Purity =
  /** Nothing but its arguments: detectors/ and src/core/, and what says what the journal means. */
  | 'pure'
  /** May wait and talk to the world, but gets its clock, chance and environment handed in, from cli/. */
  | 'handed-in'
  | 'free'

export function purityOf(path: string): Purity {
  if (isTest(path)) return 'free'
  if (/^(detectors\/|src\/core\/|src\/stores\/journal-)/.test(path)) return 'pure'
  return /^src\/(worker|sources|actions|stores|metrics|dashboard|simulation)\//.test(path) ? 'handed-in' : 'free'
}

/** Globals through which the world comes in. */
const impureGlobals = new Set([
  ...['process', 'performance', 'fetch', 'console', 'globalThis', 'crypto', 'require', 'XMLHttpRequest', 'WebSocket'],
  ...['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'requestAnimationFrame'],
])

export function syntaxBreaches(file: SourceText): readonly Breach[] {
  const tree = ts.createSourceFile(file.path, file.text, ts.ScriptTarget.Latest, true)
  const purity = purityOf(file.path)
  const breaches: Breach[] = []
  const visit = (node: ts.Node): void => {
    const line = tree.getLineAndCharacterOfPosition(node.getStart()).line + 1
    const add = (rule: string, says: string | undefined) => {
      if (says !== undefined) breaches.push({ path: file.path, line, rule, says })
    }
    add('erasable', notErasable(node))
    if (node.kind === ts.SyntaxKind.AnyKeyword) add('types', '`any` says nothing: use unknown and parse')
    if (ts.isNonNullExpression(node) && !isTest(file.path))
      add('types', '`!` outside a test: say what to do when it is undefined')
    if (purity !== 'free') add('purity', clockOrChance(node))
    if (purity === 'pure') add('purity', worldly(node))
    ts.forEachChild(node, visit)
  }
  visit(tree)
  return breaches
}

function notErasable(node: ts.Node): string | undefined {
  if (ts.isEnumDeclaration(node)) return 'an enum: use a union of strings'
  if (ts.isModuleDeclaration(node) && !isAmbient(node)) return 'a namespace: use a file'
  if (ts.isImportEqualsDeclaration(node) || (ts.isExportAssignment(node) && node.isExportEquals))
    return 'an import or export by `=`'
  if (ts.isTypeAssertionExpression(node)) return 'an angle-bracket assertion'
  if (ts.isParameter(node) && ts.isParameterPropertyDeclaration(node, node.parent))
    return 'a parameter property: use a field'
  return undefined
}

function isAmbient(node: ts.ModuleDeclaration): boolean {
  return node.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.DeclareKeyword) ?? false
}

/** Date.now, a Date of now, Math.random, process.env: time, chance and environment that nobody handed in. */
function clockOrChance(node: ts.Node): string | undefined {
  const because = 'time, chance and environment come in as arguments (from cli/)'
  if (ts.isPropertyAccessExpression(node)) {
    const name = node.getText().replaceAll(/\s/g, '')
    if (['Date.now', 'Math.random', 'process.env', 'performance.now'].includes(name)) return `${name}: ${because}`
  }
  const isDate = (ts.isNewExpression(node) || ts.isCallExpression(node)) && node.expression.getText() === 'Date'
  if (isDate && (ts.isCallExpression(node) || (node.arguments?.length ?? 0) === 0)) return `a Date of now: ${because}`
  return undefined
}

function worldly(node: ts.Node): string | undefined {
  if (node.kind === ts.SyntaxKind.AsyncKeyword || ts.isAwaitExpression(node)) return 'async: the core never waits'
  if (ts.isForOfStatement(node) && node.awaitModifier !== undefined) return 'for await: the core never waits'
  if (ts.isIdentifier(node) && impureGlobals.has(node.text) && !isMemberName(node))
    return `${node.text}: the core knows no world but its arguments`
  return undefined
}

/** `timers.process`, `{ process: 1 }`, `process(): void` in an interface: a name of our own, not the global. */
function isMemberName(node: ts.Identifier): boolean {
  const { parent } = node
  if (ts.isPropertyAccessExpression(parent)) return parent.name === node
  if (ts.isQualifiedName(parent)) return parent.right === node
  return (
    (ts.isPropertyAssignment(parent) ||
      ts.isPropertySignature(parent) ||
      ts.isPropertyDeclaration(parent) ||
      ts.isMethodSignature(parent) ||
      ts.isMethodDeclaration(parent)) &&
    parent.name === node
  )
}
