/**
 * What proves that somebody may act on the worker: WEIR_OPERATOR_TOKEN, or else made at the first start and kept beside the
 * state, readable by its owner alone, so that who may read the worker's files may operate it, and nobody has to set up
 * anything. It is told to nobody: not logged, not shown in the reference.
 */
import { randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { StreamError } from '../core/errors.ts'
import { wrongSetting } from './secret.ts'

export const operatorTokenFile = 'operator-token'

/** A shorter one could be guessed: nothing slows down who tries on the same machine. */
const leastLength = 16

export async function loadOperatorToken(
  directory: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  const given = env.WEIR_OPERATOR_TOKEN
  if (given) return checkToken('WEIR_OPERATOR_TOKEN', given)
  const path = join(directory, operatorTokenFile)
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    // `wx`: of two that start at once, one makes it and both read it.
    await writeFile(path, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600, flag: 'wx' }).catch(alreadyThere)
    return checkToken(path, (await readFile(path, 'utf8')).trim())
  } catch (cause) {
    if (cause instanceof StreamError) throw cause
    const because = cause instanceof Error ? cause.message : String(cause)
    throw new StreamError('STORE_UNWRITABLE', `Could not keep the operator's token at ${path}: ${because}`, {
      ...{ retry: 'never', cause },
      hint: 'Make the folder of state.directory writable, or set WEIR_OPERATOR_TOKEN',
    })
  }
}

/** Also one that a header cannot carry would never be accepted. */
export function checkToken(name: string, token: string): string {
  if (token.length >= leastLength && /^[!-~]+$/.test(token)) return token
  throw wrongSetting(
    `${name} should hold a token of at least ${leastLength} ASCII characters without spaces, and holds another text`,
    'Make one, e.g. by: openssl rand -hex 32',
  )
}

function alreadyThere(cause: unknown): void {
  if (!(cause instanceof Error && 'code' in cause && cause.code === 'EEXIST')) throw cause
}
