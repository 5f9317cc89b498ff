/**
 * Secrets that the configuration names, fetched from where it says that they are: an environment variable or a file. What
 * is wrong is told by the name of the setting, and never with what it holds.
 */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { StreamError } from '../core/errors.ts'

export interface SecretSurroundings {
  /** Of the configuration: files that it names are found from there. */
  readonly folder: string
  readonly env: Readonly<Record<string, string | undefined>>
}

/** Throws CONFIG_INVALID for a variable or file that is not there or empty. */
export async function readSecret(
  setting: string,
  secret: { readonly env: string } | { readonly file: string },
  { env, folder }: SecretSurroundings,
): Promise<string> {
  if ('env' in secret) {
    const value = env[secret.env]
    if (value) return value
    throw wrongSetting(`${setting} names the environment variable ${secret.env}, which is not set`, `Set ${secret.env}`)
  }
  // An editor ends a file with a line end, which is no part of a secret.
  const value = (await readSetting(setting, resolve(folder, secret.file))).replace(/\r?\n$/, '')
  if (value !== '') return value
  throw wrongSetting(`${setting} names ${secret.file}, which is empty`, 'Put the secret into it, or name another file')
}

export async function readSetting(setting: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    const because = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
    throw wrongSetting(
      `${setting} names ${path}, which cannot be read (${because})`,
      'Paths are found from the folder of weir.yaml',
      cause,
    )
  }
}

export function wrongSetting(sentence: string, hint: string, cause?: unknown): StreamError {
  return new StreamError('CONFIG_INVALID', sentence, { retry: 'never', hint, ...(cause !== undefined && { cause }) })
}
