import { expect, test } from 'vitest'
import { describeWith } from '../../servers/requirements.ts'
import type { LabelledSeries } from '../contract.ts'
import { readMicrosoft } from './microsoft.ts'
import { readNab } from './nab.ts'
import { nabProfiles, nabScoreAt } from './nab-score.ts'

const isSound = ({ times, values, anomalies, probationRows }: LabelledSeries): boolean =>
  times.length === values.length &&
  times.every((at, row) => Number.isInteger(at / 1_000) && (row === 0 || at > times[row - 1]!)) &&
  values.every(Number.isFinite) &&
  anomalies.every(
    ({ from, to }, place) => from <= to && from > (anomalies[place - 1]?.to ?? -1) && to < times.length,
  ) &&
  probationRows > 0

describeWith('shared-data', 'the labelled series', () => {
  const nab = readNab()
  const microsoft = readMicrosoft()
  const rowsOf = (all: readonly LabelledSeries[]) => all.reduce((sum, { times }) => sum + times.length, 0)
  const anomaliesOf = (all: readonly LabelledSeries[]) => all.reduce((sum, { anomalies }) => sum + anomalies.length, 0)

  test('are those that the sets say they hold, sound and in order', () => {
    expect([nab.length, rowsOf(nab), anomaliesOf(nab)]).toEqual([30, 171_069, 57])
    // Two of the set's 156 labelled runs have but a row between them that is there twice, labelled once.
    expect([microsoft.length, anomaliesOf(microsoft)]).toEqual([30, 155])
    expect([...nab, ...microsoft].filter(series => !isSound(series)).map(({ name }) => name)).toEqual([])
  })

  test('of Numenta hold the windows’ rows and the probation that its files name', () => {
    const taxi = nab.find(({ name }) => name === 'realKnownCause/nyc_taxi.csv')
    expect(taxi).toMatchObject({ stepSeconds: 1_800, probationRows: 750 })
    expect(taxi?.anomalies.map(({ from, to }) => to - from + 1)).toEqual([207, 207, 207, 207, 207])
  })

  test('of Numenta give 0 to who never detects, 100 to who is always right, and less than 0 to who cries all day', () => {
    const scored = (score: (series: LabelledSeries, row: number) => number) =>
      nab.map(series => ({ series, scores: Float64Array.from(series.values, (_, row) => score(series, row)) }))
    const right = scored(({ anomalies }, row) => (anomalies.some(({ from }) => from === row) ? 1 : 0))
    expect(nabScoreAt(right, nabProfiles.standard, 1)).toMatchObject({ windowsFound: 57, falseRows: 0 })
    expect(nabScoreAt(right, nabProfiles.standard, 1).score).toBeCloseTo(100, 9)
    const silent = scored(() => 0)
    expect(nabScoreAt(silent, nabProfiles.standard, 0.5).score).toBe(0)
    expect(nabScoreAt(silent, nabProfiles.standard, 0).score).toBeLessThan(-1_000)
  })
})
