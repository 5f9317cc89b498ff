/**
 * `npm run bench:quality`: how good detection is, on real traffic with misbehaviour put in. Prints each goal with what was
 * reached and writes all figures to quality-results.json. Exits with 1 if a goal (in a small run: a floor) is missed, with 2 if the work
 * could not be done. `--keep` makes the figures the documentation's: results.json beside this file, and the tables in detectors/quality.md.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import { figureText, isMet } from '../bench/figure.ts'
import { built } from '../bench/part.ts'
import { busyRows, sickRows } from './busy-row.ts'
import { caseLines } from './case-lines.ts'
import { claimsRows } from './claims-row.ts'
import { sharedRun } from './clean-run.ts'
import { againstFloors } from './floors.ts'
import { foundRows } from './found-row.ts'
import { goalsOf, type Measured } from './goals.ts'
import { precisionRows } from './precision-row.ts'
import { type Asked, type Job, type JobResult, jobsOf, partNames } from './quality-job.ts'
import { jsonOf, pageWith, type QualityResults } from './quality-results.ts'
import type { FromWorker } from './quality-worker.ts'
import { distinct } from './verdict.ts'

const usage = `npm run bench:quality -- [--small] [--held-out] [--alone] [--only ${partNames.join(',')}] [--keep] [--cases FILE]

  --small     under a minute: for CI, which fails when a share falls back
  --held-out  the tenants that nothing was tuned on, instead of the others
  --alone     Weir as it comes, and nothing beside it: a third of the time
  --only A,B  these parts only
  --keep      write the figures of a whole run into the documentation
  --cases F   write each judged case, and each incident told in clean traffic, to this file: a line of JSON each
`

interface Options extends Asked {
  readonly keep: boolean
  readonly cases: string | undefined
}

function asked(): Options | undefined {
  const { values } = parseArgs({
    options: {
      small: { type: 'boolean', default: false },
      'held-out': { type: 'boolean', default: false },
      alone: { type: 'boolean', default: false },
      only: { type: 'string' },
      keep: { type: 'boolean', default: false },
      cases: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return undefined
  const names = values.only?.split(',')
  const unknown = names?.filter(name => !partNames.some(part => part === name)) ?? []
  if (unknown.length > 0) throw new Error(`there is no part ${unknown.join(', ')}\n\n${usage}`)
  if (values.keep && (values.small || values.alone || names !== undefined))
    throw new Error(`--keep wants a whole run: neither --small nor --alone nor --only\n\n${usage}`)
  const parts = partNames.filter(part => names === undefined || names.includes(part))
  const { small, alone, keep, cases, 'held-out': heldOut } = values
  return { parts, small, alone, heldOut, keep, cases }
}

async function quality({ keep, cases, ...what }: Options): Promise<boolean> {
  const measured = await measure(jobsOf(what))
  if (cases !== undefined) writeFileSync(cases, caseLines(measured).join(''))
  const results = resultsOf(measured, what)
  for (const figure of results.goals) console.log(`${isMet(figure) ? '✓' : '✗'} ${figureText(figure)}`)
  const text = jsonOf(results)
  writeFileSync('quality-results.json', text)
  if (keep) {
    writeFileSync(built('../../../../src/testing/quality/results.json'), text)
    const page = built('../../../../detectors/quality.md')
    writeFileSync(page, pageWith(readFileSync(page, 'utf8'), results))
  }
  return results.passed
}

/** As many pieces at once as there are cores, in the order of the jobs. */
async function measure(jobs: readonly Job[]): Promise<Measured> {
  const results: JobResult[] = []
  const waiting = jobs.entries()
  const workOff = async (): Promise<void> => {
    for (const [number, job] of waiting) results[number] = await runApart(job)
  }
  await Promise.all(Array.from({ length: availableParallelism() }, workOff))
  return merged(results)
}

function runApart(job: Job): Promise<JobResult> {
  const name = nameOf(job)
  const started = performance.now()
  return new Promise((resolve, reject) => {
    const worker = new Worker(built('../quality/quality-worker.js'), {
      workerData: job,
      resourceLimits: { maxOldGenerationSizeMb: 3_072 },
    })
    worker.on('message', (message: FromWorker) => {
      const seconds = Math.round((performance.now() - started) / 1_000)
      if (message.kind === 'said') console.log(`  ${name} ${seconds} s: ${message.line}`)
      else resolve(message.result)
    })
    worker.on('error', reject)
    worker.on('exit', () => reject(new Error(`${name} ended without a result`)))
  })
}

function nameOf(job: Job): string {
  switch (job.part) {
    case 'clean':
      return `clean ${job.tenants}`
    case 'series':
      return `series ${job.set}, ${job.configurations.join(', ')}`
    case 'claims':
      return 'claims'
    default:
      return `${job.part} ${job.stage + 1}`
  }
}

function merged(results: readonly JobResult[]): Measured {
  const injected = results.flatMap(result => (result.part === 'injected' ? [result.injected] : []))
  const busy = results.flatMap(result => (result.part === 'busy' ? [result.busy] : []))
  const cleanRuns = results
    .flatMap(result => (result.part === 'clean' ? result.clean : []))
    .toSorted((one, other) => one.tenants - other.tenants)
  const names = [...new Set(injected.flatMap(({ bystanders }) => Object.keys(bystanders)))]
  return {
    injected:
      injected.length === 0
        ? undefined
        : {
            cases: injected.flatMap(({ cases }) => cases),
            bystanders: Object.fromEntries(
              names.map(name => [name, distinct(injected.flatMap(({ bystanders }) => bystanders[name] ?? []))]),
            ),
          },
    busy:
      busy.length === 0
        ? undefined
        : { tenants: busy.flatMap(({ tenants }) => tenants), sick: busy.flatMap(({ sick }) => sick) },
    cleanRuns,
    clean: sharedRun(cleanRuns),
    cleanIncidents: results.flatMap(result => (result.part === 'clean' ? result.incidents : [])),
    series: results.flatMap(result => (result.part === 'series' ? result.series : [])),
    claims: claimsRows(results.flatMap(result => (result.part === 'claims' ? result.claims : []))),
  }
}

function resultsOf(measured: Measured, { small, heldOut, parts }: Asked): QualityResults {
  const reached = goalsOf(measured)
  const goals = small ? againstFloors(reached, parts.length === partNames.length) : reached
  const { injected, busy, cleanRuns, series, claims } = measured
  const found = foundRows(injected?.cases ?? [])
  const configurations = [...new Set([...found, ...cleanRuns].map(({ configuration }) => configuration))]
  return {
    schema: 'weir.quality/1',
    ...{ small, heldOut, goals, found, series, claims },
    passed: goals.every(isMet),
    clean: cleanRuns,
    busy: busy === undefined ? [] : busyRows(busy),
    sick: busy === undefined ? [] : sickRows(busy),
    precision: precisionRows(measured, configurations),
  }
}

try {
  const wanted = asked()
  if (wanted === undefined) console.log(usage)
  else process.exitCode = (await quality(wanted)) ? 0 : 1
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 2
}
