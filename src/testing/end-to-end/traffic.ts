/**
 * Traffic in real time: usual calls, and on request one client's retry storm, written as access log lines to wherever a
 * gateway would write them. The storm answers failures with more calls, and once its limit is lowered it runs into 429s.
 */
import { setInterval } from 'node:timers/promises'
import type { EpochMs } from '../../core/vocabulary.ts'
import { accessLogLine } from './access-log-line.ts'
import { callsBetween, type Loop, type RecordedCall } from './call-loop.ts'

/** Where lines go: a topic, a log group. */
export interface Outlet {
  send(lines: readonly string[]): Promise<void>
  close(): Promise<void>
}

export interface Storm {
  readonly from: EpochMs
  readonly to: EpochMs
  readonly callsPerSecond: number
}

export interface Traffic {
  /** All lines that have been sent. */
  sent(): number
  /** The client of the storm repeats its own recorded calls. It begins with the next lines that are sent. */
  storm(of: { readonly seconds: number; readonly callsPerSecond: number }): Storm
  /** From now on the gateway lets the storming client through at this rate, and refuses the rest. */
  limitTo(callsPerSecond: number): void
  /** Ends it, and throws if anything could not be sent. */
  stop(): Promise<void>
}

export interface TrafficOptions {
  readonly loop: Loop
  readonly keyOf: (client: string) => string
  readonly stormingClient: string
  readonly outlet: Outlet
}

const tickMs = 200
/** Of five calls of a storm four fail, so that its rate of calls is no success either. */
const failsOf = { of: 5, fail: 4 }

export function startTraffic({ loop, keyOf, stormingClient, outlet }: TrafficOptions): Traffic {
  const stop = new AbortController()
  const stormCalls = loop.calls.flatMap(({ call }) => (call.client === stormingClient ? [call] : []))
  let sentTo = Date.now()
  let sent = 0
  let ordinal = 0
  let current: Storm | undefined
  let stormed = 0
  let limit = Number.POSITIVE_INFINITY
  let allowedAt: EpochMs = 0

  function line(call: RecordedCall, answeredAt: EpochMs, status: number): string {
    const { client, method, path, bytes, ua } = call
    const keyId = keyOf(client)
    ordinal++
    return accessLogLine({
      ...{ answeredAt, keyId, sourceIp: client, method, path, status, ordinal },
      bytes: status === call.status ? bytes : 36,
      userAgent: ua ?? '-',
    })
  }

  function stormLines(to: EpochMs): string[] {
    if (current === undefined) return []
    const due = Math.floor(((Math.min(to, current.to) - current.from) * current.callsPerSecond) / 1_000)
    const lines: string[] = []
    for (; stormed < due; stormed++) {
      const at = current.from + (stormed * 1_000) / current.callsPerSecond
      const call = stormCalls[stormed % stormCalls.length]
      if (call !== undefined) lines.push(line(call, at, stormStatus(call, at)))
    }
    return lines
  }

  function stormStatus(call: RecordedCall, at: EpochMs): number {
    if (at < allowedAt) return 429
    if (limit < Number.POSITIVE_INFINITY) allowedAt = at + 1_000 / limit
    return stormed % failsOf.of < failsOf.fail ? 503 : call.status
  }

  async function sendUntilStopped(): Promise<void> {
    try {
      for await (const _ of setInterval(tickMs, undefined, { signal: stop.signal })) await sendUpTo(Date.now())
    } catch (error) {
      if (!stop.signal.aborted) throw error
    }
    await sendUpTo(Date.now())
  }

  async function sendUpTo(now: EpochMs): Promise<void> {
    const usual = [...callsBetween(loop, { from: sentTo, to: now })].map(({ at, call }) => line(call, at, call.status))
    sentTo = now
    const lines = [...usual, ...stormLines(now)]
    if (lines.length === 0) return
    await outlet.send(lines)
    sent += lines.length
  }

  const sending = sendUntilStopped()
  // Told by stop(): until then nobody waits for it.
  sending.catch(() => undefined)

  return {
    sent: () => sent,
    storm({ seconds, callsPerSecond }) {
      const from = Date.now()
      current = { from, to: from + seconds * 1_000, callsPerSecond }
      stormed = 0
      return current
    },
    limitTo(callsPerSecond) {
      limit = callsPerSecond
    },
    async stop() {
      stop.abort()
      await sending
    },
  }
}
