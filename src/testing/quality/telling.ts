/** What people were told of one key: an incident opened, turned worse, or a limit was suggested. */
import type { Kind } from '../../../detectors/contract.ts'
import type { Decisions } from '../../core/engine-input.ts'
import type { Explanation } from '../../core/explanation/explanation.ts'

export interface Telling {
  readonly keyId: string
  readonly incidentId: string
  /** Event time at which it was decided, epoch ms. */
  readonly at: number
  readonly kind: Kind | 'platform'
  readonly severity: Explanation['severity']
  /** Whether a limit would have been lowered. */
  readonly throttles: boolean
  /** Whether it was told as part of a sick platform only, and not under the key's own name. */
  readonly isPlatforms: boolean
  readonly detectors: readonly string[]
}

export const tellingsOf = ({ changes }: Decisions): readonly Telling[] =>
  changes
    .filter(({ phase }) => phase === 'open')
    .map(({ keyId, incidentId, decidedAt, kind, severity, action, detectors }) => ({
      ...{ keyId, incidentId, kind, severity, at: decidedAt },
      throttles: action.kind === 'suggest' || action.kind === 'throttle',
      isPlatforms: action.kind === 'held' && action.because === 'platform-incident' && kind !== 'platform',
      detectors: detectors.map(({ name }) => name),
    }))
