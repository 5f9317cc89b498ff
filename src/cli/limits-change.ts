/**
 * What `weir limits apply`, `undo` and `list` do. Each change is on disk before the gateway hears of it, with what the plan
 * had, and stands in the audit log after. It takes no lock that a worker holds: what they share is the account's one change in
 * 20 seconds, and the gateway's word on what a plan has.
 */
import { createHash } from 'node:crypto'
import { access, readFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { changeEveryMs } from '../actions/control-plane-queue.ts'
import { type LimitsSet, setPlanLimits } from '../actions/plan-limits.ts'
import { type Clock, systemClock } from '../clock.ts'
import type { WeirConfig } from '../core/config/config.ts'
import { StreamError } from '../core/errors.ts'
import { terminalSafe } from '../core/explanation/json.ts'
import { cleanText, durationText, timeText } from '../core/explanation/text.ts'
import { placeName } from '../core/incident/limit-story.ts'
import type { LimitsOrNone, PlanPlace } from '../core/incident/plan-story.ts'
import {
  type AppliedLimits,
  type AppliedPlan,
  appliedLimits,
  begunWith,
  decideLimits,
  type LimitsEntry,
} from '../core/limits/applied.ts'
import { type PatchedPlan, readPatch } from '../core/limits/patch.ts'
import { type AuditLog, openAudit } from '../stores/audit.ts'
import { peekStories } from '../stores/effect-journal.ts'
import { type LimitsJournal, openLimitsJournal, peekLimitsJournal } from '../stores/limits-journal.ts'
import { stateFolders } from '../stores/state-folders.ts'
import { askYes } from './ask.ts'
import { auditedBy } from './audited.ts'
import { loadConfig } from './config-file.ts'
import { exitCodes } from './exit.ts'
import { type ControlledGateway, controlledGateways } from './gateway-controls.ts'
import { hasText } from './limits-words.ts'
import { counted } from './plain-words.ts'
import { listenForStop } from './stop-signal.ts'
import { beyondBounds } from './yaml-bounds.ts'

export interface ChangeOptions {
  readonly config: string
  readonly as?: string
  readonly dryRun?: boolean
  readonly yes?: boolean
}

export type ApplyOptions = ChangeOptions

export interface UndoOptions extends ChangeOptions {
  readonly last?: boolean
}

export interface ListOptions {
  readonly config: string
  readonly json?: boolean
}

export interface ChangeSurroundings {
  readonly out: { write(text: string): unknown }
  readonly clock: Clock
  /** undefined: there is nobody to be asked. */
  readonly ask: ((question: string) => Promise<boolean>) | undefined
}

const surroundings = (): ChangeSurroundings => ({
  out: process.stdout,
  clock: systemClock(),
  ask: askYes(process.stdin, process.stderr),
})

/** One plan and what it is to have. */
interface Wanted extends PlanPlace {
  readonly before: LimitsOrNone
  readonly after: LimitsOrNone
}

/** Throws PATCH_UNUSABLE, and what reading the configuration and the state may throw. */
export async function applyLimits(path: string, options: ApplyOptions, world = surroundings()): Promise<void> {
  const text = await readFile(path, 'utf8').catch(cause => {
    throw unusable(path, cause.message, cause)
  })
  const plans = await plansOf(path, text)
  const digest = createHash('sha256').update(text).digest('hex')
  await change({ kind: 'apply', plans, file: path, digest }, options, world)
}

/** Throws LIMITS_UNKNOWN where there is no such apply. */
export async function undoLimits(id: string | undefined, options: UndoOptions, world = surroundings()): Promise<void> {
  await change({ kind: 'undo', id }, options, world)
}

async function plansOf(path: string, text: string): Promise<readonly PatchedPlan[]> {
  const yaml = await import('yaml')
  const beyond = beyondBounds(yaml, text)
  if (beyond !== undefined) throw unusable(path, beyond.says)
  let value: unknown
  try {
    // Of YAML JSON is a part.
    value = yaml.parse(text)
  } catch (cause) {
    throw unusable(path, cause instanceof Error ? cause.message : String(cause), cause)
  }
  const patch = readPatch(value)
  if (patch.kind === 'bad') throw unusable(path, patch.because)
  return patch.plans
}

type Job =
  | { readonly kind: 'apply'; readonly plans: readonly PatchedPlan[]; readonly file: string; readonly digest: string }
  | { readonly kind: 'undo'; readonly id: string | undefined }

async function change(job: Job, options: ChangeOptions, { out, clock, ask }: ChangeSurroundings): Promise<void> {
  const { config } = await loadConfig(options.config, { readFile: file => readFile(file, 'utf8') })
  const directory = resolve(dirname(resolve(options.config)), config.state.directory)
  const gateways = controlledGateways(config, clock)
  const stop = listenForStop()
  try {
    if (options.dryRun) {
      const { wanted } = planned(job, appliedLimits(await peekLimitsJournal(directory)))
      await tellDryRun(wanted, gateways, { directory, out, signal: stop.signal })
      return
    }
    const journal = await openLimitsJournal(directory)
    try {
      const work = planned(job, appliedLimits(journal.entries))
      const everyMs = (await isWorkedOn(directory)) ? 2 * changeEveryMs : changeEveryMs
      out.write(introText(job, work, everyMs))
      if (work.wanted.length === 0) return
      if (!options.yes && !(await agreed(ask))) {
        out.write('Nothing was changed.\n')
        return
      }
      await perform(
        job,
        work,
        { config, directory, gateways, journal, clock, out, everyMs, by: options.as ?? userName() },
        stop.signal,
      )
    } finally {
      await journal.close()
    }
  } finally {
    stop.release()
    for (const { client } of gateways.values()) client.destroy()
  }
}

interface Work {
  readonly id: string
  /** Whether it was begun before. */
  readonly goesOn: boolean
  readonly wanted: readonly Wanted[]
}

/** What is to be done, given what was. */
function planned(job: Job, applied: readonly AppliedLimits[]): Work {
  if (job.kind === 'apply') {
    const begun = begunWith(applied, job.digest)
    const id = begun?.id ?? nextId(applied)
    const wanted = job.plans.map(
      ({ gateway, planId, present, suggested }): Wanted => ({
        ...(gateway !== undefined && { gateway }),
        ...{ planId, before: present, after: suggested },
      }),
    )
    return {
      id,
      goesOn: begun !== undefined,
      wanted: wanted.filter(plan => !isDone(begun?.plans.get(placeName(plan)))),
    }
  }
  const found = job.id === undefined ? applied.findLast(isStanding) : applied.find(({ id }) => id === job.id)
  if (found === undefined) throw unknown(job.id, applied)
  // The newest first, as they were made.
  const plans = [...found.plans.values()].filter(({ state }) => state !== 'undone' && state !== 'left').reverse()
  const wanted = plans.map(
    ({ before, after, state: _, ...place }): Wanted => ({ ...place, before: after, after: before }),
  )
  return { id: found.id, goesOn: plans.some(({ state }) => state === 'undoing'), wanted }
}

const isDone = (plan: AppliedPlan | undefined): boolean => plan?.state === 'set' || plan?.state === 'left'

/** Something of it can still be undone. */
const isStanding = ({ plans }: AppliedLimits): boolean =>
  [...plans.values()].some(({ state }) => state === 'set' || state === 'changing' || state === 'undoing')

const nextId = (applied: readonly AppliedLimits[]): string => `apply-${applied.length + 1}`

/** A worker's lock is there while it runs; one that was killed leaves it behind, which costs nothing but time. */
async function isWorkedOn(directory: string): Promise<boolean> {
  const folders = await stateFolders(directory)
  const held = await Promise.all(
    folders.map(folder =>
      access(join(folder, 'lock')).then(
        () => true,
        () => false,
      ),
    ),
  )
  return held.includes(true)
}

function introText(job: Job, { id, goesOn, wanted }: Work, everyMs: number): string {
  if (wanted.length === 0) return `Nothing is left to be done of ${id}.\n`
  const what = job.kind === 'apply' ? (goesOn ? `${id} goes on` : id) : `${id} is undone`
  const shared =
    everyMs > changeEveryMs
      ? '; a worker is using this state directory, and each second change is left to its throttles'
      : ''
  return [
    `${what}: ${counted(wanted.length, 'plan')}, about ${durationText(etaMs(wanted, everyMs))}, since AWS takes one change in 20 seconds of an account${shared}.`,
    ...wanted.map(plan => `  ${nameOf(plan)}: ${hasText(plan.before)} → ${hasText(plan.after)}`),
    '',
  ].join('\n')
}

/** The gateways do not wait for each other. */
function etaMs(wanted: readonly Wanted[], everyMs: number): number {
  const plansAt = new Map<string | undefined, number>()
  for (const { gateway } of wanted) plansAt.set(gateway, (plansAt.get(gateway) ?? 0) + 1)
  return Math.max(0, ...[...plansAt.values()].map(plans => plans - 1)) * everyMs
}

async function agreed(ask: ChangeSurroundings['ask']): Promise<boolean> {
  if (ask === undefined)
    throw new StreamError('CONFIG_INVALID', 'Nothing was changed: there is nobody to be asked whether to', {
      retry: 'never',
      hint: 'Give --yes where it runs by itself, or --dry-run to see what would be done',
    })
  return ask('Set them?')
}

interface Performing {
  readonly config: WeirConfig
  readonly directory: string
  readonly gateways: ReadonlyMap<string | undefined, ControlledGateway>
  readonly journal: LimitsJournal
  readonly clock: Clock
  readonly out: { write(text: string): unknown }
  readonly everyMs: number
  readonly by: string
}

async function perform(job: Job, work: Work, at: Performing, signal: AbortSignal): Promise<void> {
  const { journal, clock, directory, by, out, config } = at
  const { id, goesOn, wanted } = work
  if (job.kind === 'apply' && !goesOn) {
    const { file, digest } = job
    await journal.append({ kind: 'apply', id, at: clock.now(), by, file, digest })
  }
  const audit = await openAudit(
    directory,
    ({ message }) => out.write(`  the audit log: ${cleanText(message)}\n`),
    undefined,
    {
      ...{ chain: 'limits', contextOf: () => auditedBy(config) },
    },
  )
  try {
    let done = 0
    const outcomes: LimitsSet['kind'][] = []
    const byGateway = new Map<string | undefined, Wanted[]>()
    for (const plan of wanted) byGateway.set(plan.gateway, [...(byGateway.get(plan.gateway) ?? []), plan])
    await Promise.all(
      [...byGateway.values()].map(async plans => {
        for (const [index, plan] of plans.entries()) {
          if (signal.aborted) return
          const outcome = await setOne(job, id, plan, { ...at, audit }, signal)
          if (outcome === undefined) return
          outcomes.push(outcome.kind)
          const left = (plans.length - 1 - index) * at.everyMs
          out.write(
            `  [${++done}/${wanted.length}] ${nameOf(plan)}: ${outcomeText(outcome)}${left > 0 ? ` (about ${durationText(left)} left)` : ''}\n`,
          )
        }
      }),
    )
    out.write(endText(job, work, outcomes))
    if (outcomes.length < wanted.length || outcomes.includes('left')) process.exitCode = exitCodes.failed
  } finally {
    await audit.close()
  }
}

/** undefined: stopped meanwhile. */
async function setOne(
  job: Job,
  id: string,
  plan: Wanted,
  { gateways, journal, clock, out, everyMs, directory, audit, by }: Performing & { readonly audit: AuditLog },
  signal: AbortSignal,
): Promise<LimitsSet | undefined> {
  const { planId } = plan
  const place: PlanPlace = plan.gateway === undefined ? { planId } : { gateway: plan.gateway, planId }
  const gateway = gateways.get(plan.gateway)
  const isUndo = job.kind === 'undo'
  const about = { id, ...place }
  const entry = (
    rest: Omit<Extract<LimitsEntry, { kind: 'changing' }>, 'id' | 'at' | 'planId' | 'gateway'>,
  ): LimitsEntry => ({ ...about, at: clock.now(), ...rest })
  let outcome: LimitsSet
  if (gateway === undefined) outcome = { kind: 'left', because: noGateway(plan.gateway), isFinal: false }
  else {
    try {
      outcome = await setPlanLimits(
        {
          planId,
          decide: current => decideLimits(plan, current),
          forbidden: () => loweredByWeir(directory, place),
          announce: (before, after) => journal.append(entry({ kind: 'changing', isUndo, before, after })),
          changedMeanwhile: current =>
            `it has ${hasText(current)} by now, and not ${hasText(plan.before)}: somebody has changed it`,
          onTrouble: (because, nextTryInMs) =>
            out.write(`  ${nameOf(plan)}: ${cleanText(because)}; tried again in ${durationText(nextTryInMs)}\n`),
        },
        { plans: gateway.plans, queue: gateway.queue, clock, random: Math.random, everyMs },
        signal,
      )
    } catch (cause) {
      if (signal.aborted) return undefined
      throw cause
    }
  }
  if (outcome.kind === 'left' && outcome.isFinal)
    await journal.append({ kind: 'left', ...about, at: clock.now(), because: outcome.because })
  if (outcome.kind !== 'left') await journal.append({ kind: 'changed', ...about, at: clock.now(), isUndo })
  await audit.record({
    ...{ at: clock.now(), by, change: isUndo ? 'limits-undo' : 'limits-apply', ...place },
    ...{ from: outcome.kind === 'set' ? (outcome.before ?? undefined) : undefined },
    ...{ to: outcome.kind === 'left' ? undefined : (plan.after ?? undefined) },
    result: outcome.kind === 'set' ? 'applied' : outcome.kind === 'already' ? 'already' : 'refused',
    because: outcome.kind === 'left' ? `${id}: ${outcome.because}` : job.kind === 'apply' ? `${id}: ${job.file}` : id,
  })
  return outcome
}

/** What Weir owes a plan is its original: an applied limit in its place would be taken for it. */
async function loweredByWeir(directory: string, place: PlanPlace): Promise<string | undefined> {
  const story = (await peekStories(directory)).get(placeName(place))
  if (story?.kind !== 'plan') return undefined
  const whom = story.holders.map(cleanText).join(', ')
  return `Weir has lowered it at the moment${whom === '' ? '' : ` for ${whom}`} and owes it ${hasText(story.original)}: try again when that is given back`
}

const noGateway = (name: string | undefined): string =>
  name === undefined ? 'no `gateway` is configured' : `no gateway ${cleanText(name)} is configured in \`gateways\``

function outcomeText(outcome: LimitsSet): string {
  switch (outcome.kind) {
    case 'set':
      return `${hasText(outcome.before)} → ${hasText(outcome.after)}`
    case 'already':
      return `has ${hasText(outcome.has)} already`
    case 'left':
      return `left alone: ${cleanText(outcome.because)}`
    default:
      return outcome satisfies never
  }
}

function endText(job: Job, { id, wanted }: Work, outcomes: readonly LimitsSet['kind'][]): string {
  const isDone = (kind: LimitsSet['kind']): boolean => kind !== 'left'
  const done = outcomes.filter(isDone).length
  const left = outcomes.length - done
  const missing = wanted.length - outcomes.length
  const told = [
    `${counted(done, 'plan')} ${job.kind === 'apply' ? 'set' : 'set back'}`,
    ...(left > 0 ? [`${left} left alone`] : []),
    ...(missing > 0 ? [`${missing} not begun, since it was stopped: the same command goes on with them`] : []),
  ]
  const back =
    job.kind === 'apply' && done > 0 ? ` It takes up to two minutes to bite. Back: weir limits undo ${id}` : ''
  return `${told.join(', ')}.${back}\n`
}

async function tellDryRun(
  wanted: readonly Wanted[],
  gateways: ReadonlyMap<string | undefined, ControlledGateway>,
  {
    directory,
    out,
    signal,
  }: { readonly directory: string; readonly out: { write(text: string): unknown }; readonly signal: AbortSignal },
): Promise<void> {
  for (const plan of wanted) out.write(`  ${nameOf(plan)}: ${await dryText(plan, gateways, directory, signal)}\n`)
  out.write('Nothing was changed.\n')
}

async function dryText(
  plan: Wanted,
  gateways: ReadonlyMap<string | undefined, ControlledGateway>,
  directory: string,
  signal: AbortSignal,
): Promise<string> {
  const gateway = gateways.get(plan.gateway)
  if (gateway === undefined) return `would be left alone: ${noGateway(plan.gateway)}`
  const lowered = await loweredByWeir(directory, plan)
  if (lowered !== undefined) return `would be left alone: ${lowered}`
  const current = await gateway.plans.settingsNow(plan.planId, signal)
  if (current.kind !== 'ok') return `cannot be told: ${cleanText(current.because)}`
  const { limits } = current.value
  const decision = decideLimits(plan, limits)
  if (decision.kind === 'already') return `has ${hasText(limits)} already`
  if (decision.kind === 'left')
    return `would be left alone: it has ${hasText(limits)} by now, and not ${hasText(plan.before)}`
  return `would be set: ${hasText(limits)} → ${hasText(decision.after)}`
}

export async function listLimits(
  { config: path, json }: ListOptions,
  out: { write(text: string): unknown } = process.stdout,
): Promise<void> {
  const { config } = await loadConfig(path, { readFile: file => readFile(file, 'utf8'), acts: false })
  const applied = appliedLimits(await peekLimitsJournal(resolve(dirname(resolve(path)), config.state.directory)))
  if (json) {
    const bodies = applied.map(({ plans, at, ...rest }) => ({
      ...rest,
      at: new Date(at).toISOString(),
      plans: [...plans.values()],
    }))
    out.write(`${terminalSafe(JSON.stringify({ schema: 'weir.applied-limits/1', applied: bodies }))}\n`)
  } else if (applied.length === 0) out.write('Nothing was applied from this state directory.\n')
  else out.write(applied.map(appliedText).join(''))
}

function appliedText({ id, at, by, file, plans }: AppliedLimits): string {
  const lines = [...plans.values()].map(
    plan => `  ${nameOf(plan)}: ${hasText(plan.before)} → ${hasText(plan.after)}, ${stateTexts[plan.state]}\n`,
  )
  return `${id}, ${timeText(at)}, by ${cleanText(by)}, ${cleanText(file)}\n${lines.join('')}`
}

const stateTexts: Readonly<Record<AppliedPlan['state'], string>> = {
  changing: 'was being set when it ended: apply the same patch again, or undo it',
  set: 'set',
  undoing: 'was being set back when it ended: undo it again',
  undone: 'set back',
  left: 'left alone since: somebody else has changed it, or it is gone',
}

const nameOf = (place: PlanPlace): string => `plan ${cleanText(placeName(place))}`

function userName(): string {
  try {
    return userInfo().username
  } catch {
    return 'unknown'
  }
}

const unusable = (path: string, because: string, cause?: unknown): StreamError =>
  new StreamError('PATCH_UNUSABLE', `Cannot use the patch ${path}: ${because}`, {
    retry: 'never',
    hint: 'weir limits suggest --out limits.yaml writes one',
    cause,
  })

function unknown(id: string | undefined, applied: readonly AppliedLimits[]): StreamError {
  const ids = applied.map(one => one.id).join(', ')
  return new StreamError(
    'LIMITS_UNKNOWN',
    id === undefined ? 'Nothing that was applied from this state directory is left to be undone' : `There is no ${id}`,
    { retry: 'never', hint: ids === '' ? 'weir limits apply has never set anything here' : `There are: ${ids}` },
  )
}
