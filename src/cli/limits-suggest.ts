/** What `weir limits suggest` does. Standard output holds the answer only; nothing outside is changed. */
import { access, readFile, writeFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { type Clock, systemClock } from '../clock.ts'
import { createEngine, type Engine, type EngineSettings, engineSettings, restore } from '../core/engine.ts'
import { StreamError } from '../core/errors.ts'
import type { Demand } from '../core/limits/demand.ts'
import { type KnownNeed, knownNeeds, sizeKnown } from '../core/limits/known-need.ts'
import { type SeenPlan, type SizedPlan, sizePlans, totalsOf } from '../core/limits/plan-sizing.ts'
import { type Sizing, type SizingPolicy, sizeDemand } from '../core/limits/sizing.ts'
import { type ApiKeyId, DAY_MS } from '../core/vocabulary.ts'
import { peekCheckpoint } from '../stores/checkpoint.ts'
import { peekStories } from '../stores/effect-journal.ts'
import { stateFolders } from '../stores/state-folders.ts'
import { playLogs } from '../worker/limits-history.ts'
import { savedKeys, savedState } from '../worker/saved-state.ts'
import { loadConfig } from './config-file.ts'
import { exitCodes } from './exit.ts'
import { controlledGateways } from './gateway-controls.ts'
import { limitsJson, patchText } from './limits-json.ts'
import { namedPlans, type PlanSurvey, surveyPlans } from './limits-plans.ts'
import type { Suggested } from './limits-suggested.ts'
import { limitsTable } from './limits-text.ts'
import { type LineOutput, liveLine } from './live-line.ts'
import { iso, number } from './plain-words.ts'
import { openRecordedLogs, type RecordedLogsOptions } from './recorded-logs.ts'
import type { startThreads } from './replay-threads.ts'
import { listenForStop } from './stop-signal.ts'
import { mayColour } from './terminal.ts'

export interface SuggestOptions extends Pick<RecordedLogsOptions, 'config' | 'format'> {
  readonly headroom: number
  /** A share. */
  readonly refuseAtMost: number
  readonly leastDays: number
  readonly allDays?: boolean
  /** False: the gateway is not asked. */
  readonly gateway: boolean
  readonly out?: string
  readonly json?: boolean
}

export interface SuggestSurroundings {
  readonly out: LineOutput
  readonly err: LineOutput
  readonly clock: Clock
  readonly env: Readonly<Record<string, string | undefined>>
}

/** Throws what reading configuration, logs, state and gateway may throw. */
export async function suggestLimits(
  logs: readonly string[],
  options: SuggestOptions,
  { out, err, clock, env }: SuggestSurroundings = {
    ...{ out: process.stdout, err: process.stderr, clock: systemClock(), env: process.env },
  },
  decodedAhead?: ReturnType<typeof startThreads>,
): Promise<void> {
  const stop = listenForStop()
  const line = liveLine(err)
  try {
    const config = await configPath(logs, options)
    const suggested =
      logs.length > 0
        ? await fromLogs(logs, { ...options, config }, { clock, line, decodedAhead }, stop.signal)
        : await fromState({ ...options, config: config ?? defaultConfig }, { clock, line }, stop.signal)
    line.clear()
    if (stop.signal.aborted) {
      process.exitCode = exitCodes.failed
      return
    }
    const madeAt = clock.now()
    out.write(options.json ? limitsJson(suggested, madeAt) : limitsTable(suggested, mayColour(out, env)))
    if (options.out !== undefined) await writePatch(options.out, suggested, madeAt, err)
  } catch (cause) {
    if (!stop.signal.aborted) throw cause
    process.exitCode = exitCodes.failed
  } finally {
    line.clear()
    stop.release()
  }
}

const defaultConfig = 'weir.yaml'

/** For logs a configuration is of use where there is one; a state is found by it. */
async function configPath(logs: readonly string[], { config }: SuggestOptions): Promise<string | undefined> {
  if (config !== undefined || logs.length === 0) return config
  return access(defaultConfig).then(
    () => defaultConfig,
    () => undefined,
  )
}

interface Help {
  readonly clock: Clock
  readonly line: ReturnType<typeof liveLine>
  readonly decodedAhead?: ReturnType<typeof startThreads> | undefined
}

type FoundOptions = Omit<SuggestOptions, 'config'> & { readonly config: string | undefined }

async function fromLogs(
  files: readonly string[],
  { config, format, ...options }: FoundOptions,
  { clock, line, decodedAhead }: Help,
  signal: AbortSignal,
): Promise<Suggested> {
  const named = { ...(config !== undefined && { config }), ...(format !== undefined && { format }) }
  const recorded = await openRecordedLogs(files, named, signal, decodedAhead)
  const { settings } = recorded
  const folder = config === undefined ? '.' : dirname(resolve(config))
  const survey = await plansFor(settings, { folder, options, clock, line }, signal)
  const plansOfKey = plansByKey(survey.plans)
  const engine = createEngine(settings, { withHistory: true })
  const played = await playLogs({
    ...{ engine, decoder: recorded.decoder, logs: recorded.logs, deliveryMs: settings.config.time.delivery },
    presentOf: keyId => (plansOfKey.get(keyId) ?? []).map(({ present }) => present ?? undefined),
    wantsLevels: options.refuseAtMost > 0,
    progressed(tally, status) {
      const { eventTime } = status()
      line.show(
        `${number(tally.calls + tally.paneRows)} read${eventTime === undefined ? '' : `, at ${iso(eventTime)}`}`,
      )
    },
  })
  if (played.span === undefined) throw nothingRead(signal)
  const { span } = played
  const policy = policyOf(settings, options)
  const known = new Map(knownNeeds(engine).map(need => [need.keyId, need.usual?.upperPerMinute]))
  const sizings = [...played.demands].map(([keyId, demand]) =>
    sizeDemand(
      { keyId, demand, knownDays: (span.to - demand.firstAt) / DAY_MS, upperPerMinute: known.get(keyId) },
      policy,
    ),
  )
  const beyond = `${number(played.unplayed)} calls of keys beyond the first ${number(played.demands.size)} were not played`
  const notes = played.unplayed > 0 ? [...survey.notes, beyond] : survey.notes
  return suggestedOf({
    ...{ basis: { kind: 'logs', files, played }, settings, policy, sizings, survey: { ...survey, notes } },
    refusedNow: ({ keyId, suggestion }, plan) => {
      const unusual = suggestion.kind === 'limits' ? suggestion.leftOut.map(({ at }) => at / DAY_MS) : []
      const index = (plansOfKey.get(keyId) ?? []).indexOf(plan)
      return plan.present === undefined ? undefined : refusedNow(played.demands.get(keyId), index, unusual)
    },
  })
}

/** On the days that count. */
function refusedNow(demand: Demand | undefined, index: number, unusual: readonly number[]): number | undefined {
  if (demand === undefined || index < 0) return undefined
  const days = [...demand.days].filter(([day]) => !unusual.includes(day))
  return days.reduce((sum, [, { refused }]) => sum + (refused[index] ?? 0), 0)
}

function plansByKey<P extends SeenPlan>(plans: readonly P[]): ReadonlyMap<ApiKeyId, readonly P[]> {
  const found = new Map<ApiKeyId, P[]>()
  for (const plan of plans) for (const keyId of plan.keyIds) found.set(keyId, [...(found.get(keyId) ?? []), plan])
  return found
}

async function fromState(
  { config: path, ...options }: Omit<FoundOptions, 'config'> & { readonly config: string },
  { clock, line }: Help,
  signal: AbortSignal,
): Promise<Suggested> {
  const { config, tenants } = await loadConfig(path, { readFile: file => readFile(file, 'utf8'), acts: false })
  const settings = engineSettings(config, tenants.tenants, tenants.planned)
  const folder = dirname(resolve(path))
  const directory = resolve(folder, config.state.directory)
  line.show(`reading ${directory}`)
  const byKey = new Map<ApiKeyId, KnownNeed>()
  let writtenAt = 0
  for (const part of await stateFolders(directory)) {
    const saved = await peekCheckpoint(part)
    if (saved === undefined) continue
    // Where workers share a stream, each part may know of a key by the history; whose calls it has knows most.
    for (const need of knownNeeds(engineOf(settings, saved)))
      if (need.calls >= (byKey.get(need.keyId)?.calls ?? 0)) byKey.set(need.keyId, need)
    writtenAt = Math.max(writtenAt, saved.snapshot.writtenAt)
  }
  if (byKey.size === 0) throw nothingKnown(directory)
  const survey = await plansFor(settings, { folder, options, clock, line }, signal)
  const policy = policyOf(settings, options)
  const sizings = [...byKey.values()].map(need => sizeKnown(need, policy))
  const basis = { kind: 'state', directory, writtenAt } as const
  return suggestedOf({ basis, settings, policy, sizings, survey, refusedNow: () => undefined })
}

function engineOf(
  settings: EngineSettings,
  { snapshot }: NonNullable<Awaited<ReturnType<typeof peekCheckpoint>>>,
): Engine {
  return restore(settings, {
    ...{ state: savedState(snapshot.state).engine, slabs: snapshot.slabs, keys: savedKeys(snapshot.later) },
  })
}

interface Surveying {
  readonly folder: string
  readonly options: Pick<SuggestOptions, 'gateway'>
  readonly clock: Clock
  readonly line: ReturnType<typeof liveLine>
}

async function plansFor(
  { config, tenants }: EngineSettings,
  { folder, options, clock, line }: Surveying,
  signal: AbortSignal,
): Promise<PlanSurvey> {
  const gateways = options.gateway ? controlledGateways(config, clock) : new Map()
  if (gateways.size === 0) return { plans: namedPlans(tenants), notes: [] }
  try {
    const stories = await peekStories(resolve(folder, config.state.directory))
    return await surveyPlans(gateways, stories, text => line.show(text), signal)
  } finally {
    for (const { client } of gateways.values()) client.destroy()
  }
}

const policyOf = (
  { config: { throttle } }: EngineSettings,
  { headroom, refuseAtMost, leastDays, allDays = false }: Omit<SuggestOptions, 'config'>,
): SizingPolicy => ({
  ...{ headroom, refuseAtMost, leastDays, allDays },
  ...{ floorPerSecond: throttle.floorPerSecond, burstSeconds: throttle.burstSeconds },
})

interface Gathered extends Pick<Suggested, 'basis' | 'settings' | 'policy' | 'sizings'> {
  readonly survey: PlanSurvey
  readonly refusedNow: Parameters<typeof sizePlans>[2]
}

function suggestedOf({ survey, refusedNow, sizings: all, ...rest }: Gathered): Suggested {
  const sizings = [...all].sort((one, other) => rateOf(other) - rateOf(one) || other.calls - one.calls)
  const byKey = new Map(sizings.map(sizing => [sizing.keyId, sizing]))
  const plans = sizePlans(survey.plans, { sizings: byKey, headroom: rest.policy.headroom }, refusedNow)
  const placed = plansByKey(plans)
  const clients = sizings.flatMap(sizing => {
    const rate = Math.max(...(placed.get(sizing.keyId) ?? []).map(suggestedRate), rateOf(sizing))
    return rate > 0 ? [{ rateLimit: rate, latencyMs: sizing.latencyMs }] : []
  })
  return {
    ...{ ...rest, sizings, plans, notes: survey.notes },
    unplaced: sizings.filter(({ keyId }) => !placed.has(keyId)),
    totals: totalsOf(clients, rest.settings.config.pool?.concurrency),
  }
}

const rateOf = ({ suggestion }: Sizing): number => (suggestion.kind === 'limits' ? suggestion.limits.rateLimit : 0)
const suggestedRate = ({ verdict }: SizedPlan): number => (verdict.kind === 'none' ? 0 : verdict.suggested.rateLimit)

async function writePatch(path: string, suggested: Suggested, madeAt: number, err: LineOutput): Promise<void> {
  const patch = await patchText(path, suggested, madeAt)
  if (patch === undefined) {
    err.write(`weir: ${path} was not written: there is no plan that would be changed\n`)
    return
  }
  await writeFile(path, patch).catch(cause => {
    throw new StreamError('STORE_UNWRITABLE', `Cannot write the patch ${path}: ${cause.message}`, {
      retry: 'later',
      cause,
    })
  })
  err.write(
    `weir: ${path} holds what would be changed. Read it, strike out what you do not want, then: weir limits apply ${path}\n`,
  )
}

const nothingRead = (signal: AbortSignal): StreamError => {
  signal.throwIfAborted()
  return new StreamError('NOTHING_READ', 'No call was found to size limits by', {
    retry: 'never',
    hint: 'weir reads JSON access logs, CloudWatch Logs envelopes and panes; other field names: `fields:` in weir.yaml',
  })
}

const nothingKnown = (directory: string): StreamError =>
  new StreamError('NOTHING_READ', `Nothing is known of any client in ${directory}`, {
    retry: 'never',
    hint: 'Give logs of the last week (weir limits suggest week.ndjson.gz), or let weir run or weir learn fill it first',
  })
