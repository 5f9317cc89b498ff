/** What `weir tune` says to machines: `weir.tune/1`. Within a version fields are only added, and none changes its meaning. */
import { riseJson, terminalSafe, times } from '../core/explanation/json.ts'
import { allowedIn, type Bill, type Stretch } from '../core/tuning/bill.ts'
import type { Difference } from '../core/tuning/difference.ts'
import type { Judged, TuneReport } from '../core/tuning/report.ts'
import type { ToldIncident } from '../core/tuning/told-incident.ts'
import type { Read } from './tune-text.ts'

/** One line of JSON, without the line break. */
export function tuneJson(report: TuneReport, { history, log }: Read): string {
  const { parts, budgetPerWeek, labels, knobs, present, suggested, trials, yaml, against } = report
  return terminalSafe(
    JSON.stringify({
      schema: 'weir.tune/1',
      calls: log.calls,
      countedRows: log.paneRows,
      historyCalls: history.calls,
      historyRows: history.paneRows,
      rejected: Object.fromEntries(log.rejected),
      ...times('from', parts.span.from),
      ...times('to', parts.span.to),
      tunedOn: stretchOf(parts.tuned),
      heldOut: stretchOf(parts.heldOut),
      budgetPerWeek,
      labels,
      knobs: knobs.map(({ name, present: value, min, max, unit }) => ({ name, present: value, min, max, unit })),
      present: {
        setting: present.setting,
        ...billsOf(present, budgetPerWeek),
        incidents: present.told.map(incidentOf),
      },
      suggested: {
        setting: suggested.setting,
        ...billsOf(suggested, budgetPerWeek),
        yaml,
        difference: report.difference.map(differenceOf),
      },
      against: against && {
        name: against.name,
        ...billsOf(against, budgetPerWeek),
        difference: against.difference.map(differenceOf),
      },
      trials: trials.map(trial => ({ setting: trial.setting, ...billsOf(trial, budgetPerWeek) })),
      detectors: report.shares,
      clients: report.tenants,
      rises: report.rises.map(({ tenant, seen, told, ...rest }) => ({
        ...{ ...rest, tenant: tenant ?? null },
        ...{ seen: seen.map(riseJson), told: told.flatMap(rise => (rise ? riseJson(rise) : [])) },
      })),
    }),
  )
}

const stretchOf = ({ from, to }: Stretch) => ({ ...times('from', from), ...times('to', to) })

const billsOf = ({ tuned, heldOut }: Judged, budgetPerWeek: number) => ({
  tunedOn: billOf(tuned, budgetPerWeek),
  heldOut: billOf(heldOut, budgetPerWeek),
})

const billOf = ({ delay, lateness, ...bill }: Bill, budgetPerWeek: number) => ({
  ...bill,
  allowed: allowedIn(bill, budgetPerWeek),
  delaySeconds: delay ?? null,
  latenessSeconds: lateness,
})

function incidentOf({ onsetAt, openedAt, endedAt, tenant, ...incident }: ToldIncident) {
  return {
    ...incident,
    tenant: tenant ?? null,
    ...times('onsetAt', onsetAt),
    ...times('openedAt', openedAt),
    ...times('endedAt', endedAt),
  }
}

function differenceOf(difference: Difference) {
  switch (difference.kind) {
    case 'comes':
      return { kind: difference.kind, after: incidentOf(difference.after) }
    case 'goes':
      return { kind: difference.kind, before: incidentOf(difference.before) }
    case 'moves': {
      const { kind, how, before, after } = difference
      return { kind, how, before: incidentOf(before), after: incidentOf(after) }
    }
    default:
      return difference satisfies never
  }
}
