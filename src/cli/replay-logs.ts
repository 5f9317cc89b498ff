/** What `weir replay` does. Standard output holds the answer only; progress goes to standard error. */
import type { Explanation } from '../core/explanation/explanation.ts'
import { changeLine } from '../core/explanation/json.ts'
import { actionLine, alertText, isPartOfPlatform, unusual } from '../core/explanation/text.ts'
import type { LogTally } from '../worker/bare-log.ts'
import { replay } from '../worker/replay.ts'
import { exitCodes } from './exit.ts'
import { type LineOutput, liveLine } from './live-line.ts'
import { iso, number } from './plain-words.ts'
import { openRecordedLogs, type RecordedLogsOptions } from './recorded-logs.ts'
import { createLogNotes, summaryText } from './replay-summary.ts'
import type { startThreads } from './replay-threads.ts'
import { listenForStop } from './stop-signal.ts'

export interface ReplayOptions extends RecordedLogsOptions {
  readonly json?: boolean
  readonly failOnIncident?: boolean
}

/** `out` takes the answer and nothing else. `decodedAhead` answers what a thread makes of a file, where that is worth one. */
export async function replayLogs(
  logs: readonly string[],
  options: ReplayOptions,
  out: { write(text: string): unknown } = process.stdout,
  decodedAhead: ReturnType<typeof startThreads> = () => undefined,
): Promise<void> {
  const stop = listenForStop()
  const progress = progressOn(process.stderr)
  try {
    const recorded = await openRecordedLogs(logs, options, stop.signal, decodedAhead)
    const notes = createLogNotes(recorded.decoder)
    const incidents = new Set<string>()
    const result = await replay({
      settings: recorded.settings,
      decoder: notes.decoder,
      history: recorded.history,
      logs: recorded.logs.map(notes.follow),
      changed(change) {
        incidents.add(change.incidentId)
        progress.clear()
        out.write(options.json ? `${changeLine(change)}\n` : changeText(change))
      },
      progressed: progress.show,
    })
    progress.clear()
    if (!options.json)
      out.write(
        summaryText({
          ...result,
          ...notes.read(),
          opened: incidents.size,
          files: recorded.files,
          isFound: options.config === undefined,
        }),
      )
    if (options.failOnIncident && incidents.size > 0) process.exitCode = exitCodes.failed
  } finally {
    progress.clear()
    stop.release()
  }
}

/** An opening that is alerted is told whole; what follows, what is only noted, and what is part of a platform incident told already, in one line. */
export function changeText(change: Explanation): string {
  const { phase, incidentId, kind, severity, action, decidedAt } = change
  const head = `${iso(decidedAt)}  ${phase.toUpperCase().padEnd(10)}  ${incidentId}  ${kind}, severity ${severity}`
  if (phase === 'closed') return `${head}\n\n`
  if (phase === 'open' && change.telling === 'noted')
    return `${head}, noted: ${currentText(change)}, too common, or told too lately, for an alert.\n\n`
  if (phase !== 'open' || isPartOfPlatform(change)) return `${head}. ${actionLine(action)}\n\n`
  const text = alertText(change)
    .split('\n')
    .map(line => (line === '' ? '' : `    ${line}`))
    .join('\n')
  return `${head}\n${text}\n\n`
}

function currentText(change: Explanation): string {
  const { observed, usual } = unusual(change)
  return usual === undefined ? observed : `${observed} where ${usual} is usual`
}

/** On a terminal only. */
export function progressOn(screen: LineOutput) {
  const line = liveLine(screen)
  return {
    show(tally: Pick<LogTally, 'calls' | 'paneRows'>, status: () => { readonly eventTime: number | undefined }): void {
      if (!screen.isTTY) return
      const { eventTime } = status()
      const at = eventTime === undefined ? '' : `, at ${iso(eventTime)}`
      line.show(`${number(tally.calls + tally.paneRows)} read${at}`)
    },
    clear: line.clear,
  }
}
