/**
 * One state directory, one worker. The lock is a file that names its holder: process id, when that process started, host.
 * A holder that is gone is recognised and its lock taken over: on this host by looking for the process (its start time
 * tells it from another that got the same id, as in a container, where it is always 1), on another host by the lock's
 * age, since a live holder touches it every ten seconds, whatever else it does: teaching a long history writes no checkpoint.
 */
import { createHash, randomUUID } from 'node:crypto'
import { link, open, readFile, rename, rm, stat, unlink, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { StreamError } from '../core/errors.ts'

export interface Holder {
  readonly pid: number
  /** Start of the process as the system counts it; undefined where it does not say. */
  readonly started: string | undefined
  readonly host: string
}

export interface DirectoryLock {
  /** Throws StreamError STORE_UNWRITABLE if the lock was lost to another. */
  check(): Promise<void>
  release(): Promise<void>
}

const touchEveryMs = 10_000
/** A holder on another host that has not touched its lock for so long is taken for dead. */
const silentForMs = 6 * touchEveryMs

/** Throws StreamError STORE_UNWRITABLE while another worker holds the directory. */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  const path = join(directory, 'lock')
  const id = randomUUID()
  const self: Holder = { pid: process.pid, started: await startOf(process.pid), host: hostname() }
  const ours = JSON.stringify({ ...self, id })
  // Written whole aside and then linked: nobody ever reads half a lock, and only one of several links succeeds.
  const candidate = join(directory, `lock.${id}`)
  await writeFile(candidate, ours, { mode: 0o600 })
  try {
    if (!(await tryLink(candidate, path))) await takeOver(directory, path, candidate)
  } finally {
    await rm(candidate, { force: true })
  }
  // What cannot be touched now is tried again; a lock that was lost is found out by the next check. It keeps no process alive.
  const touching = setInterval(() => void touch(path, ours).catch(() => undefined), touchEveryMs).unref()
  return {
    async check() {
      if ((await readIfThere(path)) !== ours) throw held(directory, 'another worker')
    },
    async release() {
      clearInterval(touching)
      if ((await readIfThere(path)) === ours) await unlink(path)
    },
  }
}

/** Who holds the directory and is alive, as far as can be seen from here: for whoever only looks. */
export async function holderOf(directory: string): Promise<Pick<Holder, 'pid' | 'host'> | undefined> {
  const path = join(directory, 'lock')
  const holder = parseHolder((await readIfThere(path)) ?? '')
  if (holder === undefined) return undefined
  if (holder.host === hostname()) return (await isAlive(holder, path, path)) ? holder : undefined
  const candidate = join(directory, `lock.${randomUUID()}`)
  try {
    await writeFile(candidate, '', { mode: 0o600 })
    return (await isAlive(holder, path, candidate)) ? holder : undefined
  } catch {
    // Who may not write there cannot tell, and must not take it for dead.
    return holder
  } finally {
    await rm(candidate, { force: true })
  }
}

/** Written over itself, so that the time is the file system's, as the one it will be compared with. */
async function touch(path: string, ours: string): Promise<void> {
  const file = await open(path, 'r+')
  try {
    // Read from the file that is written: another's lock that comes in between is another file.
    if ((await file.readFile('utf8')) === ours) await file.write(ours, 0)
  } finally {
    await file.close()
  }
}

/**
 * Puts the candidate in the place of a lock whose holder is gone, or throws. Only one may succeed a given lock: the one
 * who links the name made of its content, and still finds that content in place. The replacing itself leaves no gap.
 */
async function takeOver(directory: string, path: string, candidate: string): Promise<void> {
  const text = (await readIfThere(path)) ?? ''
  const holder = parseHolder(text)
  if (holder && (await isAlive(holder, path, candidate)))
    throw held(directory, `process ${holder.pid} on ${holder.host}`)

  const right = join(directory, `lock.after-${createHash('sha256').update(text).digest('hex').slice(0, 16)}`)
  // Left behind by one who was killed between these lines.
  if ((await ageAgainst(candidate, right)) > silentForMs) await rm(right, { force: true })
  if (!(await tryLink(candidate, right))) throw held(directory, 'another worker')
  const stillThere = (await readIfThere(path)) === text
  if (stillThere) await rename(candidate, path)
  await rm(right, { force: true })
  if (!stillThere) throw held(directory, 'another worker')
}

async function isAlive(holder: Holder, path: string, candidate: string): Promise<boolean> {
  if (holder.host !== hostname()) {
    return (await ageAgainst(candidate, path)) < silentForMs
  }
  if (!isRunning(holder.pid)) return false
  const started = await startOf(holder.pid)
  return started === undefined || holder.started === undefined || started === holder.started
}

/** How much older a file is than one just written, both by the file system's clock, which all hosts share; 0 if it is gone. */
async function ageAgainst(written: string, path: string): Promise<number> {
  const [now, then] = await Promise.all([stat(written), stat(path).catch(() => undefined)])
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
    readIfThere(`/proc/${pid}/stat`),
    readIfThere('/proc/sys/kernel/random/boot_id'),
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
  return new StreamError('STORE_UNWRITABLE', `Cannot use the state directory ${directory}: ${by} is using it`, {
    retry: 'later',
    hint: 'Stop that worker, or give this one a directory of its own (state.directory)',
  })
}

async function tryLink(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false
    throw error
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch {
    return undefined
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
