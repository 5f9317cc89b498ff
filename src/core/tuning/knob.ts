/**
 * What can be turned: the numbers of `weir.yaml` that decide how soon something is told. They are read off what each
 * detector declares, so a new detector's thresholds can be tuned without a word here.
 */
import type { Detector } from '../../../detectors/contract.ts'
import { detectors } from '../../../detectors/index.ts'
import type { WeirConfig } from '../config/config.ts'

export interface Knob {
  /** Where it stands in `weir.yaml`. */
  readonly path: readonly [string, ...string[]]
  /** The path with dots: its name in a `Setting`. */
  readonly name: string
  /** Whose threshold it is; undefined: it is all detectors'. */
  readonly detector: string | undefined
  readonly min: number
  readonly max: number
  readonly unit: string
  /** Which way it is turned so that less is told. */
  readonly stricter: 'higher' | 'lower' | 'neither'
  /** As the configuration has it now. */
  readonly present: number
}

/** A value for some knobs, by name; the others stand as they are. */
export type Setting = Readonly<Record<string, number>>

/** How rare what is told must be: one for the whole fleet. */
const budgetKnob = ({ alertBudget }: WeirConfig): Knob => ({
  ...{ path: ['alertBudget'], name: 'alertBudget', detector: undefined, min: 0.001, max: 100_000, unit: 'a week' },
  ...{ stricter: 'lower', present: alertBudget },
})

/**
 * The alert budget, and the thresholds of the detectors that may open an incident. Those of the others decide what is named
 * beside it, and never whether or when something is told.
 */
export const knobsOf = (config: WeirConfig): readonly Knob[] => [budgetKnob(config), ...thresholdKnobs(config)]

function thresholdKnobs(config: WeirConfig): readonly Knob[] {
  return detectors.flatMap(({ name: detector, thresholds }: Detector) => {
    const settings = config.detectors[detector]
    if (settings?.enabled !== true || settings.opens !== true) return []
    const values: Readonly<Record<string, unknown>> = settings
    return Object.entries(thresholds).flatMap(([threshold, { min, max, unit, stricter }]): readonly Knob[] => {
      const present = values[threshold]
      if (typeof present !== 'number') return []
      const path = ['detectors', detector, threshold] as const
      return [{ path, name: path.join('.'), detector, min, max, unit, stricter: stricter ?? 'higher', present }]
    })
  })
}

export const presentSetting = (knobs: readonly Knob[]): Setting =>
  Object.fromEntries(knobs.map(({ name, present }) => [name, present]))

/** The configuration with these values in it. */
export function withSetting(config: WeirConfig, knobs: readonly Knob[], setting: Setting): WeirConfig {
  const detectors: Record<string, WeirConfig['detectors'][string]> = { ...config.detectors }
  let { alertBudget } = config
  for (const { detector, path, name, present } of knobs) {
    const value = setting[name] ?? present
    if (detector === undefined) {
      alertBudget = value
      continue
    }
    const before = detectors[detector]
    const threshold = path.at(-1)
    if (before !== undefined && threshold !== undefined) detectors[detector] = { ...before, [threshold]: value }
  }
  return { ...config, alertBudget, detectors }
}

/** So many times its value, in two digits that a person would have written, within what the setting may be. */
export function turned({ min, max }: Knob, value: number, times: number): number {
  return Math.min(max, Math.max(min, Number((value * times).toPrecision(2))))
}

/** Turned to its stricter side by so much, from what it is now; less than 1 is the other side. */
export function stricter(knob: Knob, times: number): number {
  if (knob.stricter === 'neither') return knob.present
  return turned(knob, knob.present, knob.stricter === 'higher' ? times : 1 / times)
}

/** The knobs that do not stand as the configuration has them. */
export const changedKnobs = (knobs: readonly Knob[], setting: Setting): readonly Knob[] =>
  knobs.filter(({ name, present }) => setting[name] !== undefined && setting[name] !== present)

/** A ready piece of `weir.yaml`, each value with what it was; empty where nothing is changed. */
export function settingYaml(knobs: readonly Knob[], setting: Setting): string {
  const changed = changedKnobs(knobs, setting)
  const lines: string[] = []
  for (const { detector, name, present } of changed)
    if (detector === undefined) lines.push(`${name}: ${setting[name]} per week # was ${present} per week`)
  const names = new Set(changed.flatMap(({ detector }) => detector ?? []))
  if (names.size > 0) lines.push('detectors:')
  for (const detector of names) {
    lines.push(`  ${detector}:`)
    for (const { path, name, present } of changed.filter(knob => knob.detector === detector))
      lines.push(`    ${path.at(-1)}: ${setting[name]} # was ${present}`)
  }
  return lines.map(line => `${line}\n`).join('')
}
