/**
 * The dead man's switch: beside each limit that is lowered a schedule waits at AWS with the order to give it back, so that it
 * returns although Weir, its machine and its disk are gone. Weir takes the schedule away when it has given the limit back itself.
 *
 *   journal ──► schedule ──► gateway: lowered ──► … ──► gateway: restored ──► journal ──► schedule gone
 *      ✝           ✝              ✝ comes due: restores            ✝           ✝ comes due: finds the original, does nothing
 *                 comes due: finds the original, does nothing
 *
 * **A throttle does not wait for Scheduler.** It protects everybody else, now; the switch protects one client from a second
 * misfortune. So what is not answered within five seconds is told and tried for beside, and the limit is lowered all the same.
 *
 * **Only the journal says what is over.** A worker with a new disk finds schedules of which it knows nothing, and just these are
 * what the switch is for: so nothing is ever listed and swept. What the journal has ended in the last life is taken away at the
 * start, what it still owes gets its schedule, and what a crash left behind beyond that finds the original and deletes itself.
 */
import type { Clock } from '../clock.ts'
import { type GiveBackWatch, type Owed, owedOf } from '../core/incident/give-back.ts'
import { advanceStories, type LimitStories, placeName, tellsStory } from '../core/incident/limit-story.ts'
import { isMethod, type LimitsOrNone, sameLimits } from '../core/incident/plan-story.ts'
import { type OrderedGiveBack, orderName, type PlanGiveBack, standingOrder } from '../core/incident/standing-order.ts'
import { SECOND_MS } from '../core/vocabulary.ts'
import type { EffectJournal, JournalEntry } from '../stores/journal-entry.ts'
import type { OneTimeSchedules } from './one-time-schedules.ts'
import { halfWay } from './ways/own-plan-decision.ts'

/** The switch of one gateway's account and region. */
export interface GatewaySwitch {
  readonly schedules: OneTimeSchedules
  /** So long after a limit should be back whole it comes due. */
  readonly marginMs: number
  /** Whether nothing is lowered without it. */
  readonly required: boolean
}

export interface DeadMansSwitchOptions {
  /** By the gateway's name; one that has no switch is not in it. */
  readonly switches: ReadonlyMap<string | undefined, GatewaySwitch>
  readonly journal: Pick<EffectJournal, 'recovered' | 'stories'>
  readonly clock: Clock
  /** Of a shared stream: whose schedules these are, so that what one part wants gone is no other's. */
  readonly part?: string
  /** How long a throttle lasts where the journal does not say, and half of a limit is on probation. */
  readonly expiresAfterMs: number
  readonly probationMs: number
}

export interface DeadMansSwitch extends GiveBackWatch {
  /** Catches up with what earlier lives have left: begun once at the start, and nobody has to wait for it. */
  reconcile(): Promise<void>
  close(): Promise<void>
}

const answerWithinMs = 5 * SECOND_MS
const closeWithinMs = 2 * SECOND_MS

/** What is wanted of a place, or was. */
interface Order {
  readonly giveBack: OrderedGiveBack
  readonly dueAt: number
  readonly isMade: boolean
}

