/**
 * The looks at a key. Early: on all that has come so far, open panes included, by detectors whose score can only rise
 * when missing calls arrive; it may open and throttle. Final: on a pane that closes, by all detectors; from it the core learns. And
 * at those that did not call in a minute in which others did.
 */

import type { Engine, Out } from './engine-state.ts'
import { decide, onsetOf, type Suspect } from './incident/decision.ts'
import { holdsLimit, isToldSilent } from './incident/incident-questions.ts'
import { callsIn } from './incident/measure.ts'
import { watchPlatform } from './incident/platform.ts'
import { DOMINANT_TIMES } from './incident/response.ts'
import { type Judgement, judge } from './judge.ts'
import { measuringOf } from './measured.ts'
import { type Plan, planAt, planOf } from './planned/schedule.ts'
import { accumulate, accumulateFrom, grownSince, keepUp, resetAccumulators } from './state/accumulator.ts'
import { slotOf } from './state/baseline.ts'
import { IDLE_MINUTES } from './state/idle-keys.ts'
import { beforeChange, type KeyActivity, type KeyState, knowledgeFor, type SlotKnowledge } from './state/key-state.ts'
import { FIRST_MINUTE, read } from './state/known-keys.ts'
import { isLull, noteSteady, restFromLull } from './state/lull.ts'
import { noteErrors } from './state/minute-errors.ts'
import { isDelivered, LEAST_PAUSE, notePause } from './state/own-silence.ts'
import { closeTo, type Owner, turnedWrong } from './state/owner.ts'
import { CALLS, closePane, countSince, paneCalls } from './state/pane.ts'
import { earlyView, finalView, isCalmEarly, isCalmFinally } from './state/tenant-view.ts'
import { watermark } from './state/watermark.ts'
import { DAY_MS, type EpochMs, MINUTE_MS, SECOND_MS } from './vocabulary.ts'

export function lookEarly(engine: Engine, owner: Owner, endSecond: number, out: Out): void {
  const keys = owner.dirty
  if (keys.length === 0) return
  owner.dirty = []
  const slot = slotOf((endSecond - 1) * SECOND_MS)
  const plan = planAt(engine.schedule, minuteOf(endSecond - 1))
  const { calmEarly } = engine.jury
  const { config, tenants } = engine.settings
  const concurrency = config.pool?.concurrency
  const suspects: Suspect[] = []
  let failing = 0
  for (const key of keys) {
    beforeChange(key)
    key.isDirty = false
    const { activity } = key
    if (activity === undefined) continue
    if (activity.lastFailure >= endSecond - 1) failing++
    const known = knowledgeFor(key, owner, slot, 'early', planOf(plan, tenants, key.keyId))
    if (calmEarly !== undefined && isCalmEarly(activity, known, endSecond, calmEarly)) continue
    const judgement = judge(engine.jury, earlyView({ key, activity, known, endSecond, concurrency, keys: owner.keys }))
    if (judgement !== undefined) suspects.push({ key, at: endSecond * SECOND_MS, judgement, known })
  }
  if (failing > 0) watchPlatform(engine, owner, { failing, calling: keys.length }, out)
  if (suspects.length > 0) decide(engine, owner, suspects, out)
}

const minuteOf = (second: number): number => Math.floor(second / 60)

/** Closes what the watermark has passed. */
export function close(engine: Engine, owner: Owner, out: Out): void {
  const { delivery, idleAfter } = engine.settings.config.time
  const mark = watermark(owner.time, { now: engine.state.now, deliveryMs: delivery, idleAfterMs: idleAfter })
  const toSecond = Math.floor(mark / SECOND_MS)
  if (toSecond > owner.closedToSecond) closeOwner(engine, owner, toSecond, out)
}

