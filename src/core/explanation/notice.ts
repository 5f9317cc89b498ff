/**
 * What a worker says of itself to whoever is on call: that it does not see what happens now, that it cannot keep what it
 * knows, that people were not told, and what happened while it was away. `weir.notice/1`, beside the alerts of incidents.
 */
import type { EpochMs } from '../vocabulary.ts'
import type { IncidentKind, Severity } from './explanation.ts'
import { times } from './json.ts'
import { cleanText, durationText, kindName, timeText } from './text.ts'

export type Notice =
  /** Calls after `readTo` are not seen yet. `readTo` is undefined where nothing was ever read. */
  | {
      readonly kind: 'behind'
      readonly at: EpochMs
      readonly since: EpochMs
      readonly behindMs: number
      readonly readTo: EpochMs | undefined
    }
  | { readonly kind: 'caught-up'; readonly at: EpochMs; readonly since: EpochMs; readonly mostMs: number }
  | { readonly kind: 'checkpoint-failing'; readonly at: EpochMs; readonly keptAt: EpochMs }
  | { readonly kind: 'checkpoint-working'; readonly at: EpochMs; readonly since: EpochMs }
  | { readonly kind: 'alerts-undelivered'; readonly at: EpochMs; readonly alerts: number }
  /** `more`: incidents that were too many to be listed. */
  | {
      readonly kind: 'history'
      readonly at: EpochMs
      readonly from: EpochMs
      readonly incidents: readonly PastIncident[]
      readonly more: number
    }

/** Whose notice it is: what it reads, and its mode. */
export interface NoticeSource {
  readonly source: string
  readonly mode: string
}

export interface PastIncident {
  readonly incidentId: string
  /** As alerts name the client. */
  readonly who: string
  readonly kind: IncidentKind
  readonly severity: Severity
  readonly onsetAt: EpochMs
  /** Event time of what was told of it last. */
  readonly toldAt: EpochMs
  readonly state: 'over' | 'open' | 'alerted'
}

export const severityOfNotice = ({ kind }: Notice): Severity =>
  kind === 'caught-up' || kind === 'checkpoint-working' || kind === 'history' ? 'low' : 'high'

/** What happened, in one sentence: the first line of the text, and the subject. */
export function noticeHeadline(notice: Notice): string {
  switch (notice.kind) {
    case 'behind':
      return `Weir is ${durationText(notice.behindMs)} behind and does not see what happens now.`
    case 'caught-up':
      return 'Weir has caught up: it sees what happens now.'
    case 'checkpoint-failing':
      return `Weir has not been able to keep its state for ${durationText(notice.at - notice.keptAt)}.`
    case 'checkpoint-working':
      return 'Weir can keep its state again.'
    case 'alerts-undelivered':
      return `${notice.alerts} ${notice.alerts === 1 ? 'alert' : 'alerts'} could not be delivered: nobody was told.`
    case 'history':
      return `While Weir was away (${span(notice.from, notice.at)}): ${countsText(notice)}.`
    default:
      return notice satisfies never
  }
}

export function noticeText(notice: Notice, source: string): string {
  return [noticeHeadline(notice), ...detailsOf(notice), `Source: ${cleanText(source)}.`].join('\n')
}

function detailsOf(notice: Notice): readonly string[] {
  switch (notice.kind) {
    case 'behind': {
      const read =
        notice.readTo === undefined ? 'It has read nothing yet' : `It has read up to ${timeText(notice.readTo)}`
      return [
        `${read}: storms of the last ${durationText(notice.behindMs)} are not seen yet, and nobody is alerted or throttled for them.`,
        `Behind since ${timeText(notice.since)}.`,
      ]
    }
    case 'caught-up':
      return [`It was behind from ${span(notice.since, notice.at)}, by up to ${durationText(notice.mostMs)}.`]
    case 'checkpoint-failing':
      return [
        `The last checkpoint is of ${timeText(notice.keptAt)}: if the worker is stopped now, it reads on from there. Look at the disk of state.directory.`,
      ]
    case 'checkpoint-working':
      return [`It could not since ${timeText(notice.since)}.`]
    case 'alerts-undelivered':
      return ['`weir alerts list` says whom it was about and why; `weir alerts resend --all` sends them now.']
    case 'history':
      return [
        'What was over by then nobody was alerted of. What still went on was alerted when Weir had caught up.',
        ...notice.incidents.map(pastText),
        ...(notice.more > 0 ? [`- and ${notice.more} more`] : []),
      ]
    default:
      return notice satisfies never
  }
}

function pastText({ incidentId, who, kind, severity, onsetAt, toldAt, state }: PastIncident): string {
  const became = {
    over: `over by ${timeText(toldAt)}`,
    open: 'not known to be over',
    alerted: 'still going on, and alerted',
  }
  return `- ${cleanText(who)}: ${kindName(kind)}, ${severity} severity, since ${timeText(onsetAt)}, ${became[state]} (${cleanText(incidentId)})`
}

function countsText({ incidents, more }: Extract<Notice, { kind: 'history' }>): string {
  const all = incidents.length + more
  const over = incidents.filter(({ state }) => state === 'over').length
  const which =
    over === all ? (all === 1 ? 'it is over' : 'all are over') : `of which ${over} ${over === 1 ? 'is' : 'are'} over`
  return `${all} ${all === 1 ? 'incident' : 'incidents'}, ${which}`
}

const span = (from: EpochMs, to: EpochMs): string => `${timeText(from)} to ${timeText(to)}`

/** The same each time that this notice is made. */
export const noticeId = ({ kind, at }: Notice): string => `notice/${kind}/${Math.round(at)}`

/** What is unknown is null; fields are only added. */
export function noticeBody(notice: Notice, { source, mode }: NoticeSource) {
  return {
    schema: 'weir.notice/1',
    deduplicationId: noticeId(notice),
    kind: notice.kind,
    severity: severityOfNotice(notice),
    text: noticeText(notice, source),
    source,
    mode,
    ...times('at', notice.at),
    ...fieldsOf(notice),
  } as const
}

function fieldsOf(notice: Notice): Readonly<Record<string, unknown>> {
  switch (notice.kind) {
    case 'behind': {
      const { since, behindMs, readTo } = notice
      const read = readTo === undefined ? { readTo: null, readToMs: null } : times('readTo', readTo)
      return { ...times('since', since), behindSeconds: Math.round(behindMs / 1_000), ...read }
    }
    case 'caught-up':
      return { ...times('since', notice.since), behindSeconds: Math.round(notice.mostMs / 1_000) }
    case 'checkpoint-failing':
      return times('keptAt', notice.keptAt)
    case 'checkpoint-working':
      return times('since', notice.since)
    case 'alerts-undelivered':
      return { alerts: notice.alerts }
    case 'history': {
      const incidents = notice.incidents.map(({ onsetAt, toldAt, ...incident }) => ({
        ...{ ...incident, ...times('onsetAt', onsetAt), ...times('toldAt', toldAt) },
      }))
      return { ...times('from', notice.from), incidents, more: notice.more }
    }
    default:
      return notice satisfies never
  }
}
