/** What the command answers to whoever started it, and how a failure is said: a sentence, then the hint that mends it. */
import { type ErrorCode, StreamError } from '../core/errors.ts'
import { printable } from './terminal.ts'

export const exitCodes = { ok: 0, failed: 1, unusable: 2 } as const

/** What must be mended before another try makes sense: 2. What the world did to us while we ran: 1. */
const unusable: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'CONFIG_INVALID',
  'CONFIG_UNREADABLE',
  'SOURCE_UNREADABLE',
  'HISTORY_OVERLAPS',
  'NOTHING_READ',
  'KEY_UNKNOWN',
  'INCIDENT_UNKNOWN',
  'TIME_UNUSABLE',
  'STATE_TAKEN',
  'COMMAND_REFUSED',
])

export function exitCodeOf(failure: unknown): number {
  return failure instanceof StreamError && unusable.has(failure.code) ? exitCodes.unusable : exitCodes.failed
}

/** The stack is shown only for what is our bug: a person cannot mend it and we need it. */
export function failureText(failure: unknown): string {
  if (failure instanceof StreamError) {
    const hint = failure.hint === undefined ? '' : `\n  ${printLines(failure.hint)}`
    return `weir: ${printLines(failure.message)}${hint}\n`
  }
  const detail = failure instanceof Error ? (failure.stack ?? failure.message) : String(failure)
  return `weir: this is a bug of ours, please report it\n${printLines(detail)}\n`
}

/** Standard output takes nothing more: that its reader has left is no failure, that a disk is full is one. */
export function brokenOutput({ code, message }: { readonly code?: string | undefined; readonly message: string }) {
  if (code === 'EPIPE') return { exitCode: exitCodes.ok, text: '' }
  return { exitCode: exitCodes.failed, text: `weir: Cannot write to standard output: ${printable(message)}\n` }
}

const printLines = (text: string): string => text.split('\n').map(printable).join('\n')

export const exitCodesHelp = `
Exit codes:
  0  it ran and stopped as asked
  1  it could not go on: the stream, the disk or AWS failed for good
  2  nothing was begun: a wrong option or setting, or an input that cannot be read`