export function closeOwner(engine: Engine, owner: Owner, toSecond: number, out: Out): void {
  closeTo(owner, toSecond, {
    delivered: measuringOf(engine, owner, out),
    close(keys, second) {
      const slot = slotOf(second * SECOND_MS)
      const plan = planAt(engine.schedule, minuteOf(second))
      const suspects: Suspect[] = []
      for (const key of keys) {
        const suspect = lookFinal(engine, owner, key, second, slot, planOf(plan, engine.settings.tenants, key.keyId))
        if (suspect !== undefined) suspects.push(suspect)
      }
      // In the order of key ids, so that no order of arrival shows. A look changes its own key alone: only decisions need an order.
      if (suspects.length > 1) suspects.sort(byKeyId)
      for (const suspect of suspects) noteWrong(engine, owner, suspect)
      if (suspects.length > 0) decide(engine, owner, suspects, out)
    },
    silent(keys, minute) {
      const suspects = keys.flatMap(key => lookAtSilent(engine, owner, key, minute) ?? []).sort(byKeyId)
      for (const suspect of suspects) noteWrong(engine, owner, suspect)
      // Together: of many that fall silent at once it is not their own doing. Who is told of stays so until it calls again.
      const untold = suspects.filter(({ key }) => !isToldSilent(key.incident))
      if (untold.length > 0) decide(engine, owner, untold, out)
    },
  })
}

const byKeyId = ({ key: one }: Suspect, { key: other }: Suspect): number => (one.keyId < other.keyId ? -1 : 1)

/**
 * Wrong from a harmful finding above 1 on, and for as long after the last one above the stay level as an incident takes to
 * close. A surge or a fall that harms nobody is learned: robustly, so that once is nothing, and what comes again and again is usual.
 * One at many times the usual is not, of whom no day is known: there is nothing yet to be robust with, and four minutes of a storm would be
 * its usual. What an incident is called does not count here: it opens on early looks, which see what has come so far.
 */
function noteWrong(engine: Engine, owner: Owner, { key, at, judgement, known }: Suspect): void {
  const until = at + engine.settings.config.incident.closesAfter
  if (key.wrong !== undefined && at <= key.wrong.until) key.wrong = { ...key.wrong, until }
  else if (isHarmful(judgement) || (judgement.score > 1 && isNew(owner, key, at) && isManyTimes(key, known, at)))
    turnedWrong(owner, key, { onsetAt: onsetOf(judgement, key, known, at), foundAt: at, until })
}

const isHarmful = ({ voices }: Judgement): boolean =>
  voices.some(({ opens, finding: { score, kind } }) => opens && score > 1 && kind !== 'surge' && kind !== 'fall')

/** Known for less than a day. Of an older one a time of day that no day has is learned like any other, or a nightly batch never would be. */
const isNew = ({ keys }: Owner, { number }: KeyState, at: EpochMs): boolean =>
  at - read(keys, number, FIRST_MINUTE) * MINUTE_MS < DAY_MS

const isManyTimes = (key: KeyState, { usual }: SlotKnowledge, at: EpochMs): boolean =>
  usual !== undefined && usual.days === 0 && callsIn(key, at, 10) >= (DOMINANT_TIMES * usual.upperPerMinute) / 6

function lookFinal(
  engine: Engine,
  owner: Owner,
  key: KeyState,
  second: number,
  slot: number,
  plan: Plan | undefined,
): Suspect | undefined {
  const { activity } = key
  if (activity === undefined) return undefined
  const { panes, accumulators } = activity
  const known = knowledgeFor(key, owner, slot, 'final', plan)
  const { model } = known
  const closed = closePane(panes)
  const calls = paneCalls(panes, closed)
  noteErrors(activity.minuteErrors, panes, closed)
  const paused = noteSteady(activity, second)
  if (paused >= LEAST_PAUSE) noteOwnPause(owner, key, known, { second, paused })
  keepUp(activity.early, second, calls)
  if (wasForgotten(accumulators.upTo, second)) beginAnew(activity)
  if (plan !== undefined && accumulators.from < plan.sinceSecond) beginFrom(activity, plan.sinceSecond)
  if (model !== undefined) {
    accumulate(accumulators, model, second, calls)
    settle(activity, known, second)
  }
  const { calm, lull } = engine.jury
  const isQuiet = lull !== undefined && isLull(activity, known, second, lull)
  if (!isQuiet && calm !== undefined && isCalmFinally(activity, known, second + 1, calm)) return undefined
  const concurrency = engine.settings.config.pool?.concurrency
  const judgement = judge(
    engine.jury,
    finalView({ key, activity, known, endSecond: second + 1, concurrency, keys: owner.keys }),
  )
  if (isQuiet && judgement === undefined) restFromLull(activity, second)
  return judgement && { key, at: (second + 1) * SECOND_MS, judgement, known }
}

