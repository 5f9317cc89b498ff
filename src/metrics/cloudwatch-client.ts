/** CloudWatch's client, and what its errors mean for what to do next. Trying again is ours, in the clock's time. */
import { CloudWatchClient } from '@aws-sdk/client-cloudwatch'
import { type AwsClientSettings, awsClientOptions, boundedCall, isPassing, statusOf } from '../aws-client.ts'

/** A request of 1,000 datums or a page of 100,000 data points may take its time. */
const answerWithinMs = 30_000

/** Real time for a call and all that it waits for, credentials too. */
const callWithinMs = 60_000

/** One try, bounded: a call that hangs is one that failed. */
export const tried = <T>(call: (abortSignal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> =>
  boundedCall(call, { withinMs: callWithinMs, signal })

export function cloudWatchClient({ region, endpoint }: AwsClientSettings): CloudWatchClient {
  return new CloudWatchClient(awsClientOptions({ region, endpoint }, { answerWithinMs }))
}

/** Why it will not be otherwise next time, in words for a person; undefined: worth another try. */
export function refusalOf(error: unknown, permission: string): string | undefined {
  const status = statusOf(error)
  if (status === undefined || status < 400 || status >= 500 || isPassing(error)) return undefined
  const name = error instanceof Error ? error.name : ''
  return /^AccessDenied|^Unauthorized|^Forbidden|^NotAuthorized/.test(name)
    ? `the worker’s role lacks ${permission}: ${textOf(error)}`
    : textOf(error)
}

export const textOf = (error: unknown): string =>
  error instanceof Error ? `${error.name}: ${error.message}` : String(error)

const firstPauseMs = 500
const longestPauseMs = 60_000

/** Exponential with full jitter: from nothing to 0.5 s, 1 s, 2 s … a minute. */
export const pauseMs = (attempt: number, random: () => number): number =>
  random() * Math.min(longestPauseMs, firstPauseMs * 2 ** (attempt - 1))
