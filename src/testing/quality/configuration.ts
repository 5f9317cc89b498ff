/**
 * What is compared: Weir as it comes, the original design's three rules, and each detector by itself. All see the same
 * traffic in one run. In `suggest` mode an incident says which limit it would set, and nothing else changes by it.
 */
import { detectors } from '../../../detectors/index.ts'
import { weirSchema } from '../../core/config/config.ts'
import { type EngineSettings, engineSettings } from '../../core/engine.ts'

export interface Configuration {
  readonly name: string
  readonly settings: EngineSettings
}

const originalThree = ['slot-mean-multiple', 'minute-sigma', 'week-mean-multiple']

export const whole = configuration('whole', {})
export const theOriginalThree = configuration('the original three', onlyOpened(originalThree))

/** Whole, the original three, then each detector alone. */
export const configurations: readonly Configuration[] = [
  whole,
  theOriginalThree,
  ...detectors.map(({ name }) => configuration(name, onlyOpened([name]))),
]

function configuration(name: string, asked: Readonly<Record<string, object>>): Configuration {
  return { name, settings: engineSettings(weirSchema.parse({ mode: 'suggest', detectors: asked }), {}) }
}

/** The others are not asked at all: as witnesses they would name the kind. */
function onlyOpened(names: readonly string[]): Readonly<Record<string, object>> {
  return Object.fromEntries(
    detectors.map(({ name }) => [name, names.includes(name) ? { opens: true } : { enabled: false }]),
  )
}
