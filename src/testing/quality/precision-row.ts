/**
 * Of all pages, and of all limits that would have been lowered, in the whole run: how many were right. A page is right when
 * its client was made to misbehave, a throttle when that also harms; whatever else was told, of bystanders, on busy days and
 * in clean traffic, is wrong.
 */
import type { Busy } from './busy-part.ts'
import type { Clean } from './clean-run.ts'
import type { Injected } from './injected-part.ts'
import { foundCases } from './verdict.ts'

export interface PrecisionRow {
  readonly configuration: string
  readonly throttles: RightAndWrong
  readonly pages: RightAndWrong
}

export interface RightAndWrong {
  readonly right: number
  readonly wrong: number
}

export interface Ran {
  readonly injected: Injected | undefined
  readonly busy: Busy | undefined
  /** One run, in which every configuration took part. */
  readonly clean: readonly Clean[]
}

export const precisionRows = (ran: Ran, configurations: readonly string[]): readonly PrecisionRow[] =>
  configurations.map(configuration => ({ configuration, ...precisionOf(ran, configuration) }))

function precisionOf({ injected, busy, clean }: Ran, configuration: string): Omit<PrecisionRow, 'configuration'> {
  const found = foundCases(injected?.cases ?? [], configuration)
  const throttled = found.filter(({ verdict }) => verdict.throttles)
  const others = injected?.bystanders[configuration] ?? []
  const busyTenants = foundCases(busy?.tenants ?? [], configuration)
  const sick = (busy?.sick ?? []).filter(each => each.configuration === configuration)
  const quiet = clean.filter(each => each.configuration === configuration)
  return {
    throttles: {
      right: throttled.filter(({ each }) => each.harms).length,
      wrong: sum([
        throttled.filter(({ each }) => !each.harms).length,
        others.filter(({ throttles }) => throttles).length,
        busyTenants.filter(({ verdict }) => verdict.throttles).length,
        ...sick.map(({ throttled }) => throttled),
        ...quiet.map(({ throttles }) => throttles),
      ]),
    },
    pages: {
      right: found.filter(({ verdict }) => verdict.isPaged).length + sick.filter(isTold).length,
      wrong: sum([
        others.filter(({ isPaged }) => isPaged).length,
        busyTenants.filter(({ verdict }) => verdict.isPaged).length,
        ...sick.map(({ paged, platformAlerts }) => paged + Math.max(0, platformAlerts - 1)),
        ...quiet.map(({ high, platform }) => high + platform),
      ]),
    },
  }
}

const isTold = ({ platformAlerts }: { readonly platformAlerts: number }): boolean => platformAlerts > 0

const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0)

/** Undefined where there was nothing to be right or wrong about. */
export const precision = ({ right, wrong }: RightAndWrong): number | undefined =>
  right + wrong === 0 ? undefined : right / (right + wrong)
