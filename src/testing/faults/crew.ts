/** The workers of a story: each lives, dies, stands still or is asked to stop, and begins again; and takes what people say. */
import type { Mode } from '../../core/config/config.ts'
import { StreamError } from '../../core/errors.ts'
import type { CommandAnswer, OperatorCommand } from '../../core/operator.ts'
import type { Random } from '../../simulation/random.ts'
import type { Keeper } from '../../worker/keeper.ts'
import { live, type World } from './life.ts'
import type { Mortal } from './loop.ts'
import type { SaidCommand } from './schedule.ts'

interface Life extends Mortal {
  readonly number: number
  readonly asked: AbortController
  operate: Keeper['operate'] | undefined
  steps: number
  isOver: boolean
  /** In so many steps it dies. */
  deathIn: number | undefined
}

export interface Crew {
  /** All begin. */
  begin(): void
  /** A step was taken: who is due to die does. */
  stepped(): void
  /** Something happened after which this life may be worth ending. */
  moment(life: Mortal): void
  askToStop(worker?: number): void
  /** All are asked, and nobody begins again. */
  stopAll(): void
  freeze(worker: number, until: number): void
  /** All die, and nobody begins again. */
  endForGood(): void
  /** A person says it to all that can hear it; answers whether anybody could. */
  say(command: SaidCommand): boolean
  /** Nobody dies any more, nor begins again once it was asked to stop. */
  calm(): void
  areAllOver(): boolean
  areAllThere(): boolean
  lives(): number
  /** Nothing happens to anybody any more. */
  abandon(): void
}

