/** Of the whole fleet: the API is sick, and not its clients (platform.ts). */
import type { EpochMs } from '../vocabulary.ts'
import type { Story } from './incident.ts'

export type PlatformIncident =
  /** `judgedTo`: until then (event time) it was judged in an earlier life; what is read again of before does not change it. */
  | { readonly phase: 'quiet'; readonly judgedTo?: EpochMs }
  | {
      readonly phase: 'open'
      readonly story: Story
      readonly lastSickAt: EpochMs
      readonly judgedTo?: EpochMs
      /** Whether this part of a shared stream tells people of it: who told that it began tells how it goes on, whoever tells the next one. */
      readonly tells: boolean
    }
