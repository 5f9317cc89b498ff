/**
 * What can be turned: the numbers of `weir.yaml` that decide how soon something is told. They are read off what each
 * detector declares, so a new detector's thresholds can be tuned without a word here.
 */
import { detectors } from '../../../detectors/index.ts'
import type { WeirConfig } from '../config/config.ts'

export interface Knob {
  /** Where it stands in `weir.yaml`. */
  readonly path: readonly [string, ...string[]]
  /** The path with dots: its name in a `Setting`. */
  readonly name: string
  readonly detector: string
  readonly min: number
  readonly max: number
  readonly unit: string
  readonly sentence: string
  /** As the configuration has it now. */
  readonly present: number
}

/** A value for some knobs, by name; the others stand as they are. */
export type Setting = Readonly<Record<string, number>>

/**
 * The thresholds of the detectors that may open an incident. Those of the others decide what is named beside it, and
 * never whether or when something is told.
 */
export function knobsOf(config: WeirConfig): readonly Knob[] {
  return detectors.flatMap(({ name: detector, thresholds }) => {
    const settings = config.detectors[detector]
    if (settings?.enabled !== true || settings.opens !== true) return []
    const values: Readonly<Record<string, unknown>> = settings
    return Object.entries(thresholds).flatMap(([threshold, { min, max, unit, sentence }]): readonly Knob[] => {
      const present = values[threshold]
      if (typeof present !== 'number') return []
      const path = ['detectors', detector, threshold] as const
      return [{ path, name: path.join('.'), detector, min, max, unit, sentence, present }]
    })
  })
}

export const presentSetting = (knobs: readonly Knob[]): Setting =>
  Object.fromEntries(knobs.map(({ name, present }) => [name, present]))

/** The configuration with these values in it. */
export function withSetting(config: WeirConfig, knobs: readonly Knob[], setting: Setting): WeirConfig {
  const byDetector: Record<string, WeirConfig['detectors'][string]> = { ...config.detectors }
  for (const { detector, path, name } of knobs) {
    const value = setting[name]
    const threshold = path.at(-1)
    const before = byDetector[detector]
    if (value !== undefined && threshold !== undefined && before !== undefined)
      byDetector[detector] = { ...before, [threshold]: value }
  }
  return { ...config, detectors: byDetector }
}

/** So many times its value, in two digits that a person would have written, within what the setting may be. */
export function turned({ min, max }: Knob, value: number, times: number): number {
  return Math.min(max, Math.max(min, Number((value * times).toPrecision(2))))
}

/** The knobs that do not stand as the configuration has them. */
export const changedKnobs = (knobs: readonly Knob[], setting: Setting): readonly Knob[] =>
  knobs.filter(({ name, present }) => setting[name] !== undefined && setting[name] !== present)

/** A ready piece of `weir.yaml`, each value with what it was; empty where nothing is changed. */
export function settingYaml(knobs: readonly Knob[], setting: Setting): string {
  const changed = changedKnobs(knobs, setting)
  if (changed.length === 0) return ''
  const lines = ['detectors:']
  for (const detector of new Set(changed.map(knob => knob.detector))) {
    lines.push(`  ${detector}:`)
    for (const { path, name, present } of changed.filter(knob => knob.detector === detector))
      lines.push(`    ${path.at(-1)}: ${setting[name]} # was ${present}`)
  }
  return `${lines.join('\n')}\n`
}
