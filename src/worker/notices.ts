/**
 * When a worker speaks of itself: a detector that is behind is blind, and must say so. A pure stepper, fed once a second with
 * what telemetry knows; it says little, since whoever is woken by it can do no more than look.
 *
 *     present ── behind by more than `behindAfterMs` for 15 s ──► behind, told ── each hour that it goes on: told again
 *        ▲                                                            │
 *        └────── within half of that for a minute: told ◄─────────────┘      … and `behind` not again within ten minutes
 *
 * What is told of checkpoints and of undelivered alerts is told when it begins and when it is worse, once an hour at most.
 */
import type { Notice } from '../core/explanation/notice.ts'
import { type EpochMs, HOUR_MS, MINUTE_MS, SECOND_MS } from '../core/vocabulary.ts'

export interface NoticeReading {
  readonly at: EpochMs
  readonly behindMs: number
  /** The newest event time that was read. */
  readonly readTo: EpochMs | undefined
  readonly checkpointedAt: EpochMs
  /** Alerts that nobody got, and that are kept. */
  readonly undelivered: number
}

export interface NoticeRules {
  readonly behindAfterMs: number
  readonly checkpointEveryMs: number
}

export interface NoticeState {
  readonly lag: LagState
  /** Told that the state is not kept, since when it is not. */
  readonly unkeptSince: EpochMs | undefined
  readonly undelivered: { readonly told: number; readonly at: EpochMs }
}

type LagState =
  | { readonly phase: 'present'; readonly overSince: EpochMs | undefined; readonly lastToldAt: EpochMs }
  | {
      readonly phase: 'behind'
      readonly since: EpochMs
      readonly mostMs: number
      readonly lastToldAt: EpochMs
      readonly nearSince: EpochMs | undefined
    }

const LASTS_MS = 15 * SECOND_MS
const NEAR_FOR_MS = MINUTE_MS
const APART_MS = 10 * MINUTE_MS
const AGAIN_MS = HOUR_MS
/** A checkpoint of a million keys takes some seconds; a disk that hangs takes minutes. */
const UNKEPT_MS = 2 * MINUTE_MS
const UNKEPT_TIMES = 10

const never = Number.NEGATIVE_INFINITY

export const quietNotices: NoticeState = {
  lag: { phase: 'present', overSince: undefined, lastToldAt: never },
  unkeptSince: undefined,
  undelivered: { told: 0, at: never },
}

export function followNotices(
  state: NoticeState,
  reading: NoticeReading,
  rules: NoticeRules,
): readonly [NoticeState, readonly Notice[]] {
  const [lag, ofLag] = followLag(state.lag, reading, rules)
  const [unkeptSince, ofCheckpoints] = followCheckpoints(state.unkeptSince, reading, rules)
  const [undelivered, ofAlerts] = followUndelivered(state.undelivered, reading)
  return [{ lag, unkeptSince, undelivered }, [...ofLag, ...ofCheckpoints, ...ofAlerts]]
}

type Followed<T> = readonly [T, readonly Notice[]]

function followLag(lag: LagState, reading: NoticeReading, { behindAfterMs }: NoticeRules): Followed<LagState> {
  const { at, behindMs, readTo } = reading
  if (lag.phase === 'present') {
    if (behindMs <= behindAfterMs) return [{ ...lag, overSince: undefined }, []]
    const since = lag.overSince ?? at
    if (at - since < LASTS_MS || at - lag.lastToldAt < APART_MS) return [{ ...lag, overSince: since }, []]
    const behind: LagState = { phase: 'behind', since, mostMs: behindMs, lastToldAt: at, nearSince: undefined }
    return [behind, [{ kind: 'behind', at, since, behindMs, readTo }]]
  }
  const { since } = lag
  const mostMs = Math.max(lag.mostMs, behindMs)
  const nearSince = behindMs <= behindAfterMs / 2 ? (lag.nearSince ?? at) : undefined
  if (nearSince !== undefined && at - nearSince >= NEAR_FOR_MS)
    return [
      { phase: 'present', overSince: undefined, lastToldAt: lag.lastToldAt },
      [{ kind: 'caught-up', at: nearSince, since, mostMs }],
    ]
  if (behindMs <= behindAfterMs || at - lag.lastToldAt < AGAIN_MS) return [{ ...lag, mostMs, nearSince }, []]
  return [{ ...lag, mostMs, nearSince, lastToldAt: at }, [{ kind: 'behind', at, since, behindMs, readTo }]]
}

function followCheckpoints(
  unkeptSince: EpochMs | undefined,
  { at, checkpointedAt }: NoticeReading,
  { checkpointEveryMs }: NoticeRules,
): Followed<EpochMs | undefined> {
  const isUnkept = at - checkpointedAt > Math.max(UNKEPT_MS, UNKEPT_TIMES * checkpointEveryMs)
  if (isUnkept && unkeptSince === undefined)
    return [checkpointedAt, [{ kind: 'checkpoint-failing', at, keptAt: checkpointedAt }]]
  if (!isUnkept && unkeptSince !== undefined)
    return [undefined, [{ kind: 'checkpoint-working', at, since: unkeptSince }]]
  return [unkeptSince, []]
}

function followUndelivered(
  before: NoticeState['undelivered'],
  { at, undelivered }: NoticeReading,
): Followed<NoticeState['undelivered']> {
  // Sent or dropped by a person, who knows.
  if (undelivered <= before.told) return [{ ...before, told: undelivered }, []]
  if (at - before.at < AGAIN_MS) return [before, []]
  return [{ told: undelivered, at }, [{ kind: 'alerts-undelivered', at, alerts: undelivered }]]
}
