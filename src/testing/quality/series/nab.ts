/**
 * The visible half of the Numenta Anomaly Benchmark: thirty series of very different things, with the windows in which
 * its authors want a detection.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { sharedDataDirectory } from '../../shared-data.ts'
import type { LabelledSeries } from '../contract.ts'
import { probationRowsOf, readRows } from './series-rows.ts'

const windows = z.record(z.string(), z.array(z.tuple([z.string(), z.string()])))
const facts = z.record(z.string(), z.object({ median_step_s: z.number() }))

export function readNab(directory = join(sharedDataDirectory, 'nab')): readonly LabelledSeries[] {
  const json = (name: string): unknown => JSON.parse(readFileSync(join(directory, name), 'utf8'))
  const steps = facts.parse(json('files.json'))
  return Object.entries(windows.parse(json('combined_windows.json'))).map(([name, bounds]) => {
    const rows = readRows(join(directory, 'data', name))
    const seconds = rows.map(({ second }) => second)
    const stepSeconds = steps[name]?.median_step_s
    if (stepSeconds === undefined) throw new Error(`files.json should say how far apart the rows of ${name} are`)
    return {
      name,
      set: 'nab',
      times: risingTimes(seconds),
      values: Float64Array.from(rows, ({ value = Number.NaN }) => value),
      stepSeconds,
      anomalies: bounds.map(([from, to]) => ({
        from: seconds.findIndex(second => second >= secondOf(from)),
        to: seconds.findLastIndex(second => second <= secondOf(to)),
      })),
      probationRows: probationRowsOf(rows.length),
    }
  })
}

/** `2014-04-10 16:15:00.000000`, taken for UTC as the rows' times were. */
const secondOf = (text: string): number => Math.floor(Date.parse(`${text.slice(0, 19).replace(' ', 'T')}Z`) / 1_000)

/**
 * Epoch ms. A row at the time of the one before it (there is one) comes a second after it: windows and probation are
 * counted in rows, so none may be left out.
 */
function risingTimes(seconds: readonly number[]): Float64Array {
  const times = new Float64Array(seconds.length)
  for (const [row, second] of seconds.entries())
    times[row] = Math.max(second * 1_000, row === 0 ? 0 : times[row - 1] + 1_000)
  return times
}
