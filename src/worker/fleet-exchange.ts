/**
 * What the parts of a shared stream tell each other once a second (core/incident/fleet-sums.ts): those of this worker in memory,
 * those of others through a file a worker in the directory that all share. A worker that has written nothing new for five seconds
 * is not counted: it is gone, or its parts are another's by now.
 */
import type { Clock } from '../clock.ts'
import { type FleetSums, isFleetSums, type OtherParts, sumOf } from '../core/incident/fleet-sums.ts'
import { type EpochMs, HOUR_MS, type PartitionId, SECOND_MS } from '../core/vocabulary.ts'

/** One part of the stream, as long as its life lasts. */
export interface FleetPart {
  sums(): FleetSums
  take(others: OtherParts): Promise<void>
}

/** Where workers leave what they tell the others. */
export interface FleetBoard {
  write(text: string): Promise<void>
  /** What each other worker has written last, by its name. */
  read(): Promise<ReadonlyMap<string, string>>
  /** One that has not written for long. */
  remove(name: string): Promise<void>
}

export interface FleetExchange {
  /** Answers how to leave. */
  join(partition: PartitionId, part: FleetPart): () => void
  /** Until `signal` aborts. */
  run(signal: AbortSignal): Promise<void>
}

const silentMs = 5 * SECOND_MS

export function createFleetExchange(
  board: FleetBoard,
  { clock, troubled }: { readonly clock: Clock; readonly troubled: (because: string) => void },
): FleetExchange {
  const parts = new Map<PartitionId, FleetPart>()
  const heard = new Map<string, { readonly text: string; readonly at: EpochMs }>()
  let isTroubled = false

  async function exchange(): Promise<void> {
    const own = new Map([...parts].map(([partition, part]) => [partition, part.sums()]))
    const others = await tellAndHear(own)
    const teller = tellerOf(new Map([...others, ...own]))
    for (const [partition, part] of parts) {
      const rest = new Map([...others, ...own])
      rest.delete(partition)
      // One that fails ends by itself, and says so: the others hear what they are to hear.
      await part.take({ sums: sumOf([...rest.values()]), tellsPlatform: partition === teller }).catch(() => undefined)
    }
  }

  /** What is on the board is a help: without it each worker judges by what it sees itself. */
  async function tellAndHear(own: ReadonlyMap<PartitionId, FleetSums>): Promise<ReadonlyMap<string, FleetSums>> {
    try {
      await board.write(JSON.stringify({ at: clock.now(), parts: Object.fromEntries(own) }))
      const others = listenTo(await board.read())
      isTroubled = false
      return others
    } catch (cause) {
      if (!isTroubled) troubled(cause instanceof Error ? cause.message : String(cause))
      isTroubled = true
      return new Map()
    }
  }

  function listenTo(board: ReadonlyMap<string, string>): ReadonlyMap<string, FleetSums> {
    const now = clock.now()
    const others = new Map<string, FleetSums>()
    for (const [name, text] of board) {
      const before = heard.get(name)
      if (before?.text !== text) heard.set(name, { text, at: now })
      const silentForMs = before?.text === text ? now - before.at : 0
      if (silentForMs > HOUR_MS) void forget(name)
      if (silentForMs <= silentMs) for (const [partition, sums] of partsIn(text)) others.set(partition, sums)
    }
    return others
  }

  async function forget(name: string): Promise<void> {
    heard.delete(name)
    await board.remove(name).catch(() => undefined)
  }

  return {
    join(partition, part) {
      parts.set(partition, part)
      return () => {
        if (parts.get(partition) === part) parts.delete(partition)
      }
    },
    async run(signal) {
      while (!signal.aborted) {
        await clock.sleep(SECOND_MS, signal)
        if (!signal.aborted) await exchange()
      }
    },
  }
}

/** The first of those that know any key; one without a call sees nothing to tell. */
function tellerOf(parts: ReadonlyMap<string, FleetSums>): string | undefined {
  const numberOf = (partition: string): number => Number(partition.slice(partition.lastIndexOf('/') + 1))
  const knowing = [...parts].filter(([, { keys }]) => keys > 0).map(([partition]) => partition)
  return knowing.sort((one, other) => numberOf(one) - numberOf(other))[0]
}

/** Another worker's file may be of another version, or half a file on a disk that does not rename at once. */
function partsIn(text: string): readonly (readonly [string, FleetSums])[] {
  try {
    const { parts } = JSON.parse(text) as { readonly parts?: unknown }
    if (typeof parts !== 'object' || parts === null) return []
    return Object.entries(parts).filter((entry): entry is [string, FleetSums] => isFleetSums(entry[1]))
  } catch {
    return []
  }
}
