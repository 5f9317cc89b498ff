/**
 * Where the audit log lies: a file a month and chain, and the one file of before there were months, which stays as it is.
 *
 *   audit.ndjson                  before there was a chain; the worker's first line holds its hash
 *   audit-2026-11.ndjson          the worker's
 *   audit-limits-2026-11.ndjson   of `weir limits`
 *   audit-head.json               the last place of the worker's chain (audit-limits-head.json of the other)
 */
import { join } from 'node:path'
import { z } from 'zod'
import type { EpochMs } from '../core/vocabulary.ts'
import { type AuditChain, auditChains, type ChainPlace, hashOf } from './audit-entry.ts'
import { type Disk, machineDisk } from './disk.ts'

export const oldFileName = 'audit.ndjson'

const prefixOf = (chain: AuditChain): string => (chain === 'worker' ? 'audit' : `audit-${chain}`)
export const monthFileName = (chain: AuditChain, month: string): string => `${prefixOf(chain)}-${month}.ndjson`
export const headFileName = (chain: AuditChain): string => `${prefixOf(chain)}-head.json`

export interface AuditFile {
  readonly name: string
  /** undefined: of before there were months. */
  readonly month: string | undefined
  readonly chain: AuditChain
}

/** Of each chain in the order in which they were written. */
export async function auditFilesIn(directory: string, disk: Disk = machineDisk): Promise<readonly AuditFile[]> {
  const names = await disk.readdir(directory).catch((cause: NodeJS.ErrnoException): string[] => {
    if (cause.code === 'ENOENT') return []
    throw cause
  })
  const old: readonly AuditFile[] = names.includes(oldFileName)
    ? [{ name: oldFileName, month: undefined, chain: 'worker' }]
    : []
  const months = auditChains.flatMap(chain => {
    const pattern = new RegExp(`^${prefixOf(chain)}-(\\d{4}-\\d{2})\\.ndjson$`)
    return names.flatMap(name => {
      const [, month] = pattern.exec(name) ?? []
      return month === undefined ? [] : [{ name, month, chain }]
    })
  })
  return [...old, ...months.sort((one, other) => (one.month < other.month ? -1 : 1))]
}

/** What of a line everybody reads; the rest is as it was written, by this version or another. */
const lineShape = z.looseObject({
  seq: z.number().int().optional(),
  at: z.iso.datetime({ offset: true }),
  by: z.string(),
  change: z.string(),
  prev: z.string().optional(),
})

export type AuditLine = z.output<typeof lineShape>

export interface ReadLine {
  readonly number: number
  readonly text: string
  /** undefined of what is no entry: a line that a crash tore off, or a hand. */
  readonly line: AuditLine | undefined
}

export async function readLines(
  directory: string,
  name: string,
  disk: Disk = machineDisk,
): Promise<readonly ReadLine[]> {
  const text = (await disk.readFile(join(directory, name))).toString()
  return text.split('\n').flatMap((content, index) => {
    if (content === '') return []
    return [{ number: index + 1, text: content, line: lineOf(content) }]
  })
}

function lineOf(content: string): AuditLine | undefined {
  try {
    return lineShape.safeParse(JSON.parse(content)).data
  } catch {
    return undefined
  }
}

/** Of a line of a chain. */
export const placeOf = ({ line, text }: ReadLine): ChainPlace | undefined =>
  line?.seq === undefined ? undefined : { seq: line.seq, hash: hashOf(text) }

export const timeOf = ({ at }: AuditLine): EpochMs => Date.parse(at)

/** The last whole line of a file, and its place. */
export async function lastPlace(directory: string, name: string, disk: Disk): Promise<ChainPlace | undefined> {
  return (await readLines(directory, name, disk)).map(placeOf).findLast(place => place !== undefined)
}

const headShape = z.object({ seq: z.number().int(), hash: z.string() })

/** What the head file says; undefined where there is none, or nothing that could be read. */
export async function readHead(
  directory: string,
  chain: AuditChain,
  disk: Disk = machineDisk,
): Promise<ChainPlace | undefined> {
  try {
    return headShape.parse(JSON.parse((await disk.readFile(join(directory, headFileName(chain)))).toString()))
  } catch {
    return undefined
  }
}
