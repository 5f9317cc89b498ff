/** Where telemetry goes: a JSON log for machines (pino), or the terminal for a person. One of them, by `--log` or by what stdout is. */
import { pino } from 'pino'
import { levelOf, sentenceOf, type Telemetry } from '../worker/telemetry.ts'
import { createTerminal, mayColour, type Terminal } from './terminal.ts'

export type LogKind = 'human' | 'json'

export interface Screen {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

/** One JSON object a line: level, time, event (its name), the event's own fields, msg (its sentence). */
export function jsonSink(destination: { write(text: string): unknown }, level: string): Telemetry {
  const log = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: label => ({ level: label }) },
    },
    { write: text => void destination.write(text) },
  )
  return event => {
    const { name, ...fields } = event
    log[levelOf(event)]({ event: name, ...fields }, sentenceOf(event))
  }
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
