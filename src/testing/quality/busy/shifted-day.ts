/**
 * A day that runs late: everybody came three hours later, or the clocks went back and what people do by the clock comes an hour later
 * in UTC. The tenant's own calls of so much earlier are made now; where they lie before what is judged, those of the
 * next day are. Its own calls of now are left out. Where neither stretch is at hand, nothing changes and nothing begins.
 */
import { DAY_MS, HOUR_MS, SECOND_MS } from '../../../core/vocabulary.ts'
import { type BusyDay, judgedFrom, type MadeCall, type Play, type Scene } from '../contract.ts'

const SECONDS = 3_600
/** Asked for at once, since a tenant is quickest in stretches of minutes. */
const BLOCK_SECONDS = 300

const shiftedDay = (name: string, sentence: string, hoursLate: number): BusyDay => ({
  name,
  sentence,
  seconds: SECONDS,
  scope: 'tenant',
  start: scene => startShifted(scene, hoursLate * HOUR_MS),
})

export const shiftedDays: readonly BusyDay[] = [
  shiftedDay('late-day', 'the day starts three hours late', 3),
  shiftedDay('clock-change', 'the clocks went back: what comes by the clock comes an hour later', 1),
]

function startShifted(scene: Scene, lateMs: number): Play {
  const standsIn = standInFor(scene, lateMs)
  if (standsIn === undefined) return { second: (_index, own) => own, onsetAt: () => undefined }
  const callsIn = secondsOf(scene, standsIn)
  let onsetAt: number | undefined
  return {
    second(index) {
      onsetAt ??= scene.from
      return callsIn(index)
    },
    onsetAt: () => onsetAt,
  }
}

/** From where on the tenant's calls are taken. */
function standInFor({ tenant, from }: Scene, lateMs: number): number | undefined {
  const earlier = from - lateMs
  if (earlier >= judgedFrom) return earlier
  const nextDay = earlier + DAY_MS
  return nextDay + SECONDS * SECOND_MS <= tenant.judgedTo ? nextDay : undefined
}

/** The calls from there on, second by second, as if made now. */
function secondsOf({ tenant, from }: Scene, standsIn: number): (index: number) => readonly MadeCall[] {
  let block: readonly MadeCall[] = []
  let place = 0
  return index => {
    if (index % BLOCK_SECONDS === 0) {
      block = tenant.callsOf(standsIn + index * SECOND_MS, BLOCK_SECONDS)
      place = 0
    }
    const until = standsIn + (index + 1) * SECOND_MS
    const calls: MadeCall[] = []
    for (let call = block[place]; call !== undefined && call.at < until; call = block[++place])
      calls.push({ ...call, at: call.at - standsIn + from })
    return calls
  }
}
