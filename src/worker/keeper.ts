/**
 * Keeps the engine and all that belongs to it: positions, effects in hand, the counts of what was read. Whatever touches
 * the engine is a method here and runs in a turn of its own, so the engine's input is one sequence. No method waits for
 * the world outside but for the disk: the journal before an effect is begun, the checkpoint before a commit.
 */
import type { Clock } from '../clock.ts'
import { watchFields, wholeBatch } from '../core/blind-spots.ts'
import type { CallBatch } from '../core/call-batch.ts'
import type { TenantsConfig } from '../core/config/config.ts'
import {
  advance,
  beginSnapshot,
  createEngine,
  type Engine,
  type EngineSettings,
  engineStatus,
  restore,
} from '../core/engine.ts'
import type { Decisions, EngineInput } from '../core/engine-input.ts'
import { watching } from '../core/engine-state.ts'
import type { Decoder } from '../core/formats/decoder.ts'
import type { Repeats } from '../core/formats/repeats.ts'
import type { Effect, Outcome, ThrottleEffect } from '../core/incident/effect.ts'
import { fleetSums } from '../core/incident/fleet.ts'
import type { FleetSums, OtherParts } from '../core/incident/fleet-sums.ts'
import { awaited } from '../core/incident/incident-questions.ts'
import { type CommandAnswer, type OperatorCommand, wantedLonger } from '../core/operator.ts'
import { type ApiKeyId, MINUTE_MS, type PartitionId, type Position } from '../core/vocabulary.ts'
import type { Publisher } from '../metrics/publisher.ts'
import type { Positions, Source, SourceBatch } from '../sources/source.ts'
import type { AuditLog } from '../stores/audit.ts'
import type { Checkpoints } from '../stores/checkpoint.ts'
import { journalIndex } from '../stores/effect-journal.ts'
import type { EffectJournal, JournalEntry } from '../stores/journal-entry.ts'
import type { Rejects } from '../stores/rejects.ts'
import type { SpokenWords } from '../stores/spoken-words.ts'
import type { Undelivered } from '../stores/undelivered.ts'
import { createDelivery } from './delivery.ts'
import { createHearing } from './hearing.ts'
import { goesBackInto, historyOverlaps } from './history.ts'
import { createIntake } from './intake.ts'
import { createLostLimits } from './lost-limits.ts'
import { behindMs, createMeter } from './meter.ts'
import { createOperating } from './operating.ts'
import { createPerforming, type EffectWait, type Performers } from './performing.ts'
import { createProgressNews, waitsAfterMs } from './progress-news.ts'
import { tellPublishing } from './publishing.ts'
import { recollectionsOf } from './recollections.ts'
import type { Recorder } from './recorder.ts'
import { hasReadNothing, otherSource, type SavedState, savedKeys, savedState } from './saved-state.ts'
import { type Telemetry, tellChange } from './telemetry.ts'
import { createTurns, type Turns } from './turns.ts'

export interface KeeperSettings {
  readonly source: Source
  readonly decoder: Decoder
  /** Another one like it, whose key table is empty: takes its place when ids that are not keys have filled the table. */
  readonly nextDecoder?: (() => Decoder) | undefined
  /** The decoder's, to be kept with the state. */
  readonly repeats?: Repeats | undefined
  readonly engine: EngineSettings
  /** What the engine's settings say of tenants, as tenants.yaml has it. */
  readonly tenants?: TenantsConfig | undefined
  /** Teaches a fresh engine its history; not called when there is a checkpoint to go on from. */
  readonly teach?: ((engine: Engine) => Promise<void>) | undefined
  readonly clock: Clock
  readonly checkpoints: Checkpoints
  readonly journal: EffectJournal
  readonly rejects: Rejects
  /** Where alerts are kept that nobody took. */
  readonly undelivered: Undelivered
  /** Where people's commands are written down, for people. */
  readonly audit?: Pick<AuditLog, 'record'> | undefined
  /** What people say to all that works on this state. */
  readonly words?: Pick<SpokenWords, 'after'> | undefined
  readonly performers: Performers
  readonly telemetry: Telemetry
  /** Writes down what the engine is fed and what it decides. Whoever made it closes it. */
  readonly recorder?: Recorder | undefined
  /** Sends metrics, where somebody wants them. */
  readonly metrics?: Publisher | undefined
  /** observe, suggest or enforce: for telling only, the engine has its own. */
  readonly mode: string
  /** Something that may not be lost could not be kept: the worker must stop. */
  readonly failed: (cause: unknown) => void
}

