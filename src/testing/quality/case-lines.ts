/**
 * Each judged case of a run as a line of JSON: what one needs to see *why* a figure is what it is, and to ask
 * `weir explain` at the right moment. Figures are sums of these; nothing here is worked out again.
 */
import type { CleanIncident } from './clean-run.ts'
import { delaySeconds } from './found-row.ts'
import type { Measured } from './goals.ts'
import type { Telling } from './telling.ts'
import type { Bystander, Case, Judged, Verdict } from './verdict.ts'

export function caseLines({ injected, busy, cleanIncidents }: Measured): readonly string[] {
  return [
    ...(injected?.cases ?? []).map(injectedCase),
    ...Object.entries(injected?.bystanders ?? {}).flatMap(([configuration, some]) =>
      some.map(each => bystander(configuration, each)),
    ),
    ...(busy?.tenants ?? []).map(({ verdicts, from, ...about }) => ({
      ...{ part: 'busy', ...about, from: timeText(from) },
      verdicts: verdictsSince(verdicts, from),
    })),
    ...(busy?.sick ?? []).map(({ tellings, ...about }) => ({
      part: 'sick',
      ...about,
      tellings: tellings.map(telling),
    })),
    ...cleanIncidents.map(cleanIncident),
  ].map(row => `${JSON.stringify(row)}\n`)
}

/** `kind` is what it should be called. */
function injectedCase({ verdicts, onsetAt, excessAt, ...about }: Case) {
  return {
    ...{ part: 'injected', ...about, onsetAt: timeText(onsetAt) },
    excessAt: excessAt === undefined ? undefined : timeText(excessAt),
    verdicts: verdictsSince(verdicts, onsetAt),
  }
}

const verdictsSince = (verdicts: Judged['verdicts'], since: number) =>
  Object.fromEntries(Object.entries(verdicts).map(([name, verdict]) => [name, verdictSince(verdict, since)]))

function verdictSince(verdict: Verdict, since: number) {
  if (verdict.kind !== 'found') return { ...verdict, kind: undefined, verdict: verdict.kind }
  const { named, isPaged, throttles, detectors } = verdict
  return {
    ...{ verdict: 'found', delaySeconds: delaySeconds(since, verdict), kind: named },
    ...{ severity: isPaged ? 'high' : 'low', throttles, scores: scoresOf(detectors) },
  }
}

const bystander = (configuration: string, { stage, isPaged, throttles, told }: Bystander) => ({
  ...{ part: 'bystander', stage, configuration, isPaged, throttles, ...telling(told) },
})

const cleanIncident = ({ configuration, tenants, isPaged, throttles, told }: CleanIncident) => ({
  ...{ part: 'clean', tenants, configuration, isPaged, throttles, ...telling(told) },
})

const telling = ({ keyId, at, kind, severity, detectors, current, expected, evidence }: Telling) => ({
  ...{ tenant: keyId, at: timeText(at), kind, severity, scores: scoresOf(detectors) },
  callsPerMinute: current.callsPerMinute,
  seconds: current.seconds,
  usual: expected && `${Math.round(expected.lowerPerMinute)}-${Math.round(expected.upperPerMinute)}/min`,
  evidence: Object.fromEntries(
    evidence.map(({ measure, observed, usual }) => [
      measure,
      usual === undefined ? short(observed) : [short(observed), short(usual)],
    ]),
  ),
})

const scoresOf = (detectors: Telling['detectors']) =>
  Object.fromEntries(detectors.map(({ name, score }) => [name, short(score)]))

const short = (value: number): number => Number(value.toPrecision(4))

const timeText = (at: number): string => new Date(at).toISOString()
