import { expect, test } from 'vitest'
import { detectors } from '../../../detectors/index.ts'
import { weirSchema } from '../config/config.ts'
import { changedKnobs, knobsOf, presentSetting, settingYaml, withSetting } from './knob.ts'

const config = weirSchema.parse({})

test('every threshold of every detector that may open an incident is a knob, as its file declares it', () => {
  const expected = detectors
    .filter(({ opens }) => opens)
    .flatMap(({ name, thresholds }) => Object.keys(thresholds).map(threshold => `detectors.${name}.${threshold}`))
  expect(knobsOf(config).map(({ name }) => name)).toEqual(expected)
})

test('a detector that only corroborates, or is off, has no knobs; one that was made to open has', () => {
  const other = weirSchema.parse({
    detectors: { 'minute-sigma': { opens: true }, 'retry-storm': { enabled: false } },
  })
  const names = knobsOf(other).map(({ name }) => name)
  expect(names).toContain('detectors.minute-sigma.sigmas')
  expect(names.some(name => name.includes('retry-storm'))).toBe(false)
})

test('a setting goes into the configuration and changes nothing else', () => {
  const knobs = knobsOf(config)
  expect(withSetting(config, knobs, presentSetting(knobs))).toEqual(config)
  const changed = withSetting(config, knobs, { 'detectors.sequential-surge.natsThreshold': 27 })
  expect(changed.detectors['sequential-surge']).toMatchObject({ natsThreshold: 27, excessFloor: 20 })
  expect({ ...changed, detectors: config.detectors }).toEqual(config)
})

test('the suggested piece of weir.yaml has what is changed and what it was, and is read back as that', async () => {
  const knobs = knobsOf(config)
  const setting = { ...presentSetting(knobs), 'detectors.sequential-surge.timesUpper': 2.8 }
  expect(changedKnobs(knobs, setting)).toHaveLength(1)
  const yaml = settingYaml(knobs, setting)
  expect(yaml).toBe('detectors:\n  sequential-surge:\n    timesUpper: 2.8 # was 2\n')
  const { parse } = await import('yaml')
  expect(weirSchema.parse(parse(yaml))).toEqual(withSetting(config, knobs, setting))
  expect(settingYaml(knobs, presentSetting(knobs))).toBe('')
})
