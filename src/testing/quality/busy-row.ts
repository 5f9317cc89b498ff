/** Busy days, summed up: how often a client was told of, paged for or throttled that did nothing wrong. */
import type { Busy } from './busy-part.ts'
import { shareOf } from './found-row.ts'
import { foundCases, judgedCases } from './verdict.ts'

export interface BusyRow {
  readonly configuration: string
  readonly of: string
  readonly cases: number
  /** Shares of the cases. */
  readonly told: number
  readonly paged: number
  readonly throttled: number
}

export interface SickRow {
  readonly configuration: string
  readonly of: string
  readonly days: number
  /** On how many of them it was told exactly once that the API is sick. */
  readonly toldOnce: number
  /** Clients told of, and throttled, under their own names, on an average day. */
  readonly clientsTold: number
  readonly clientsThrottled: number
}

export function busyRows({ tenants }: Busy): readonly BusyRow[] {
  const names = ['all', ...new Set(tenants.map(({ name }) => name))]
  return Object.keys(tenants[0]?.verdicts ?? {}).flatMap(configuration =>
    names.map(of => {
      const cases = judgedCases(tenants, configuration).filter(({ name }) => of === 'all' || name === of)
      const told = foundCases(cases, configuration)
      return {
        ...{ configuration, of, cases: cases.length },
        told: shareOf(told.length, cases.length),
        paged: shareOf(told.filter(({ verdict }) => verdict.isPaged).length, cases.length),
        throttled: shareOf(told.filter(({ verdict }) => verdict.throttles).length, cases.length),
      }
    }),
  )
}

export function sickRows({ sick }: Busy): readonly SickRow[] {
  return grouped(sick).map(({ configuration, of, some }) => ({
    ...{ configuration, of, days: some.length },
    toldOnce: some.filter(({ platformAlerts }) => platformAlerts === 1).length,
    clientsTold: shareOf(sum(some.map(({ told }) => told)), some.length),
    clientsThrottled: shareOf(sum(some.map(({ throttled }) => throttled)), some.length),
  }))
}

const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0)

/** By configuration, then all days and each by its name. */
function grouped<T extends { readonly name: string; readonly configuration: string }>(
  all: readonly T[],
): readonly { readonly configuration: string; readonly of: string; readonly some: readonly T[] }[] {
  const names = ['all', ...new Set(all.map(({ name }) => name))]
  return [...new Set(all.map(({ configuration }) => configuration))].flatMap(configuration =>
    names.map(of => ({
      ...{ configuration, of },
      some: all.filter(each => each.configuration === configuration && (of === 'all' || each.name === of)),
    })),
  )
}
