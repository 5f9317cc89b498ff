/**
 * A fleet's calls in real time, as access log lines: every client at its rate, and on request one of them in a retry storm, that runs
 * into 429s once its limit is lowered. Now and then a line that is none, as every log has.
 */
import { setInterval } from 'node:timers/promises'
import type { EpochMs, PlanLimits } from '../../core/vocabulary.ts'
import { createRandom } from '../../simulation/random.ts'
import { accessLogLine } from '../end-to-end/access-log-line.ts'
import type { Outlet } from '../end-to-end/traffic.ts'
import { until } from '../until.ts'
import type { Fleet } from './fleet.ts'

export interface FleetTrafficOptions {
  readonly fleet: Fleet
  readonly outlet: Outlet
  /** What a client's plan lets through now. */
  readonly limitsOf: (keyId: string) => PlanLimits | undefined
  /** So many of all lines are none. */
  readonly badShare?: number
}

export interface FleetTraffic {
  /** Lines that are calls, and that were taken. */
  sent(): number
  sentBad(): number
  /** Begins with the next lines; ends the storm before. */
  storm(of: FleetStorm): EpochMs
  /** Nobody calls; resolves when all that was called before is sent. */
  rest(): Promise<void>
  goOn(): void
  /** What kept it from sending; after that nothing is sent any more. */
  trouble(): unknown
  /** Ends it, and throws if anything could not be sent. */
  stop(): Promise<void>
}

export interface FleetStorm {
  readonly keyId: string
  readonly seconds: number
  readonly callsPerSecond: number
}

const tickMs = 100
/** A broker takes a megabyte at once, and after a standstill there is much to be sent. */
const mostLinesAtOnce = 2_000
/** Of five calls of a storm four fail. */
const failsOf = { of: 5, fail: 4 }
/** Longer than a cluster without a leader keeps a record waiting. */
const longestSendMs = 120_000
const routes = ['/v1/payments', '/v1/payments/{id}', '/v1/balance', '/v2/refunds', '/v1/customers/{id}'] as const

export function startFleetTraffic({ fleet, outlet, limitsOf, badShare = 0 }: FleetTrafficOptions): FleetTraffic {
  const random = createRandom(1, 'fleet-traffic')
  const stop = new AbortController()
  let sentTo = Date.now()
  const told = { sent: 0, bad: 0, ordinal: 0 }
  let storm: (FleetStorm & { readonly from: EpochMs; made: number }) | undefined
  let allowedAt: EpochMs = 0
  let isResting = false
  let isSending = false
  let trouble: unknown

  const line = (key: number, keyId: string, at: EpochMs, status: number): string =>
    accessLogLine({
      ...{ answeredAt: at, keyId, status, ordinal: ++told.ordinal, method: 'POST', userAgent: 'payflow-java/4.2.1' },
      sourceIp: `198.51.${key % 100}.${(key >> 3) % 250}`,
      path: routes[told.ordinal % routes.length] ?? routes[0],
      bytes: 200 + random.integer(1_500),
    })

  function usualLines(from: EpochMs, to: EpochMs): string[] {
    const lines: string[] = []
    for (const [key, keyId] of fleet.keys.entries()) {
      const mean = (fleet.rate(key, to) * (to - from)) / 1_000
      for (let left = random.poisson(mean); left > 0; left--)
        lines.push(line(key, keyId, from + random.uniform() * (to - from), random.uniform() < 0.01 ? 422 : 200))
    }
    return lines
  }

  function stormLines(to: EpochMs): string[] {
    if (storm === undefined) return []
    const { keyId, seconds, callsPerSecond, from } = storm
    const key = fleet.keys.indexOf(keyId)
    const limit = limitsOf(keyId)?.rateLimit ?? Number.POSITIVE_INFINITY
    const due = Math.floor((Math.min(to - from, seconds * 1_000) * callsPerSecond) / 1_000)
    const lines: string[] = []
    for (; storm.made < due; storm.made++) {
      const at = from + (storm.made * 1_000) / callsPerSecond
      if (at < allowedAt) lines.push(line(key, keyId, at, 429))
      else lines.push(line(key, keyId, at, storm.made % failsOf.of < failsOf.fail ? 503 : 200))
      if (at >= allowedAt) allowedAt = at + 1_000 / limit
    }
    return lines
  }

  async function sendUpTo(now: EpochMs): Promise<void> {
    const lines = isResting ? [] : [...usualLines(sentTo, now), ...stormLines(now)]
    sentTo = now
    const calls = lines.length
    if (calls === 0) return
    const bad = random.poisson(calls * badShare)
    for (let number = 0; number < bad; number++) lines.push(`{"apiKeyId":"${fleet.keys[0]}","status":"no status"}`)
    isSending = true
    for (let from = 0; from < lines.length; from += mostLinesAtOnce)
      await outlet.send(lines.slice(from, from + mostLinesAtOnce))
    isSending = false
    told.sent += calls
    told.bad += bad
  }

  const sending = (async () => {
    try {
      for await (const _ of setInterval(tickMs, undefined, { signal: stop.signal })) await sendUpTo(Date.now())
    } catch (error) {
      if (stop.signal.aborted) return
      trouble = error
      throw error
    }
  })()
  // Told by stop(): until then nobody waits for it.
  sending.catch(() => undefined)

  return {
    sent: () => told.sent,
    sentBad: () => told.bad,
    storm(of) {
      const from = Date.now()
      storm = { ...of, from, made: 0 }
      allowedAt = 0
      return from
    },
    async rest() {
      isResting = true
      await until(
        'all calls to be taken',
        () => {
          if (trouble !== undefined) throw trouble
          return !isSending || undefined
        },
        longestSendMs,
      )
    },
    goOn() {
      isResting = false
    },
    trouble: () => trouble,
    async stop() {
      stop.abort()
      await sending
      if (!isResting) await sendUpTo(Date.now())
    },
  }
}
