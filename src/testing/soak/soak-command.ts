/**
 * `npm run soak`: a worker left on for an hour, and whether its memory, its state and its lag stay where they are. Writes
 * soak-results.json and soak-results.html, every five minutes and at its end, which SIGTERM to it alone brings nearer. Exits with 1 if something grows or a law is broken, with 2 if it could not be run.
 * `--keep` makes the figures the documentation's: results.json beside this file, and the table in this folder's README.md.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism, cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { marksOf, withSection } from '../bench/marked-section.ts'
import { built } from '../bench/part.ts'
import { soakPage } from './soak-page.ts'
import { type SoakReport, soakHead, soakReport, soakRows, totalsText } from './soak-report.ts'
import { type SoakRun, soak } from './soak-run.ts'

const usage = `npm run soak -- [--minutes 60] [--rate 2000] [--keys 2000] [--keep]

  --minutes N  how long calls are sent; below 14 no slope is judged
  --rate N     calls a second of all clients together
  --keys N     so many clients
  --keep       write the figures into the documentation
`

interface Asked {
  readonly minutes: number
  readonly callsPerSecond: number
  readonly keys: number
  readonly keep: boolean
}

function asked(): Asked | undefined {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '60' },
      rate: { type: 'string', default: '2000' },
      keys: { type: 'string', default: '2000' },
      keep: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return undefined
  const count = (text: string): number => {
    const number = Number(text)
    if (Number.isInteger(number) && number > 0) return number
    throw new Error(`${text} should be a whole number above 0\n\n${usage}`)
  }
  return {
    ...{ minutes: count(values.minutes), callsPerSecond: count(values.rate), keys: count(values.keys) },
    keep: values.keep,
  }
}

const marks = marksOf('soak', 'npm run soak -- --keep')

function tableOf(report: SoakReport): string {
  const { machine, asked: wanted, warmUpMinutes } = report
  return [
    `| ${soakHead.join(' | ')} |`,
    '|---|---|---|---|---|',
    ...soakRows(report).map(row => `| ${row.join(' | ')} |`),
    '',
    `${wanted.minutes} minutes, of which ${warmUpMinutes} of warm-up are left out; ${wanted.callsPerSecond.toLocaleString('en')} calls a second of ${wanted.keys.toLocaleString('en')} clients. ${totalsText(report)}.`,
    `${machine.cores} cores (${machine.cpu}), Node ${machine.node}.`,
  ].join('\n')
}

async function measure({ keep, ...wanted }: Asked): Promise<boolean> {
  const folder = await mkdtemp(join(tmpdir(), 'weir-soak-'))
  const machine = { cores: availableParallelism(), cpu: cpus()[0]?.model ?? 'unknown', node: process.versions.node }
  console.log(`The worker's folder: ${folder}`)
  const say = (line: string): void => console.log(`  ${line}`)
  const keepReport = (run: SoakRun): SoakReport => {
    const report = soakReport(run, { machine, asked: wanted })
    writeFileSync('soak-results.json', `${JSON.stringify(report, undefined, 2)}\n`)
    writeFileSync('soak-results.html', soakPage(report))
    return report
  }
  const enough = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => enough.abort())
  const report = keepReport(await soak({ ...wanted, folder, say, interim: keepReport, enough: enough.signal }))
  console.log(`\n${tableOf(report)}\n`)
  for (const line of report.broken) console.log(`✗ ${line}`)
  console.log('soak-results.html has it over time.')
  if (keep) {
    const { measures, ...rest } = report
    const short = { ...rest, measures: measures.map(({ values: _, ...each }) => each) }
    writeFileSync(built('../../../../src/testing/soak/results.json'), `${JSON.stringify(short, undefined, 2)}\n`)
    const readme = built('../../../../src/testing/soak/README.md')
    writeFileSync(readme, withSection(readFileSync(readme, 'utf8'), marks, tableOf(report)))
  }
  if (report.passed) await rm(folder, { recursive: true, force: true })
  return report.passed
}

try {
  const wanted = asked()
  if (wanted === undefined) console.log(usage)
  else process.exitCode = (await measure(wanted)) ? 0 : 1
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 2
}