export function createCrew(
  world: Omit<World, 'moment'>,
  {
    size,
    random: mortal,
    rotNewest,
  }: { readonly size: number; readonly random: Random; readonly rotNewest: () => void },
): Crew {
  const { schedule, loop, disk, laws, note } = world
  const workers: (Life | undefined)[] = Array.from({ length: size }, () => undefined)
  let lives = 0
  let isCalm = false
  let isEnding = false
  const nameOf = (worker: number, life: Life): string => `life ${life.number}${size > 1 ? ` of worker ${worker}` : ''}`

  function begin(worker: number): void {
    if (isEnding) return
    const life: Life = {
      ...{ isAlive: true, number: ++lives, asked: new AbortController(), operate: undefined },
      ...{ steps: 0, isOver: false, deathIn: undefined },
    }
    workers[worker] = life
    note(`— ${nameOf(worker, life)} begins`)
    const over = (because: string, after: number): void => {
      life.isOver = true
      if (!life.isAlive) return
      life.isAlive = false
      disk.crash('process', life)
      note(`— ${nameOf(worker, life)} is over: ${because}`)
      loop.after(after, () => begin(worker))
    }
    const mode = modeOf(life.number)
    laws.limits.lifeBegins(mode)
    const living = {
      ...{ life, name: `life-${life.number}`, worker, mode, signal: life.asked.signal },
      operate(operated: Keeper['operate'] | undefined) {
        life.operate = operated
      },
    }
    live({ ...world, moment }, living).then(
      () => over('it has stopped', 1_000 + mortal.integer(5_000)),
      (cause: unknown) => {
        if (!(cause instanceof StreamError) || cause.code === 'CHECKPOINT_DAMAGED')
          laws.breakLaw(
            `the worker ended with ${cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)}`,
          )
        over(cause instanceof Error ? cause.message : String(cause), 2_000)
      },
    )
  }

  /** A limit that is lowered a moment later changes what the stream has to say: twins would not be told the same. */
  function modeOf(life: number): Mode {
    if (schedule.kind === 'twin') return 'suggest'
    return isCalm ? 'enforce' : (schedule.modes[life - 1] ?? 'enforce')
  }

  function die(worker: number, how: 'process' | 'machine', isForGood = false): void {
    const life = workers[worker]
    if (life === undefined || !life.isAlive) return
    // What several machines share is a machine of its own: when that loses its power, none of them goes on.
    const dying = how === 'machine' ? workers.keys() : [worker]
    for (const one of dying) end(one, how, isForGood)
    disk.crash(how, how === 'machine' ? undefined : life)
    if (how === 'machine' && schedule.rots && mortal.uniform() < 0.5) rotNewest()
  }

  function end(worker: number, how: 'process' | 'machine', isForGood: boolean): void {
    const life = workers[worker]
    if (life === undefined || !life.isAlive) return
    life.isAlive = false
    note(`— ${nameOf(worker, life)} ends: ${how === 'process' ? 'kill -9' : 'the machine loses its power'}`)
    if (isForGood) return
    loop.after(50 + mortal.integer(mortal.uniform() < 0.3 ? 40_000 : 3_000), () => begin(worker))
  }

  function moment(mortalLife: Mortal): void {
    const life = workers.find(one => one === mortalLife)
    if (life !== undefined && !isCalm && mortal.uniform() < schedule.deathAtMoments) life.deathIn = mortal.integer(8)
  }

  return {
    moment,
    begin() {
      for (const worker of workers.keys()) begin(worker)
    },
    stepped() {
      if (isCalm) return
      for (const [worker, life] of workers.entries()) {
        if (life === undefined || !life.isAlive) continue
        life.steps++
        const death = schedule.deaths[life.number - 1]
        if (death !== undefined && life.steps >= death.afterSteps) die(worker, death.how)
        else if (life.deathIn !== undefined && life.deathIn-- <= 0) {
          life.deathIn = undefined
          die(worker, mortal.uniform() < 0.5 ? 'process' : 'machine')
        }
      }
    },
    askToStop(worker = mortal.integer(size)) {
      note(`asked to stop`)
      workers[worker]?.asked.abort()
    },
    stopAll() {
      isEnding = true
      note('asked to stop')
      for (const life of workers) life?.asked.abort()
    },
    freeze(worker, until) {
      const life = workers[worker]
      if (life === undefined || !life.isAlive) return
      note(`${nameOf(worker, life)} stands still until ${(until / 1_000).toFixed(0)} s`)
      life.frozenUntil = until
    },
    endForGood() {
      isEnding = true
      note('— and nobody begins again')
      for (const worker of workers.keys()) die(worker, mortal.uniform() < 0.5 ? 'process' : 'machine', true)
    },
    say(said) {
      const hearing = workers.flatMap(life =>
        life?.isAlive && life.operate !== undefined ? [{ life, operate: life.operate }] : [],
      )
      if (hearing.length === 0) return false
      const command = commandOf(said)
      for (let time = 0; time < (said.isTwice ? 2 : 1); time++) {
        note(`a person says ${JSON.stringify(command)}`)
        const answered = laws.commands.asked(command)
        const asking = hearing.map(({ operate }) => operate(command, 'ann'))
        Promise.all(asking).then(
          answers => answered(merged(answers), hearing.length === size),
          () => undefined,
        )
      }
      for (const { life } of hearing)
        if (!isCalm && mortal.uniform() < 0.3 * deadliness(schedule)) life.deathIn = mortal.integer(15)
      return true
    },
    calm() {
      isCalm = true
      for (const life of workers) if (life !== undefined) life.deathIn = undefined
    },
    areAllThere: () => workers.every(life => life?.isAlive),
    areAllOver: () => workers.every(life => life === undefined || life.isOver || !life.isAlive),
    lives: () => lives,
    abandon() {
      for (const life of workers) if (life !== undefined) life.isAlive = false
    },
  }
}

/** Stories in which nobody dies are told as well. */
const deadliness = ({ deaths }: World['schedule']): number => (deaths.length === 0 ? 0 : 1)

function commandOf({ kind, keyId, forMs }: SaidCommand): OperatorCommand {
  switch (kind) {
    case 'release':
      return { kind, keyId }
    case 'extend':
      return { kind, keyId, byMs: forMs }
    case 'hold':
      return { kind, keyId, forMs }
    case 'release-all':
    case 'halt':
    case 'go-on':
      return { kind }
    default:
      return kind satisfies never
  }
}

/** Of several workers whoever has the key obeys. */
function merged(answers: readonly CommandAnswer[]): CommandAnswer {
  const obeyed = answers.filter(answer => answer.kind === 'obeyed')
  const until = obeyed.find(answer => answer.until !== undefined)?.until
  if (obeyed.length === 0) return answers[0] ?? { kind: 'refused', because: 'nobody heard it' }
  return {
    kind: 'obeyed',
    keyIds: obeyed.flatMap(({ keyIds }) => keyIds),
    incidentIds: obeyed.flatMap(({ incidentIds }) => incidentIds),
    ...(until !== undefined && { until }),
  }
}
