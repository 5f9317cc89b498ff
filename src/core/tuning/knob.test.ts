import { expect, test } from 'vitest'
import { detectors } from '../../../detectors/index.ts'
import { weirSchema } from '../config/config.ts'
import { changedKnobs, knobsOf, presentSetting, settingYaml, stricter, withSetting } from './knob.ts'

const config = weirSchema.parse({})

test('every threshold of every detector that may open an incident is a knob, as its file declares it', () => {
  const expected = detectors
    .filter(({ opens }) => opens)
    .flatMap(({ name, thresholds }) => Object.keys(thresholds).map(threshold => `detectors.${name}.${threshold}`))
  expect(knobsOf(config).map(({ name }) => name)).toEqual(['alertBudget', ...expected])
})

test('a detector that only corroborates, or is off, has no knobs; one that was made to open has', () => {
  const other = weirSchema.parse({
    detectors: { 'minute-sigma': { opens: true }, 'retry-storm': { enabled: false } },
  })
  const names = knobsOf(other).map(({ name }) => name)
  expect(names).toContain('detectors.minute-sigma.sigmas')
  expect(names.some(name => name.includes('retry-storm'))).toBe(false)
})

test('turned to its stricter side is up, or down where the detector says so', () => {
  const byName = new Map(knobsOf(config).map(knob => [knob.name, knob]))
  const [nats, allowed] = ['natsThreshold', 'perWeekAllowed'].map(
    name => byName.get(`detectors.sequential-surge.${name}`)!,
  )
  expect(stricter(nats!, 2)).toBe(2 * nats!.present)
  expect(stricter(allowed!, 2)).toBe(allowed!.present / 2)
  expect(stricter({ ...nats!, stricter: 'neither' }, 2)).toBe(nats!.present)
  expect(stricter(byName.get('alertBudget')!, 4)).toBe(0.25)
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
  const setting = { ...presentSetting(knobs), alertBudget: 0.5, 'detectors.sequential-surge.timesBusiest': 2.8 }
  expect(changedKnobs(knobs, setting)).toHaveLength(2)
  const yaml = settingYaml(knobs, setting)
  expect(yaml).toBe(
    'alertBudget: 0.5 per week # was 1 per week\ndetectors:\n  sequential-surge:\n    timesBusiest: 2.8 # was 1.5\n',
  )
  const { parse } = await import('yaml')
  expect(weirSchema.parse(parse(yaml))).toEqual(withSetting(config, knobs, setting))
  expect(settingYaml(knobs, presentSetting(knobs))).toBe('')
})
