/**
 * The effect journal on disk: what was decided, what the plan had before it was touched, and what came of it. Every
 * original limit lives here and nowhere else, so nothing that somebody still has to give back is ever dropped.
 *
 * One append is one line, `{"crc":"<8 hex digits>","from":N,"entries":[…]}`, one write and one fsync, and the next append waits
 * for it: so only the last line of the file can be torn, and a torn append is gone as a whole, never by half. `from` is the
 * number of its first entry: entries are counted for ever, and a checkpoint says up to which one it knows them. A journal that
 * ends before that has lost what the checkpoint relies upon, and is not gone on from.
 *
 * Fenced: what is announced here may be done only while the directory is still ours, which is asked after each append. Who
 * took it over has read the journal into a new file, so what one who was frozen meanwhile writes into the old one is read by nobody.
 *
 * Bounded: it is compacted when it is opened and when it has grown past 64 MiB (or twice what the last compaction left).
 * What stays is every intent without outcome, every change of a plan that is not back at its original, and of the rest
 * what may be younger than the older of the two checkpoints that are kept: the last 10,000 outcomes and as many memos, and
 * the last 1,000 commands of people with the last of those that say whether anybody is throttled at all.
 */
import { dirname, join } from 'node:path'
import { crc32 } from 'node:zlib'
import { StreamError } from '../core/errors.ts'
import type { Effect, Outcome } from '../core/incident/effect.ts'
import {
  advanceStories,
  beginsStory,
  type LimitStories,
  type LimitStory,
  limitStories,
  placeName,
  tellsStory,
} from '../core/incident/limit-story.ts'
import { type Disk, type DiskFile, machineDisk } from './disk.ts'
import { syncDirectory, unwritable } from './durable.ts'
import type { EffectJournal, JournalEntry, LimitEntry } from './journal-entry.ts'
import { stateFolders } from './state-folders.ts'

const fileName = 'effects.ndjson'
const keptOutcomes = 10_000
const keptCommands = 1_000
const keptMemos = 10_000
const compactAboveBytes = 64 * 1024 * 1024

export interface JournalIndex {
  readonly outcomes: ReadonlyMap<string, Outcome>
  /** Intents without outcome, oldest first. */
  readonly openIntents: readonly Effect[]
  readonly stories: LimitStories
}

export interface OpenedJournal extends EffectJournal {
  /** Length of an append that a crash tore off and that was cut away: worth telling, and nothing is lost by it. */
  readonly cutBytes: number
  /** Their numbers: what they said is not known. None, unless it was opened to `pass` them. */
  readonly damagedLines: readonly number[]
}

/** Of a line that is not as it was written. `pass`: by whoever gives limits back, and does better with the others than with none. */
type OnDamage = 'refuse' | 'pass'

export async function openEffectJournal(
  directory: string,
  disk: Disk = machineDisk,
  stillOurs: () => Promise<void> = async () => undefined,
  damage: OnDamage = 'refuse',
): Promise<OpenedJournal> {
  const path = join(directory, fileName)
  await disk.mkdir(directory, { recursive: true }).catch(cause => {
    throw unwritable('the effect journal', directory, cause)
  })
  const read = await readJournal(disk, path, damage)
  const { numbered, next: begunAt, cutBytes, damagedLines } = read
  const recovered = numbered.map(({ entry }) => entry)
  // Compacted it would look whole: it is gone on with as it is, and the worker refuses it still.
  const isDamaged = damagedLines.length > 0
  let { file, bytes } = isDamaged
    ? await goOnBehind(disk, path, read.bytes)
    : await replaceJournal(disk, directory, path, stillNeeded(numbered), { next: begunAt, stillOurs })
  let compactAbove = isDamaged ? Number.POSITIVE_INFINITY : Math.max(compactAboveBytes, 2 * bytes)

  let stories = limitStories(recovered)
  /** Number of the next entry that is asked for, and of the one behind the last that is on disk. */
  let next = begunAt
  let kept = begunAt

  // Once it is unknown what the file holds, nothing may be announced in it any more.
  let broken: StreamError | undefined

  async function write(entries: readonly JournalEntry[], from: number): Promise<void> {
    if (broken) throw broken
    const line = Buffer.from(toLine(entries, from))
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
    kept = from + entries.length
    await stillOurs()
    stories = entries.reduce<LimitStories>(advanceStories, stories)
    if (bytes > compactAbove) await compact()
  }

  async function compact(): Promise<void> {
    const old = file
    try {
      await stillOurs()
      const { numbered, next } = await readJournal(disk, path, 'refuse')
      ;({ file, bytes } = await replaceJournal(disk, directory, path, stillNeeded(numbered), { next, stillOurs }))
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
    damagedLines,
    stories: () => stories,
    since: position => entriesFrom(numbered, position),
    position: () => kept,
    mustReach(position) {
      if (position > begunAt) throw endsEarly(directory, { position, endsAt: begunAt })
    },
    append(entries) {
      if (entries.length === 0) return last.catch(() => {})
      const from = next
      next += entries.length
      const written = last.catch(() => {}).then(() => write(entries, from))
      last = written
      return written
    },
    async close() {
      await last.catch(() => {})
      await file.close()
    },
  }
}

/**
 * What is in it, oldest first, for whoever only looks: nothing is written, also while a worker writes. A line that has no end yet is
 * none. Empty where there is no journal; throws STORE_UNWRITABLE where it cannot be read, CHECKPOINT_DAMAGED as opening does.
 */
export async function readEffectJournal(
  directory: string,
  damage: OnDamage = 'refuse',
): Promise<Pick<OpenedJournal, 'recovered' | 'since' | 'damagedLines'>> {
  const { numbered, damagedLines } = await readJournal(machineDisk, join(directory, fileName), damage)
  const recovered = numbered.map(({ entry }) => entry)
  return { recovered, damagedLines, since: position => entriesFrom(numbered, position) }
}

const entriesFrom = (numbered: readonly Numbered[], position: number): readonly JournalEntry[] =>
  numbered.filter(({ number }) => number >= position).map(({ entry }) => entry)

/** What Weir has taken and not given back, in all folders of a state; for a look only: workers may write meanwhile. */
export async function peekStories(directory: string): Promise<LimitStories> {
  const stories = new Map<string, LimitStory>()
  for (const folder of await stateFolders(directory)) {
    const { recovered } = await readEffectJournal(folder)
    for (const [name, story] of limitStories(recovered)) stories.set(name, story)
  }
  return stories
}

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
  return { outcomes, openIntents: [...intents.values()], stories: limitStories(entries) }
}

