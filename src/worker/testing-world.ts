/**
 * A world for the worker's tests: time that passes when told to, a source that has what it is given, performers that
 * answer when told to. The engine, the decoder and the stores are the real ones; a crash is a copy of the folder.
 */
import type { Performer } from '../actions/performer.ts'
import type { Clock } from '../clock.ts'
import type { Effect, Outcome } from '../core/incident/effect.ts'
import type { EpochMs, PartitionId, Position } from '../core/vocabulary.ts'
import type { Positions, Source, SourceBatch } from '../sources/source.ts'

export interface HandClock extends Clock {
  /** Time passes; who slept until then wakes, in order. */
  pass(ms: number): Promise<void>
}

export function handClock(startsAt: EpochMs): HandClock {
  let now = startsAt
  const sleepers = new Set<{ readonly until: EpochMs; readonly wake: () => void }>()
  return {
    now: () => now,
    sleep: (ms, signal) =>
      new Promise(resolve => {
        if (signal?.aborted) return resolve()
        const wake = (): void => {
          sleepers.delete(sleeper)
          signal?.removeEventListener('abort', wake)
          resolve()
        }
        const sleeper = { until: now + ms, wake }
        sleepers.add(sleeper)
        signal?.addEventListener('abort', wake, { once: true })
      }),
    async pass(ms) {
      now += ms
      for (const sleeper of [...sleepers].sort((one, other) => one.until - other.until))
        if (sleeper.until <= now) sleeper.wake()
      await untilQuiet()
    },
  }
}

/**
 * Until all that needs no time has happened. The disk is real, and slow where others use it: so the quiet is counted only
 * while nothing is being read or written.
 */
export async function untilQuiet(): Promise<void> {
  for (let quiet = 0; quiet < 20; ) {
    await new Promise(resolve => setTimeout(resolve, 1))
    quiet = process.getActiveResourcesInfo().some(kind => kind.startsWith('FSReq')) ? 0 : quiet + 1
  }
}

export interface HandSource extends Source {
  /** Of one partition; positions count from 1 in the order given. */
  give(partition: PartitionId, lines: readonly string[], arrivedAt: EpochMs): void
  end(): void
  fail(cause: unknown): void
  readonly committed: (readonly [PartitionId, Position][])[]
  /** As they are by now that it was given to read from. */
  positions(): readonly (readonly [PartitionId, Position])[]
}

/** Keeps all it was ever given, as a stream does: another reader may begin anywhere. */
export function handSource(given: SourceBatch[] = []): HandSource & { readonly given: SourceBatch[] } {
  let wake = (): void => {}
  let followed: Positions = new Map()
  let over: 'no' | 'ended' | { readonly cause: unknown } = 'no'
  const committed: (readonly [PartitionId, Position][])[] = []
  const stop = (how: typeof over): void => {
    over = how
    wake()
  }
  return {
    description: 'a source in hand',
    keyed: false,
    given,
    committed,
    give(partition, lines, arrivedAt) {
      const position = String(given.filter(batch => batch.partition === partition).length + 1)
      given.push({ partition, arrivedAt, records: [{ partition, position, payload: Buffer.from(lines.join('\n')) }] })
      wake()
    },
    end: () => stop('ended'),
    fail: cause => stop({ cause }),
    positions: () => [...followed],
    async *read(positions: Positions, signal) {
      followed = positions
      signal.addEventListener('abort', () => wake(), { once: true })
      for (let next = 0; !signal.aborted; ) {
        const batch = given[next]
        if (batch !== undefined) {
          next++
          const after = Number(batch.records.at(-1)?.position)
          if (after > Number(positions.get(batch.partition) ?? 0)) yield batch
        } else if (over === 'ended') return
        else if (over !== 'no') throw over.cause
        else {
          await new Promise<void>(resolve => {
            wake = resolve
          })
        }
      }
    },
    partitions: () => [...new Set(given.map(({ partition }) => partition))],
    async commit(positions) {
      committed.push([...positions])
    },
    async close() {},
  }
}

export interface HandPerformer extends Performer {
  /** Ids of the effects, in the order they were asked for. */
  readonly asked: string[]
}

/** `answer`: what comes of an effect; undefined keeps it waiting until the worker gives up. */
export function handPerformer(
  answer: (effect: Effect) => Outcome | undefined,
  progress?: Performer['progress'],
): HandPerformer {
  const asked: string[] = []
  return {
    asked,
    ...(progress && { progress }),
    perform: (effect, signal) =>
      new Promise((resolve, reject) => {
        asked.push(effect.id)
        const outcome = answer(effect)
        if (outcome) resolve(outcome)
        signal.addEventListener('abort', () => reject(signal.reason), { once: true })
      }),
  }
}