export interface Keeper {
  /** Where reading goes on. */
  readonly positions: Positions
  take(batch: SourceBatch): Promise<void>
  tick(): Promise<void>
  /** tenants.yaml was read again, and is good. */
  tenants(tenants: TenantsConfig): Promise<void>
  /** Of a stream that is shared: what this part of it tells the others, and what they tell. */
  sums(): FleetSums
  takeOthers(others: OtherParts): Promise<void>
  /** A person's command. What was obeyed is on disk when this resolves; the gateway may take its time. `word`: as `Operating` has it. */
  operate(command: OperatorCommand, by: string, word?: number): Promise<CommandAnswer>
  minute(): Promise<void>
  checkpoint(): Promise<void>
  /** The log is over: closes all panes. */
  end(): Promise<void>
  throttled(): number
  /** Whose limits the journal says are lowered. */
  lowered(): readonly ApiKeyId[]
  effectsRunning(): number
  effectWaits(): readonly EffectWait[]
  totalCalls(): number
  /** Gives running effects a moment, tells what the last minute has not, and writes the last checkpoint. */
  finish(graceMs: number): Promise<void>
}

/** A thousand alerts waiting is a dead SNS; what comes after is still in the log and on the terminal. */
const maxAlerts = 1_000
const laggingMs = MINUTE_MS
/** A throttle that was decided longer ago is not carried out after a restart: it was about a storm of then. */
const youngMs = 2 * MINUTE_MS