/** An entry with how many there were before it. */
interface Numbered {
  readonly number: number
  readonly entry: JournalEntry
}

/** What a compaction keeps, in the order it was written. */
function stillNeeded(numbered: readonly Numbered[]): readonly Numbered[] {
  const entries = numbered.map(({ entry }) => entry)
  const { outcomes, openIntents } = journalIndex(entries)
  const open = new Set(openIntents.map(effect => effect.id))
  const told = storyEntries(entries)
  const answered = new Set([...outcomes.keys()].slice(-keptOutcomes))
  for (const { effectId } of told) answered.add(effectId)
  const memos = new Set(entries.filter(({ kind }) => kind === 'memos').slice(-keptMemos))
  const commands = lastCommands(entries)
  return numbered.filter(({ entry }) => {
    if (entry.kind === 'intent') return open.has(entry.effect.id)
    if (entry.kind === 'outcome') return answered.has(entry.effectId)
    if (entry.kind === 'commanded') return commands.has(entry)
    return entry.kind === 'memos' ? memos.has(entry) : told.has(entry)
  })
}

function lastCommands(entries: readonly JournalEntry[]): ReadonlySet<JournalEntry> {
  const commanded = entries.filter(entry => entry.kind === 'commanded')
  const last = new Set<JournalEntry>(commanded.slice(-keptCommands))
  const isOnOrOff = commanded.findLast(({ command }) => command.kind === 'halt' || command.kind === 'go-on')
  return isOnOrOff === undefined ? last : last.add(isOnOrOff)
}

/** The entries that today's stories are made of: of each limit all since it last was the original. */
function storyEntries(entries: readonly JournalEntry[]): ReadonlySet<LimitEntry> {
  const chains = new Map<string, LimitEntry[]>()
  let stories: LimitStories = new Map()
  for (const entry of entries) {
    if (tellsStory(entry)) {
      const name = placeName(entry)
      const begins = beginsStory(stories, entry)
      chains.set(name, [...(begins ? [] : (chains.get(name) ?? [])), entry])
    }
    stories = advanceStories(stories, entry)
  }
  return new Set([...stories.keys()].flatMap(name => chains.get(name) ?? []))
}

const linePrefix = '{"crc":"'
const checkedAt = linePrefix.length + '00000000",'.length
const entriesName = '"entries":'

function toLine(entries: readonly JournalEntry[], from: number): string {
  const checked = `"from":${from},${entriesName}${JSON.stringify(entries, exactly)}`
  return `${linePrefix}${checksum(checked)}",${checked}}\n`
}

/** JSON has no word for these numbers, and what is recalled must be what was known. */
function exactly(_: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? { number: String(value) } : value
}

function exactlyAsItWas(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('number' in value)) return value
  return typeof value.number === 'string' ? Number(value.number) : value
}

function checksum(checked: string): string {
  return crc32(checked).toString(16).padStart(8, '0')
}

interface ReadJournal {
  readonly numbered: readonly Numbered[]
  /** Number of the entry that comes next. */
  readonly next: number
  readonly cutBytes: number
  readonly damagedLines: readonly number[]
  /** Of all its lines that have an end. */
  readonly bytes: number
}

