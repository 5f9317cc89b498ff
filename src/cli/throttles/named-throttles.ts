/** Which throttles a person means: by key, by incident, by the id or name of a tenant. */
import { StreamError } from '../../core/errors.ts'
import type { KeptThrottle } from './kept-throttles.ts'

/** All that could be meant, so that a key named as one tenant's is not taken for another's. */
export function throttlesNamed(name: string, throttles: readonly KeptThrottle[]): readonly KeptThrottle[] {
  const exact = throttles.filter(({ keyId, incidentId }) => keyId === name || incidentId === name)
  if (exact.length > 0) return exact
  const wanted = name.toLowerCase()
  return throttles.filter(
    ({ tenant }) => tenant !== undefined && (tenant.tenantId === name || tenant.name?.toLowerCase() === wanted),
  )
}

/** An incident's id begins with its key. */
export const keyOf = (name: string): string => name.replace(/#(\d+|lost-\d+)$/, '')

export const unknownThrottle = (name: string, directory: string): StreamError =>
  new StreamError('KEY_UNKNOWN', `Nothing is lowered for ${name}, by the state in ${directory}`, {
    retry: 'never',
    hint: 'weir throttles list shows what is; a key, an incident (key_abc123#1) or a tenant of tenants.yaml can be named',
  })
