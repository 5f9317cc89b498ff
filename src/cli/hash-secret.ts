/**
 * The secret that keys the hash of raw API key values (which some logs carry, though they should not). Made once and kept
 * beside the state, so that `hash:…` in tenants.yaml stays true over restarts; WEIR_HASH_SECRET wins, for workers that
 * share a tenants.yaml. Without the secret nobody can try out which key value a hash came from.
 */
import { randomBytes } from 'node:crypto'
import { link, mkdir, readFile, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { StreamError } from '../core/errors.ts'

/** With `keep: false` (a replay leaves nothing behind) the kept one is used if there is one, else one for this run only. */
export async function loadHashSecret(
  directory: string,
  env: Readonly<Record<string, string | undefined>>,
  { keep = true } = {},
): Promise<string> {
  const given = env.WEIR_HASH_SECRET
  if (given) return given
  const path = join(directory, 'hash-secret')
  try {
    if (!keep)
      return await readFile(path, 'utf8').then(
        text => text.trim(),
        () => randomBytes(32).toString('hex'),
      )
    await mkdir(directory, { recursive: true })
    // Whole before it has its name: of two that start at once, one makes it and both read it.
    const aside = `${path}.${randomBytes(8).toString('hex')}`
    await writeFile(aside, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600, flag: 'wx' })
    await link(aside, path).catch(alreadyThere)
    await unlink(aside)
    return (await readFile(path, 'utf8')).trim()
  } catch (cause) {
    throw new StreamError('STORE_UNWRITABLE', `Could not keep the hash secret at ${path}: ${reason(cause)}`, {
      retry: 'never',
      hint: 'Make the folder of state.directory writable, or set WEIR_HASH_SECRET',
      cause,
    })
  }
}

/**
 * For a command that keeps no state: the worker's secret where there is one, else one for this run alone, so that
 * looking at a log leaves nothing behind. `hash:…` ids are then good within the run only.
 */
export async function borrowHashSecret(
  directory: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  if (env.WEIR_HASH_SECRET) return env.WEIR_HASH_SECRET
  try {
    return (await readFile(join(directory, 'hash-secret'), 'utf8')).trim()
  } catch {
    return randomBytes(32).toString('hex')
  }
}

function alreadyThere(cause: unknown): void {
  if (!(cause instanceof Error && 'code' in cause && cause.code === 'EEXIST')) throw cause
}

const reason = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))
