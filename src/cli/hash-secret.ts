/**
 * The secret that keys the hash of raw API key values (which some logs carry, though they should not). Made once and kept
 * beside the state, so that `hash:…` in tenants.yaml stays true over restarts; WEIR_HASH_SECRET wins, for workers that
 * share a tenants.yaml. Without the secret nobody can try out which key value a hash came from.
 */
import { randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { StreamError } from '../core/errors.ts'

export async function loadHashSecret(
  directory: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  const given = env.WEIR_HASH_SECRET
  if (given) return given
  const path = join(directory, 'hash-secret')
  try {
    await mkdir(directory, { recursive: true })
    // `wx`: of two that start at once, one makes it and both read it.
    await writeFile(path, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600, flag: 'wx' }).catch(alreadyThere)
    return (await readFile(path, 'utf8')).trim()
  } catch (cause) {
    throw new StreamError('STORE_UNWRITABLE', `Could not keep the hash secret at ${path}: ${reason(cause)}`, {
      retry: 'never',
      hint: 'Make the folder of state.directory writable, or set WEIR_HASH_SECRET',
      cause,
    })
  }
}

function alreadyThere(cause: unknown): void {
  if (!(cause instanceof Error && 'code' in cause && cause.code === 'EEXIST')) throw cause
}

const reason = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))
