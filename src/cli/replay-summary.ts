/** What `weir replay` says at the end: what was read, what could not be, and whether the answer can be relied on. */
import { blindText } from '../core/blind-spots.ts'
import type { PaneRow, Rejection, RejectionReason } from '../core/call-batch.ts'
import type { Decoder } from '../core/formats/decoder.ts'
import type { BareLog } from '../worker/bare-log.ts'
import type { ReplayResult } from '../worker/replay.ts'
import { counted, iso, number, rejectedLines } from './plain-words.ts'

/** What the tally of a replay does not know of the logs. */
export interface LogNotes {
  /** Where the first line of each reason stands. */
  readonly firsts: ReadonlyMap<string, string>
  /** Count rows of one second: those are judged, longer ones teach only. */
  readonly secondRows: number
}

/** Looks over the decoder's shoulder while a followed log is read. */
export function createLogNotes(inner: Decoder) {
  const firsts = new Map<RejectionReason, string>()
  let secondRows = 0
  /** Which file a piece is of: pieces are read ahead, and those of the history are not followed. */
  const pathOf = new WeakMap<Uint8Array, string>()
  const note = (reason: RejectionReason, path: string, place: string): void => {
    if (!firsts.has(reason)) firsts.set(reason, `${path}, ${place}`)
  }
  const noteAll = (
    path: string,
    samples: readonly Rejection[],
    rows: readonly PaneRow[],
    pieceLength: number,
  ): void => {
    for (const { reason, position } of samples) note(reason, path, placeText(position, pieceLength))
    for (const { seconds } of rows) if (seconds === 1) secondRows++
  }
  const decoder: Decoder = {
    keys: inner.keys,
    decode(payload, position, batch) {
      const [samples, rows] = [batch.samples.length, batch.panes.length]
      inner.decode(payload, position, batch)
      const path = pathOf.get(payload)
      if (path === undefined) return
      noteAll(path, batch.samples.slice(samples), batch.panes.slice(rows), payload.length)
    },
  }
  const follow = (log: BareLog): BareLog => ({
    ...log,
    seen(piece) {
      if (piece.kind === 'record') pathOf.set(piece.record.payload, log.path)
      else if (piece.kind === 'decoded') noteAll(log.path, piece.samples, piece.panes, piece.payloadBytes)
      else note(piece.fault.reason, log.path, `before byte ${number(Number(piece.fault.position))}`)
    },
  })
  return { decoder, follow, read: (): LogNotes => ({ firsts, secondRows }) }
}

/** `byte 1,234`: a piece's position is where it ends, a line's in it where that begins. Of an envelope the event is named. */
function placeText(position: string, pieceLength: number): string {
  const [, piece, line = '0', event] = /^(\d+)(?:#(\d+))?(?:\.(\d+))?/.exec(position) ?? []
  if (piece === undefined) return position
  return `byte ${number(Number(piece) - pieceLength + Number(line))}${event === undefined ? '' : `, event ${event}`}`
}

export interface ReplaySummary extends ReplayResult, LogNotes {
  readonly opened: number
  /** The files that the settings and the tenants came from. */
  readonly files: readonly string[]
  /** Nobody named them. */
  readonly isFound: boolean
}

/** From this share of late calls on, something is likely wrong with the files and not with the traffic. */
const muchTooLate = 0.05

export function summaryText(summary: ReplaySummary): string {
  const { history, log, status, span, opened, files } = summary
  const [from, to] = span ? [iso(span.from), iso(span.to)] : ['', '']
  const over = span ? `, ${from} to ${to}` : ''
  const answer = opened === 0 ? 'no incident' : counted(opened, 'incident')
  const taughtOnly = log.calls === 0 && summary.secondRows === 0
  const lines = [
    taughtOnly
      ? `${counted(log.paneRows, 'counted row')} of ${counted(status.keys, 'key')}${over}: they only teach what is usual, so nothing could be judged. Give them as --history, and a log of calls.`
      : `${counted(log.calls, 'call')} of ${counted(status.keys, 'key')}${over}: ${answer}.`,
  ]
  if (!taughtOnly && log.paneRows > 0)
    lines.push(
      `Also ${counted(log.paneRows, 'counted row')}: ${number(summary.secondRows)} of one second, which count like calls; longer ones only teach.`,
    )
  if (history.calls + history.paneRows > 0)
    lines.push(`History: ${counted(history.calls, 'call')} and ${counted(history.paneRows, 'counted row')}.`)
  if (files.length > 0)
    lines.push(`Settings: ${files.join(', ')}${summary.isFound ? ', which was found beside the log' : ''}.`)
  if (summary.blind.length > 0) lines.push(`Blind: ${blindText(summary.blind)}.`)
  if (status.late > 0) lines.push(lateText(status.late, status.calls))
  lines.push(...rejectedLines(log.rejected, summary.firsts))
  return `${lines.join('\n')}\n`
}

function lateText(late: number, calls: number): string {
  const said = `${counted(late, 'call')} came after ${late === 1 ? 'its' : 'their'} pane had closed`
  if (late <= muchTooLate * calls) return `Late: ${said} (${late === 1 ? 'it still teaches' : 'they still teach'}).`
  return `Warning: ${said}, ${Math.round((100 * late) / Math.max(1, calls))} % of all, and could not be judged: are the files in order?`
}
