/** A holiday: nine of ten calls are not made. */
import type { BusyDay, Play } from '../contract.ts'

const SHARE_OF_USUAL = 0.1

export const holiday: BusyDay = {
  name: 'holiday',
  sentence: 'a tenth of the usual calls, as nobody works',
  seconds: 3_600,
  scope: 'tenant',
  start({ from, random }): Play {
    let onsetAt: number | undefined
    return {
      second(_index, own) {
        onsetAt ??= from
        return own.filter(() => random.uniform() < SHARE_OF_USUAL)
      },
      onsetAt: () => onsetAt,
    }
  },
}
