/**
 * Asks the detectors about one view. What opens an incident is asked first; the others only when there is something to
 * corroborate, so that quiet keys cost two questions a look.
 */
import type { Detector, Evidence, Finding, Kind, LogField, Rest, TenantView } from '../../detectors/contract.ts'
import { detectors } from '../../detectors/index.ts'
import type { WeirConfig } from './config/config.ts'
import type { Explanation } from './explanation/explanation.ts'
import type { ReadPlaces } from './formats/decoder.ts'
import { compareHarm } from './incident/response.ts'
import type { Calm } from './state/tenant-view.ts'

export interface ConfiguredDetector {
  readonly detector: Detector
  readonly opens: boolean
  readonly values: Readonly<Record<string, number>>
}

export interface Jury {
  /** Those whose finding alone opens an incident, for early and for all looks; and those that only corroborate. */
  readonly openEarly: readonly ConfiguredDetector[]
  readonly open: readonly ConfiguredDetector[]
  readonly corroborateEarly: readonly ConfiguredDetector[]
  readonly corroborate: readonly ConfiguredDetector[]
  /** A key as calm as this none of those that may open has anything to say of; undefined where one of them never rests. */
  readonly calmEarly: Calm | undefined
  readonly calm: Calm | undefined
  /** Above this share of the usual calls of five minutes nobody who asks for what is missing has anything to say; undefined where nobody asks. */
  readonly lull: number | undefined
  /** Scores up to here are of no interest: the key is as it should be. */
  readonly interest: number
}

export function createJury(config: WeirConfig): Jury {
  const configured = detectors.flatMap(detector => {
    const settings = config.detectors[detector.name]
    if (settings === undefined || settings.enabled !== true) return []
    const { enabled: _, opens, ...thresholds } = settings
    return [{ detector, opens: opens === true, values: numbersOf(thresholds) }]
  })
  const open = configured.filter(({ opens }) => opens)
  const corroborate = configured.filter(({ opens }) => !opens)
  const early = ({ detector }: ConfiguredDetector) => detector.early
  const interest = config.incident.staysAbove
  const stirred = open.filter(({ detector }) => detector.restsAbove === undefined)
  return {
    openEarly: open.filter(early),
    open,
    corroborateEarly: corroborate.filter(early),
    corroborate,
    calmEarly: calmFor(stirred.filter(early), interest, config),
    calm: calmFor(stirred, interest, config),
    lull: lullFor(open, interest),
    interest,
  }
}

/** What `Rest` says of all who are asked, together. */
function calmFor(asked: readonly ConfiguredDetector[], interest: number, { pool }: WeirConfig): Calm | undefined {
  const rests: Rest[] = []
  for (const { detector, values } of asked) {
    if (!detector.restsWhenCalm) return undefined
    rests.push(detector.restsBelow?.(values, interest) ?? NOTHING_STIRS)
  }
  const least = (of: (rest: Rest) => number | undefined): number =>
    Math.min(...rests.map(rest => (of(rest) ?? Number.POSITIVE_INFINITY) * SURELY), Number.POSITIVE_INFINITY)
  return {
    nats: least(({ nats }) => nats),
    failures: least(({ failures }) => failures),
    clientErrors: {
      count: least(({ clientErrors }) => clientErrors?.count),
      share: least(({ clientErrors }) => clientErrors?.share),
    },
    refused: least(({ refused }) => refused),
    routes: least(({ routes }) => routes),
    oneRoute: {
      evenness: least(({ oneRoute }) => oneRoute?.evenness),
      calls: least(({ oneRoute }) => oneRoute?.calls),
      partOfUsual: least(({ oneRoute }) => oneRoute?.partOfUsual),
    },
    callsFromNew: least(({ callsFromNew }) => callsFromNew),
    executions: pool === undefined ? Number.POSITIVE_INFINITY : least(({ poolShare }) => poolShare) * pool.concurrency,
  }
}

/** A little less than what the detectors allow: a sum in another order may differ in its last bits. */
const SURELY = 1 - 1e-9

/** A detector that does not say with what it rests, rests with this. */
const NOTHING_STIRS: Rest = {
  ...{ nats: 0, failures: 0, clientErrors: { count: 0, share: 0 }, refused: 0, poolShare: 0 },
  ...{ routes: 0, oneRoute: { evenness: 0, calls: 0, partOfUsual: 0 }, callsFromNew: 0 },
}

