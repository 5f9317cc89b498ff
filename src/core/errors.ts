/**
 * Operating failures: what a person or a retry must deal with. Expected answers are values, our own bugs are assertions;
 * this is the third kind. The sentence says what was wanted, what happened, and the value; the hint is a command or a setting.
 */

export type ErrorCode =
  | 'CONFIG_INVALID'
  | 'CONFIG_UNREADABLE'
  | 'SOURCE_UNREADABLE'
  | 'SOURCE_LOST'
  | 'HISTORY_OVERLAPS'
  | 'NOTHING_READ'
  | 'KEY_UNKNOWN'
  | 'INCIDENT_UNKNOWN'
  | 'TIME_UNUSABLE'
  | 'CHECKPOINT_DAMAGED'
  | 'STORE_UNWRITABLE'
  | 'STATE_TAKEN'
  | 'STATE_HELD'
  | 'GATEWAY_REFUSED'
  | 'GATEWAY_UNREACHABLE'
  | 'ALERT_REFUSED'
  | 'ALERT_UNREACHABLE'

export interface ErrorDetails {
  /** Whether the same call may succeed later. */
  readonly retry: 'never' | 'later'
  /** A command or a setting that mends it. */
  readonly hint?: string
  readonly cause?: unknown
}

export class StreamError extends Error {
  readonly code: ErrorCode
  readonly retry: 'never' | 'later'
  readonly hint: string | undefined

  constructor(code: ErrorCode, sentence: string, details: ErrorDetails) {
    super(sentence, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = 'StreamError'
    this.code = code
    this.retry = details.retry
    this.hint = details.hint
  }
}
