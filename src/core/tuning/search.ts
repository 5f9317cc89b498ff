/**
 * Which settings are tried, and which is suggested.
 *
 *     present → ladder: all knobs turned to their stricter side, 1/2, 1/√2, √2, 2, 2√2, 4 times what they are
 *             → rounds about the best so far: each knob by itself √2 times more, and less; on as long as one is better
 *             → back: what was changed and makes no difference is as it was
 *
 * A generator that yields settings to be judged, all those of a batch at once, and is handed what they cost: it knows of no log and
 * no engine. Each is judged by a replay of its own, never by arithmetic on another's scores: what is decided changes what is
 * known from then on (README.md).
 */
import { changedKnobs, type Knob, presentSetting, type Setting, stricter, turned } from './knob.ts'

export interface Trial<Judged> {
  readonly setting: Setting
  readonly judged: Judged
}

export interface Search<Judged> {
  readonly knobs: readonly Knob[]
  /** So many settings are tried at most, the present one not counted. */
  readonly tries: number
  /** Below 0: the first is to be preferred. */
  readonly compare: (one: Judged, other: Judged) => number
  /** Whether a detector had a part in what was told: knobs of one that never has are left alone. */
  readonly speaks: (judged: Judged, detector: string) => boolean
}

export interface Searched<Judged> {
  readonly present: Trial<Judged>
  readonly suggested: Trial<Judged>
  /** All, in the order tried, the present one first. */
  readonly trials: readonly Trial<Judged>[]
}

const STEP = Math.SQRT2
const LADDER = [1 / 2, 1 / STEP, STEP, 2, 2 * STEP, 4]
/** Of the tries, the share that is kept for undoing what makes no difference. */
const SHARE_FOR_BACK = 0.25

type Batches<Judged, Answer> = Generator<readonly Setting[], Answer, readonly Judged[]>

export function* search<Judged>(options: Search<Judged>): Batches<Judged, Searched<Judged>> {
  const { knobs, tries } = options
  const tried = new Map<string, Trial<Judged>>()

  /** Those not tried yet, as many as are left; all that is known of these settings. */
  function* judge(settings: readonly Setting[], upTo: number): Batches<Judged, readonly Trial<Judged>[]> {
    const fresh = new Map(settings.filter(one => !tried.has(nameOf(one))).map(one => [nameOf(one), one]))
    const batch = [...fresh.values()].slice(0, Math.max(0, upTo - (tried.size - 1)))
    const judgements = batch.length === 0 ? [] : yield batch
    batch.forEach((setting, index) => {
      const judged = judgements[index]
      if (judged !== undefined) tried.set(nameOf(setting), { setting, judged })
    })
    return settings.flatMap(one => tried.get(nameOf(one)) ?? [])
  }

  const asItIs = presentSetting(knobs)
  const [first] = yield [asItIs]
  if (first === undefined) throw new Error('the present setting was not judged')
  const present = { setting: asItIs, judged: first }
  tried.set(nameOf(asItIs), present)

  const isBetter = (one: Trial<Judged>, other: Trial<Judged>) => options.compare(one.judged, other.judged) < 0
  const bestOf = (trials: readonly Trial<Judged>[], before: Trial<Judged>) =>
    trials.reduce((best, trial) => (isBetter(trial, best) ? trial : best), before)

  const untilBack = Math.ceil(tries * (1 - SHARE_FOR_BACK))
  const rungs = yield* judge(
    LADDER.map(times => ladderSetting(knobs, times)),
    untilBack,
  )
  let best = bestOf(rungs, present)
  const audible = knobs.filter(
    ({ detector }) =>
      detector === undefined || [...tried.values()].some(({ judged }) => options.speaks(judged, detector)),
  )
  for (;;) {
    const around = yield* judge(neighbours(audible, best.setting), untilBack)
    const better = bestOf(around, best)
    if (better === best) break
    best = better
  }
  best = yield* back(best)
  return { present, suggested: best, trials: [...tried.values()] }

  /** A short suggestion is a good one: what the silent detectors have first, then halves of the rest, down to single knobs. */
  function* back(from: Trial<Judged>): Batches<Judged, Trial<Judged>> {
    let shortest = from
    const changed = changedKnobs(audible, from.setting)
    const waiting = [knobs.filter(knob => !audible.includes(knob)), ...halves(changed)]
    for (let group = waiting.shift(); group !== undefined; group = waiting.shift()) {
      const undone = { ...shortest.setting, ...presentSetting(group) }
      const [trial] = yield* judge([undone], tries)
      if (trial !== undefined && options.compare(trial.judged, shortest.judged) <= 0) shortest = trial
      else if (group.length > 1) waiting.push(...halves(group))
    }
    return shortest
  }
}

function halves(knobs: readonly Knob[]): (readonly Knob[])[] {
  const middle = Math.ceil(knobs.length / 2)
  return [knobs.slice(0, middle), knobs.slice(middle)].filter(half => half.length > 0)
}

const nameOf = (setting: Setting): string =>
  Object.entries(setting)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join(' ')

const ladderSetting = (knobs: readonly Knob[], times: number): Setting =>
  Object.fromEntries(knobs.map(knob => [knob.name, stricter(knob, times)]))

/** How many times what they are all knobs stand at, where that is a rung of the ladder. */
export const rungOf = (knobs: readonly Knob[], setting: Setting): number | undefined =>
  LADDER.find(times => knobs.every(knob => setting[knob.name] === stricter(knob, times)))

const neighbours = (knobs: readonly Knob[], setting: Setting): readonly Setting[] =>
  knobs.flatMap(knob => {
    const value = setting[knob.name] ?? knob.present
    return [STEP, 1 / STEP].map(times => ({ ...setting, [knob.name]: turned(knob, value, times) }))
  })
