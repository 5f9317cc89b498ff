/**
 * A consumer group as its members see it: partitions are shared out among who is there, and shared out anew when one comes, leaves,
 * is silent for too long, or just so. Each member hears of it when it hears of anything: so for a moment two may hold the same
 * partition for theirs, and one that was frozen goes on as if it still had all.
 */
import type { Clock } from '../../clock.ts'
import type { PartitionId, Position } from '../../core/vocabulary.ts'
import type { Random } from '../../simulation/random.ts'
import type { Positions, SharedSource, SourceBatch } from '../../sources/source.ts'
import type { Loop, Mortal } from './loop.ts'
import type { SimulatedStream } from './stream.ts'

/** As Weir sets it with Kafka. */
const sessionMs = 10_000
const beatMs = 1_000
/** Until a member hears of what it has now. */
const hearsWithinMs = 1_500

interface Member {
  readonly worker: number
  readonly life: Mortal
  silentSince: number | undefined
  tell(): void
}

export interface Group {
  /** As a worker reads the stream, from its first batch to its end. */
  open(worker: number, reader: { readonly life: Mortal; readonly clock: Clock }): SharedSource
  /** From now on the partition is this worker's, while it is there. */
  prefer(partition: number, worker: number): void
}

export function createGroup({
  loop,
  random,
  stream,
  note,
}: {
  readonly loop: Loop
  readonly random: Random
  readonly stream: SimulatedStream
  readonly note: (text: string) => void
}): Group {
  const members: Member[] = []
  const preferred = new Map<number, number>()

  const ownerOf = (number: number): Member | undefined =>
    members.find(({ worker }) => worker === preferred.get(number)) ?? members[number % Math.max(1, members.length)]

  const shareOf = (member: Member): readonly number[] =>
    [...stream.partitions.keys()].filter(number => ownerOf(number) === member)

  function shareOut(because: string): void {
    members.sort((one, other) => one.worker - other.worker)
    const shares = members.map(member => `${member.worker}: ${shareOf(member).join(' ') || '–'}`)
    note(`group: ${because} → ${shares.join(', ')}`)
    for (const { tell, life } of members) loop.after(random.integer(hearsWithinMs), tell, life)
  }

  function join(member: Member): void {
    if (members.includes(member)) return
    members.push(member)
    shareOut(`worker ${member.worker} comes`)
  }

  function leave(member: Member, because: string): void {
    const at = members.indexOf(member)
    if (at < 0) return
    members.splice(at, 1)
    shareOut(`worker ${member.worker} ${because}`)
  }

  function beat(): void {
    const now = loop.now()
    for (const member of [...members]) {
      const isSilent = !member.life.isAlive || (member.life.frozenUntil ?? 0) > now
      member.silentSince = isSilent ? (member.silentSince ?? now) : undefined
      if (now - (member.silentSince ?? now) < sessionMs) continue
      leave(member, 'is silent')
      const comeBack = (): void => {
        member.tell()
        loop.after(random.integer(3_000), () => join(member), member.life)
      }
      loop.after(0, comeBack, member.life)
    }
    loop.after(beatMs, beat)
  }
  loop.after(beatMs, beat)

  function open(worker: number, { life, clock }: { readonly life: Mortal; readonly clock: Clock }): SharedSource {
    const next = new Map<number, number>()
    let held: readonly PartitionId[] = []
    let told: (partitions: readonly PartitionId[]) => void = () => {}
    let mine: readonly number[] = []
    const named = (numbers: readonly number[]): readonly PartitionId[] =>
      numbers.flatMap(number => stream.partitions[number] ?? [])
    const member: Member = {
      ...{ worker, life, silentSince: undefined },
      tell() {
        const now = members.includes(member) ? shareOf(member) : []
        for (const number of now) if (!mine.includes(number)) next.delete(number)
        mine = now
        told(named(now))
      },
    }

    function take(): SourceBatch | undefined {
      const first = random.integer(Math.max(1, mine.length))
      for (let turn = 0; turn < mine.length; turn++) {
        const number = mine[(first + turn) % mine.length] as number
        if (held.some(partition => partition === stream.partitions[number])) continue
        const from = next.get(number) ?? 0
        const batch = stream.batchOf(number, from, clock.now())
        if (batch === undefined) continue
        next.set(number, from + batch.records.length)
        return batch
      }
      return undefined
    }

    return {
      description: 'a simulated topic',
      keyed: true,
      partitions: () => named(mine),
      onAssigned(tell) {
        told = tell
      },
      goOn(partition: PartitionId, position: Position | undefined) {
        next.set(stream.partitions.indexOf(partition), Number(position ?? 0))
      },
      hold(partitions) {
        held = partitions
        loop.after(1, () => stream.wake(), life)
      },
      async *read(_positions: Positions, signal: AbortSignal) {
        signal.addEventListener('abort', () => stream.wake(), { once: true })
        join(member)
        try {
          while (!signal.aborted) {
            const batch = take()
            if (batch !== undefined) yield batch
            else await stream.onceMore(life)
          }
        } finally {
          leave(member, 'leaves')
        }
      },
      commit: () => clock.sleep(1 + random.integer(20)),
      async close() {},
    }
  }

  return {
    open,
    prefer(partition, worker) {
      preferred.set(partition, worker)
      shareOut(`partition ${partition} goes to worker ${worker}`)
    },
  }
}
