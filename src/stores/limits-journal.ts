/**
 * The journal of `weir limits`: `limits/limits.ndjson` in the state directory, a line an entry, on disk before the gateway
 * is asked. What a plan had before is here, so that it can be given back to the digit.
 *
 * Its lock is its own, in the folder of its own: a worker that runs beside it holds another, and neither waits. It is not
 * cut: some hundred bytes a plan and apply, by hand.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { StreamError } from '../core/errors.ts'
import type { LimitsEntry } from '../core/limits/applied.ts'
import { lockDirectory } from './checkpoint-lock.ts'
import { machineDisk } from './disk.ts'
import { openWhole, syncDirectory, unwritable } from './durable.ts'

export interface LimitsJournal {
  /** All that was there when it was opened, oldest first. */
  readonly entries: readonly LimitsEntry[]
  /** Resolves when it is on disk. */
  append(entry: LimitsEntry): Promise<void>
  close(): Promise<void>
}

const folderName = 'limits'
const fileName = 'limits.ndjson'

/** Throws STORE_UNWRITABLE, also while another `weir limits` is changing plans. */
export async function openLimitsJournal(directory: string): Promise<LimitsJournal> {
  const folder = join(directory, folderName)
  const path = join(folder, fileName)
  const failed = (cause: unknown): never => {
    throw cause instanceof StreamError ? cause : unwritable('the journal of changed limits', path, cause)
  }
  // Before the lock: it makes the folder.
  const file = await openWhole(machineDisk, folder, path).catch(failed)
  const lock = await lockDirectory(folder).catch(async cause => {
    await file.close()
    throw cause instanceof StreamError ? taken(cause) : cause
  })
  const entries = await readEntries(path).catch(failed)
  await syncDirectory(machineDisk, folder)
  return {
    entries,
    async append(entry) {
      try {
        await lock.check()
        await file.appendFile(`${JSON.stringify(entry)}\n`)
        await file.sync()
      } catch (cause) {
        failed(cause)
      }
    },
    async close() {
      await file.close()
      await lock.release()
    },
  }
}

/** For a look only. */
export const peekLimitsJournal = (directory: string): Promise<readonly LimitsEntry[]> =>
  readEntries(join(directory, folderName, fileName))

const taken = (cause: StreamError): StreamError =>
  new StreamError('STORE_UNWRITABLE', 'Another `weir limits` is changing plans from this state directory', {
    retry: 'later',
    hint: 'Wait until it has ended, or stop it with Ctrl-C: it can be gone on with',
    cause,
  })

async function readEntries(path: string): Promise<readonly LimitsEntry[]> {
  const text = await readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return ''
    throw cause
  })
  return text.split('\n').flatMap(content => entryOf(content) ?? [])
}

const limits = z.object({ rateLimit: z.number(), burstLimit: z.number() }).nullable()
const place = { gateway: z.string().optional(), planId: z.string() }
const about = { id: z.string(), at: z.number() }
const shape = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('apply'), ...about, by: z.string(), file: z.string(), digest: z.string() }),
  z.object({ kind: z.literal('changing'), ...about, ...place, isUndo: z.boolean(), before: limits, after: limits }),
  z.object({ kind: z.literal('changed'), ...about, ...place, isUndo: z.boolean() }),
  z.object({ kind: z.literal('left'), ...about, ...place, because: z.string() }),
])

/** What a crash tore off was never acknowledged, so nothing was done on it. */
function entryOf(content: string): LimitsEntry | undefined {
  try {
    return shape.safeParse(JSON.parse(content)).data
  } catch {
    return undefined
  }
}
