/**
 * `weir replay` of a log, all detectors on, against DuckDB merely counting the same log by key and minute, in turns, as
 * processes, start and all. Plain and gzip.
 */
import { accessLogFile, bytesOf, stormKeyId } from './access-log-lines.ts'
import type { Figure } from './figure.ts'
import { type BenchOptions, type BenchPart, built, type Timed, timed, weirProgram } from './part.ts'
import { type Round, ratioOf, spreadOf } from './ratio.ts'

const lineCount = { whole: 2_000_000, small: 100_000 }

/**
 * A small file is mostly start-up, where DuckDB's is shorter than Node's with all that Weir loads: its limit only says that
 * nothing has broken.
 */
const limits = { whole: 1, small: 4 }

export const replayPart: BenchPart = {
  name: 'replay',
  compares: 'weir replay, all detectors on, against DuckDB’s GROUP BY key, minute alone over the same file',
  async run(options) {
    return [...replayOf('plain', options), ...replayOf('gzip', options)]
  },
}

function replayOf(packing: 'plain' | 'gzip', { small, rounds, say }: BenchOptions): readonly Figure[] {
  const lines = small ? lineCount.small : lineCount.whole
  const file = accessLogFile(lines, packing)
  say(`${packing}: ${lines.toLocaleString('en')} lines, ${(bytesOf(file) / 1e6).toFixed(0)} MB`)
  const measured: Round[] = []
  for (let round = 1; round <= rounds; round++) {
    const times = { yardstickMs: yardstick(file, lines).ms, ownMs: own(file).ms }
    measured.push(times)
    say(`round ${round}: DuckDB ${seconds(times.yardstickMs)}, weir replay ${seconds(times.ownMs)}`)
  }
  return [
    {
      what: `replay of a ${packing} file: time of weir ÷ time of DuckDB`,
      value: ratioOf(measured),
      unit: '×',
      limit: { atMost: small ? limits.small : limits.whole },
    },
    {
      what: `replay of a ${packing} file, start included`,
      value: spreadOf(measured.map(({ ownMs }) => (lines * 1000) / ownMs)),
      unit: 'calls/s',
    },
  ]
}

function yardstick(file: string, lines: number): Timed {
  const run = timed(built('./duckdb-count.js'), [file])
  const counted: unknown = JSON.parse(run.output)
  if (typeof counted === 'object' && counted !== null && 'calls' in counted && counted.calls === lines) return run
  throw new Error(`DuckDB should have counted ${lines} calls and said ${run.output}`)
}

function own(file: string): Timed {
  const run = timed(weirProgram, ['replay', file, '--json'])
  const opened = run.output.split('\n').some(line => line.includes(`"${stormKeyId}"`) && line.includes('"open"'))
  if (opened) return run
  throw new Error(
    `weir replay should have opened an incident for ${stormKeyId} and said:\n${run.output.slice(0, 2000)}`,
  )
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`
