/** Who calls when, what the gateway lets through, and how the log of it comes: late by a second or so, in no exact order. */
import { SECOND_MS } from '../../core/vocabulary.ts'
import type { Gateway } from '../../simulation/gateway.ts'
import type { Random } from '../../simulation/random.ts'
import type { SimulatedTable } from './authorizer-table.ts'
import { players, startsAt } from './cast.ts'
import type { Schedule, Storm } from './schedule.ts'
import type { LoggedCall, SimulatedStream } from './stream.ts'

/** Calls are made, and lines come, in steps of so long. */
export const stepMs = 500

export interface Traffic {
  /** What happens from `now` to a step later; ms since the story began. */
  step(now: number): void
  /** All that was called has come. */
  flush(): void
}

export function createTraffic(
  { storms, sick, calmFrom, keyed }: Schedule,
  {
    gateway,
    table,
    stream,
    random,
  }: {
    readonly gateway: Gateway
    readonly table: SimulatedTable
    readonly stream: SimulatedStream
    readonly random: Random
  },
): Traffic {
  /** By the step in which they come, and by partition. */
  const due = new Map<number, LoggedCall[][]>()
  let ordinal = 0

  function call(player: number, at: number, failing: number): LoggedCall {
    const keyId = players[player]?.keyId ?? ''
    // The authorizer answers with a penalty key, whose plan counts then.
    const isAdmitted = gateway.admit(table.penaltyOf(keyId) ?? keyId, at)
    const status = !isAdmitted ? 429 : random.uniform() < failing ? 503 : 200
    const latency = isAdmitted ? 20 + random.integer(60) : 1
    const text = `{"requestTimeEpoch":${at},"apiKeyId":"${keyId}","status":${status},"responseLatency":${latency},"ordinal":${ordinal++}}`
    return { key: player, at, text }
  }

  function deliver(logged: LoggedCall, now: number): void {
    // Most lines come within a second and a half; some are late, and none so late that its second is over.
    const delayMs = 200 + random.integer(random.uniform() < 0.01 ? 6_000 : 1_300)
    const step = Math.ceil((Math.max(logged.at - startsAt, now) + delayMs) / stepMs)
    const partitions = stream.partitions.length
    const partition = keyed ? logged.key % partitions : random.integer(partitions)
    let lists = due.get(step)
    if (lists === undefined) {
      lists = stream.partitions.map(() => [])
      due.set(step, lists)
    }
    lists[partition]?.push(logged)
  }

  function come(step: number): void {
    const lists = due.get(step)
    due.delete(step)
    for (const [partition, calls] of lists?.entries() ?? []) stream.append(partition, calls)
  }

  return {
    step(now) {
      const isSick = sick.some(({ from, to }) => from <= now && now < to)
      const times: { readonly player: number; readonly at: number; readonly failing: number }[] = []
      for (const [player, { keyId, callsPerSecond }] of players.entries()) {
        const storm = storms.find(one => one.keyId === keyId && one.from <= now && now < one.to)
        const { rate, failing } = habit(callsPerSecond, now < calmFrom ? storm : undefined)
        for (let left = random.poisson((rate * stepMs) / SECOND_MS); left > 0; left--)
          times.push({ player, at: startsAt + now + random.integer(stepMs), failing: isSick ? 0.9 : failing })
      }
      times.sort((one, other) => one.at - other.at)
      for (const { player, at, failing } of times) deliver(call(player, at, failing), now)
      come(Math.floor(now / stepMs))
    },
    flush() {
      for (const step of [...due.keys()].sort((one, other) => one - other)) come(step)
    },
  }
}

function habit(usual: number, storm: Storm | undefined): { readonly rate: number; readonly failing: number } {
  if (storm === undefined) return { rate: usual, failing: 0.002 }
  switch (storm.kind) {
    case 'retries':
      return { rate: storm.callsPerSecond, failing: 0.5 }
    case 'surge':
      return { rate: usual * 12, failing: 0.002 }
    case 'failing':
      return { rate: usual * 1.5, failing: 0.95 }
    case 'silence':
      return { rate: 0, failing: 0 }
    default:
      return storm.kind satisfies never
  }
}
