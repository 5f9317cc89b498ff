/**
 * Made-up clients for a worker that is left on: a few large, many small, each with a day that swings and a quieter weekend. The
 * day is turned so that its broadest hour is the one of the run: what is asked about is the worker, and so the rate stays where it is.
 */
import { createWriteStream } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { DAY_MS, type EpochMs, SLOT_MS } from '../../core/vocabulary.ts'
import { createRandom } from '../../simulation/random.ts'

export interface Fleet {
  readonly keys: readonly string[]
  /** Calls a second of a key at a time, by its number. */
  rate(key: number, at: EpochMs): number
}

export interface FleetOptions {
  readonly keys: readonly string[]
  /** Of all together, in the middle of the run. */
  readonly callsPerSecond: number
  readonly middleOfRun: EpochMs
}

const swing = 0.4
const weekend = 0.7

export function makeFleet({ keys, callsPerSecond, middleOfRun }: FleetOptions): Fleet {
  const weights = keys.map((_, key) => (key + 1) ** -0.7)
  const all = weights.reduce((sum, weight) => sum + weight, 0)
  const top = shapeAt(middleOfRun)
  return {
    keys,
    rate: (key, at) => ((weights[key] ?? 0) / all) * callsPerSecond * (shapeAt(at) / top),
  }

  function shapeAt(at: EpochMs): number {
    const day = 1 + swing * Math.cos((2 * Math.PI * (at - middleOfRun)) / DAY_MS)
    const daysAway = Math.abs(Math.round((at - middleOfRun) / DAY_MS)) % 7
    return daysAway === 2 || daysAway === 3 ? day * weekend : day
  }
}

/** The seven days before `now`, as counts of five minutes each, for `--history`. */
export async function writeFleetWeek(path: string, now: EpochMs, fleet: Fleet): Promise<void> {
  const to = Math.floor(now / SLOT_MS) * SLOT_MS
  await pipeline(Readable.from(weekOf(fleet, to)), createGzip({ level: 1 }), createWriteStream(path))
}

/** One piece a slot. */
function* weekOf(fleet: Fleet, to: EpochMs): Generator<string> {
  const random = createRandom(1, 'fleet-week')
  for (let start = to - 7 * DAY_MS; start < to; start += SLOT_MS) {
    let rows = ''
    for (const [number, key] of fleet.keys.entries()) {
      const calls = random.poisson(fleet.rate(number, start + SLOT_MS / 2) * (SLOT_MS / 1_000))
      if (calls === 0) continue
      const failed = random.poisson(calls * 0.01)
      const good = Math.max(0, calls - failed)
      rows += `{"key":"${key}","start":${start},"seconds":300,"calls":${calls},"status2xx":${good},"status4xx":${calls - good}}\n`
    }
    yield rows
  }
}