export function deadMansSwitch(options: DeadMansSwitchOptions): DeadMansSwitch {
  const { switches, journal, clock, part, expiresAfterMs, probationMs } = options
  const orders = new Map<string, Order>()

  async function owed(owed: Owed): Promise<string | undefined> {
    const { name, giveBack, holders, effectId } = owed
    const gateway = switches.get(giveBack.gateway)
    if (gateway === undefined || giveBack.kind === 'row') return undefined
    const { schedules, marginMs, required } = gateway
    const expiresAt = owed.expiresAt ?? clock.now() + expiresAfterMs
    const dueAt = expiresAt + probationMs + marginMs
    const before = orders.get(name)
    if (before?.isMade && before.dueAt === dueAt && covers(before.giveBack, giveBack)) return undefined
    const ordered = withWhatComes(giveBack)
    orders.set(name, { giveBack: ordered, dueAt, isMade: false })
    const schedule = {
      name: orderName(giveBack, part),
      effectId,
      dueAt,
      input: JSON.stringify(standingOrder({ effectId, holders, expiresAt, giveBack: ordered })),
      description: `Weir: gives the limit of ${holders.join(', ')} back, should Weir not do so itself (${effectId})`,
    }
    const made = await schedules.want(schedule, { withinMs: answerWithinMs, mustAsk: required })
    if (made.kind === 'made') orders.set(name, { giveBack: ordered, dueAt, isMade: true })
    if (made.kind === 'made' || !required) return undefined
    return `no schedule could be made that would give it back without Weir, and deadMansSwitch.required wants one: ${made.because}`
  }

  async function over(name: string): Promise<void> {
    const order = orders.get(name)
    if (order === undefined) return
    orders.delete(name)
    remove(order.giveBack)
  }

  /** Not waited for: what is left too long finds the original, and does nothing. */
  function remove(giveBack: OrderedGiveBack): void {
    switches.get(giveBack.gateway)?.schedules.unwant(orderName(giveBack, part))
  }

  return {
    owed,
    over,
    async reconcile() {
      for (const giveBack of endedIn(journal.recovered)) remove(giveBack)
      await Promise.all([...journal.stories()].map(([name, story]) => owed(owedOf(name, story))))
    },
    async close() {
      await Promise.all([...switches.values()].map(({ schedules }) => schedules.close(closeWithinMs)))
    },
  }
}

/**
 * Without the original, and with the half that comes next: so the order that is made with the throttle covers the way back,
 * and a Scheduler that is silent in the middle of it leaves no limit that the order does not know.
 */
function withWhatComes(giveBack: OrderedGiveBack): OrderedGiveBack {
  if (giveBack.kind === 'move') return giveBack
  const methods = giveBack.methods.map(method => ({
    ...method,
    mayHave: steps(method.original, method.mayHave).filter(limits => limits !== null),
  }))
  return { ...giveBack, mayHave: steps(giveBack.original, giveBack.mayHave), methods }
}

function steps(original: LimitsOrNone, mayHave: readonly LimitsOrNone[]): readonly LimitsOrNone[] {
  const lowered = mayHave.filter(limits => !sameLimits(limits, original))
  const all: LimitsOrNone[] = []
  for (const limits of [...lowered, ...lowered.map(low => halfWay(low, original))])
    if (!all.some(known => sameLimits(known, limits))) all.push(limits)
  return all
}

function covers(order: OrderedGiveBack, giveBack: OrderedGiveBack): boolean {
  if (order.kind === 'plan' && giveBack.kind === 'plan') return coversPlan(order, giveBack)
  // Where a key came from does not change while it is away.
  return order.kind === giveBack.kind
}

function coversPlan(order: PlanGiveBack, giveBack: PlanGiveBack): boolean {
  const isCovered = (
    one: { readonly original: LimitsOrNone; readonly mayHave: readonly LimitsOrNone[] } | undefined,
    other: { readonly original: LimitsOrNone; readonly mayHave: readonly LimitsOrNone[] },
  ): boolean =>
    one !== undefined &&
    sameLimits(one.original, other.original) &&
    other.mayHave.every(limits => [one.original, ...one.mayHave].some(known => sameLimits(known, limits)))
  return (
    isCovered(order, giveBack) &&
    giveBack.methods.every(method =>
      isCovered(
        order.methods.find(one => isMethod(one, method)),
        method,
      ),
    )
  )
}

/** What was owed in the last life, and is over by its end. */
function endedIn(entries: readonly JournalEntry[]): readonly OrderedGiveBack[] {
  const owed = new Map<string, OrderedGiveBack>()
  let stories: LimitStories = new Map()
  for (const entry of entries.filter(tellsStory)) {
    stories = advanceStories(stories, entry)
    const name = placeName(entry)
    const story = stories.get(name)
    const giveBack = story && owedOf(name, story).giveBack
    if (giveBack !== undefined && giveBack.kind !== 'row') owed.set(name, giveBack)
  }
  return [...owed].filter(([name]) => !stories.has(name)).map(([, giveBack]) => giveBack)
}
