/**
 * A week of counts before now, as another tool would have kept them: one pane row a key and minute, made of the same loop
 * that the live traffic goes on with. So the band that Weir learns is the real one of that traffic.
 */
import { writeFile } from 'node:fs/promises'
import { gzipSync } from 'node:zlib'
import { DAY_MS, type EpochMs, MINUTE_MS } from '../../core/vocabulary.ts'
import { callsBetween, type Loop } from './call-loop.ts'

export interface WeekOptions {
  readonly loop: Loop
  readonly keyOf: (client: string) => string
  /** Only these clients have a past; who calls without one is new. */
  readonly clients: ReadonlySet<string>
}

/** Writes the seven days that end at the minute before `now`. */
export async function writeWeek(path: string, now: EpochMs, options: WeekOptions): Promise<void> {
  const to = Math.floor(now / MINUTE_MS - 1) * MINUTE_MS
  await writeFile(path, gzipSync([...rowsBetween(to - 7 * DAY_MS, to, options)].join('')))
}

interface Counted {
  calls: number
  status2xx: number
  status4xx: number
}

function* rowsBetween(from: EpochMs, to: EpochMs, { loop, keyOf, clients }: WeekOptions): Generator<string> {
  for (let start = from; start < to; start += MINUTE_MS) {
    const counts = new Map<string, Counted>()
    for (const { call } of callsBetween(loop, { from: start, to: start + MINUTE_MS })) {
      if (!clients.has(call.client)) continue
      const counted = counts.get(call.client) ?? { calls: 0, status2xx: 0, status4xx: 0 }
      counted.calls++
      if (call.status < 300) counted.status2xx++
      if (call.status >= 400 && call.status < 500) counted.status4xx++
      counts.set(call.client, counted)
    }
    for (const [client, counted] of counts)
      yield `${JSON.stringify({ key: keyOf(client), start, seconds: 60, ...counted })}\n`
  }
}
