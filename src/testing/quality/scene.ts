/** What an injector is told of its tenant: what is usual there at this time of day, and chance of its own. */
import { DAY_MS, type EpochMs, MINUTE_MS, SLOT_MS } from '../../core/vocabulary.ts'
import { createRandom } from '../../simulation/random.ts'
import type { HistoryRow, RealTenant, Scene } from './contract.ts'

const seed = 500

export function sceneOf(
  tenant: RealTenant,
  week: readonly HistoryRow[],
  { from, historyTo, name }: { readonly from: EpochMs; readonly historyTo: EpochMs; readonly name: string },
): Scene {
  return {
    ...{ tenant, from, historyTo },
    usualPerSecond: usualPerSecond(week, from),
    random: createRandom(seed, `${name} ${tenant.id} ${from}`),
  }
}

/** Half an hour to either side, on each of the seven days; at least one call in ten minutes. */
const AROUND_MS = 30 * MINUTE_MS
const LEAST_PER_SECOND = 1 / 600

function usualPerSecond(week: readonly HistoryRow[], at: EpochMs): number {
  const timeOfDay = at % DAY_MS
  let calls = 0
  for (const { start, calls: some } of week) {
    const apart = Math.abs(((start + SLOT_MS / 2) % DAY_MS) - timeOfDay)
    if (Math.min(apart, DAY_MS - apart) < AROUND_MS) calls += some
  }
  const seconds = (7 * 2 * AROUND_MS) / 1_000
  return Math.max(LEAST_PER_SECOND, calls / seconds)
}

/** Nine of ten of the week's five-minute counts lie within half and twice their median; a slot without a row had none. */
export function isSteady(week: readonly HistoryRow[]): boolean {
  const slots = 7 * 288
  const counts = [...week.map(({ calls }) => calls), ...Array<number>(Math.max(0, slots - week.length)).fill(0)].sort(
    (one, other) => one - other,
  )
  const middle = counts[Math.floor(counts.length / 2)]
  const within = counts.filter(calls => calls >= middle / 2 && calls <= middle * 2).length
  return middle > 0 && within >= 0.9 * counts.length
}

/** Calls in the busiest five minutes of the week. */
export const busiestSlot = (week: readonly HistoryRow[]): number =>
  week.reduce((most, { calls }) => Math.max(most, calls), 0)