/** A pause is over. Not a key's own is what its lowered limit did, and what was a gap in delivery. */
function noteOwnPause(
  { keys, coverage }: Owner,
  { number, incident }: KeyState,
  { usual }: SlotKnowledge,
  { second, paused }: { readonly second: number; readonly paused: number },
): void {
  if (usual === undefined || usual.days === 0 || holdsLimit(incident)) return
  const from = second - paused
  if (!isDelivered(coverage, Math.floor(from / 60), minuteOf(second))) return
  notePause(keys, number, { slot: slotOf(from * SECOND_MS), seconds: paused, callsPerMinute: usual.callsPerMinute })
}

/** Who calls less often than in so many seconds of five minutes is silent by chance: not asked, so that it costs nothing. */
const STEADY_SECONDS = 10

/** After a minute without a call of this key. A limit that is lowered may be why it does not call, or why the log does not tell. */
function lookAtSilent(engine: Engine, owner: Owner, key: KeyState, minute: number): Suspect | undefined {
  const { activity } = key
  if (activity === undefined || holdsLimit(key.incident)) return undefined
  if (activity.panes.firstOpen - activity.panes.first < STEADY_SECONDS) return undefined
  beforeChange(key)
  const known = knowledgeFor(key, owner, slotOf(minute * MINUTE_MS), 'final')
  const endSecond = (minute + 1) * 60
  const concurrency = engine.settings.config.pool?.concurrency
  const judgement = judge(engine.jury, finalView({ key, activity, known, endSecond, concurrency, keys: owner.keys }))
  return judgement && { key, at: endSecond * SECOND_MS, judgement, known }
}

/**
 * Whether a key was silent for so long that it shrank to its baseline (`forgetIdle`). It may have been spared only because
 * its next calls had come in already: evidence must not depend on that.
 */
const wasForgotten = (upToSecond: number, second: number): boolean =>
  second - upToSecond > IDLE_MINUTES * 60 &&
  Math.floor(second / 60) - Math.floor((upToSecond - 1) / 60) > IDLE_MINUTES + 1

/** A band that ends below this is taken to end here: of a tenant that hardly calls, a few calls are within it. */
const LEAST_BAND = 5

/** A whole minute within the band: whatever changed is over, however much evidence it left. */
function settle(activity: KeyActivity, { usual }: SlotKnowledge, second: number): void {
  const since = grownSince(activity.accumulators)
  if (since === undefined || second - since / SECOND_MS < 60) return
  const { panes } = activity
  const band = Math.max(LEAST_BAND, usual?.upperPerMinute ?? 0)
  const lastMinute = { count: CALLS, last: panes.firstOpen - 1, fromSecond: second + 1 - 60, enough: band }
  if (countSince(panes, lastMinute) <= band) beginAnew(activity)
}

function beginAnew({ accumulators, early }: KeyActivity): void {
  resetAccumulators(accumulators)
  early.isStale = true
}

/** A planned event begins or ends: what came before was weighed against something else. */
function beginFrom({ accumulators, early }: KeyActivity, second: number): void {
  accumulateFrom(accumulators, second)
  early.isStale = true
}
