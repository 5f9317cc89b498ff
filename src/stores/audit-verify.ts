/**
 * Whether the audit log is as it was written: each line's hash is held by the next, the first by what was deleted by the
 * rule (or by the file of before there was a chain), the last by the head file. What a crash tore off is no entry, and no breach.
 * A fork is one, and is told as such: a second writer went on from a line that another had gone on from already.
 */
import { readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { z } from 'zod'
import { type AuditChain, auditChains, type ChainPlace, chainStart, hashOf } from './audit-entry.ts'
import {
  type AuditFile,
  type AuditLine,
  auditFilesIn,
  headFileName,
  oldFileName,
  placeOf,
  type ReadLine,
  readHead,
  readLines,
} from './audit-files.ts'

export interface Breach {
  /** `audit-2026-11.ndjson:12` */
  readonly where: string
  readonly says: string
}

export interface ChainReport {
  /** Of a partition; undefined: the state directory itself. */
  readonly folder?: string
  readonly chain: AuditChain
  readonly entries: number
  readonly breaches: readonly Breach[]
  /** What is no entry: where. */
  readonly torn: readonly string[]
  /** Files that the rule has deleted. */
  readonly deleted: readonly string[]
  /** The last line; to be kept elsewhere by who wants to. */
  readonly head: ChainPlace | undefined
}

interface LineAt extends ReadLine {
  readonly where: string
}

/** Of each chain that there is, in each folder. `heads`: hashes kept elsewhere, each of which must be that of a line. */
export async function verifyAudit(
  [first, ...folders]: readonly string[],
  heads: readonly string[] = [],
): Promise<readonly ChainReport[]> {
  const reports: ChainReport[] = []
  const hashes = new Set<string>()
  for (const [index, directory] of [first, ...folders].entries()) {
    if (directory === undefined) continue
    const { chains, lines } = await verifyFolder(directory)
    reports.push(...chains.map(chain => (index === 0 ? chain : { ...chain, folder: basename(directory) })))
    for (const { text } of lines) if (heads.length > 0) hashes.add(hashOf(text))
  }
  return withHeads(reports, hashes, heads)
}

async function verifyFolder(directory: string) {
  // The heads first: a worker may write meanwhile, and what it adds is behind them.
  const headFiles = new Map<AuditChain, ChainPlace | undefined>()
  for (const chain of auditChains) headFiles.set(chain, await readHead(directory, chain))
  const files = await auditFilesIn(directory)
  const linesIn = new Map<AuditChain, readonly LineAt[]>()
  for (const chain of auditChains) linesIn.set(chain, await linesOf(directory, files, chain))
  const lines = [...linesIn.values()].flat()
  const deleted = lines.flatMap(({ line }) => (line === undefined ? [] : deletionOf(line)))
  const oldHash = files.some(({ name }) => name === oldFileName)
    ? hashOf(await readFile(join(directory, oldFileName)))
    : undefined
  const chains = auditChains.flatMap(chain => {
    const mine = linesIn.get(chain) ?? []
    const headFile = headFiles.get(chain)
    const isEmpty = mine.length === 0 && (headFile === undefined || headFile.seq === 0)
    return isEmpty ? [] : [judge(chain, mine, { headFile, deleted, oldHash: chain === 'worker' ? oldHash : undefined })]
  })
  return { chains, lines }
}

async function linesOf(directory: string, files: readonly AuditFile[], chain: AuditChain): Promise<readonly LineAt[]> {
  const found: LineAt[] = []
  for (const { name } of files.filter(file => file.chain === chain && file.month !== undefined))
    for (const line of await readLines(directory, name)) found.push({ ...line, where: `${name}:${line.number}` })
  return found
}

const deletionShape = z.object({
  change: z.literal('audit-deleted'),
  file: z.string(),
  last: z.object({ seq: z.number(), hash: z.string() }).optional(),
})
type Deletion = z.output<typeof deletionShape>

function deletionOf(line: AuditLine): readonly Deletion[] {
  const parsed = deletionShape.safeParse(line)
  return parsed.success ? [parsed.data] : []
}

interface Known {
  readonly headFile: ChainPlace | undefined
  readonly deleted: readonly Deletion[]
  /** Of the file of before there was a chain. */
  readonly oldHash: string | undefined
}

function judge(chain: AuditChain, lines: readonly LineAt[], known: Known): ChainReport {
  const breaches: Breach[] = []
  const torn: string[] = []
  /** Where each branch ends: one, but for a fork. The last that was written to is the last. */
  let ends: readonly ChainPlace[] = []
  const hashes = new Set<string>([chainStart.hash])
  let entries = 0
  for (const at of lines) {
    const place = placeOf(at)
    if (place === undefined) {
      torn.push(at.where)
      continue
    }
    entries++
    const before = ends.find(end => end.seq + 1 === place.seq && end.hash === at.line?.prev) ?? ends.at(-1)
    const isFork = before !== undefined && before.hash !== at.line?.prev && hashes.has(at.line?.prev ?? '')
    const says = isFork
      ? forked(place)
      : before === undefined
        ? wrongStart(at, place, known)
        : wrongLink(at, place, before)
    if (says !== undefined) breaches.push({ where: at.where, says })
    ends = [...ends.filter(end => isFork || end !== before), place]
    hashes.add(place.hash)
  }
  const last = ends.find(({ hash }) => hash === known.headFile?.hash) ?? ends.at(-1)
  const cut = wrongEnd(chain, last, known.headFile)
  return {
    ...{ chain, entries, torn, head: last },
    breaches: cut === undefined ? breaches : [...breaches, cut],
    deleted: known.deleted.map(({ file }) => file).filter(file => chain === chainOf(file)),
  }
}

const chainOf = (file: string): AuditChain => (file.startsWith('audit-limits-') ? 'limits' : 'worker')

const forked = ({ seq }: ChainPlace): string =>
  `a second entry ${seq}: another writer went on from entry ${seq - 1} too, as a worker does that was frozen and does not know yet that its state is another’s`

function wrongLink({ line }: LineAt, { seq }: ChainPlace, before: ChainPlace): string | undefined {
  if (seq === before.seq + 1)
    return line?.prev === before.hash ? undefined : `entry ${before.seq}, before it, is not as it was written`
  if (seq > before.seq + 1) return `${missing(before.seq + 1, seq - 1)} missing before it`
  return `entry ${seq} comes after entry ${before.seq}`
}

function wrongStart({ line }: LineAt, { seq }: ChainPlace, { deleted, oldHash }: Known): string | undefined {
  if (seq > 1) {
    const isDeleted = deleted.some(({ last }) => last?.seq === seq - 1 && last.hash === line?.prev)
    return isDeleted ? undefined : `${missing(1, seq - 1)} missing before it, and no rule has deleted them`
  }
  const isOldDeleted = deleted.some(({ file }) => file === oldFileName)
  if (oldHash === undefined && (isOldDeleted || line?.prev === chainStart.hash)) return undefined
  if (oldHash === line?.prev) return undefined
  return oldHash === undefined
    ? `${oldFileName}, which was there before it, is missing`
    : `${oldFileName} is not as it was when the chain began`
}

function wrongEnd(chain: AuditChain, end: ChainPlace | undefined, head: ChainPlace | undefined): Breach | undefined {
  const where = headFileName(chain)
  const lastSeq = end?.seq ?? 0
  if (head === undefined)
    return { where, says: 'it is missing or cannot be read: whether the log was cut at its end is not known' }
  if (head.seq > lastSeq) return { where, says: `${missing(lastSeq + 1, head.seq)} missing at the end` }
  if (head.seq === lastSeq && end !== undefined && head.hash !== end.hash)
    return { where, says: `entry ${lastSeq}, the last, is not as it was written` }
  return undefined
}

const missing = (from: number, to: number): string =>
  from === to ? `entry ${from} is` : `entries ${from} to ${to} are`

/** A chain that was made anew from some line on has none of the hashes that it had. */
function withHeads(
  reports: readonly ChainReport[],
  hashes: ReadonlySet<string>,
  heads: readonly string[],
): readonly ChainReport[] {
  const lost = heads.filter(hash => !hashes.has(hash))
  const breaches = lost.map(hash => ({ where: '--head', says: `no entry has the hash ${hash}` }))
  return reports.map((report, index) =>
    index > 0 ? report : { ...report, breaches: [...report.breaches, ...breaches] },
  )
}
