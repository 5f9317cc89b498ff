/** Where telemetry goes: a JSON log for machines (pino), or the terminal for a person. One of them, by `--log` or by what stdout is. */
import { pino } from 'pino'
import { terminalSafe } from '../core/explanation/plain-text.ts'
import { incidentsOf, levelOf, type Telemetry } from '../worker/telemetry.ts'
import { sentenceOf } from '../worker/telemetry-text.ts'
import { createTerminal, mayColour, type Terminal } from './terminal.ts'

export type LogKind = 'human' | 'json'

export interface Screen {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

/**
 * One JSON object a line: level, time, event (its name), the incident that it is about (`incidentId`; `incidentIds` where there
 * are several), the event's own fields, msg (its sentence).
 */
export function jsonSink(destination: { write(text: string): unknown }, level: string): Telemetry {
  const log = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: label => ({ level: label }) },
    },
    // JSON escapes the old control characters only, and this log is read in terminals too.
    { write: text => void destination.write(`${terminalSafe(text.trimEnd())}\n`) },
  )
  return event => {
    const { name, ...fields } = event
    log[levelOf(event)]({ event: name, ...aboutIncidents(incidentsOf(event)), ...wholeMs(fields) }, sentenceOf(event))
  }
}

function aboutIncidents(ids: readonly string[]): object {
  if (ids.length === 0) return {}
  return ids.length === 1 ? { incidentId: ids[0] } : { incidentIds: ids }
}

/** Names of times and durations; other numbers (a limit, a score) keep their fractions. */
const isTime = /(?:Ms|At)$|^(?:ms|eventTime|watermark|resumedFrom)$/

/** The same with every time and duration in whole milliseconds. */
function wholeMs(fields: object): object {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]: [string, unknown]) => [name, rounded(name, value)]),
  )
}

function rounded(name: string, value: unknown): unknown {
  if (typeof value === 'number') return isTime.test(name) ? Math.round(value) : value
  if (Array.isArray(value)) return value.map(item => rounded(name, item))
  return typeof value === 'object' && value !== null ? wholeMs(value) : value
}

export function terminalOn(screen: Screen, env: Readonly<Record<string, string | undefined>>): Terminal {
  const live = screen.isTTY === true && env.TERM !== 'dumb'
  return createTerminal({
    write: text => void screen.write(text),
    live,
    colour: mayColour(screen, env),
    // A pseudo terminal that nobody has sized says 0.
    columns: () => screen.columns || 100,
    nowMs: () => performance.now(),
  })
}
