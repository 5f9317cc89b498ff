/** A client that stops from one second to the next: its deployment failed, its network is gone. It begins with the first call that does not come. */
import type { Misbehaviour, Play } from '../contract.ts'

/** Whoever calls less often is silent for seconds and minutes all day long. */
const LEAST_PER_MINUTE = 60

export const silence: Misbehaviour = {
  name: 'silence',
  sentence: 'a client that calls every second stops altogether',
  kind: 'silence',
  multiple: undefined,
  harms: false,
  seconds: 600,
  suits: ({ callsPerMinute }) => callsPerMinute >= LEAST_PER_MINUTE,
  start(): Play {
    let onsetAt: number | undefined
    return {
      second(_index, own) {
        onsetAt ??= own[0]?.at
        return []
      },
      onsetAt: () => onsetAt,
    }
  },
}
