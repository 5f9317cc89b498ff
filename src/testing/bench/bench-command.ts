/**
 * `npm run bench`: every claim of speed, as ratios measured in one run. Prints each figure with its spread and writes them
 * to bench-results.json. Exits with 1 if a median is beyond its limit, with 2 if a part could not do its work.
 * `--keep` makes the figures the documentation's: results.json beside this file, and the table in README.md.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { type Figure, figureText, isMet } from './figure.ts'
import { latencyPart } from './latency-part.ts'
import { livePart } from './live-part.ts'
import { type BenchPart, built } from './part.ts'
import { replayPart } from './replay-part.ts'
import { type Results, readmeWith } from './results.ts'
import { scalePart } from './scale-part.ts'

const parts: readonly BenchPart[] = [replayPart, livePart, latencyPart, scalePart]

const usage = `npm run bench -- [--small] [--only ${parts.map(({ name }) => name).join(',')}] [--rounds 5] [--keep]

  --small     seconds instead of minutes: for CI, which fails on ratios, never on times
  --only A,B  these parts only
  --rounds N  every comparison is made so many times, in turns
  --keep      write the figures into the documentation
`

interface Asked {
  readonly parts: readonly BenchPart[]
  readonly small: boolean
  readonly rounds: number
  readonly keep: boolean
}

function asked(): Asked | undefined {
  const { values } = parseArgs({
    options: {
      small: { type: 'boolean', default: false },
      only: { type: 'string' },
      rounds: { type: 'string' },
      keep: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return undefined
  const rounds = Number(values.rounds ?? (values.small ? 3 : 5))
  if (!Number.isInteger(rounds) || rounds < 1)
    throw new Error(`--rounds should be a whole number above 0, not ${values.rounds}\n\n${usage}`)
  const names = values.only?.split(',')
  const unknown = names?.filter(name => !parts.some(part => part.name === name)) ?? []
  if (unknown.length > 0) throw new Error(`there is no part ${unknown.join(', ')}\n\n${usage}`)
  const chosen = parts.filter(({ name }) => names === undefined || names.includes(name))
  return { parts: chosen, small: values.small, rounds, keep: values.keep }
}

async function bench({ parts: chosen, small, rounds, keep }: Asked): Promise<boolean> {
  const machine = { cores: availableParallelism(), cpu: cpus()[0]?.model ?? 'unknown', node: process.versions.node }
  console.log(`${machine.cores} cores (${machine.cpu}), Node ${machine.node}`)
  const measured: { name: string; compares: string; figures: readonly Figure[] }[] = []
  for (const { name, compares, run } of chosen) {
    console.log(`\n${name}: ${compares}`)
    const figures = await run({ small, rounds, say: line => console.log(`  ${line}`) })
    for (const figure of figures) console.log(`  ${isMet(figure) ? '✓' : '✗'} ${figureText(figure)}`)
    measured.push({ name, compares, figures })
  }
  const passed = measured.every(({ figures }) => figures.every(isMet))
  const results: Results = { schema: 'weir.bench/1', machine, small, rounds, passed, parts: measured }
  const text = `${JSON.stringify(results, undefined, 2)}\n`
  writeFileSync('bench-results.json', text)
  if (keep) {
    writeFileSync(built('../../../../src/testing/bench/results.json'), text)
    const readme = built('../../../../README.md')
    writeFileSync(readme, readmeWith(readFileSync(readme, 'utf8'), results))
  }
  return passed
}

try {
  const wanted = asked()
  if (wanted === undefined) console.log(usage)
  else process.exitCode = (await bench(wanted)) ? 0 : 1
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 2
}