/** `undefined` if `signal` aborted while the history was taught: what was taught is a part of it, and is not kept. */
export async function openKeeper(settings: KeeperSettings, signal: AbortSignal): Promise<Keeper | undefined> {
  const { source, clock, checkpoints, journal, rejects, telemetry, metrics, recorder, failed } = settings
  const saved = await checkpoints.read()
  const found = saved === undefined ? undefined : savedState(saved.snapshot.state)
  // A start that read nothing left a checkpoint that knows nothing: there is still everything to be taught.
  const kept = settings.teach !== undefined && found && hasReadNothing(found) ? undefined : found
  // What was only learned is no life that goes on: no stream was read in it, and nothing decided; unless it was, by one
  // that was killed before it had written another checkpoint.
  const hasDecided =
    kept !== undefined && journal.since(kept.journaled).some(({ at }) => at >= (saved?.snapshot.writtenAt ?? 0))
  const learned = hasDecided ? undefined : kept?.learned
  const state = learned === undefined ? kept : undefined
  const engine =
    kept === undefined
      ? createEngine(settings.engine, { withHistory: settings.teach !== undefined })
      : restore(settings.engine, {
          state: kept.engine,
          slabs: saved?.snapshot.slabs ?? new Map(),
          keys: savedKeys(saved?.snapshot.later ?? []),
        })
  if (state?.repeats !== undefined) settings.repeats?.restore(state.repeats)
  const positions = new Map<PartitionId, Position>(Object.entries(saved?.snapshot.positions ?? {}))
  if (state !== undefined) journal.mustReach(state.journaled)
  const { mode, time } = settings.engine.config

  const turns = createTurns()
  /**
   * A turn that failed half way leaves an engine that knows of calls which no position covers: never to be checkpointed, and the
   * worker ends, whoever asked for the turn.
   */
  let isWhole = true
  const inTurn: Turns = work =>
    turns(async () => {
      try {
        return await work()
      } catch (cause) {
        isWhole = false
        failed(cause)
        throw cause
      }
    })
  const second = createMeter(clock.now())
  const minute = createMeter(clock.now())
  const startedAt = clock.now()
  let taughtUntil = kept?.taughtUntil
  let checkpointedAt = saved?.snapshot.writtenAt ?? startedAt
  const fields = watchFields(settings.engine.config)
  let isBlindnessTold = false
  /** As of the last telling. */
  let forgotten = { keys: engineStatus(engine).forgottenKeys, unplacedCalls: engineStatus(engine).unplacedCalls }
  const progressNews = createProgressNews()
  const delivery = createDelivery({ alert: settings.performers.alert, undelivered: settings.undelivered, telemetry })
  const performing = createPerforming({
    performers: { ...settings.performers, alert: delivery.alert },
    clock,
    maxAlerts,
    settled: async (effect, outcome, tookMs) => {
      // Outside of the turn: a thousand alerts may be given up on at once, and the stream does not wait for their files.
      await delivery.settle(effect, outcome, clock.now())
      await inTurn(() => settle(effect, outcome, tookMs))
    },
    failed,
  })

  const intake = createIntake({
    ...{
      source,
      clock,
      rejects,
      telemetry,
      engine,
      positions,
      feed,
      beginStream,
      idleAfterMs: time.idleAfter,
      futureMs: time.future,
    },
    ...{ decoder: settings.decoder, nextDecoder: settings.nextDecoder, meters: [second, minute] },
  })

  const lostLimits = createLostLimits({ engine, journal, clock, telemetry, begin: performing.begin })
  const operating = createOperating({
    ...{
      engine,
      journal,
      clock,
      telemetry,
      audit: settings.audit,
      feed,
      giveBackLost: lostLimits.giveBack,
      prolong: performing.prolong,
    },
  })

  const { words } = settings
  const hearing = createHearing({ words, recovered: journal.recovered, operate: operating.operate, telemetry })

  async function feed(input: EngineInput, begin: (effect: Effect) => void = performing.begin): Promise<void> {
    recorder?.input(input)
    const decisions = advance(engine, input)
    recorder?.decided(decisions)
    const { effects, changes, measured } = decisions
    if (measured.length > 0) metrics?.closed(measured)
    for (const explanation of changes) tellChange(explanation, telemetry)
    if (effects.length > 0) await carryOut(decisions, begin)
  }

  /** Intents are on disk before the first of them is begun, with what their decision leaves in the engine. */
  async function carryOut({ effects, memos }: Decisions, begin: (effect: Effect) => void): Promise<void> {
    const at = clock.now()
    const intents = effects.map((effect): JournalEntry => ({ kind: 'intent', at, effect }))
    await append([...intents, { kind: 'memos', at, memos }])
    for (const effect of effects) {
      telemetry({ name: 'effectIntended', effect })
      begin(effect)
    }
  }

  async function settle(effect: Effect, outcome: Outcome, tookMs: number): Promise<void> {
    await append([{ kind: 'outcome', at: clock.now(), effectId: effect.id, outcome }])
    if (outcome.kind === 'refused') telemetry({ name: 'effectRefused', effect, because: outcome.because })
    else telemetry({ name: 'effectPerformed', effect, outcome, tookMs })
    // Left lowered once more it is no longer what was tried.
    lostLimits.note(effect, outcome)
    await answer(effect.id, outcome)
  }

  async function answer(effectId: string, outcome: Outcome): Promise<void> {
    await feed({ kind: 'outcome', report: { effectId, outcome }, at: clock.now() })
  }

  async function append(entries: readonly JournalEntry[]): Promise<void> {
    if (entries.length === 0) return
    await journal.append(entries)
  }

  /** Asked of the stream's first calls only, but for fields that none has had yet. */
  function beginStream(batch: CallBatch): void {
    if (!isBlindnessTold) fields.note(wholeBatch(batch))
    if (taughtUntil === undefined) return
    const until = taughtUntil
    taughtUntil = undefined
    const from = goesBackInto(until, batch)
    if (from !== undefined) throw historyOverlaps(from, until)
  }

  async function tick(): Promise<void> {
    const at = clock.now()
    await intake.moveOn(at)
    for (const report of progressNews(performing.progress(waitsAfterMs), at))
      await feed({ kind: 'progress', report, at })
    await feed({ kind: 'tick', at })
    telemetry({ name: 'batchesRead', ...second.read(at, engineStatus(engine), source.partitions()) })
  }

  async function tellMinute(): Promise<void> {
    const now = clock.now()
    const reading = minute.read(now, engineStatus(engine), source.partitions())
    telemetry({ name: 'minuteSummarised', ...reading, undelivered: await delivery.undelivered() })
    tellForgotten()
    tellBlindness()
    const summary = rejects.summary()
    if (summary) telemetry({ name: 'rejectsSummarised', ...summary })
    const delayed = performing.delayed(MINUTE_MS)
    if (delayed.effectIds.length > 0) telemetry({ name: 'effectsDelayed', ...delayed })
    const { halted } = engineStatus(engine)
    if (halted !== undefined) telemetry({ name: 'throttlingHalted', ...halted })
    await lostLimits.giveBackOrphans()
    const lateMs = behindMs(reading, now)
    if (lateMs > laggingMs) telemetry({ name: 'lagReported', behindMs: lateMs })
    if (metrics === undefined) return
    tellPublishing(metrics, telemetry)
    metrics.health({
      ...{ at: now, callsRead: reading.calls, linesRejected: reading.rejected },
      lagMs: reading.lag === undefined ? undefined : lateMs,
      checkpointAgeMs: now - checkpointedAt,
      effectsWaiting: performing.running(),
      openIncidents: reading.openIncidents,
      throttledTenants: reading.throttled,
    })
  }

  function tellForgotten(): void {
    const { forgottenKeys, unplacedCalls } = engineStatus(engine)
    const recent = { keys: forgottenKeys - forgotten.keys, unplacedCalls: unplacedCalls - forgotten.unplacedCalls }
    forgotten = { keys: forgottenKeys, unplacedCalls }
    if (recent.keys > 0 || recent.unplacedCalls > 0) telemetry({ name: 'keysForgotten', ...recent })
  }

  /** Once in a life, and soon: who relies on a detector must hear that it sees nothing. */
  function tellBlindness(): void {
    const blind = isBlindnessTold ? undefined : fields.spots()
    if (blind === undefined) return
    isBlindnessTold = true
    if (blind.length > 0) telemetry({ name: 'detectorsBlind', blind })
  }

  /** The state is copied in a turn, but for the keys: those are taken, and all is written, while the stream goes on; only then may the source forget what came before. */
  async function checkpoint(): Promise<void> {
    const beganAt = clock.now()
    let closedIsCovered: (() => void) | undefined
    const taken = await inTurn(async () => {
      // Asked in the turn: the one before it may have failed while this one waited.
      if (!isWhole) return undefined
      const { state, slabs, keys } = beginSnapshot(engine)
      const saving: SavedState = {
        engine: state,
        journaled: journal.position(),
        source: source.description,
        taughtUntil,
        recordedTo: recorder?.place(),
        learned: taughtUntil === undefined ? undefined : learned,
        repeats: settings.repeats?.snapshot(),
      }
      const covered = new Map(positions)
      closedIsCovered = metrics?.covering()
      const positionsText = Object.fromEntries(covered)
      const writing = checkpoints.write({
        ...{ state: saving, slabs, later: keys, positions: positionsText, writtenAt: beganAt },
      })
      const { written } = writing
      // Told by who waits for it below.
      written.catch(() => undefined)
      // Not waited for: a recording that lags or fails is no reason to hold the worker.
      void recorder?.flush()
      // A disk that takes nothing has not touched the state: the turn is whole.
      await writing.copied.catch(() => undefined)
      return { covered, written }
    })
    if (taken === undefined) return
    const { covered } = taken
    await taken.written
    checkpointedAt = beganAt
    closedIsCovered?.()
    const tookMs = clock.now() - beganAt
    telemetry({ name: 'checkpointWritten', partitions: covered.size, tookMs })
    await rejects.flush()
    try {
      await source.commit(covered)
    } catch (cause) {
      telemetry({ name: 'commitFailed', because: cause instanceof Error ? cause.message : String(cause) })
    }
  }

  /**
   * What was decided, answered and commanded after the checkpoint is given back to the engine, and what was not answered before
   * the stop is done. A throttle takes something from a tenant: it is done only if what it was decided for is true by now.
   */
  async function resumeEffects(journaled: number): Promise<void> {
    const at = clock.now()
    const later = journal.since(journaled)
    const entries = recollectionsOf(later)
    const numberOf = (kind: 'memo' | 'outcome'): number => entries.filter(entry => entry.kind === kind).length
    const [decisions, outcomes] = [numberOf('memo'), numberOf('outcome')]
    if (decisions + outcomes > 0) telemetry({ name: 'decisionsRecalled', decisions, outcomes })
    // Begun behind what is still in hand: of two changes for one key the gateway's queue makes the one that it is asked for last.
    const decided: Effect[] = []
    if (entries.length > 0) await feed({ kind: 'recalled', entries, at }, effect => decided.push(effect))
    // Also of a throttle that has not been carried out yet: whoever gives it back without us is to hear of it when it is.
    for (const { keyId, until } of wantedLonger(engine)) performing.prolong(keyId, until)
    const { openIntents } = journalIndex(journal.recovered)
    const isOutdated = (effect: Effect): boolean => effect.kind === 'throttle' && !isStillTrue(effect)
    for (const effect of openIntents) if (!isOutdated(effect)) performing.begin(effect)
    for (const effect of decided) performing.begin(effect)
    for (const effect of openIntents) if (!performing.has(effect.id)) await settle(effect, notTrueAnyMore, 0)
    for (const effectId of awaitedIds()) {
      if (!performing.has(effectId))
        await answer(effectId, { kind: 'refused', because: 'the effect journal no longer has it' })
    }
  }

  function awaitedIds(): readonly string[] {
    return [...watching(engine.state)].flatMap(({ incidents }) =>
      [...incidents].flatMap(({ incident }) => awaited(incident) ?? []),
    )
  }

  function isStillTrue({ id, keyId, decidedAt }: ThrottleEffect): boolean {
    if (mode !== 'enforce' || engine.settings.tenants.byKey.get(keyId)?.exempt) return false
    return clock.now() - decidedAt <= youngMs && awaitedIds().includes(id)
  }

  function tellRetention(retainedMs: number | undefined): void {
    if (kept === undefined) {
      if (settings.teach === undefined) telemetry({ name: 'historyWanting', retainedMs })
      return
    }
    const awayMs = startedAt - (saved?.snapshot.writtenAt ?? startedAt)
    if (retainedMs !== undefined && awayMs > retainedMs) telemetry({ name: 'streamOutran', awayMs, retainedMs })
  }

  /** They have been silent for as long as we were away, and are about to speak: none of them is idle. */
  async function sayWhoSpeaks(): Promise<void> {
    const partitions = [...positions.keys()]
    if (partitions.length > 0) await feed({ kind: 'partitions', partitions, at: clock.now() })
  }

  async function resume(): Promise<void> {
    if (state === undefined) {
      await sayWhoSpeaks()
      await operating.hearAnew(journal.recovered)
      return lostLimits.giveBackOrphans()
    }
    // First: it was before now.
    await resumeEffects(state.journaled)
    await sayWhoSpeaks()
    // Who has become exempt while we were away gets the limit back as one who does so now.
    if (settings.tenants !== undefined) await feed({ kind: 'tenants', ...settings.tenants, at: clock.now() })
  }

  if (kept === undefined && settings.teach !== undefined) {
    await settings.teach(engine)
    if (signal.aborted) return undefined
    taughtUntil = engineStatus(engine).knownUntil
  }
  telemetry({
    name: 'workerStarted',
    source: source.description,
    mode: settings.mode,
    resumedFrom: state === undefined ? undefined : saved?.snapshot.writtenAt,
    learned,
    note:
      kept !== undefined && settings.teach !== undefined ? historyUnread : (saved?.note ?? otherSource(state, source)),
  })
  // Its answer is advice: reading does not wait for it.
  void source.retainedMs?.().then(tellRetention)
  // Before there is a checkpoint again, from which the next life would take them for its own.
  if (state === undefined) {
    const outcome: Outcome = { kind: 'refused', because: 'state lost' }
    for (const effect of journalIndex(journal.recovered).openIntents) {
      await delivery.settle(effect, outcome, clock.now())
      await settle(effect, outcome, 0)
    }
  }
  const said = await hearing.listen()
  recorder?.begin(engine, { resumedFrom: kept?.recordedTo, isAnew: state === undefined })
  await inTurn(() => resume().then(() => hearing.heed(said)))
  // Before the first call: without it, a crash before the first checkpoint would number its incidents anew and forget
  // that the journal speaks of them.
  await checkpoint()
  return {
    positions,
    take: from => inTurn(() => intake.take(from)),
    async tick() {
      const unheard = await hearing.listen()
      await inTurn(() => hearing.heed(unheard).then(tick))
    },
    operate: (command, by, word) => inTurn(() => operating.operate(command, by, word)),
    tenants: tenants => inTurn(() => feed({ kind: 'tenants', ...tenants, at: clock.now() })),
    sums: () => fleetSums(engine),
    takeOthers: others => inTurn(() => feed({ kind: 'fleet', others, at: clock.now() })),
    minute: () => inTurn(tellMinute),
    checkpoint,
    end: () =>
      inTurn(async () => {
        await intake.countAll()
        await feed({ kind: 'end' })
      }),
    throttled: () => engineStatus(engine).throttled,
    lowered: () => [...new Set([...journal.stories().values()].flatMap(({ holders }) => holders))],
    effectsRunning: () => performing.running(),
    effectWaits: () => performing.waits(),
    totalCalls: () => engineStatus(engine).calls,
    async finish(graceMs) {
      for (const effectId of await performing.finish(graceMs)) telemetry({ name: 'effectLeftOpen', effectId })
      await inTurn(tellMinute)
      await checkpoint()
      if (metrics === undefined) return
      await metrics.finish(graceMs)
      tellPublishing(metrics, telemetry)
    },
  }
}

const notTrueAnyMore: Outcome = { kind: 'refused', because: 'decided before the restart and not true any more' }

const historyUnread =
  'The history was NOT read: the checkpoint goes on from what was known before. To teach it, move the state directory away'
