/**
 * What must hold in every story, whatever goes wrong: checked as each thing happens, and once more when all is over. The
 * first law that is broken ends the story. Edges that the outside world leaves open are counted, not forgiven in silence.
 */
import type { Mode } from '../../core/config/config.ts'
import { restoreState } from '../../core/engine-snapshot.ts'
import type { PlanLimits } from '../../core/incident/effect.ts'
import { findKey, PREVIOUS_CALLS, read, restoreKnownKeys, SLOT, SLOT_CALLS } from '../../core/state/known-keys.ts'
import { paneCalls, paneSecond } from '../../core/state/pane.ts'
import type { ApiKeyId } from '../../core/vocabulary.ts'
import { MINUTE_MS, SECOND_MS } from '../../core/vocabulary.ts'
import type { Gateway } from '../../simulation/gateway.ts'
import type { Snapshot } from '../../stores/checkpoint.ts'
import type { JournalEntry } from '../../stores/journal-entry.ts'
import { savedKeys, savedState } from '../../worker/saved-state.ts'
import type { TelemetryEvent } from '../../worker/telemetry.ts'
import { planSetups, players, sharedPlans, startsAt, tenantOf } from './cast.ts'
import type { GatewayWatch, Publication, SnsWatch } from './faulty-aws.ts'
import type { Schedule } from './schedule.ts'
import type { SimulatedStream } from './stream.ts'

/** What happened that is allowed, and worth a number. */
export interface Edges {
  /** An alert was sent again: its answer was lost, or the worker died before it had written down that it was sent. */
  alertsTwice: number
  /** A person's change was overwritten, having come between our reading of the plan and our change of it. */
  changesCrossed: number
  lateCalls: number
}

export interface Laws {
  readonly edges: Edges
  broken(): string | undefined
  breakLaw(says: string): void
  readonly gateway: GatewayWatch
  readonly sns: SnsWatch
  personChanged(planId: string, limits: PlanLimits | undefined): void
  exempted(tenant: string, isExempt: boolean): void
  /** A life begins that may lower limits, or not. */
  lifeBegins(mode: Mode): void
  /** The newest state that was on disk is damaged: the one before it may be gone on from. */
  rotten(): void
  /** The worker of now knows who is exempt. */
  exemptionsTaken(): void
  told(event: TelemetryEvent): void
  /** A new life has opened the journal and found this in it. */
  journalOpened(recovered: readonly JournalEntry[]): void
  journalOpening(): void
  journaled(entries: readonly JournalEntry[]): void
  /** A state is about to be written; what it answers is called when it is safely on disk. */
  checkpointing(snapshot: Snapshot): () => void
  /** Whether all limits are people's own and all alerts were sent. */
  isSettled(): boolean
  /** The story is over, and this is what the worker wrote last. */
  end(last: Snapshot | undefined): void
}

interface Surroundings {
  readonly schedule: Schedule
  readonly gateway: Gateway
  readonly stream: SimulatedStream
  readonly taughtCalls: number
  readonly now: () => number
  readonly note: (text: string) => void
}

/** After an exemption is known, changes that were sent before it may still arrive. */
const onItsWayMs = 6 * SECOND_MS

