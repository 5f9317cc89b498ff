/**
 * What people are told when Weir's place was taken: the message (`weir.notice/1`, see README.md) for the SNS topic, with
 * attributes for the filter policies that alerts have too. Nobody is told of a limit that was back already.
 */
import type { PublishCommandInput } from '@aws-sdk/client-sns'
import { cleanText, limitsText, timeText } from '../core/explanation/plain-text.ts'
import type { StandingOrder } from '../core/incident/standing-order.ts'
import type { EpochMs } from '../core/vocabulary.ts'
import type { CarriedOut } from './carry-out.ts'

/** Fewer than SNS takes of a subject. */
const longestSubject = 99

/** What came of an order, or the trouble that was in its way until the time was over. */
export type Came = CarriedOut | { readonly kind: 'failed'; readonly because: string }

export interface Notice {
  readonly schema: 'weir.notice/1'
  readonly kind: 'limit-given-back' | 'limit-left' | 'limit-still-lowered'
  readonly by: 'dead-mans-switch'
  readonly text: string
  readonly incidentId: string
  readonly effectId: string
  readonly keyIds: readonly string[]
  readonly gateway: string | null
  readonly planIds: readonly string[]
  readonly expiresAt: string
  readonly expiresAtMs: EpochMs
  readonly at: string
  readonly atMs: EpochMs
}

/** undefined: there is nothing to tell. */
export function noticeOf(order: StandingOrder, came: Came, at: EpochMs): Notice | undefined {
  const { effectId, holders: keyIds, expiresAt, giveBack } = order
  const told = sentence(order, came)
  if (told === undefined) return undefined
  return {
    schema: 'weir.notice/1',
    kind: told.kind,
    by: 'dead-mans-switch',
    text: told.text,
    incidentId: incidentOf(effectId),
    effectId,
    keyIds,
    gateway: giveBack.gateway ?? null,
    planIds: giveBack.kind === 'plan' ? [giveBack.planId] : giveBack.from,
    expiresAt: iso(expiresAt),
    expiresAtMs: expiresAt,
    at: iso(at),
    atMs: at,
  }
}

function sentence(order: StandingOrder, came: Came): Pick<Notice, 'kind' | 'text'> | undefined {
  const late = `Weir has not given back the limit of ${names(order.holders)} in time (it was lowered until ${timeText(order.expiresAt)})`
  const look = 'Look whether Weir still runs'
  switch (came.kind) {
    case 'given-back':
      return {
        kind: 'limit-given-back',
        text: `${late}; it was given back by the dead man’s switch: ${original(order)}. ${look}.`,
      }
    case 'left':
      if (came.because === 'back') return undefined
      return {
        kind: 'limit-left',
        text: `${late}, and neither has the dead man’s switch: ${why(order, came)}. ${look}.`,
      }
    case 'failed':
      return {
        kind: 'limit-still-lowered',
        text: `${late}, and the dead man’s switch could not yet: ${cleanText(came.because)}. It tries again by itself a few times; give it back by hand if no other notice follows: ${original(order)}. ${look}.`,
      }
    default:
      return came satisfies never
  }
}

function original({ giveBack }: StandingOrder): string {
  if (giveBack.kind === 'move')
    return `key ${cleanText(giveBack.movedKey)} is in ${plans(giveBack.from)} and not in ${cleanText(giveBack.to)}`
  const ofMethods = giveBack.methods.length === 0 ? '' : ', and its methods what they had'
  return `usage plan ${cleanText(giveBack.planId)} has ${limitsText(giveBack.original ?? undefined)}${ofMethods}`
}

function why({ giveBack }: StandingOrder, { because }: Extract<CarriedOut, { kind: 'left' }>): string {
  const what = cleanText(giveBack.kind === 'plan' ? `usage plan ${giveBack.planId}` : `key ${giveBack.movedKey}`)
  return because === 'gone'
    ? `${what} is gone, or what it belongs into`
    : `${what} was changed by someone else meanwhile, and is left as it is`
}

/** An effect is named by its incident and step. */
const incidentOf = (effectId: string): string => effectId.replace(/\/[^/]*$/, '')

const names = (ids: readonly string[]): string => ids.map(cleanText).join(', ')

const plans = (ids: readonly string[]): string => `usage plan${ids.length === 1 ? '' : 's'} ${names(ids)}`

export function publication(notice: Notice, topicArn: string): PublishCommandInput {
  const [keyId = ''] = notice.keyIds
  const attributes = { severity: 'high', kind: notice.kind, keyId: cleanText(keyId), format: 'generic' }
  return {
    TopicArn: topicArn,
    Subject: subject(notice),
    Message: JSON.stringify(notice),
    MessageAttributes: Object.fromEntries(
      Object.entries(attributes)
        .filter(([, value]) => value !== '')
        .map(([name, StringValue]) => [name, { DataType: 'String', StringValue }]),
    ),
    ...(topicArn.endsWith('.fifo') && {
      MessageGroupId: fifoId(notice.incidentId),
      MessageDeduplicationId: fifoId(`${notice.effectId}/${notice.kind}`),
    }),
  }
}

/** ASCII, one line: what an e-mail's subject takes. */
function subject({ kind, keyIds }: Notice): string {
  const done = {
    'limit-given-back': 'was given back',
    'limit-left': 'was left',
    'limit-still-lowered': 'is still lowered',
  }
  const text = `[high] Limit of ${names(keyIds)} ${done[kind]} by the dead man's switch: does Weir run?`
  const ascii = text.replace(/[^ -~]/g, '?')
  return ascii.length > longestSubject ? `${ascii.slice(0, longestSubject - 3)}...` : ascii
}

/** Of the characters and the length that a FIFO topic takes. */
const fifoId = (id: string): string => id.replaceAll(/[^\w.#/-]/g, '_').slice(-128)

const iso = (at: EpochMs): string => new Date(at).toISOString()
