/**
 * UpdateUsagePlan's patch operations as AWS takes them: all or none, values as text, and only the paths that it knows. What
 * changes nothing about a throttle is refused here, never ignored.
 */
import type { PlanLimits } from '../core/incident/effect.ts'
import type { MethodLimits } from '../core/incident/plan-story.ts'

export interface Settings {
  readonly limits: PlanLimits | undefined
  readonly methods: readonly MethodLimits[]
}

/**
 * `raw`: slashes stand as they are, as infrastructure tools send them; `escaped`: `~1`, as the API reference says; `ignored`:
 * taken and not stored, as an emulator does.
 */
export type MethodPaths = 'raw' | 'escaped' | 'ignored'

type Patched =
  | { readonly kind: 'settings'; readonly settings: Settings }
  | { readonly kind: 'invalid'; readonly because: string }

export function patchSettings(
  settings: Settings,
  stages: readonly string[],
  patch: unknown,
  paths: MethodPaths,
): Patched {
  if (!Array.isArray(patch) || patch.length === 0) return { kind: 'invalid', because: 'Invalid patch: no operations' }
  let patched = settings
  for (const operation of patch) {
    const next = applied(patched, stages, readOperation(operation), paths)
    if (next === undefined) return { kind: 'invalid', because: `Invalid patch: ${JSON.stringify(operation)}` }
    patched = next
  }
  return { kind: 'settings', settings: patched }
}

interface Operation {
  readonly op: unknown
  readonly path: unknown
  readonly value: unknown
}

function applied(
  settings: Settings,
  stages: readonly string[],
  { op, path, value }: Operation,
  paths: MethodPaths,
): Settings | undefined {
  const { limits } = settings
  if (typeof path !== 'string') return undefined
  if (path.startsWith('/apiStages/')) return appliedToMethod(settings, stages, { op, path, value }, paths)
  if (op === 'remove' && path === '/throttle' && limits !== undefined) return { ...settings, limits: undefined }
  const changed =
    op === 'replace' && path.startsWith('/throttle/') ? withNumber(limits, path.slice(10), value) : undefined
  return changed && { ...settings, limits: changed }
}

/** `/apiStages/{apiId:stage}/throttle/{resourcePath}/{METHOD}/rateLimit`; without its last part it is what can be removed. */
function appliedToMethod(
  settings: Settings,
  stages: readonly string[],
  { op, path, value }: Operation & { readonly path: string },
  paths: MethodPaths,
): Settings | undefined {
  const [, apiStage = '', rest = ''] = /^\/apiStages\/([^/]+)\/throttle\/(.+)$/.exec(path) ?? []
  if (!stages.includes(apiStage)) return undefined
  if (paths === 'ignored') return settings
  const [, written = '', number] = /^(.*?)(?:\/(rateLimit|burstLimit))?$/.exec(rest) ?? []
  const method = methodNamed(written, paths)
  if (method === undefined) return undefined
  const isIt = (one: MethodLimits): boolean => one.apiStage === apiStage && one.method === method
  const others = settings.methods.filter(one => !isIt(one))
  const own = settings.methods.find(isIt)
  if (op === 'remove' && number === undefined && own) return { ...settings, methods: others }
  const limits = op === 'replace' && number !== undefined ? withNumber(own?.limits, number, value) : undefined
  return limits && { ...settings, methods: [...others, { apiStage, method, limits }] }
}

/** `/pets/GET`, out of the one way to write it that is right here. */
function methodNamed(written: string, paths: MethodPaths): string | undefined {
  if (paths === 'raw') return /^\/[^~]*\/[A-Z]+$/.test(written) ? written : undefined
  if (!/^~1[^/]*\/[A-Z]+$/.test(written)) return undefined
  return written.replaceAll('~1', '/').replaceAll('~0', '~')
}

function withNumber(limits: PlanLimits | undefined, name: string, value: unknown): PlanLimits | undefined {
  if (name === 'rateLimit' && isDecimal(value)) return { rateLimit: Number(value), burstLimit: limits?.burstLimit ?? 0 }
  if (name === 'burstLimit' && isWhole(value)) return { rateLimit: limits?.rateLimit ?? 0, burstLimit: Number(value) }
  return undefined
}

function readOperation(operation: unknown): Operation {
  if (typeof operation !== 'object' || operation === null) return { op: undefined, path: undefined, value: undefined }
  const { op, path, value } = { op: undefined, path: undefined, value: undefined, ...operation }
  return { op, path, value }
}

function isDecimal(value: unknown): value is string {
  return typeof value === 'string' && /^\d+(\.\d+)?$/.test(value)
}

function isWhole(value: unknown): value is string {
  return typeof value === 'string' && /^\d+$/.test(value)
}
