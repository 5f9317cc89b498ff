/**
 * What the core costs against the work it has: known keys that do not call must cost no time, a million of them must fit into
 * 4 GB, and a call costs by the panes it makes and the detectors that are asked.
 */
import { spawnSync } from 'node:child_process'
import type { Figure } from './figure.ts'
import { type BenchOptions, type BenchPart, built } from './part.ts'
import { spreadOf } from './ratio.ts'
import type { ScaleAsked, ScaleMeasured } from './scale.ts'

interface Sizes {
  readonly few: number
  readonly many: number
  readonly active: number
}

const sizes: Readonly<Record<'whole' | 'small', Sizes>> = {
  whole: { few: 10_000, many: 1_000_000, active: 10_000 },
  small: { few: 1_000, many: 50_000, active: 1_000 },
}

export const scalePart: BenchPart = {
  name: 'scale',
  compares: 'what a call, a known key, a checkpoint and a restart cost, against how many keys are known and call',
  async run({ small, rounds, say }: BenchOptions): Promise<readonly Figure[]> {
    const { few, many, active } = small ? sizes.small : sizes.whole
    const ask = (asked: Partial<ScaleAsked>): ScaleMeasured => {
      const measured = measure({
        known: few,
        active,
        callsInSecond: active,
        allOpen: false,
        withCheckpoint: false,
        withPauses: false,
        ...asked,
      })
      say(
        `${JSON.stringify(asked)}: ${Math.round(measured.nsACall)} ns a call, ${megabytes(measured.residentBytes)} MB`,
      )
      return measured
    }
    const [idle, opens, dense]: [number[], number[], number[]] = [[], [], []]
    const rates = [active / 10, active]
    const paused = rates.map((): ScaleMeasured[] => [])
    let large: ScaleMeasured | undefined
    // A million keys take a minute to make up: fewer rounds tell as much.
    for (let round = 1; round <= Math.min(rounds, 3); round++) {
      const plain = ask({ known: few })
      large = ask({ known: many, withCheckpoint: true })
      idle.push(large.nsACall / plain.nsACall)
      opens.push(ask({ allOpen: true }).nsACall / plain.nsACall)
      for (const [index, callsInSecond] of rates.entries())
        paused[index]?.push(ask({ known: active, callsInSecond, withPauses: true }))
      dense.push(ask({ callsInSecond: active * 10 }).nsACall / plain.nsACall)
    }
    if (large === undefined) throw new Error('there is at least one round')
    const count = (keys: number): string => keys.toLocaleString('en')
    const about = `${count(many)} known keys, ${count(active)} of them calling`
    return [
      {
        what: `time of a call with ${about} ÷ with ${count(few)} known`,
        value: spreadOf(idle),
        unit: '×',
        limit: { atMost: 2 },
      },
      {
        what: 'time of a call with all five detectors asked at every look ÷ by default',
        value: spreadOf(opens),
        unit: '×',
      },
      { what: 'time of a call where ten make a pane ÷ where each makes one', value: spreadOf(dense), unit: '×' },
      {
        what: `memory of the process with ${about}`,
        value: spreadOf([large.residentBytes / 2 ** 30]),
        unit: 'GiB',
        ...(small ? {} : { limit: { atMost: 4 } }),
      },
      { what: 'what a known key adds', value: spreadOf([large.keyBytes]), unit: 'bytes' },
      ...timesOf(large, about),
      ...rates.flatMap((rate, index) =>
        pausesOf(paused[index] ?? [], `${count(active)} keys that all call, ${count(rate)} calls/s`, small),
      ),
    ]
  },
}

function timesOf({ firstCheckpointMs, nextCheckpointMs, restartMs }: ScaleMeasured, about: string): readonly Figure[] {
  const times: readonly (readonly [string, number | undefined])[] = [
    ['first checkpoint', firstCheckpointMs],
    ['checkpoint five seconds later', nextCheckpointMs],
    ['reading it back', restartMs],
  ]
  return times.flatMap(([what, ms]) =>
    ms === undefined ? [] : [{ what: `${what}, ${about}`, value: spreadOf([ms / 1_000]), unit: 's' }],
  )
}

/** That a second of many calls and looks takes long is another matter: what counts is how much longer with a checkpoint beside it. */
function pausesOf(measured: readonly ScaleMeasured[], about: string, small: boolean): readonly Figure[] {
  const spread = (of: (one: ScaleMeasured) => number) => spreadOf(measured.map(of))
  const withOne = ({ pauseMs = 0 }: ScaleMeasured): number => pauseMs
  const without = ({ callsPauseMs = 0 }: ScaleMeasured): number => callsPauseMs
  return [
    { what: `the stream stands still for calls and looks, ${about}: longest`, value: spread(without), unit: 'ms' },
    { what: '… and with a checkpoint taken beside them', value: spread(withOne), unit: 'ms' },
    {
      what: '… so that a checkpoint adds',
      value: spread(one => Math.max(0, withOne(one) - without(one))),
      unit: 'ms',
      ...(small ? {} : { limit: { atMost: 50 } }),
    },
  ]
}

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(0)

function measure(asked: ScaleAsked): ScaleMeasured {
  const args = ['--expose-gc', '--max-old-space-size=6144', built('./scale-worker.js'), JSON.stringify(asked)]
  const child = spawnSync(process.execPath, args, { encoding: 'utf8' })
  if (child.status !== 0) throw new Error(`a fleet of ${asked.known} could not be measured:\n${child.stderr}`)
  return JSON.parse(child.stdout) as ScaleMeasured
}
