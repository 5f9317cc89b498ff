/**
 * Calls to Kinesis that are made until they succeed, for as long as trying again can help: backing off with full jitter,
 * each failure told. What cannot help is told as a StreamError, with what mends it.
 */
import {
  DescribeStreamSummaryCommand,
  type KinesisClient,
  ListShardsCommand,
  type Shard,
} from '@aws-sdk/client-kinesis'
import { boundedCall, credentialsHint, isPassing, statusOf } from '../aws-client.ts'
import type { Clock } from '../clock.ts'
import { StreamError } from '../core/errors.ts'
import { HOUR_MS } from '../core/vocabulary.ts'
import type { SourceEvent } from './source.ts'

/** Not an error: the call was given up because nobody reads any more. */
export class Stopped extends Error {}

export interface Calls {
  /** Calls until it succeeds; `attempts` at most. Throws Stopped, or a StreamError. */
  insist<T>(what: string, attempts: number, call: () => Promise<T>): Promise<T>
  /** Something was read: from now on what goes wrong was well before. */
  hasRead(): void
}

export interface CallSettings {
  /** As messages name it. */
  readonly stream: string
  readonly clock: Clock
  readonly random: () => number
  readonly onEvent: (event: SourceEvent) => void
  readonly stopped: AbortSignal
}

const backOff = { firstMs: 250, mostMs: 10_000 }

export function kinesisCalls({ stream, clock, random, onEvent, stopped }: CallSettings): Calls {
  let hasRead = false

  function refused(what: string, error: unknown): StreamError {
    const code = hasRead ? 'SOURCE_LOST' : 'SOURCE_UNREADABLE'
    return new StreamError(code, `Could not ${what} of Kinesis stream ${stream}: ${messageOf(error)}`, {
      retry: 'never',
      hint: hintOf(error) ?? 'Check source.stream, the region, and the credentials',
      cause: error,
    })
  }

  function unanswered(what: string, error: unknown): StreamError {
    return new StreamError('SOURCE_UNREADABLE', `Could not ${what} of Kinesis stream ${stream}: ${messageOf(error)}`, {
      retry: 'later',
      hint:
        credentialsHint(error) ?? 'Check source.region and source.endpoint, and that Kinesis is reachable from here',
      cause: error,
    })
  }

  return {
    hasRead() {
      hasRead = true
    },
    async insist(what, attempts, call) {
      for (let attempt = 1; ; attempt++) {
        try {
          return await call()
        } catch (error) {
          if (stopped.aborted || error instanceof Stopped) throw new Stopped()
          if (error instanceof StreamError) throw error
          // Where there have never been credentials that are good, a person is waiting to be told so.
          const isUnequipped = !hasRead && credentialsHint(error) !== undefined
          if (isUnequipped || !mayHelpLater(error)) throw refused(what, error)
          if (attempt >= attempts) throw unanswered(what, error)
          const mostMs = Math.min(backOff.mostMs, backOff.firstMs * 2 ** (attempt - 1))
          const hint = credentialsHint(error)
          const detail = `could not ${what}: ${messageOf(error)}${hint === undefined ? '' : `. ${hint}`}`
          onEvent({ level: 'warn', name: 'readRetried', detail })
          await clock.sleep(random() * mostMs, stopped)
          if (stopped.aborted) throw new Stopped()
        }
      }
    },
  }
}

/** Real time for a call and all that it waits for, credentials too; ten mebibytes over a slow line are in it. */
const callWithinMs = 60_000

/** One try, bounded: a call that hangs is one that failed. */
export const tried = <T>(
  call: (abortSignal: AbortSignal) => Promise<T>,
  signal: AbortSignal,
  withinMs = callWithinMs,
): Promise<T> => boundedCall(call, { withinMs, signal })

/** How requests name a stream: a name is one of the caller's account, an ARN may be of another. */
export type StreamId = { readonly StreamName: string } | { readonly StreamARN: string }

export const streamId = (stream: string): StreamId =>
  stream.startsWith('arn:') ? { StreamARN: stream } : { StreamName: stream }

/** All shards that the stream still lists, closed ones too. */
export async function listShards(
  client: KinesisClient,
  stream: StreamId,
  stopped: AbortSignal,
): Promise<readonly Shard[]> {
  const shards: Shard[] = []
  let page: string | undefined
  do {
    // A page's token stands for the stream too; naming both is an error.
    const input = page === undefined ? stream : { NextToken: page }
    const command = new ListShardsCommand(input)
    const reply = await tried(abortSignal => client.send(command, { abortSignal }), stopped)
    shards.push(...(reply.Shards ?? []))
    page = reply.NextToken
  } while (page !== undefined)
  return shards
}

/** How long the stream keeps a record, ms; undefined where it may not be asked, or does not answer. */
export async function retentionMs(
  client: KinesisClient,
  stream: StreamId,
  stopped: AbortSignal,
): Promise<number | undefined> {
  try {
    const command = new DescribeStreamSummaryCommand(stream)
    const reply = await tried(abortSignal => client.send(command, { abortSignal }), stopped)
    const hours = reply.StreamDescriptionSummary?.RetentionPeriodHours
    return hours === undefined ? undefined : hours * HOUR_MS
  } catch {
    // Nothing depends on it but a piece of advice: reading says by itself what is wrong with the stream.
    return undefined
  }
}

/** Passing here alone: too many lists of shards a second, and a page token that is too old, for which the list begins anew. */
const passingHere: ReadonlySet<string> = new Set(['LimitExceededException', 'ExpiredNextTokenException'])

/** Ours, or the machine's: asking again gives the same answer. */
const hopeless: ReadonlySet<string> = new Set(['TypeError', 'RangeError', 'ReferenceError'])

/** Throttled, broken on the other side, or without any answer. */
function mayHelpLater(error: unknown): boolean {
  const name = nameOf(error)
  if (isPassing(error) || passingHere.has(name)) return true
  const status = statusOf(error)
  if (status !== undefined) return status >= 500
  return !hopeless.has(name) && !messageOf(error).startsWith('Region is missing')
}

function hintOf(error: unknown): string | undefined {
  const name = nameOf(error)
  if (name === 'InvalidArgumentException' && messageOf(error).includes('timestampInMillis')) return aheadHint
  return credentialsHint(error) ?? hints[name] ?? (name.startsWith('KMS') ? keyHint : undefined)
}

const aheadHint = 'A time that is still to come cannot be started at: check source.from, and this machine’s clock'
const keyHint = 'The stream is encrypted with a key that may not be used or is disabled: check its key policy'
const hints: Readonly<Record<string, string>> = {
  ResourceNotFoundException: 'Set source.stream and source.region; `aws kinesis list-streams` says which there are',
  AccessDeniedException:
    'The role needs kinesis:ListShards, kinesis:GetShardIterator and kinesis:GetRecords on the stream; another account’s stream also a policy of its own, and source.stream as its ARN',
  InvalidArgumentException:
    'If a stream of this name was deleted and made anew, the checkpoint belongs to the old one: move state.directory away',
}

export function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : ''
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.message === '' ? error.name : `${error.name}: ${error.message}`
}
