/**
 * The access log as a stream: it keeps all it was ever given, each partition in its order, and knows what is in each
 * record, so that whatever a worker says it has counted can be counted again.
 */

import type { Clock } from '../../clock.ts'
import { StreamError } from '../../core/errors.ts'
import type { EpochMs, PartitionId, Position } from '../../core/vocabulary.ts'
import type { Random } from '../../simulation/random.ts'
import type { Positions, Source, SourceBatch } from '../../sources/source.ts'
import type { Loop, Mortal } from './loop.ts'

export interface LoggedCall {
  readonly key: number
  readonly at: EpochMs
  readonly text: string
}

interface LogRecord {
  readonly payload: Buffer
  readonly calls: readonly LoggedCall[]
  /** Of the partition up to and with this record. */
  readonly callsTo: number
}

export interface SimulatedStream {
  readonly partitions: readonly PartitionId[]
  /** Nothing comes of it for now. */
  readonly paused: Set<number>
  /** Another has it for now. */
  readonly absent: Set<number>
  append(partition: number, calls: readonly LoggedCall[]): void
  /** All that reads of it fails, once. */
  lose(): void
  open(reader: Reader): Source
  batchOf(partition: number, from: number, arrivedAt: EpochMs): SourceBatch | undefined
  onceMore(life: Mortal): Promise<void>
  /** All readers look again. */
  wake(): void
  /** Calls up to these positions; beyond the end: all. */
  callsUpTo(positions: Readonly<Record<string, string>>): number
  /** Newest first. */
  recordsUpTo(partition: number, position: string | undefined): Generator<LogRecord>
  calls(): number
}

interface Reader {
  readonly life: Mortal
  readonly clock: Clock
  readonly keyed: boolean
  readonly mayRefuseCommits: boolean
}

export function createStream(loop: Loop, random: Random, count: number): SimulatedStream {
  const partitions = Array.from({ length: count }, (_, index): PartitionId => `log/${index}` as PartitionId)
  const logs: LogRecord[][] = partitions.map(() => [])
  const paused = new Set<number>()
  const absent = new Set<number>()
  const readers = new Set<() => void>()
  const wakeAll = (): void => {
    for (const wake of readers) wake()
  }
  let isLost = false
  const position = (records: number): Position => String(records) as Position

  /** What comes after so many records of a partition: a few records, or nothing now. */
  function batchOf(number: number, from: number, arrivedAt: EpochMs): SourceBatch | undefined {
    const partition = partitions[number]
    const log = logs[number]
    if (partition === undefined || log === undefined || paused.has(number) || from >= log.length) return undefined
    const to = Math.min(log.length, from + 1 + random.integer(8))
    const records = log
      .slice(from, to)
      .map(({ payload }, index) => ({ partition, position: position(from + index + 1), payload }))
    return { partition, records, arrivedAt, lag: { records: log.length - to } }
  }

  /** When something has come or changed: then a reader looks again. */
  function onceMore(life: Mortal): Promise<void> {
    return new Promise(resolve => {
      const wake = (): void => {
        readers.delete(wake)
        if (!life.isAlive) return
        if ((life.frozenUntil ?? 0) > loop.now()) loop.after(0, resolve, life)
        else resolve()
      }
      readers.add(wake)
    })
  }

  function open({ life, clock, keyed, mayRefuseCommits }: Reader): Source {
    let held: readonly PartitionId[] = []
    const wasAbsent = new Set<number>()
    const next = new Map<number, number>()

    function take(positions: Positions): SourceBatch | undefined {
      const first = random.integer(count)
      for (let turn = 0; turn < count; turn++) {
        const number = (first + turn) % count
        const partition = partitions[number]
        if (partition === undefined) continue
        if (absent.has(number)) {
          wasAbsent.add(number)
          continue
        }
        // It goes on after what was counted of it, when it comes back.
        if (wasAbsent.delete(number)) next.delete(number)
        if (held.includes(partition)) continue
        const from = next.get(number) ?? Number(positions.get(partition) ?? 0)
        const batch = batchOf(number, from, clock.now())
        if (batch === undefined) continue
        next.set(number, from + batch.records.length)
        return batch
      }
      return undefined
    }

    return {
      description: 'a simulated stream',
      keyed,
      partitions: () => partitions.filter((_, number) => !absent.has(number)),
      hold(partitions) {
        held = partitions
        loop.after(1, wakeAll, life)
      },
      async *read(positions, signal) {
        signal.addEventListener('abort', wakeAll, { once: true })
        while (!signal.aborted) {
          if (isLost) {
            isLost = false
            throw new StreamError('SOURCE_LOST', 'The simulated stream is gone', { retry: 'later', hint: 'Wait' })
          }
          const batch = take(positions)
          if (batch !== undefined) yield batch
          else await onceMore(life)
        }
      },
      async commit() {
        await clock.sleep(1 + random.integer(20))
        if (mayRefuseCommits && random.uniform() < 0.2) throw new Error('the simulated broker takes no commit')
      },
      async close() {},
    }
  }

  return {
    ...{ partitions, paused, absent, open },
    append(partition, calls) {
      const log = logs[partition]
      if (log === undefined || calls.length === 0) return
      const payload = Buffer.from(calls.map(({ text }) => text).join('\n'))
      log.push({ payload, calls, callsTo: (log.at(-1)?.callsTo ?? 0) + calls.length })
      wakeAll()
    },
    lose() {
      isLost = true
      wakeAll()
    },
    ...{ batchOf, onceMore, wake: wakeAll },
    callsUpTo: positions =>
      partitions.reduce((sum, partition, number) => {
        const log = logs[number] ?? []
        const records = Math.min(log.length, Number(positions[partition] ?? 0))
        return sum + (log[records - 1]?.callsTo ?? 0)
      }, 0),
    *recordsUpTo(number, at) {
      const log = logs[number] ?? []
      for (let index = Math.min(log.length, Number(at ?? 0)) - 1; index >= 0; index--) {
        const record = log[index]
        if (record !== undefined) yield record
      }
    },
    calls: () => logs.reduce((sum, log) => sum + (log.at(-1)?.callsTo ?? 0), 0),
  }
}
