/**
 * Asks the detectors about one view. What opens an incident is asked first; the others only when there is something to
 * corroborate, so that quiet keys cost two questions a look.
 */
import type { Detector, Evidence, Finding, TenantView } from '../../detectors/contract.ts'
import { detectors } from '../../detectors/index.ts'
import type { WeirConfig } from './config/config.ts'
import type { Explanation } from './explanation/explanation.ts'

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
  /** Whether none of those that may open has anything to say of a calm key. */
  readonly restsEarly: boolean
  readonly rests: boolean
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
  const rests = ({ detector }: ConfiguredDetector) => detector.restsWhenCalm
  return {
    openEarly: open.filter(early),
    open,
    corroborateEarly: corroborate.filter(early),
    corroborate,
    restsEarly: open.filter(early).every(rests),
    rests: open.every(rests),
  }
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

/** Below `interest` no evidence is collected: the key is as it should be. */
export function judge(jury: Jury, view: TenantView, interest: number): Judgement | undefined {
  const openers = view.look === 'early' ? jury.openEarly : jury.open
  let score = 0
  let voices: Voice[] | undefined
  for (const { detector, values } of openers) {
    const finding = detector.evaluate(view, values)
    if (finding === undefined || finding.score <= interest) continue
    score = Math.max(score, finding.score)
    voices ??= []
    voices.push({ name: detector.name, opens: true, finding })
  }
  if (voices === undefined) return undefined
  for (const { detector, values } of view.look === 'early' ? jury.corroborateEarly : jury.corroborate) {
    const finding = detector.evaluate(view, values)
    if (finding !== undefined && finding.score > 1) voices.push({ name: detector.name, opens: false, finding })
  }
  return { score, voices }
}

/** The finding that names the misbehaviour: harm before surprise, then the higher score. */
export function leading({ voices }: Judgement): Voice | undefined {
  let best: Voice | undefined
  for (const voice of voices) {
    if (voice.finding.score <= 1) continue
    const isHarm = voice.finding.kind === 'retry-storm'
    const bestIsHarm = best?.finding.kind === 'retry-storm'
    if (
      best === undefined ||
      (isHarm && !bestIsHarm) ||
      (isHarm === bestIsHarm && voice.finding.score > best.finding.score)
    ) {
      best = voice
    }
  }
  return best
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
