/** What people were told of one key: an incident opened, turned worse, or a limit was suggested. */
import type { Evidence, Kind } from '../../../detectors/contract.ts'
import type { Decisions } from '../../core/engine-input.ts'
import type { Explanation } from '../../core/explanation/explanation.ts'

export interface Telling {
  readonly keyId: string
  readonly incidentId: string
  /** Event time at which it was decided, epoch ms. */
  readonly at: number
  readonly kind: Kind | 'platform'
  readonly severity: Explanation['severity']
  /** Whether an alert was sent, and not only noted. */
  readonly isAlerted: boolean
  /** Whether a limit would have been lowered. */
  readonly throttles: boolean
  /** Whether it was told as part of a sick platform only, and not under the key's own name. */
  readonly isPlatforms: boolean
  /** What it was told with: the scores above the threshold, what was seen and what is usual. */
  readonly detectors: Explanation['detectors']
  readonly current: Explanation['current']
  readonly expected: Explanation['expected']
  readonly evidence: readonly Evidence[]
}

export const tellingsOf = ({ changes }: Decisions): readonly Telling[] =>
  changes
    .filter(({ phase }) => phase === 'open')
    .map(
      ({ keyId, incidentId, decidedAt, kind, severity, telling, action, detectors, current, expected, evidence }) => ({
        ...{ keyId, incidentId, kind, severity, at: decidedAt, detectors, current, expected, evidence },
        isAlerted: telling === 'alerted',
        throttles: action.kind === 'suggest' || action.kind === 'throttle',
        isPlatforms: action.kind === 'held' && action.because === 'platform-incident' && kind !== 'platform',
      }),
    )
