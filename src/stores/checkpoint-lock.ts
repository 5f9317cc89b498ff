/**
 * One state directory, one worker. The lock is a file that names its holder: process id, when that process started, host.
 * A holder that is gone is recognised and its lock taken over: on this host by looking for the process (its start time
 * tells it from another that got the same id, as in a container, where it is always 1), on another host by the lock's
 * age, since a live holder touches it every ten seconds, whatever else it does: teaching a long history writes no checkpoint.
 *
 * Where workers share directories (`leased`), one that is there and does not move any more counts as gone on the same host
 * too, and soon: whose partition the group has given to another must not keep it from being watched.
 */
import { createHash, randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { StreamError } from '../core/errors.ts'
import { type Disk, machineDisk } from './disk.ts'
import { tryLink } from './durable.ts'

export interface Holder {
  readonly pid: number
  /** Start of the process as the system counts it; undefined where it does not say. */
  readonly started: string | undefined
  readonly host: string
}

export interface DirectoryLock {
  /** Throws StreamError STATE_HELD if the lock was lost to another. */
  check(): Promise<void>
  release(): Promise<void>
}

/** What the lock asks of the machine that it runs on. */
export interface Host {
  readonly name: string
  readonly pid: number
  /** Of no other lock. */
  newId(): string
  /** When a process started, as the system counts it; undefined where it does not say, or there is none. */
  startOf(pid: number): Promise<string | undefined>
  isRunning(pid: number): boolean
  /** Until it is told to stop. Keeps no process alive. */
  every(ms: number, work: () => void): () => void
}

export const thisHost: Host = {
  name: hostname(),
  pid: process.pid,
  newId: randomUUID,
  startOf,
  isRunning,
  every(ms, work) {
    const timer = setInterval(work, ms).unref()
    return () => clearInterval(timer)
  },
}

interface Place {
  readonly disk: Disk
  readonly host: Host
  readonly life?: LockLife
}

/** When a holder counts as gone. */
export interface LockLife {
  readonly touchEveryMs: number
  /** Silent for so long, on another host, it is taken for dead. */
  readonly silentForMs: number
  /** Also on this host, though the process is there. */
  readonly evenIfRunning: boolean
}

const owned: LockLife = { touchEveryMs: 10_000, silentForMs: 60_000, evenIfRunning: false }
/** As long as Kafka's group waits for a member (`sessionTimeoutMs`): whoever is given the partition finds it free. */
export const leased: LockLife = { touchEveryMs: 1_000, silentForMs: 10_000, evenIfRunning: true }

/** Throws StreamError STATE_HELD while another worker holds the directory. */
export async function lockDirectory(
  directory: string,
  place: Place = { disk: machineDisk, host: thisHost },
): Promise<DirectoryLock> {
  const { disk, host, life = owned } = place
  const path = join(directory, 'lock')
  const id = host.newId()
  const self: Holder = { pid: host.pid, started: await host.startOf(host.pid), host: host.name }
  const ours = JSON.stringify({ ...self, id })
  // Written whole aside and then linked: nobody ever reads half a lock, and only one of several links succeeds.
  const candidate = join(directory, `lock.${id}`)
  try {
    await disk.writeFile(candidate, ours, { mode: 0o600 })
    if (!(await tryLink(disk, candidate, path))) await takeOver(directory, path, candidate, place)
  } catch (cause) {
    throw cause instanceof StreamError ? cause : unlockable(directory, cause)
  } finally {
    // Of a disk that takes nothing there is nothing to remove, and what stopped us is the other trouble.
    await removeIfThere(disk, candidate).catch(() => undefined)
  }
  // What cannot be touched now is tried again; a lock that was lost is found out by the next check. It keeps no process alive.
  const stopTouching = host.every(life.touchEveryMs, () => void touch(disk, path, ours).catch(() => undefined))
  return {
    async check() {
      if ((await readIfThere(disk, path)) !== ours) throw held(directory, 'another worker')
    },
    async release() {
      stopTouching()
      if ((await readIfThere(disk, path)) === ours) await disk.unlink(path)
    },
  }
}

/** Who holds the directory and is alive, as far as can be seen from here: for whoever only looks. */
export async function holderOf(
  directory: string,
  place: Place = { disk: machineDisk, host: thisHost },
): Promise<Pick<Holder, 'pid' | 'host'> | undefined> {
  const { disk, host } = place
  const path = join(directory, 'lock')
  const holder = parseHolder((await readIfThere(disk, path)) ?? '')
  if (holder === undefined) return undefined
  if (holder.host === host.name) return (await isAlive(holder, path, path, place)) ? holder : undefined
  const candidate = join(directory, `lock.${host.newId()}`)
  try {
    await disk.writeFile(candidate, '', { mode: 0o600 })
    return (await isAlive(holder, path, candidate, place)) ? holder : undefined
  } catch {
    // Who may not write there cannot tell, and must not take it for dead.
    return holder
  } finally {
    await removeIfThere(disk, candidate)
  }
}

/** Written over itself, so that the time is the file system's, as the one it will be compared with. */
async function touch(disk: Disk, path: string, ours: string): Promise<void> {
  const file = await disk.open(path, 'r+')
  try {
    // Read from the file that is written: another's lock that comes in between is another file.
    if ((await file.readFile()).toString() !== ours) return
    const bytes = Buffer.from(ours)
    await file.write(bytes, 0, bytes.length, 0)
  } finally {
    await file.close()
  }
}

/**
 * Puts the candidate in the place of a lock whose holder is gone, or throws. Only one may succeed a given lock: the one
 * who links the name made of its content, and still finds that content in place. The replacing itself leaves no gap.
 */
async function takeOver(directory: string, path: string, candidate: string, place: Place): Promise<void> {
  const { disk, life = owned } = place
  const text = (await readIfThere(disk, path)) ?? ''
  const holder = parseHolder(text)
  if (holder && (await isAlive(holder, path, candidate, place)))
    throw held(directory, `process ${holder.pid} on ${holder.host}`)

  const right = join(directory, `lock.after-${createHash('sha256').update(text).digest('hex').slice(0, 16)}`)
  // Left behind by one who was killed between these lines.
  if ((await ageAgainst(disk, candidate, right)) > life.silentForMs) await removeIfThere(disk, right)
  if (!(await tryLink(disk, candidate, right))) throw held(directory, 'another worker')
  const stillThere = (await readIfThere(disk, path)) === text
  if (stillThere) await disk.rename(candidate, path)
  await removeIfThere(disk, right)
  if (!stillThere) throw held(directory, 'another worker')
}

async function isAlive(holder: Holder, path: string, candidate: string, place: Place): Promise<boolean> {
  const { disk, host, life = owned } = place
  const isSilent = (await ageAgainst(disk, candidate, path)) >= life.silentForMs
  if (holder.host !== host.name) return !isSilent
  if (!host.isRunning(holder.pid) || (isSilent && life.evenIfRunning)) return false
  const started = await host.startOf(holder.pid)
  return started === undefined || holder.started === undefined || started === holder.started
}

/** How much older a file is than one just written, both by the file system's clock, which all hosts share; 0 if it is gone. */
async function ageAgainst(disk: Disk, written: string, path: string): Promise<number> {
  const [now, then] = await Promise.all([disk.stat(written), disk.stat(path).catch(() => undefined)])
  return then ? now.mtimeMs - then.mtimeMs : 0
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: it is there, and someone else's.
    return hasCode(error, 'EPERM')
  }
}

