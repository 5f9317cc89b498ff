/** Notices of the worker itself through SNS, by the same sender as alerts: one of them finds out for all whether SNS is there. */
import type { PublishCommandInput } from '@aws-sdk/client-sns'
import {
  type Notice,
  type NoticeSource,
  noticeBody,
  noticeHeadline,
  noticeId,
  severityOfNotice,
} from '../core/explanation/notice.ts'
import { HOUR_MS } from '../core/vocabulary.ts'
import { attributes, inGroup, subjectOf } from './sns.ts'
import type { Published, SnsSender } from './sns-sender.ts'

export interface NoticeOptions {
  readonly sender: SnsSender
  readonly topicArn: string
}

export type NoticePerformer = (notice: Notice, who: NoticeSource, signal: AbortSignal) => Promise<Published>

/** A notice that comes later says nothing any more; that alerts are undelivered is told when SNS is back, whenever that is. */
const goodForMs = 6 * HOUR_MS

export const noticePerformer =
  ({ sender, topicArn }: NoticeOptions): NoticePerformer =>
  (notice, who, signal) =>
    sender.publish(
      { id: noticeId(notice), message: () => noticeInput(notice, topicArn, who), until: notice.at + goodForMs },
      signal,
    )

/** The whole message as SNS gets it. */
export function noticeInput(notice: Notice, topicArn: string, who: NoticeSource): PublishCommandInput {
  const severity = severityOfNotice(notice)
  return {
    TopicArn: topicArn,
    Subject: subjectOf(`[${severity}] ${noticeHeadline(notice)}`),
    Message: JSON.stringify(noticeBody(notice, who)),
    MessageAttributes: attributes({ severity, notice: notice.kind, format: 'generic', mode: who.mode }),
    ...inGroup(topicArn, { group: 'notices', id: noticeId(notice) }),
  }
}
