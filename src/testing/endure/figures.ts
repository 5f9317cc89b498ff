/** What a run of rounds comes to: what was survived, what was lost, and how long things took. */
import { median } from 'simple-statistics'
import { faultName } from './faults.ts'
import type { AlertsJudged } from './laws.ts'
import type { RoundTold } from './round.ts'

export interface EndureFigures {
  readonly schema: 'weir.endure/1'
  readonly seed: number
  readonly workers: number
  readonly rounds: number
  readonly faults: number
  readonly faultsByKind: Readonly<Record<string, number>>
  readonly storms: number
  readonly throttled: number
  readonly alerts: Pick<AlertsJudged, 'expected' | 'received'> & {
    readonly lost: number
    readonly doubled: number
    /** Second copies that nobody can avoid. */
    readonly atTheEdge: number
  }
  readonly limitsNotRestored: number
  readonly schedulesLeft: number
  readonly callsInTopic: number
  readonly callsCounted: number
  /** ms from a storm's first call to its first alert, where the fault came after the alert and where it came before. */
  readonly msToAlert: { readonly undisturbed: Times; readonly disturbed: Times }
  readonly msToRestored: Times
  /** Of rounds in which a broker died. */
  readonly stoodStillMs: Times
  readonly caughtUpMs: Times
  readonly broken: readonly { readonly round: number; readonly says: string }[]
}

type Times = { readonly median: number; readonly most: number; readonly of: number } | null

export interface EndureEnd {
  readonly seed: number
  readonly workers: number
  readonly judged: AlertsJudged
  readonly limitsNotRestored: number
  readonly schedulesLeft: number
  readonly callsInTopic: number
  readonly callsCounted: number
  /** At the very end. */
  readonly broken: readonly string[]
}

export function figuresOf(rounds: readonly RoundTold[], end: EndureEnd): EndureFigures {
  const { judged, broken, ...rest } = end
  const names = rounds.flatMap(({ plan }) => plan.faults.map(faultName))
  const wasDisturbed = ({ stormAt, faultAt, msToAlert = Number.POSITIVE_INFINITY }: RoundTold): boolean =>
    faultAt < stormAt + msToAlert
  const times = (of: (round: RoundTold) => number | undefined, among = rounds): Times => timesOf(among.map(of))
  return {
    schema: 'weir.endure/1',
    ...{ ...rest, rounds: rounds.length, faults: names.length, storms: rounds.length },
    faultsByKind: Object.fromEntries(
      [...new Set(names)].sort().map(name => [name, names.filter(other => other === name).length]),
    ),
    throttled: rounds.filter(({ wasThrottled }) => wasThrottled).length,
    alerts: {
      ...{ expected: judged.expected, received: judged.received },
      ...{ lost: judged.lost.length, doubled: judged.doubled.length, atTheEdge: judged.atTheEdge.length },
    },
    msToAlert: {
      undisturbed: times(
        ({ msToAlert }) => msToAlert,
        rounds.filter(round => !wasDisturbed(round)),
      ),
      disturbed: times(({ msToAlert }) => msToAlert, rounds.filter(wasDisturbed)),
    },
    msToRestored: times(({ msToRestored }) => msToRestored),
    stoodStillMs: times(({ stoodStillMs }) => stoodStillMs),
    caughtUpMs: times(({ caughtUpMs }) => caughtUpMs),
    broken: [
      ...rounds.flatMap(({ plan, broken: says }) => says.map(each => ({ round: plan.number, says: each }))),
      ...broken.map(says => ({ round: rounds.length, says })),
    ],
  }
}

function timesOf(values: readonly (number | undefined)[]): Times {
  const known = values.filter(value => value !== undefined)
  return known.length === 0 ? null : { median: median(known), most: Math.max(...known), of: known.length }
}

export function figuresText(figures: EndureFigures): string {
  const { alerts, msToAlert, faultsByKind } = figures
  return [
    `${figures.rounds} rounds, ${figures.workers === 1 ? 'one worker' : `${figures.workers} workers`}, seed ${figures.seed}`,
    `faults survived     ${figures.faults}: ${Object.entries(faultsByKind)
      .map(([name, count]) => `${count} ${name}`)
      .join(', ')}`,
    `storms              ${figures.storms}, of which ${figures.throttled} were throttled`,
    `alerts              ${alerts.received} of ${alerts.expected}; lost ${alerts.lost}, doubled ${alerts.doubled}, second copies at the edge ${alerts.atTheEdge}`,
    `limits not restored ${figures.limitsNotRestored}; schedules left ${figures.schedulesLeft}`,
    `calls               ${figures.callsCounted.toLocaleString('en')} counted of ${figures.callsInTopic.toLocaleString('en')}`,
    `storm → alert       ${timesText(msToAlert.undisturbed)}; with a fault before it ${timesText(msToAlert.disturbed)}`,
    `storm → limit back  ${timesText(figures.msToRestored)}`,
    `a broker dies       nothing read for ${timesText(figures.stoodStillMs)}; caught up after ${timesText(figures.caughtUpMs)}`,
    ...figures.broken.map(({ round, says }) => `✗ round ${round}: ${says}`),
  ].join('\n')
}

const timesText = (times: Times): string =>
  times === null
    ? '–'
    : `${(times.median / 1_000).toFixed(1)} s (most ${(times.most / 1_000).toFixed(1)} s, ${times.of} times)`
