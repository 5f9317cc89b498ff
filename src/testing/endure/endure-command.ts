/**
 * `npm run endure`: storm after storm on real servers, with worker, brokers and AWS dying in the middle of each. Prints what was
 * survived, and writes it to endure-results.json. Exits with 1 if a law was broken, and keeps everything that was written then;
 * with 2 if it could not be run.
 */
import { writeFileSync } from 'node:fs'
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { until } from '../until.ts'
import { drawRounds, faultText } from './faults.ts'
import { type EndureFigures, figuresOf, figuresText } from './figures.ts'
import { judgeAlerts, notRestored } from './laws.ts'
import { countCalls, playRound, type RoundTold, seenAlerts, toldAlerts } from './round.ts'
import { openWorld, type World } from './world.ts'

const usage = `npm run endure -- [--rounds 20] [--workers 1] [--seed N] [--skip N]

  --rounds N   so many storms, each with a fault
  --workers N  1, or 2 that share a keyed topic and its state
  --seed N     which faults, and when; without it one is drawn, and printed
  --skip N     leave out the first rounds of this seed

SIGTERM to it alone (not Ctrl-C, which its servers get too): the round that is played is the last.
`

interface Asked {
  readonly rounds: number
  readonly workers: number
  readonly seed: number
  readonly skip: number
}

function asked(): Asked | undefined {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '20' },
      workers: { type: 'string', default: '1' },
      seed: { type: 'string', default: String(1 + Math.floor(Math.random() * 1e6)) },
      skip: { type: 'string', default: '0' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return undefined
  const [rounds = 0, workers = 0, seed = 0, skip = 0] = [values.rounds, values.workers, values.seed, values.skip].map(
    Number,
  )
  if (![rounds, workers, seed, skip].every(Number.isInteger) || rounds < 1 || skip < 0 || workers < 1 || workers > 2)
    throw new Error(`these are no numbers that can be used\n\n${usage}`)
  return { rounds, workers, seed, skip }
}

/** `enough` aborted: no further round. */
async function endure({ rounds: count, workers, seed, skip }: Asked, enough: AbortSignal): Promise<EndureFigures> {
  const folder = await mkdtemp(join(tmpdir(), 'weir-endure-'))
  console.log(`Seed ${seed}. What the workers write is in ${folder}`)
  const world = await openWorld({ workers, folder, say: line => console.log(`  ${line}`) })
  const rounds: RoundTold[] = []
  let isFinished = false
  try {
    for (const plan of drawRounds(seed, skip + count, workers).slice(skip)) {
      if (enough.aborted) break
      // The smaller half storms in turn: each of their storms is far beyond what they do by themselves.
      const stormers = world.fleet.keys.slice(world.fleet.keys.length / 2)
      const told = await playRound(plan, world, stormers[plan.number % stormers.length] ?? '')
      rounds.push(told)
      console.log(roundText(told))
      if (told.broken.length > 0) {
        await cp(join(folder, 'state'), join(folder, `state-after-round-${plan.number}`), { recursive: true })
        await writeFile(join(folder, `round-${plan.number}.json`), JSON.stringify(told, undefined, 2))
      }
    }
    const figures = await finish(world, rounds, { seed, workers })
    isFinished = true
    return figures
  } finally {
    await world.close()
    const wentWell = isFinished && rounds.every(({ broken }) => broken.length === 0)
    if (wentWell) await rm(folder, { recursive: true, force: true })
    else console.log(`What was written is kept in ${folder}`)
  }
}

async function finish(world: World, rounds: readonly RoundTold[], of: Pick<Asked, 'seed' | 'workers'>) {
  const broken = [...(await countCalls(world))]
  // A schedule is removed after the limit is back.
  const areGone = async () => (await world.schedules()).length === 0 || undefined
  await until('every schedule to be gone', areGone, 60_000).catch(error => broken.push(String(error.message)))
  const codes = await Promise.all(world.workers.map(worker => worker.stop()))
  if (codes.some(code => code !== 0)) broken.push(`the workers ended with ${codes.join(', ')}`)
  const judged = judgeAlerts(await seenAlerts(world), toldAlerts(await world.events()))
  const left = notRestored(await world.plans())
  broken.push(...left, ...judged.lost.map(id => `${id} was lost`))
  return figuresOf(rounds, {
    ...{ ...of, judged, broken, limitsNotRestored: left.length, schedulesLeft: (await world.schedules()).length },
    ...{ callsInTopic: await world.recordsInTopic(), callsCounted: await world.counted() },
  })
}

const seconds = (ms: number | undefined): string => (ms === undefined ? '–' : `${(ms / 1_000).toFixed(1)} s`)

function roundText({ plan, broken, msToAlert, msToRestored, caughtUpMs }: RoundTold): string {
  const faults = plan.faults.map(faultText).join(' and ')
  const caughtUp = caughtUpMs === undefined ? '' : `, caught up after ${seconds(caughtUpMs)}`
  const head = `${broken.length === 0 ? '✓' : '✗'} round ${plan.number}, at ${seconds(plan.afterMs)} ${faults}: alert ${seconds(msToAlert)}, limit back ${seconds(msToRestored)}${caughtUp}`
  return [head, ...broken.map(says => `    ${says}`)].join('\n')
}

try {
  const wanted = asked()
  if (wanted === undefined) console.log(usage)
  else {
    const enough = new AbortController()
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => enough.abort())
    const figures = await endure(wanted, enough.signal)
    writeFileSync('endure-results.json', `${JSON.stringify(figures, undefined, 2)}\n`)
    console.log(`\n${figuresText(figures)}`)
    if (figures.broken.length > 0) process.exitCode = 1
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 2
}
