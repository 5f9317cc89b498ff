/**
 * PayFlow's access log as a stream, in step with a clock: what `npm start` reads. Lines are spread over the partitions at
 * random, as CloudWatch Logs spreads them over a Kinesis stream. It never ends by itself.
 *
 * A position is the event time up to which the simulation had run. Read from positions, the same simulation is run again
 * up to there and only what follows is handed over: that repeats the run exactly as long as its admission does.
 */
import type { Clock } from '../clock.ts'
import type { EpochMs, PartitionId, Position } from '../core/vocabulary.ts'
import { SECOND_MS } from '../core/vocabulary.ts'
import type { Positions, Source, SourceBatch } from '../sources/source.ts'
import { type Payflow, STEP_MS } from './payflow.ts'
import { createRandom } from './random.ts'

export interface SimulatorOptions {
  readonly payflow: Payflow
  readonly clock: Clock
  readonly seed: number
  /** How often it looks whether time has passed, in ms of the clock: a fifth of a second of real time is `200 × speed`. */
  readonly wakeEveryMs: number
  readonly partitions?: number
}

/** However late it is, one record of a partition holds no more than this much event time, so that records stay small. */
const mostPerRecordMs = SECOND_MS

export function simulatorSource({
  payflow,
  clock,
  seed,
  wakeEveryMs,
  partitions: count = 4,
}: SimulatorOptions): Source {
  const partitions = Array.from({ length: count }, (_, index): PartitionId => `payflow/${index}`)
  const random = createRandom(seed, 'partitions')

  function batchesUntil(untilMs: EpochMs, positions: Positions): SourceBatch[] {
    const linesOf = partitions.map((): string[] => [])
    for (const line of payflow.step(untilMs)) linesOf[random.integer(count)]?.push(line)
    const position: Position = String(payflow.now())
    const arrivedAt = clock.now()
    return partitions.flatMap((partition, index) => {
      const lines = linesOf[index] ?? []
      if (lines.length === 0 || payflow.now() <= Number(positions.get(partition) ?? 0)) return []
      const payload = Buffer.from(`${lines.join('\n')}\n`)
      return [
        { partition, records: [{ partition, position, payload }], arrivedAt, lag: { ms: arrivedAt - payflow.now() } },
      ]
    })
  }

  return {
    description: 'PayFlow simulation',
    keyed: false,
    partitions: () => partitions,
    async *read(positions, signal) {
      while (!signal.aborted) {
        const wokenAt = clock.now()
        while (!signal.aborted && payflow.now() + STEP_MS <= wokenAt)
          yield* batchesUntil(nextStop({ now: payflow.now(), wokenAt, positions }), positions)
        await clock.sleep(Math.max(0, wokenAt + wakeEveryMs - clock.now()), signal)
      }
    },
    async commit() {},
    async close() {},
  }
}

/** Pieces also end where a reader stopped before, so that none is half old and half new. */
function nextStop({ now, wokenAt, positions }: { now: EpochMs; wokenAt: EpochMs; positions: Positions }): EpochMs {
  const ahead = [...positions.values()].map(Number).filter(position => position > now)
  return Math.min(now + mostPerRecordMs, wokenAt, ...ahead)
}
