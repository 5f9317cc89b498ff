/**
 * The files that are meant by what the user named: a folder stands for all that is in it and below, as Firehose
 * (`prefix/2026/11/23/14/…`) and log rotation by date lay them down. In order of their names, which there is that of time.
 * What begins with `.` or `_` is passed over, as Athena and Hive do with markers and unfinished files.
 */
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { StreamError } from '../core/errors.ts'
import { standardInputPath } from './file-pieces.ts'

export interface FoundFile {
  readonly path: string
  /** As it was named; undefined for a file that was named itself. */
  readonly folder: string | undefined
}

/** A week of objects of a minute each is 10,080. */
const mostFiles = 100_000

/** A path that is no folder is given back as it is, there or not. Throws SOURCE_UNREADABLE for a folder without a file. */
export async function findFiles(paths: readonly string[]): Promise<readonly FoundFile[]> {
  const found: FoundFile[] = []
  for (const path of paths) {
    const isFolder = path !== standardInputPath && (await isDirectory(path))
    if (!isFolder) {
      found.push({ path, folder: undefined })
      continue
    }
    const before = found.length
    for await (const file of filesBelow(path)) {
      found.push({ path: file, folder: path })
      if (found.length - before > mostFiles) throw unreadable(path, `it holds more than ${mostFiles} files`)
    }
    if (found.length === before) throw unreadable(path, 'it is a folder without a file')
  }
  return found
}

async function* filesBelow(folder: string): AsyncIterable<string> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    throw unreadable(folder, error instanceof Error ? error.message : String(error))
  })
  const byName = entries.filter(({ name }) => !/^[._]/.test(name)).sort((a, b) => (a.name < b.name ? -1 : 1))
  for (const entry of byName) {
    const path = join(folder, entry.name)
    // A link to a folder is not followed: it may lead back here.
    if (entry.isDirectory()) yield* filesBelow(path)
    else if (entry.isFile() || (entry.isSymbolicLink() && !(await isDirectory(path)))) yield path
  }
}

/** What cannot be looked at is no folder: opening it will say what is wrong. */
async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory()
  } catch {
    return false
  }
}

const unreadable = (path: string, reason: string): StreamError =>
  new StreamError('SOURCE_UNREADABLE', `Could not read ${path}: ${reason}`, {
    retry: 'never',
    hint: 'Give the path of a file, or of a folder of files that this user may read',
  })