/** `<boot>/<ticks since boot>` of a process, from /proc; elsewhere unknown. */
async function startOf(pid: number): Promise<string | undefined> {
  const [stats, boot] = await Promise.all([
    readIfThere(machineDisk, `/proc/${pid}/stat`),
    readIfThere(machineDisk, '/proc/sys/kernel/random/boot_id'),
  ])
  // The second field is the program's name in parentheses and may hold anything; start time is the 22nd, the 20th behind it.
  const ticks = stats?.slice(stats.lastIndexOf(')') + 2).split(' ')[19]
  return ticks && boot ? `${boot.trim()}/${ticks}` : undefined
}

function parseHolder(text: string): Holder | undefined {
  try {
    const { pid, started, host } = JSON.parse(text)
    return Number.isInteger(pid) && pid > 0 && typeof host === 'string' ? { pid, started, host } : undefined
  } catch {
    return undefined
  }
}

function held(directory: string, by: string): StreamError {
  return new StreamError('STATE_HELD', `Cannot use the state directory ${directory}: ${by} is using it`, {
    retry: 'later',
    hint: 'Stop that worker, or give this one a directory of its own (state.directory)',
  })
}

function unlockable(directory: string, cause: unknown): StreamError {
  const why = cause instanceof Error ? cause.message : String(cause)
  return new StreamError('STORE_UNWRITABLE', `Cannot lock the state directory ${directory}: ${why}`, {
    retry: 'later',
    hint: hasCode(cause, 'EROFS')
      ? 'Its disk is read-only: mount it for writing, or give the worker another state.directory'
      : hasCode(cause, 'EACCES') || hasCode(cause, 'EPERM')
        ? 'Let the worker’s user write there, or give it another state.directory'
        : 'Make room on that disk, or give the worker another state.directory',
    cause,
  })
}

async function readIfThere(disk: Disk, path: string): Promise<string | undefined> {
  try {
    return (await disk.readFile(path)).toString()
  } catch {
    return undefined
  }
}

async function removeIfThere(disk: Disk, path: string): Promise<void> {
  try {
    await disk.unlink(path)
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
