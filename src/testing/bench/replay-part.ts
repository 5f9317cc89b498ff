/**
 * `npm run bench`: `weir replay` of a log against DuckDB merely counting the same log, in turns, as processes, start and
 * all. Prints the ratio with its spread, writes it to bench-results.json, and exits with 1 if the median is above the limit;
 * with 2 if one of the two did not do its work, since a program that fails at once is quick.
 */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { accessLogFile, bytesOf, stormKeyId } from './access-log-lines.ts'
import { type Round, ratioOf, type Spread, spreadOf } from './ratio.ts'

const usage = `npm run bench -- [--lines 1000000 | --small] [--rounds 3] [--limit 4]

  --lines N   lines of the log (about 360 bytes each), kept in the temporary folder for the next time
  --small     the same as --lines 100000
  --rounds N  both programs run so many times, in turns
  --limit X   the greatest median ratio, weir over DuckDB, that is still good
`

interface Timed {
  readonly ms: number
  readonly output: string
}

function timed(program: string, args: readonly string[]): Timed {
  const from = performance.now()
  const child = spawnSync(process.execPath, [program, ...args], { encoding: 'utf8', maxBuffer: 64 << 20 })
  const ms = performance.now() - from
  if (child.status === 0) return { ms, output: child.stdout }
  throw new Error(`${program} ended with ${child.status ?? child.signal}:\n${child.stderr}`)
}

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

function yardstick(file: string, lines: number): Timed {
  const run = timed(here('./duckdb-count.js'), [file])
  const counted: unknown = JSON.parse(run.output)
  if (typeof counted === 'object' && counted !== null && 'calls' in counted && counted.calls === lines) return run
  throw new Error(`DuckDB should have counted ${lines} calls and said ${run.output}`)
}

/** dist/src/testing/bench → the project's root. */
const weir = here('../../../../bin/weir.js')

function own(file: string): Timed {
  const run = timed(weir, ['replay', file, '--json'])
  const opened = run.output.split('\n').some(line => line.includes(`"${stormKeyId}"`) && line.includes('"open"'))
  if (opened) return run
  throw new Error(
    `weir replay should have opened an incident for ${stormKeyId} and said:\n${run.output.slice(0, 2000)}`,
  )
}

function numberFrom(text: string, name: string): number {
  const number = Number(text)
  if (Number.isFinite(number) && number > 0) return number
  throw new Error(`--${name} should be a number above 0, not ${text}\n\n${usage}`)
}

function bench(): boolean {
  const { values } = parseArgs({
    options: {
      lines: { type: 'string', default: '1000000' },
      small: { type: 'boolean', default: false },
      rounds: { type: 'string', default: '3' },
      limit: { type: 'string', default: '4' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    console.log(usage)
    return true
  }
  const lines = values.small ? 100_000 : numberFrom(values.lines, 'lines')
  const limit = numberFrom(values.limit, 'limit')

  console.log(`${lines.toLocaleString('en')} lines, ${availableParallelism()} cores, Node ${process.versions.node}`)
  const file = accessLogFile(lines)
  const rounds: Round[] = []
  for (let round = 1; round <= numberFrom(values.rounds, 'rounds'); round++) {
    const times = { yardstickMs: yardstick(file, lines).ms, ownMs: own(file).ms }
    rounds.push(times)
    console.log(`round ${round}: DuckDB ${seconds(times.yardstickMs)}, weir replay ${seconds(times.ownMs)}`)
  }

  const ratio = ratioOf(rounds)
  const callsPerSecond = spreadOf(rounds.map(({ ownMs }) => (lines * 1000) / ownMs))
  const passed = ratio.median <= limit
  console.log(`weir replay / DuckDB: ${spreadText(ratio)} ${passed ? '≤' : '> (too slow)'} ${limit}`)
  console.log(`weir replay: ${Math.round(callsPerSecond.median).toLocaleString('en')} calls/s, start included`)
  const machine = { node: process.versions.node, cores: availableParallelism(), cpu: cpus()[0]?.model }
  const results = {
    schema: 'weir.bench.replay/1',
    lines,
    bytes: bytesOf(file),
    limit,
    passed,
    ratio,
    callsPerSecond,
    rounds,
    machine,
  }
  writeFileSync('bench-results.json', `${JSON.stringify(results, undefined, 2)}\n`)
  return passed
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`
const spreadText = ({ min, median, max }: Spread): string =>
  `median ${median.toFixed(2)} (${min.toFixed(2)} to ${max.toFixed(2)})`

try {
  process.exitCode = bench() ? 0 : 1
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 2
}
