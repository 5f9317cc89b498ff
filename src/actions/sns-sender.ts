/**
 * Publishes to a topic until SNS takes the message, refuses it for good, or its time is over. All that a worker says goes
 * through one sender, so that one of them finds out for all whether SNS is there (`sns-gate.ts`).
 */
import { PublishCommand, type PublishCommandInput, type SNSClient, SNSServiceException } from '@aws-sdk/client-sns'
import { boundedCall, credentialsHint, isPassing, RoleRefusedError, statusOf } from '../aws-client.ts'
import type { Clock } from '../clock.ts'
import { cleanText, durationText } from '../core/explanation/text.ts'
import type { EpochMs } from '../core/vocabulary.ts'
import { type Circuit, createGate, pauseMs } from './sns-gate.ts'

/** Real time for a call and all that it waits for: there may be credentials that never come. */
const callWithinMs = 20_000

export interface SnsTrouble {
  /** What is to be published: an effect's id. */
  readonly effectId: string
  readonly attempt: number
  readonly error: string
  readonly nextTryInMs: number
}

export interface SnsSenderOptions {
  readonly client: SNSClient
  readonly topicArn: string
  readonly clock: Clock
  /** 0 (inclusive) to 1 (exclusive): spreads retries, so that many workers don't come back at the same moment. */
  readonly random: () => number
  /** Told of each failed attempt that will be made again. */
  readonly onTrouble?: ((trouble: SnsTrouble) => void) | undefined
  readonly withinMs?: number
  /** Whose time that is; without it the machine's own. */
  readonly patience?: Pick<Clock, 'sleep'> | undefined
}

export interface Publication {
  readonly id: string
  /** Made anew for each try: a message that comes late says so. */
  readonly message: (now: EpochMs) => PublishCommandInput
  /** Until then it is tried, and once in any case. */
  readonly until: EpochMs
  /** Asked before each try: rejects where another worker has taken over what this is of, and will send it. */
  readonly stillOurs?: (() => Promise<void>) | undefined
}

export type Published = { readonly kind: 'applied' } | { readonly kind: 'refused'; readonly because: string }

export interface SnsSender {
  /** Rejects when `signal` aborts, and with what `stillOurs` rejects with. */
  publish(publication: Publication, signal: AbortSignal): Promise<Published>
  circuit(): Circuit
}

export function snsSender(options: SnsSenderOptions): SnsSender {
  const { client, topicArn, clock, random, onTrouble, withinMs = callWithinMs, patience } = options
  const gate = createGate({ clock, random })
  return {
    circuit: gate.circuit,
    async publish({ id, message, until, stillOurs }, signal) {
      const beganAt = clock.now()
      for (let attempt = 1, notBefore = beganAt; ; attempt++) {
        const turn = await gate.enter({ signal, notBefore, until })
        if (turn.kind === 'over') return givenUp(clock.now() - Math.min(beganAt, turn.since), turn.because)
        await stillOurs?.().catch(cause => {
          gate.left()
          throw cause
        })
        let error: unknown
        try {
          const input = message(clock.now())
          await boundedCall(abortSignal => client.send(new PublishCommand(input), { abortSignal }), {
            withinMs,
            signal,
            patience,
          })
          gate.answered()
          return { kind: 'applied' }
        } catch (thrown) {
          error = thrown
        }
        if (signal.aborted) {
          gate.left()
          throw signal.reason
        }
        const because = refusal(error, topicArn)
        if (because !== undefined) {
          gate.answered()
          return { kind: 'refused', because }
        }
        const now = clock.now()
        const trouble = errorText(error)
        gate.failed(turn, trouble)
        if (now >= until) return givenUp(now - beganAt, trouble)
        const nextTryInMs = pauseMs(attempt, random)
        notBefore = now + nextTryInMs
        onTrouble?.({ effectId: id, attempt, error: trouble, nextTryInMs })
      }
    },
  }
}

const givenUp = (afterMs: number, because: string): Published => ({
  kind: 'refused',
  because: `SNS did not take it for ${durationText(afterMs)}; the last it said: ${because}`,
})

/** What will not be otherwise next time, in words for a person; undefined: worth another try. */
function refusal(error: unknown, topicArn: string): string | undefined {
  if (error instanceof RoleRefusedError) return errorText(error)
  if (!(error instanceof SNSServiceException)) return undefined
  const status = statusOf(error) ?? 0
  if (status < 400 || status >= 500 || isPassing(error)) return undefined
  return refusalText(error, topicArn)
}

function refusalText(error: SNSServiceException, topicArn: string): string {
  switch (error.name) {
    case 'AuthorizationErrorException':
    case 'AuthorizationError':
    case 'AccessDenied':
      return `may not publish to ${topicArn}: the worker’s role lacks sns:Publish on it (${errorText(error)})`
    case 'NotFoundException':
    case 'NotFound':
      return `there is no topic ${topicArn}: create it, or correct alerts.sns.topicArn (${errorText(error)})`
    default:
      return `SNS refused the message to ${topicArn} (${errorText(error)})`
  }
}

function errorText(error: unknown): string {
  const hint = credentialsHint(error)
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  return cleanText(hint === undefined ? text : `${text}. ${hint}`)
}
