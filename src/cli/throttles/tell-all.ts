/**
 * What concerns all workers on a state, said from the command line: one that answers is told, and leaves the word for the others; where
 * none answers it is left here. Whether each has heard it stands in its journal.
 */
import { join } from 'node:path'
import type { Clock } from '../../clock.ts'
import { StreamError } from '../../core/errors.ts'
import { SECOND_MS } from '../../core/vocabulary.ts'
import { readEffectJournal } from '../../stores/effect-journal.ts'
import { spokenWords, type Word } from '../../stores/spoken-words.ts'

export interface HeldFolder {
  readonly folder: string
  /** Who works on it, as people read it. */
  readonly worker: string
}

interface ToTell {
  readonly command: Word['command']
  readonly by: string
  readonly directory: string
  /** The folders that workers hold. */
  readonly held: readonly HeldFolder[]
  readonly clock: Clock
  /** Tells the one that answers; throws WORKER_UNREACHABLE where none does. */
  readonly tell: () => Promise<void>
  readonly say: (text: string) => void
}

/** They look once a second. */
const HEARD_WITHIN_MS = 10 * SECOND_MS
const LOOK_EVERY_MS = SECOND_MS / 4

/** Throws COMMAND_REFUSED, and WORKER_UNREACHABLE with those who have not heard it. */
export async function tellAll({ command, by, directory, held, clock, tell, say }: ToTell): Promise<void> {
  const words = spokenWords(directory)
  const before = (await words.after(undefined)).at(-1)?.number
  const unanswered = await unreachable(tell)
  if (unanswered !== undefined) {
    await words.say({ command, by, at: clock.now() })
    say(`No worker answers (${unanswered.message}). It is left for them in ${join(directory, 'words')}.`)
  }
  const number = (await words.after(before)).find(word => word.command.kind === command.kind)?.number
  // Told already, by the only one that there is.
  if (unanswered === undefined && held.length <= 1) return
  const deaf = await whoHasNotHeard(number, held, clock)
  if (deaf.length > 0) throw notHeard(command, deaf, directory, unanswered)
  const workers = new Set(held.map(({ worker }) => worker)).size
  say(workers === 1 ? 'The worker has heard it.' : `All ${workers} workers have heard it.`)
}

async function unreachable(tell: () => Promise<void>): Promise<StreamError | undefined> {
  try {
    await tell()
    return undefined
  } catch (cause) {
    if (cause instanceof StreamError && cause.code === 'WORKER_UNREACHABLE') return cause
    throw cause
  }
}

async function whoHasNotHeard(
  number: number | undefined,
  held: readonly HeldFolder[],
  clock: Clock,
): Promise<readonly string[]> {
  const until = clock.now() + HEARD_WITHIN_MS
  for (;;) {
    const heard = await Promise.all(held.map(({ folder }) => hasHeard(folder, number)))
    const deaf = held.filter((_, index) => !heard[index])
    if (deaf.length === 0 || clock.now() >= until) return [...new Set(deaf.map(({ worker }) => worker))]
    await clock.sleep(LOOK_EVERY_MS)
  }
}

async function hasHeard(folder: string, number: number | undefined): Promise<boolean> {
  if (number === undefined) return false
  const { recovered } = await readEffectJournal(folder)
  return recovered.some(entry => entry.kind === 'commanded' && (entry.word ?? 0) >= number)
}

const notHeard = (
  { kind }: Word['command'],
  workers: readonly string[],
  directory: string,
  unanswered: StreamError | undefined,
): StreamError =>
  new StreamError(
    'WORKER_UNREACHABLE',
    `Told to ${kind}, and not heard within ten seconds by ${workers.map(worker => `process ${worker}`).join(', ')}${unanswered === undefined ? '' : `: ${unanswered.message}`}`,
    {
      retry: 'later',
      hint: `${unanswered?.hint ?? 'See whether they run'}. What was said stays in ${join(directory, 'words')}, and is heard as soon as they read it`,
    },
  )