export function createLaws({ schedule, gateway, stream, taughtCalls, now, note }: Surroundings): Laws {
  let broken: string | undefined
  const breakLaw = (says: string): void => {
    if (broken !== undefined) return
    broken = says
    note(`LAW BROKEN: ${says}`)
  }
  const edges: Edges = { alertsTwice: 0, changesCrossed: 0, lateCalls: 0 }

  // --- limits ---
  /** What each plan has by nobody's doing but people's. */
  const base = new Map(planSetups.map(({ id, limits }) => [id, limits]))
  const tenantOfPlan = new Map(planSetups.map(({ id, keys = [] }) => [id, tenantOf(keys[0] ?? '')]))
  const lastRead = new Map<string, number>()
  const lastPerson = new Map<string, number>()
  /** Overwritten in the moment of a person's change. */
  const crossed = new Set<string>()
  const exempt = new Set<string>()
  const knownExempt = new Map<string, number>()
  const quiet = new Set(
    players
      .filter(({ keyId }) => !schedule.storms.some(storm => tenantOf(storm.keyId) === tenantOf(keyId)))
      .map(({ keyId }) => tenantOf(keyId)),
  )

  let observingSince: number | undefined

  function changed(planId: string): void {
    const change = gateway.changes().at(-1)
    if (change === undefined) return
    const tenant = tenantOfPlan.get(planId) ?? ''
    note(`gateway: ${planId} ${text(change.before)} → ${text(change.after)}`)
    if (sharedPlans.has(planId)) breakLaw(`${planId} holds the keys of several tenants, and was changed`)
    if (quiet.has(tenant)) breakLaw(`${tenant} has done nothing, and its plan was changed`)
    if (crossed.has(planId)) return
    const original = base.get(planId)
    if (!isWithin(change.after, original))
      breakLaw(`${planId} was set to ${text(change.after)}, above its ${text(original)}`)
    if (change.after !== undefined && change.after.rateLimit < Math.min(1, original?.rateLimit ?? 1))
      breakLaw(`${planId} was set to ${text(change.after)}, below the floor`)
    if (!isWithin(change.before, change.after) && observingSince !== undefined && now() > observingSince + onItsWayMs)
      breakLaw(`${planId} was lowered by a worker that only observes`)
    const since = knownExempt.get(tenant)
    if (!isWithin(change.before, change.after) && since !== undefined && now() > since + onItsWayMs)
      breakLaw(`${tenant} is exempt since ${seconds(since)}, and was lowered`)
    const lowered = new Set(
      [...base].flatMap(([id, limits]) =>
        crossed.has(id) || isWithin(limits, gateway.planLimits(id)) ? [] : [tenantOfPlan.get(id)],
      ),
    )
    if (lowered.size > schedule.maxTenants)
      breakLaw(`${[...lowered].join(', ')} are lowered at once: more than ${schedule.maxTenants}`)
  }

  const gatewayWatch: GatewayWatch = {
    read: planId => void lastRead.set(planId, now()),
    changing(planId) {
      const readAt = lastRead.get(planId) ?? -1
      const announced = known.findLast(entry => entry.kind === 'plan-changing' && entry.planId === planId)
      if (announced === undefined) breakLaw(`${planId} is changed, and the journal does not say so`)
      return () => {
        const { before, after } = gateway.changes().at(-1) ?? {}
        if (announced?.kind === 'plan-changing' && !same(announced.after ?? undefined, after))
          breakLaw(`${planId} is set to ${text(after)}, and the journal says ${text(announced.after ?? undefined)}`)
        if ((lastPerson.get(planId) ?? -1) >= readAt && !same(before, after)) {
          crossed.add(planId)
          edges.changesCrossed++
        }
        changed(planId)
      }
    },
  }

  // --- alerts ---
  const published = new Map<string, number>()
  const publishedOf = new Map<string, Publication[]>()
  const acknowledged = new Set<string>()
  const intended = new Set<string>()
  const snsWatch: SnsWatch = {
    publishing(publication) {
      const { id } = publication
      if (acknowledged.has(id)) breakLaw(`alert ${id} is sent again, and the journal knew that it had been`)
      if (!known.some(entry => entry.kind === 'intent' && entry.effect.id === id))
        breakLaw(`alert ${id} is sent, and the journal does not say so`)
      return () => {
        const times = (published.get(id) ?? 0) + 1
        note(`sns: ${id} (${publication.phase})${times === 1 ? '' : `, time ${times}`}`)
        if (times > 1) edges.alertsTwice++
        published.set(id, times)
        publishedOf.set(publication.incidentId, [...(publishedOf.get(publication.incidentId) ?? []), publication])
      }
    },
  }

  function told(event: TelemetryEvent): void {
    if (event.name === 'effectIntended' && event.effect.kind === 'alert') intended.add(event.effect.id)
    if (event.name === 'effectPerformed' && event.effect.kind === 'alert') acknowledged.add(event.effect.id)
    if (event.name === 'effectRefused' && event.effect.kind === 'alert')
      breakLaw(`alert ${event.effect.id} was given up: ${event.because}`)
    if (event.name === 'workerStarted') {
      const { resumedFrom } = event
      const isGood = ({ at, isLearned }: (typeof writes)[0]): boolean =>
        at === resumedFrom || (resumedFrom === undefined && isLearned)
      if (safe >= 0 && !writes.slice(safe).some(isGood))
        breakLaw(`started from ${resumedFrom}, and a later state was safely on disk: ${writes[safe]?.at}`)
    }
  }

  // --- journal ---
  /** All that the worker of now has found in the journal or written into it, oldest first. */
  let known: JournalEntry[] = []
  /** What the next one must find in it. */
  let sure: JournalEntry[] = []
  let isOpening = false

  function journalOpening(): void {
    // One that was killed as it began may have made the journal shorter: what is over may be gone.
    if (isOpening) sure = sure.filter(entry => entry.kind === 'outcome' || (entry.kind === 'intent' && isOpen(entry)))
    isOpening = true
  }

  const isOpen = (intent: Extract<JournalEntry, { kind: 'intent' }>): boolean =>
    !sure.some(entry => entry.kind === 'outcome' && entry.effectId === intent.effect.id)

  function journalOpened(recovered: readonly JournalEntry[]): void {
    const found = new Set(recovered.map(entry => JSON.stringify(entry)))
    // Its answer may be on disk though the worker did not live to see it there: then it is over as well.
    const answered = new Set(recovered.flatMap(entry => (entry.kind === 'outcome' ? [entry.effectId] : [])))
    const isOver = (entry: JournalEntry): boolean => entry.kind === 'intent' && answered.has(entry.effect.id)
    const missing = sure.find(entry => !found.has(JSON.stringify(entry)) && !isOver(entry))
    if (missing) breakLaw(`the journal has lost what was safely in it: ${JSON.stringify(missing).slice(0, 200)}`)
    isOpening = false
    known = [...recovered]
    sure = []
  }

  // --- counts ---
  /** When each state was written. `isLearned`: no call had been read, so that the next life may begin anew with what was learned. */
  const writes: { readonly at: number; readonly isLearned: boolean }[] = []
  /** The last of them that is known to be on disk. */
  let safe = -1
  const safes: number[] = []
  let checks = 0

  function checkCounts(snapshot: Snapshot, isThorough: boolean): void {
    const { engine } = savedState(snapshot.state)
    const owners = [...engine.owners.values()]
    const counted = owners.reduce((sum, owner) => sum + owner.calls, 0) - taughtCalls
    const { future, tooOld } = engine.rejected
    const given = stream.callsUpTo(snapshot.positions)
    if (counted + future + tooOld !== given)
      breakLaw(
        `${counted} calls are counted (and ${future + tooOld} refused) of the ${given} up to where it has read: ${given > counted + future + tooOld ? 'some are lost' : 'some count twice'}`,
      )
    edges.lateCalls = owners.reduce((sum, owner) => sum + owner.lateCalls, 0)
    if (isThorough && edges.lateCalls === 0) checkPanes(snapshot)
  }

  function checkPanes({ state, later, slabs, positions }: Snapshot): void {
    const saved = { state: savedState(state).engine, keys: savedKeys(later), slabs }
    const owners = [...restoreState(saved, new Map()).owners.values()]
    const inPanes = new Map<string, number>()
    const from = Math.max(...owners.map(({ closedToSecond }) => closedToSecond)) - 60
    for (const { live } of owners) {
      for (const { keyId, activity } of live) {
        if (activity === undefined) continue
        const { panes } = activity
        for (let index = panes.first; index < panes.end; index++) {
          const second = paneSecond(panes, index)
          if (second >= from) add(inPanes, `${keyId} ${second}`, paneCalls(panes, index))
        }
      }
    }
    const given = new Map<string, number>()
    for (const [number, partition] of stream.partitions.entries()) {
      let older = 0
      for (const { calls } of stream.recordsUpTo(number, positions[partition])) {
        let isOld = true
        for (const { key, at } of calls) {
          const second = Math.floor(at / SECOND_MS)
          if (second < from) continue
          isOld = false
          add(given, `${players[key]?.keyId} ${second}`, 1)
        }
        // Lines come up to some seconds late.
        older = isOld ? older + 1 : 0
        if (older > 40) break
      }
    }
    for (const [place, calls] of given)
      if (inPanes.get(place) !== calls) breakLaw(`${place}: ${inPanes.get(place) ?? 0} calls are counted of ${calls}`)
    for (const [place, calls] of inPanes)
      if (!given.has(place)) breakLaw(`${place}: ${calls} calls are counted, and none was read`)
  }

  /** Of who never did anything, all that was called in the two youngest slots has been learned. */
  function checkLessons(snapshot: Snapshot): void {
    const { engine } = savedState(snapshot.state)
    if (edges.lateCalls > 0 || schedule.keyed || schedule.sick.length > 0) return
    for (const [id, owner] of engine.owners) {
      const [records, rows, places] = ['records', 'rows', 'places'].map(name => snapshot.slabs.get(`${name} ${id}`))
      if (records === undefined || rows === undefined || places === undefined) continue
      const keys = restoreKnownKeys(owner.keys, { records, rows, places })
      for (const { keyId } of players) {
        if (!quiet.has(tenantOf(keyId)) || toldOf.has(keyId)) continue
        const number = findKey(keys, keyId as ApiKeyId)
        if (number === undefined) continue
        const slot = read(keys, number, SLOT)
        // What came before the story was learned of the week.
        const isPreviousOurs = (slot - 1) * 5 >= startsAt / MINUTE_MS
        const learned = read(keys, number, SLOT_CALLS) + (isPreviousOurs ? read(keys, number, PREVIOUS_CALLS) : 0)
        const from = (slot - (isPreviousOurs ? 1 : 0)) * 5
        const called = callsOf(keyId, from, owner.learnedToMinute)
        if (learned !== called)
          breakLaw(`${keyId}: ${learned} calls are learned of ${called} since minute ${from} of slot ${slot}`)
      }
    }
  }

  const toldOf = new Set<string>()

  function callsOf(keyId: string, fromMinute: number, toMinute: number): number {
    let sum = 0
    for (const number of stream.partitions.keys())
      for (const { calls } of stream.recordsUpTo(number, String(Number.MAX_SAFE_INTEGER)))
        for (const { key, at } of calls) {
          const minute = Math.floor(at / MINUTE_MS)
          if (players[key]?.keyId === keyId && minute >= fromMinute && minute < toMinute) sum++
        }
    return sum
  }

  function end(last: Snapshot | undefined): void {
    if (last === undefined) {
      breakLaw('no state was ever written')
      return
    }
    if (stream.callsUpTo(last.positions) !== stream.calls())
      breakLaw(`${stream.callsUpTo(last.positions)} calls were read of the ${stream.calls()} that came`)
    checkCounts(last, true)
    checkLessons(last)
    for (const [id, limits] of base) {
      const has = gateway.planLimits(id)
      if (!crossed.has(id) && !same(has, limits))
        breakLaw(`${id} has ${text(has)} at the end of all, and its own limit is ${text(limits)}`)
    }
    for (const id of intended) if (!published.has(id)) breakLaw(`alert ${id} was never sent`)
    for (const [incidentId, alerts] of publishedOf) {
      const numbers = new Set(alerts.map(({ id }) => Number(id.split('alert-')[1])))
      for (let number = 1; number <= Math.max(...numbers); number++)
        if (!numbers.has(number)) breakLaw(`${incidentId} has no alert ${number} of ${Math.max(...numbers)}`)
    }
    const alertedKeys = new Set([...publishedOf.values()].flat().map(({ keyId }) => keyId))
    for (const { keyId, kind, from, to } of schedule.storms) {
      const isLong = kind === 'retries' && to - from >= 30 * SECOND_MS
      const isTold = alertedKeys.has(keyId) || alertedKeys.has(`tenant:${tenantOf(keyId)}`) || alertedKeys.has('*')
      if (isLong && !isTold) breakLaw(`the storm of ${keyId} from ${seconds(from)} to ${seconds(to)} was never alerted`)
    }
  }

  return {
    edges,
    broken: () => broken,
    breakLaw,
    gateway: gatewayWatch,
    sns: snsWatch,
    personChanged(planId, limits) {
      base.set(planId, limits)
      crossed.delete(planId)
      lastPerson.set(planId, now())
    },
    exempted(tenant, isExempt) {
      if (isExempt) exempt.add(tenant)
      else exempt.delete(tenant)
      if (!isExempt) knownExempt.delete(tenant)
    },
    lifeBegins(mode) {
      observingSince = mode === 'enforce' ? undefined : now()
    },
    rotten() {
      safes.pop()
      safe = safes.at(-1) ?? -1
    },
    exemptionsTaken() {
      for (const tenant of exempt) if (!knownExempt.has(tenant)) knownExempt.set(tenant, now())
    },
    told(event) {
      if (event.name === 'incidentChanged') toldOf.add(event.explanation.keyId)
      told(event)
    },
    journalOpening,
    journalOpened,
    journaled(entries) {
      known.push(...entries)
      sure.push(...entries)
    },
    isSettled: () =>
      [...base].every(([id, limits]) => same(gateway.planLimits(id), limits)) &&
      [...intended].every(id => published.has(id)),
    checkpointing(snapshot) {
      checkCounts(snapshot, checks++ % 8 === 0)
      writes.push({ at: snapshot.writtenAt, isLearned: savedState(snapshot.state).learned !== undefined })
      const index = writes.length - 1
      return () => {
        safe = Math.max(safe, index)
        safes.push(safe)
      }
    },
    end,
  }
}

function add(counts: Map<string, number>, place: string, more: number): void {
  counts.set(place, (counts.get(place) ?? 0) + more)
}

/** Whether no number of `limits` is above `bound`; undefined is without bound. */
function isWithin(limits: PlanLimits | undefined, bound: PlanLimits | undefined): boolean {
  if (bound === undefined) return true
  if (limits === undefined) return false
  return limits.rateLimit <= bound.rateLimit && limits.burstLimit <= bound.burstLimit
}

const same = (one: PlanLimits | undefined, other: PlanLimits | undefined): boolean =>
  one?.rateLimit === other?.rateLimit && one?.burstLimit === other?.burstLimit

const text = (limits: PlanLimits | undefined): string =>
  limits === undefined ? 'no limit' : `${limits.rateLimit}/${limits.burstLimit}`

const seconds = (ms: number): string => `${(ms / SECOND_MS).toFixed(1)} s`
