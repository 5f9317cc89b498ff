/**
 * A client of which one part in ten is left: the machines of a zone are gone, a queue is no longer read. What is left goes on
 * as ever. It begins with the first call that does not come.
 */
import type { Misbehaviour, Play } from '../contract.ts'

/** Whoever calls less often has minutes of a tenth all day long. */
const LEAST_PER_MINUTE = 60
const LEFT_SHARE = 0.1

export const fall: Misbehaviour = {
  name: 'fall-to-tenth',
  sentence: 'nine of ten calls of a client that calls every second do not come',
  kind: 'fall',
  multiple: undefined,
  harms: false,
  seconds: 1_200,
  suits: ({ callsPerMinute }) => callsPerMinute >= LEAST_PER_MINUTE,
  start({ random }): Play {
    let onsetAt: number | undefined
    return {
      second(_index, own) {
        const left = own.filter(() => random.uniform() < LEFT_SHARE)
        if (left.length < own.length) onsetAt ??= own.find(call => !left.includes(call))?.at
        return left
      },
      onsetAt: () => onsetAt,
    }
  },
}
