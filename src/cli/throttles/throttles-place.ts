/** Where the throttles are that a command is about: the configuration, its tenants and the state directory. */
import { readFile, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { type TenantsConfig, tenantsSchema, type WeirConfig, weirSchema } from '../../core/config/config.ts'
import { StreamError } from '../../core/errors.ts'
import { loadConfig } from '../config-file.ts'

export interface PlaceOptions {
  readonly config: string
  /** The state directory, also where the configuration is lost. */
  readonly state?: string
}

export interface ThrottlesPlace {
  readonly config: WeirConfig
  readonly tenants: TenantsConfig
  readonly directory: string
  /** Why it goes on without a configuration, where it does. */
  readonly note: string | undefined
}

/**
 * Throws what reading the configuration may throw, unless `--state` says where the journal is: who must give limits back at
 * night is not to mend a configuration first. API Gateway is then that of AWS_REGION and the SDK's own credentials.
 */
export async function throttlesPlace({ config: path, state }: PlaceOptions): Promise<ThrottlesPlace> {
  const reading = { readFile: (file: string) => readFile(file, 'utf8'), acts: false }
  const loaded = await loadConfig(path, reading).catch(cause => {
    if (state === undefined) throw withState(cause)
    return { because: cause instanceof Error ? cause.message : String(cause) }
  })
  const folder = dirname(resolve(path))
  const place =
    'because' in loaded
      ? {
          config: weirSchema.parse({ gateway: {} }),
          tenants: tenantsSchema.parse({}),
          note: `Without a configuration, so with the gateway of AWS_REGION. ${loaded.because}`,
        }
      : { config: loaded.config, tenants: loaded.tenants, note: undefined }
  const directory = state === undefined ? resolve(folder, place.config.state.directory) : resolve(state)
  if (!(await isDirectory(directory))) throw nothingKept(directory)
  return { ...place, directory }
}

const isDirectory = (path: string): Promise<boolean> =>
  stat(path).then(
    found => found.isDirectory(),
    () => false,
  )

function withState(cause: unknown): unknown {
  if (!(cause instanceof StreamError)) return cause
  const hint = `${cause.hint === undefined ? '' : `${cause.hint}. `}To go on without it, say where the state is: --state .weir`
  return new StreamError(cause.code, cause.message, { retry: cause.retry, hint, cause })
}

const nothingKept = (directory: string): StreamError =>
  new StreamError('CONFIG_INVALID', `There is no state directory ${directory}: no worker has run with it`, {
    retry: 'never',
    hint: 'Give the weir.yaml that the worker runs with (--config), or its state directory (--state)',
  })
