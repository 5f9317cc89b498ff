/**
 * The effect journal on disk: what was decided, what the plan had before it was touched, and what came of it. Every
 * original limit lives here and nowhere else, so nothing that somebody still has to give back is ever dropped.
 *
 * One append is one line, `{"crc":"<8 hex digits>","entries":[…]}`, one write and one fsync, and the next append waits for
 * it: so only the last line of the file can be torn, and a torn append is gone as a whole, never by half.
 *
 * Bounded: it is compacted when it is opened and when it has grown past 64 MiB (or twice what the last compaction left).
 * What stays is every intent without outcome, every change of a plan that is not back at its original, and the last
 * 10,000 outcomes, so that an effect decided again after a crash finds what came of it.
 */
import { type FileHandle, mkdir, open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { StreamError } from '../core/errors.ts'
import type { Effect, Outcome } from '../core/incident/effect.ts'
import {
  advanceStories,
  continuesStory,
  type PlanStories,
  placeName,
  planStories,
} from '../core/incident/plan-story.ts'
import { syncDirectory, unwritable } from './durable.ts'
import type { EffectJournal, JournalEntry, PlanEntry } from './journal-entry.ts'

const fileName = 'effects.ndjson'
const keptOutcomes = 10_000
const compactAboveBytes = 64 * 1024 * 1024

export interface JournalIndex {
  readonly outcomes: ReadonlyMap<string, Outcome>
  /** Intents without outcome, oldest first. */
  readonly openIntents: readonly Effect[]
  readonly stories: PlanStories
}

export interface OpenedJournal extends EffectJournal {
  /** Length of an append that a crash tore off and that was cut away: worth telling, and nothing is lost by it. */
  readonly cutBytes: number
}

export async function openEffectJournal(directory: string): Promise<OpenedJournal> {
  const path = join(directory, fileName)
  await mkdir(directory, { recursive: true }).catch(cause => {
    throw unwritable('the effect journal', directory, cause)
  })
  const { entries: recovered, cutBytes } = await readJournal(path)
  let { file, bytes } = await replaceJournal(directory, path, stillNeeded(recovered))
  let compactAbove = Math.max(compactAboveBytes, 2 * bytes)

  let stories = planStories(recovered)

  // Once it is unknown what the file holds, nothing may be announced in it any more.
  let broken: StreamError | undefined

  async function write(entries: readonly JournalEntry[]): Promise<void> {
    if (broken) throw broken
    const line = Buffer.from(toLine(entries))
    try {
      await writeAt(file, line, bytes)
    } catch (cause) {
      const failure = unwritable('the effect journal', path, cause)
      // What a full disk left of the line must not stand in front of the next one.
      await file.truncate(bytes).catch(() => {
        broken = failure
      })
      throw failure
    }
    bytes += line.length
    stories = entries.reduce<PlanStories>(advanceStories, stories)
    if (bytes > compactAbove) await compact()
  }

  async function compact(): Promise<void> {
    const old = file
    try {
      const { entries } = await readJournal(path)
      ;({ file, bytes } = await replaceJournal(directory, path, stillNeeded(entries)))
    } catch (cause) {
      broken = cause instanceof StreamError ? cause : unwritable('the effect journal', path, cause)
      throw broken
    }
    compactAbove = Math.max(compactAboveBytes, 2 * bytes)
    await old.close()
  }

  let last: Promise<void> = Promise.resolve()
  return {
    recovered,
    cutBytes,
    stories: () => stories,
    append(entries) {
      if (entries.length === 0) return last.catch(() => {})
      const written = last.catch(() => {}).then(() => write(entries))
      last = written
      return written
    },
    async close() {
      await last.catch(() => {})
      await file.close()
    },
  }
}

/** All entries that are on disk by now, for whoever only looks: a worker may be writing meanwhile. */
export const readEffectJournal = async (directory: string): Promise<readonly JournalEntry[]> =>
  (await readJournal(join(directory, fileName))).entries

/** Outcomes by effect, intents still open, and what we did to whose plan. Entries in the order they were written. */
export function journalIndex(entries: readonly JournalEntry[]): JournalIndex {
  const outcomes = new Map<string, Outcome>()
  const intents = new Map<string, Effect>()
  for (const entry of entries) {
    // An intent after an outcome of its id is a new one: a worker that lost its state counts its incidents anew.
    if (entry.kind === 'intent') {
      intents.set(entry.effect.id, entry.effect)
      outcomes.delete(entry.effect.id)
    }
    if (entry.kind === 'outcome') {
      intents.delete(entry.effectId)
      outcomes.set(entry.effectId, entry.outcome)
    }
  }
  return { outcomes, openIntents: [...intents.values()], stories: planStories(entries) }
}

/** What a compaction keeps, in the order it was written. */
function stillNeeded(entries: readonly JournalEntry[]): readonly JournalEntry[] {
  const { outcomes, openIntents } = journalIndex(entries)
  const open = new Set(openIntents.map(effect => effect.id))
  const told = storyEntries(entries)
  const answered = new Set([...outcomes.keys()].slice(-keptOutcomes))
  for (const { effectId } of told) answered.add(effectId)
  return entries.filter(entry => {
    if (entry.kind === 'intent') return open.has(entry.effect.id)
    if (entry.kind === 'outcome') return answered.has(entry.effectId)
    return told.has(entry)
  })
}

/** The entries that today's stories are made of: of each plan all since it last had its original. */
function storyEntries(entries: readonly JournalEntry[]): ReadonlySet<PlanEntry> {
  const chains = new Map<string, PlanEntry[]>()
  let stories: PlanStories = new Map()
  for (const entry of entries) {
    if (entry.kind !== 'intent' && entry.kind !== 'outcome') {
      const name = placeName(entry)
      const begins = entry.kind === 'plan-changing' && !continuesStory(stories.get(name), entry)
      chains.set(name, [...(begins ? [] : (chains.get(name) ?? [])), entry])
    }
    stories = advanceStories(stories, entry)
  }
  return new Set([...stories.keys()].flatMap(name => chains.get(name) ?? []))
}

const linePrefix = '{"crc":"'
const lineMiddle = '","entries":'
const bodyAt = linePrefix.length + 8 + lineMiddle.length

function toLine(entries: readonly JournalEntry[]): string {
  const body = JSON.stringify(entries)
  return `${linePrefix}${checksum(body)}${lineMiddle}${body}}\n`
}

function checksum(body: string): string {
  return crc32(body).toString(16).padStart(8, '0')
}

async function readJournal(path: string): Promise<{ entries: readonly JournalEntry[]; cutBytes: number }> {
  let content: Buffer
  try {
    content = await readFile(path)
  } catch (cause) {
    if (isMissing(cause)) return { entries: [], cutBytes: 0 }
    throw unwritable('the effect journal', path, cause)
  }
  const entries: JournalEntry[] = []
  let start = 0
  for (let line = 1; start < content.length; line++) {
    const newline = content.indexOf(0x0a, start)
    const end = newline < 0 ? content.length : newline
    const bytes = content.subarray(start, end)
    const parsed = newline < 0 ? undefined : parseLine(bytes.toString())
    if (parsed === undefined) {
      // Torn: nothing follows, and the line has no end or holds a block that never reached the disk (read as zeros).
      const torn = (newline < 0 || bytes.includes(0)) && content.indexOf(0x0a, end + 1) < 0
      if (!torn) throw damaged(path, line)
      return { entries, cutBytes: content.length - start }
    }
    for (const entry of parsed) entries.push(entry)
    start = end + 1
  }
  return { entries, cutBytes: 0 }
}

function parseLine(line: string): readonly JournalEntry[] | undefined {
  const body = line.slice(bodyAt, -1)
  if (line !== `${linePrefix}${checksum(body)}${lineMiddle}${body}}`) return undefined
  // The checksum says that this is what we wrote, so its shape is ours.
  return JSON.parse(body) as readonly JournalEntry[]
}

/** By position, and all of it: a full disk may take a part of a line and call it a success. */
async function writeAt(file: FileHandle, line: Buffer, position: number): Promise<void> {
  const { bytesWritten } = await file.write(line, 0, line.length, position)
  if (bytesWritten < line.length) throw new Error(`only ${bytesWritten} of ${line.length} bytes could be written`)
  await file.sync()
}

/** Writes aside, syncs, renames, syncs the directory: at every moment the old journal or the new one is whole on disk. */
async function replaceJournal(directory: string, path: string, entries: readonly JournalEntry[]) {
  const aside = `${path}.new`
  try {
    const file = await open(aside, 'w')
    const content = Buffer.from(entries.map(entry => toLine([entry])).join(''))
    await file.writeFile(content)
    await file.sync()
    await rename(aside, path)
    await syncDirectory(directory)
    return { file, bytes: content.length } satisfies { file: FileHandle; bytes: number }
  } catch (cause) {
    throw unwritable('the effect journal', path, cause)
  }
}

function isMissing(cause: unknown): boolean {
  return cause instanceof Error && 'code' in cause && cause.code === 'ENOENT'
}

function damaged(path: string, line: number): StreamError {
  return new StreamError(
    'CHECKPOINT_DAMAGED',
    `The effect journal ${path} is damaged: its line ${line} is not what was written`,
    {
      retry: 'never',
      hint: 'It holds the original limits of throttled tenants: compare the usage plans with it by hand, then move the file away',
    },
  )
}
