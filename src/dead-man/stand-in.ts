/** What the function does with what it is handed: carry the order out, tell people, and leave one line in the log. */
import type { APIGatewayClient } from '@aws-sdk/client-api-gateway'
import { PublishCommand, type SNSClient } from '@aws-sdk/client-sns'
import { readOrder, type StandingOrder } from '../core/incident/standing-order.ts'
import { type EpochMs, SECOND_MS } from '../core/vocabulary.ts'
import { type CarriedOut, carryOut, textOf } from './carry-out.ts'
import { type Came, noticeOf, publication } from './notice.ts'

export interface StandInOptions {
  readonly gateway: APIGatewayClient
  readonly topic: { readonly arn: string; readonly client: SNSClient } | undefined
  readonly now: () => EpochMs
  readonly sleep: (ms: number) => Promise<void>
  readonly random: () => number
  /** One line of JSON. */
  readonly log: (line: string) => void
}

/** What Lambda says of the call. */
export interface CallContext {
  getRemainingTimeInMillis(): number
}

export type Handler = (event: unknown, context: CallContext) => Promise<CarriedOut>

/** People are told with a few tries: a limit that is back must not look as if it were not, for want of a message. */
const publishTries = 3

export function standIn({ gateway, topic, now, sleep, random, log }: StandInOptions): Handler {
  async function tell(order: StandingOrder, came: Came): Promise<void> {
    const notice = noticeOf(order, came, now())
    if (notice === undefined || topic === undefined) return
    for (let attempt = 1; ; attempt++) {
      try {
        await topic.client.send(new PublishCommand(publication(notice, topic.arn)))
        return
      } catch (error) {
        if (attempt === publishTries) return line('error', 'noticeUnsent', order, { because: textOf(error) })
        await sleep(SECOND_MS * attempt)
      }
    }
  }

  function line(level: 'info' | 'warn' | 'error', event: string, order: StandingOrder, more: object): void {
    log(JSON.stringify({ level, time: new Date(now()).toISOString(), event, ...more, ...order }))
  }

  return async (event, context) => {
    const order = readOrder(event)
    if (order === undefined)
      throw new Error('This is no standing order of Weir, or one of another version: nothing was done')
    try {
      const came = await carryOut(order, {
        ...{ gateway, sleep, random },
        leftMs: () => context.getRemainingTimeInMillis(),
        onTrouble: because => line('warn', 'tryFailed', order, { because }),
      })
      if (came.kind === 'given-back') line('warn', 'limitGivenBack', order, {})
      else line(came.because === 'back' ? 'info' : 'warn', 'limitLeft', order, { because: came.because })
      await tell(order, came)
      return came
    } catch (error) {
      const because = textOf(error)
      line('error', 'limitStillLowered', order, { because })
      await tell(order, { kind: 'failed', because })
      throw error
    }
  }
}
