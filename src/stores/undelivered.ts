/**
 * Alerts that were given up on, kept until a person has sent or dropped them: a file each in the folder `undelivered`, beside
 * the journal and not in it, since the journal forgets what has an outcome. A file each, because a worker adds while `weir
 * alerts` takes away, and neither waits for the other: a letter is written aside, synced and renamed, so it is there whole or
 * not at all, and goes by being unlinked.
 *
 * Bounded: 10,000 letters; beyond it the one that was decided first goes. Letters are named by when they were decided and
 * what they are: ids alone would mix up those of a worker that lost its state and counts its incidents anew.
 */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import type { AlertEffect } from '../core/incident/effect.ts'
import type { EpochMs } from '../core/vocabulary.ts'
import { type Disk, machineDisk } from './disk.ts'
import { syncDirectory, unwritable } from './durable.ts'

const folderName = 'undelivered'
const mostLetters = 10_000

/** An alert that nobody got. */
export interface Letter {
  readonly effect: AlertEffect
  readonly givenUpAt: EpochMs
  /** For people. */
  readonly because: string
}

export interface Undelivered {
  /** On disk when it resolves. `forgotten`: how many older ones had to go for it. */
  keep(letter: Letter): Promise<{ readonly forgotten: number }>
  /** Whether this very alert is kept here, as far as this process knows. */
  has(effect: AlertEffect): boolean
  /** As of the last look; `weir alerts` may have taken some away meanwhile. */
  count(): number
  /** Looks at the folder again. */
  look(): Promise<void>
}

export const undeliveredFolder = (directory: string): string => join(directory, folderName)

/** Throws STORE_UNWRITABLE. */
export async function openUndelivered(
  directory: string,
  { most = mostLetters, disk = machineDisk }: { most?: number; disk?: Disk } = {},
): Promise<Undelivered> {
  const folder = undeliveredFolder(directory)
  await disk.mkdir(folder, { recursive: true, mode: 0o700 }).catch(cause => {
    throw unwritable('undelivered alerts', folder, cause)
  })
  let names = new Set(await letterNames(disk, folder))

  async function makeRoom(): Promise<number> {
    const tooMany = [...names].sort(byDecision).slice(0, Math.max(0, names.size - most))
    for (const name of tooMany) {
      await removeFile(disk, join(folder, name))
      names.delete(name)
    }
    return tooMany.length
  }

  return {
    async keep(letter) {
      const name = nameOf(letter.effect)
      try {
        await writeWhole(disk, folder, name, letter)
        names.add(name)
        return { forgotten: await makeRoom() }
      } catch (cause) {
        throw unwritable('an undelivered alert', join(folder, name), cause)
      }
    },
    has: effect => names.has(nameOf(effect)),
    count: () => names.size,
    async look() {
      // What was kept while it was being read is in it or comes again with the next look.
      names = new Set(await letterNames(disk, folder).catch(() => [...names]))
    },
  }
}

/** All that can be read, those that were decided first before the others; and how many cannot. */
export async function readUndelivered(
  directory: string,
): Promise<{ readonly letters: readonly Letter[]; readonly damaged: readonly string[] }> {
  const folder = undeliveredFolder(directory)
  const letters: Letter[] = []
  const damaged: string[] = []
  for (const name of await letterNames(machineDisk, folder)) {
    const text = await machineDisk.readFile(join(folder, name)).catch(() => undefined)
    // Sent or dropped since the folder was read.
    if (text === undefined) continue
    const letter = letterOf(text.toString())
    if (letter === undefined) damaged.push(join(folder, name))
    else letters.push(letter)
  }
  return { letters: letters.sort(inOrder), damaged }
}

/** What was decided in one moment is of one incident, whose alerts are numbered. */
const inOrder = ({ effect: one }: Letter, { effect: other }: Letter): number =>
  one.decidedAt - other.decidedAt || one.id.localeCompare(other.id, 'en', { numeric: true })

/** Sent, or not wanted any more. */
export async function forgetLetter(directory: string, { effect }: Letter): Promise<void> {
  const path = join(undeliveredFolder(directory), nameOf(effect))
  await removeFile(machineDisk, path).catch(cause => {
    throw unwritable('undelivered alerts', path, cause)
  })
}

/** Gone already is gone. */
async function removeFile(disk: Disk, path: string): Promise<void> {
  await disk.unlink(path).catch(cause => {
    if (!isMissing(cause)) throw cause
  })
}

const isMissing = (cause: unknown): boolean => cause instanceof Error && 'code' in cause && cause.code === 'ENOENT'

async function letterNames(disk: Disk, folder: string): Promise<string[]> {
  try {
    return (await disk.readdir(folder)).filter(name => name.endsWith('.json'))
  } catch (cause) {
    if (isMissing(cause)) return []
    throw unwritable('undelivered alerts', folder, cause)
  }
}

/** `<when it was decided>-<what it is>.json` */
function nameOf({ id, decidedAt }: AlertEffect): string {
  const what = createHash('sha256').update(id).digest('hex').slice(0, 24)
  return `${Math.floor(decidedAt)}-${what}.json`
}

const byDecision = (one: string, other: string): number =>
  Number.parseInt(one, 10) - Number.parseInt(other, 10) || (one < other ? -1 : 1)

async function writeWhole(disk: Disk, folder: string, name: string, letter: Letter): Promise<void> {
  const aside = join(folder, `${name}.new`)
  const file = await disk.open(aside, 'w', 0o600)
  try {
    await file.writeFile(Buffer.from(textOf(letter)))
    await file.sync()
  } finally {
    await file.close()
  }
  await disk.rename(aside, join(folder, name))
  await syncDirectory(disk, folder)
}

const linePrefix = '{"crc":"'
const lineMiddle = '","letter":'

function textOf(letter: Letter): string {
  const body = JSON.stringify(letter)
  return `${linePrefix}${checksum(body)}${lineMiddle}${body}}\n`
}

const checksum = (body: string): string => crc32(body).toString(16).padStart(8, '0')

function letterOf(text: string): Letter | undefined {
  const body = text.slice(linePrefix.length + 8 + lineMiddle.length, -2)
  if (text !== `${linePrefix}${checksum(body)}${lineMiddle}${body}}\n`) return undefined
  // The checksum says that this is what we wrote, so its shape is ours.
  return JSON.parse(body) as Letter
}