async function readJournal(disk: Disk, path: string, damage: OnDamage): Promise<ReadJournal> {
  let content: Buffer
  try {
    content = await disk.readFile(path)
  } catch (cause) {
    if (isMissing(cause)) return { numbered: [], next: 0, cutBytes: 0, damagedLines: [], bytes: 0 }
    throw unwritable('the effect journal', path, cause)
  }
  const numbered: Numbered[] = []
  const damagedLines: number[] = []
  let next = 0
  let start = 0
  for (let line = 1; start < content.length; line++) {
    const newline = content.indexOf(0x0a, start)
    const end = newline < 0 ? content.length : newline
    const bytes = content.subarray(start, end)
    const parsed = newline < 0 ? undefined : parseLine(bytes.toString())
    if (parsed === undefined) {
      // Torn: nothing follows, and the line has no end or holds a block that never reached the disk (read as zeros).
      const torn = (newline < 0 || bytes.includes(0)) && content.indexOf(0x0a, end + 1) < 0
      if (torn) return { numbered, next, cutBytes: content.length - start, damagedLines, bytes: start }
      if (damage === 'refuse') throw damaged(path, line)
      damagedLines.push(line)
      start = end + 1
      continue
    }
    const { from = next, entries } = parsed
    for (const [index, entry] of entries.entries()) numbered.push({ number: from + index, entry })
    next = from + entries.length
    start = end + 1
  }
  return { numbered, next, cutBytes: 0, damagedLines, bytes: content.length }
}

async function goOnBehind(disk: Disk, path: string, bytes: number): Promise<{ file: DiskFile; bytes: number }> {
  try {
    const file = await disk.open(path, 'r+')
    await file.truncate(bytes)
    return { file, bytes }
  } catch (cause) {
    throw unwritable('the effect journal', path, cause)
  }
}

interface Line {
  /** Lines of before entries were counted do not say. */
  readonly from?: number
  readonly entries: readonly JournalEntry[]
}

function parseLine(line: string): Line | undefined {
  const crc = line.slice(linePrefix.length, linePrefix.length + 8)
  const checked = line.slice(checkedAt, -1)
  if (line !== `${linePrefix}${crc}",${checked}}`) return undefined
  const isCounted = checksum(checked) === crc
  if (!isCounted && checksum(checked.slice(entriesName.length)) !== crc) return undefined
  const revive = checked.includes('{"number":"') ? exactlyAsItWas : undefined
  // The checksum says that this is what we wrote, so its shape is ours.
  return JSON.parse(`{${checked}}`, revive) as Line
}

/** By position, and all of it: a full disk may take a part of a line and call it a success. */
async function writeAt(file: DiskFile, line: Buffer, position: number): Promise<void> {
  const { bytesWritten } = await file.write(line, 0, line.length, position)
  if (bytesWritten < line.length) throw new Error(`only ${bytesWritten} of ${line.length} bytes could be written`)
  await file.sync()
}

/** Writes aside, syncs, renames, syncs the directory: at every moment the old journal or the new one is whole on disk. */
async function replaceJournal(
  disk: Disk,
  directory: string,
  path: string,
  numbered: readonly Numbered[],
  { next, stillOurs }: { readonly next: number; readonly stillOurs: () => Promise<void> },
) {
  const aside = `${path}.new`
  try {
    const file = await disk.open(aside, 'w')
    const lines = numbered.map(({ number, entry }) => toLine([entry], number))
    // An empty last line keeps the count where the youngest entries are needed no more.
    if ((numbered.at(-1)?.number ?? -1) + 1 < next) lines.push(toLine([], next))
    const content = Buffer.from(lines.join(''))
    await file.writeFile(content)
    await file.sync()
    await stillOurs()
    await disk.rename(aside, path)
    await syncDirectory(disk, directory)
    return { file, bytes: content.length } satisfies { file: DiskFile; bytes: number }
  } catch (cause) {
    throw cause instanceof StreamError ? cause : unwritable('the effect journal', path, cause)
  }
}

function isMissing(cause: unknown): boolean {
  return cause instanceof Error && 'code' in cause && cause.code === 'ENOENT'
}

const endsEarly = (
  directory: string,
  { position, endsAt }: { readonly position: number; readonly endsAt: number },
): StreamError =>
  new StreamError(
    'CHECKPOINT_DAMAGED',
    `The effect journal ${join(directory, fileName)} ${endsAt === 0 ? 'is empty or gone' : `ends after entry ${endsAt}`}, and the checkpoint goes on from entry ${position}: what limits were before they were lowered is lost with it`,
    {
      retry: 'never',
      hint: `Bring ${fileName} back as it was. If it is gone for good: weir throttles list --state ${directory} says who is throttled; set their usage plans by hand, then move only checkpoint-* and cells-* of ${directory} away, and start`,
    },
  )

function damaged(path: string, line: number): StreamError {
  return new StreamError(
    'CHECKPOINT_DAMAGED',
    `The effect journal ${path} is damaged: its line ${line} is not what was written`,
    {
      retry: 'never',
      hint: `It holds the original limits of throttled tenants. weir throttles release --all --state ${dirname(path)} gives back what its other lines say; compare the other usage plans by hand, then move ${fileName}, checkpoint-* and cells-* away, nothing else`,
    },
  )
}
