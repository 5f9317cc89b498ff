/**
 * What people have said of incidents: `labels.ndjson` beside the audit log, a line a label, only ever appended to. The last
 * label of an incident is the one that counts. It is written by a command of its own, also while a worker runs, which never
 * opens the file; a few hundred bytes each, by hand, so it is not cut.
 */
import { join } from 'node:path'
import { z } from 'zod'
import { StreamError } from '../core/errors.ts'
import type { IncidentKind } from '../core/explanation/explanation.ts'
import { type Label, lastLabels } from '../core/tuning/label.ts'
import type { ApiKeyId } from '../core/vocabulary.ts'
import { machineDisk } from './disk.ts'
import { openWhole, syncDirectory, unwritable } from './durable.ts'

export const labelsPath = (directory: string): string => join(directory, 'labels.ndjson')

/** Resolves when it is on disk. Throws STORE_UNWRITABLE. */
export async function addLabel(directory: string, { at, from, to, ...rest }: Label): Promise<void> {
  const path = labelsPath(directory)
  const line = JSON.stringify({ at: isoOf(at), ...rest, from: isoOf(from), to: isoOf(to) })
  try {
    const file = await openWhole(machineDisk, directory, path)
    try {
      await file.appendFile(`${line}\n`)
      await file.sync()
    } finally {
      await file.close()
    }
    await syncDirectory(machineDisk, directory)
  } catch (cause) {
    throw unwritable('the label', path, cause)
  }
}

const isoOf = (at: number): string => new Date(at).toISOString()

const moment = z.iso.datetime({ offset: true }).transform(text => Date.parse(text))
const line = z.object({
  at: moment,
  incidentId: z.string().min(1),
  keyId: z
    .string()
    .min(1)
    .transform(id => id as ApiKeyId),
  // Whatever a version before this one or after it calls it: it is for people.
  kind: z
    .string()
    .transform(name => name as IncidentKind)
    .optional(),
  from: moment,
  to: moment,
  verdict: z.enum(['true', 'false-alarm']),
  note: z.string().optional(),
})

/**
 * One label an incident; undefined where there is no such file. Throws SOURCE_UNREADABLE with the line that is none: a file
 * that a person may have edited is not to be guessed at. What a crash tore off at its end was never acknowledged.
 */
export async function readLabels(path: string): Promise<readonly Label[] | undefined> {
  const content = await machineDisk.readFile(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return undefined
    throw unreadable(path, cause.message, cause)
  })
  if (content === undefined) return undefined
  const lines = content.toString().split('\n')
  const torn = lines.pop()
  const labels = lines.flatMap((content, index) =>
    content.trim() === '' ? [] : [labelOf(content, `${path}:${index + 1}`)],
  )
  if (torn !== undefined && torn.trim() !== '' && isWhole(torn))
    labels.push(labelOf(torn, `${path}:${lines.length + 1}`))
  return lastLabels(labels)
}

/** A last line without an end may have been written by hand. */
function isWhole(content: string): boolean {
  try {
    JSON.parse(content)
    return true
  } catch {
    return false
  }
}

function labelOf(content: string, where: string): Label {
  if (!isWhole(content)) throw unreadable(where, 'it is no JSON')
  const parsed = line.safeParse(JSON.parse(content))
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw unreadable(where, `${issue?.path.join('.') ?? 'it'}: ${issue?.message ?? 'it is no label'}`)
  }
  const { kind, note, ...rest } = parsed.data
  return { ...rest, kind, note }
}

const unreadable = (where: string, because: string, cause?: unknown): StreamError =>
  new StreamError('SOURCE_UNREADABLE', `Cannot read the labels at ${where}: ${because}`, {
    retry: 'never',
    hint: 'Each line is as `weir label` writes it: {"at", "incidentId", "keyId", "from", "to", "verdict"}',
    cause,
  })
