/**
 * tenants.yaml read again while the worker runs: whoever becomes exempt at three in the morning must not need a restart
 * first. Looked at every few seconds (a file system's own notices get lost on network mounts and in containers), taken
 * only if both files are right as they stand; what is wrong is told, and what was known before goes on.
 */
import type { Clock } from '../clock.ts'
import type { TenantsConfig } from '../core/config/config.ts'
import { SECOND_MS } from '../core/vocabulary.ts'
import type { Telemetry } from '../worker/telemetry.ts'
import { type LoadedConfig, tenantsText } from './config-file.ts'

export interface TenantsWatch {
  /** Of weir.yaml, as `loadConfig` takes it. */
  readonly configPath: string
  /** What `lookAt` said before the worker's tenants were loaded. */
  readonly begunWith: string | undefined
  readonly readFile: (path: string) => Promise<string>
  readonly load: (path: string) => Promise<LoadedConfig>
  readonly clock: Clock
  readonly telemetry: Telemetry
}

const lookEveryMs = 5 * SECOND_MS

/** Until `signal` aborts. `take` is told of each change that can be used; what was there at the beginning is no change. */
export async function followTenants(
  { configPath, begunWith, readFile, load, clock, telemetry }: TenantsWatch,
  take: (tenants: TenantsConfig) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const look = () => lookAt(configPath, readFile)
  let seen = begunWith
  for (;;) {
    await clock.sleep(lookEveryMs, signal)
    if (signal.aborted) return
    const now = await look()
    if (now === seen) continue
    // An editor may be in the middle of writing: what stands there for two looks is meant.
    await clock.sleep(SECOND_MS, signal)
    if (signal.aborted) return
    if ((await look()) !== now) continue
    seen = now
    if (now === undefined) {
      // A deployment that went half way must not make an exempt tenant one who may be throttled.
      telemetry({ name: 'tenantsRefused', because: 'The file is gone: put it back, or start again without it.' })
      continue
    }
    const loaded = await load(configPath).catch((cause: unknown) => {
      telemetry({ name: 'tenantsRefused', because: cause instanceof Error ? cause.message : String(cause) })
    })
    if (!loaded) continue
    await take(loaded.tenants)
    const all = Object.values(loaded.tenants.tenants)
    const keys = all.reduce((sum, tenant) => sum + tenant.keys.length, 0)
    const planned = all.reduce((sum, tenant) => sum + tenant.planned.length, loaded.tenants.planned.length)
    telemetry({ name: 'tenantsReloaded', tenants: all.length, keys, planned })
  }
}

/** The text of the tenants, to be taken before they are loaded: what changes from then on is a change. */
export const lookAt = (configPath: string, readFile: TenantsWatch['readFile']): Promise<string | undefined> =>
  tenantsText(configPath, readFile).catch((cause: unknown) => unreadable(cause))

/** Stands for what could not be read, so that it is told once and not at every look. */
const unreadable = (cause: unknown): string => `\u0000${cause instanceof Error ? cause.message : String(cause)}`