/** Which fields somebody reads of a log: what no enabled detector needs is not looked for. */
export function fieldsRead(config: WeirConfig): ReadPlaces {
  const isRead = (field: LogField): boolean =>
    detectors.some(({ name, needs }) => needs === field && config.detectors[name]?.enabled === true)
  return { route: isRead('route'), source: isRead('source') }
}

function lullFor(asked: readonly ConfiguredDetector[], interest: number): number | undefined {
  let most: number | undefined
  for (const { detector, values } of asked) {
    const share = detector.restsAbove?.(values, interest)
    if (share !== undefined) most = Math.max(most ?? 0, share / SURELY)
  }
  return most
}

const numbersOf = (settings: Readonly<Record<string, unknown>>): Readonly<Record<string, number>> =>
  Object.fromEntries(
    Object.entries(settings).filter((entry): entry is [string, number] => typeof entry[1] === 'number'),
  )

/** A detector that speaks, and what it says. */
export interface Voice {
  readonly name: string
  /** Whether it may open an incident by itself. */
  readonly opens: boolean
  readonly finding: Finding
}

export interface Judgement {
  /** Highest score of those that may open; 0 when none has anything to say. */
  readonly score: number
  readonly voices: readonly Voice[]
}

/**
 * What a detector is shown while an event is planned: who is surprised by calls alone, the plan; who looks for harm, what is
 * usual without it.
 */
export const shownTo = ({ kind }: Detector, view: TenantView): TenantView =>
  view.unplanned === undefined || kind === 'surge' ? view : { ...view, ...view.unplanned }

/** Nothing where no score is of interest: no evidence is collected then. */
export function judge(jury: Jury, view: TenantView): Judgement | undefined {
  const openers = view.look === 'early' ? jury.openEarly : jury.open
  let score = 0
  let voices: Voice[] | undefined
  for (const { detector, values } of openers) {
    const finding = detector.evaluate(shownTo(detector, view), values)
    if (finding === undefined || finding.score <= jury.interest) continue
    score = Math.max(score, finding.score)
    voices ??= []
    voices.push({ name: detector.name, opens: true, finding })
  }
  if (voices === undefined) return undefined
  for (const { detector, values } of view.look === 'early' ? jury.corroborateEarly : jury.corroborate) {
    const finding = detector.evaluate(shownTo(detector, view), values)
    if (finding !== undefined && finding.score > 1) voices.push({ name: detector.name, opens: false, finding })
  }
  return { score, voices }
}

/** The finding that names the misbehaviour: the kind that says most, then the higher score. */
export function leading({ voices }: Judgement): Voice | undefined {
  let best: Voice | undefined
  for (const voice of voices) {
    if (voice.finding.score <= 1) continue
    const order = best === undefined ? 1 : compareHarm(voice.finding.kind, best.finding.kind)
    if (order > 0 || (order === 0 && voice.finding.score > (best?.finding.score ?? 0))) best = voice
  }
  return best
}

/** How often a week the key would surge so by itself, by whichever finds it rarest; undefined where none compares with the key's own past. */
export function rarestSurge(findings: readonly Finding[]): number | undefined {
  let rarest: number | undefined
  for (const { kind, score, timesAWeek } of findings)
    if (kind !== 'silence' && timesAWeek !== undefined && score > 1)
      rarest = Math.min(rarest ?? Number.POSITIVE_INFINITY, timesAWeek)
  return rarest
}

/** What those who may open an incident speak of, and what names it. */
export function kindsIn({ voices }: Judgement, lead: Voice): readonly Kind[] {
  return voices
    .filter(voice => voice === lead || (voice.opens && voice.finding.score > 1))
    .map(voice => voice.finding.kind)
}

export const scoresOf = ({ voices }: Judgement): Explanation['detectors'] =>
  voices.filter(({ finding }) => finding.score > 1).map(({ name, finding }) => ({ name, score: finding.score }))

/** Evidence of all that speak, each measure once: the leading voice's first. */
export function evidenceOf(judgement: Judgement): readonly Evidence[] {
  const first = leading(judgement)
  const ordered = [...judgement.voices].sort((one, other) => Number(other === first) - Number(one === first))
  const byMeasure = new Map<string, Evidence>()
  for (const { finding } of ordered) {
    if (finding.score <= 1) continue
    for (const evidence of finding.evidence)
      if (!byMeasure.has(evidence.measure)) byMeasure.set(evidence.measure, evidence)
  }
  return [...byMeasure.values()]
}
