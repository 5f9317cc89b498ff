/**
 * What a person at a terminal reads: one status line that stays where it is, and above it, in the order of event time,
 * what happened and what was done about it. Where there is no terminal the status comes as a line every few seconds.
 * It renders telemetry and nothing else. Text that comes from a tenant's name or a log is stripped of control characters:
 * nobody paints on the operator's screen.
 */
import { stripVTControlCharacters, styleText } from 'node:util'
import type { Explanation } from '../core/explanation/explanation.ts'
import { alertText, isGivenBackByPerson, isPartOfPlatform } from '../core/explanation/text.ts'
import { isUnheld } from '../core/explanation/verification-text.ts'
import type { Effect, Outcome } from '../core/incident/effect.ts'
import { type Lag, levelOf, type Reading, type TelemetryEvent } from '../worker/telemetry.ts'
import { lagText, limitsText, sentenceOf } from '../worker/telemetry-text.ts'

export interface TerminalOptions {
  readonly write: (text: string) => void
  /** A screen that lines can be taken back from. */
  readonly live: boolean
  readonly colour: boolean
  readonly columns: () => number
  /** Real time, ms: how often the status is drawn has nothing to do with the worker's clock. */
  readonly nowMs: () => number
}

export interface Terminal {
  readonly tell: (event: TelemetryEvent) => void
  /** Free text above the status line. */
  say(text: string): void
  /** Takes the status line away; nothing is drawn after it. */
  close(): void
}

type Style = 'bold' | 'dim' | 'red' | 'yellow' | 'green' | 'cyan'

const liveEveryMs = 200
const quietEveryMs = 5_000
const labelWidth = 9
/** What the last batch said of the lag says nothing any more when nothing was read for so long. */
const lagGoodForMs = 10_000

export function createTerminal({ write, live, colour, columns, nowMs }: TerminalOptions): Terminal {
  const paint = (style: Style, text: string): string =>
    colour ? styleText(style, text, { validateStream: false }) : text
  let status = ''
  let drawnAt = Number.NEGATIVE_INFINITY
  let calls = 0
  let overMs = 0
  let rejected = 0
  /** As of the last status: those that count in none since are what is wrong now. */
  let before = { late: 0, future: 0 }
  let eventTime: number | undefined
  let closed = false
  /** As the last incident of each key told them; effects carry the key only. Bounded by the keys that ever misbehaved. */
  const names = new Map<string, string>()
  /** Keys whose limit is back, or on its way, and whose incident is not closed yet. */
  const recovering = new Set<string>()
  /** Time of the clock that passed since anything was read. */
  let silentMs = 0

  function clearStatus(): void {
    if (live && status !== '') write('\r\u001b[2K')
  }

  function say(text: string): void {
    if (closed) return
    clearStatus()
    write(`${text}\n`)
    if (live && status !== '') write(status)
  }

  function line(at: number | undefined, label: string, style: Style, text: string): void {
    const time = paint('dim', at === undefined ? '--:--:--' : clockTime(at))
    say(` ${time}  ${paint(style, label.padEnd(labelWidth))} ${printable(text)}`)
  }

  function block(text: string, style: Style): void {
    const indent = ' '.repeat(11)
    say(
      text
        .trimEnd()
        .split('\n')
        .map(row => `${indent}${paint(style, '│')} ${printable(row)}`.trimEnd())
        .join('\n'),
    )
  }

  function draw(reading: Reading): void {
    eventTime = reading.eventTime ?? eventTime
    calls += reading.calls
    overMs += reading.overMs
    rejected += reading.rejected
    silentMs = reading.records > 0 ? 0 : silentMs + reading.overMs
    const now = nowMs()
    if (now - drawnAt < (live ? liveEveryMs : quietEveryMs)) return
    drawnAt = now
    const lag = silentMs > lagGoodForMs ? undefined : reading.lag
    const { late, future } = reading
    const uncounted = { calls, rejected, late: late - before.late, future: future - before.future }
    before = { late, future }
    const callsPerSecond = (calls * 1000) / Math.max(1, overMs)
    const shown = { callsPerSecond, lag, recovering: recovering.size, uncounted: uncountedText(uncounted) }
    const text = statusText(reading, shown)
    calls = 0
    overMs = 0
    rejected = 0
    if (!live) {
      line(reading.eventTime, 'reading', 'dim', text)
      return
    }
    clearStatus()
    const plain = ` ${reading.eventTime === undefined ? '--:--:--' : clockTime(reading.eventTime)}  ${'reading'.padEnd(labelWidth)} ${text}`
    status = paint('dim', plain.slice(0, Math.max(20, columns() - 1)))
    write(status)
  }

  function incident(explanation: Explanation): void {
    const { phase, tenant, keyId, kind, severity, decidedAt } = explanation
    const [label, style] = phaseLook(explanation)
    if (tenant?.name !== undefined) names.set(keyId, tenant.name)
    if (phase === 'recovering' && !isGivenBackByPerson(explanation)) recovering.add(keyId)
    else recovering.delete(keyId)
    const about = severity === 'high' ? kind : `${kind}, ${severity} severity`
    eventTime = Math.max(eventTime ?? decidedAt, decidedAt)
    line(decidedAt, label, style, `${tenant?.name ?? keyId}: ${verifiedText(explanation) ?? about}`)
    const isAlert = phase === 'open' && explanation.isAlert && !isPartOfPlatform(explanation)
    if (isAlert || isUnheld(explanation) || isLateBack(explanation)) block(alertText(explanation), style)
  }

  function performed(effect: Effect, outcome: Outcome): void {
    if (effect.kind === 'alert') {
      line(
        eventTime,
        'told',
        'cyan',
        `people, about ${names.get(effect.keyId) ?? effect.keyId}: ${effect.explanation.phase}`,
      )
      return
    }
    const isKept =
      effect.kind === 'restore' && effect.step === 'half' && outcome.kind === 'already' && outcome.wholeOnly
    const half = isKept ? 'stays' : 'half back'
    const label = effect.kind === 'throttle' ? 'lowered' : effect.step === 'half' ? half : 'given back'
    const already = isKept ? 'reduced for the probation' : 'it was so already'
    const gap =
      outcome.kind === 'applied' && outcome.gapMs !== undefined
        ? `, refused for ${Math.ceil(outcome.gapMs / 1000)} s while it was moved`
        : ''
    const done =
      outcome.kind === 'applied' ? `${limitsText(outcome.before)} → ${limitsText(outcome.after)}${gap}` : already
    line(eventTime, label, 'cyan', `${names.get(effect.keyId) ?? effect.keyId}: ${done}`)
  }

  function sentence(event: TelemetryEvent): void {
    const level = levelOf(event)
    if (level === 'debug') return
    const style = level === 'error' ? 'red' : level === 'warn' ? 'yellow' : 'dim'
    line(eventTime, level === 'info' ? 'weir' : level, style, sentenceOf(event))
  }

  function tell(event: TelemetryEvent): void {
    if (closed) return
    switch (event.name) {
      case 'batchesRead':
        draw(event)
        break
      case 'incidentChanged':
        incident(event.explanation)
        break
      case 'effectPerformed':
        performed(event.effect, event.outcome)
        break
      // The status line says it all the time.
      case 'minuteSummarised':
        break
      // Told as a change of the incident.
      case 'throttleVerified':
        if (event.verdict === 'cannot-tell') sentence(event)
        break
      default:
        sentence(event)
    }
  }

  return {
    tell,
    say,
    close() {
      clearStatus()
      closed = true
    },
  }
}

/** Whether a person's wish or the screen allows colour: https://no-color.org, and a terminal that is not dumb. */
export function mayColour(
  screen: { readonly isTTY?: boolean },
  env: Readonly<Record<string, string | undefined>>,
): boolean {
  if (env.NO_COLOR) return false
  return screen.isTTY === true && env.TERM !== 'dumb'
}

/** Escape sequences and control characters out; a line stays one line. */
export function printable(text: string): string {
  return stripVTControlCharacters(text).replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '�')
}

/** Whether a lowered limit holds, where that is the news. */
function verifiedText({ phase, verification }: Explanation): string | undefined {
  if (phase !== 'mitigated' || verification === undefined) return undefined
  const { verdict, limits } = verification
  if (verdict.kind === 'does-not-bite') return `lowered to ${limitsText(limits)}, and calls as before`
  if (verdict.kind !== 'bites') return undefined
  const after =
    verdict.afterMs === undefined ? '' : `, ${Math.round(verdict.afterMs / 1000)} s after the gateway took it`
  return `${limitsText(limits)}, by what the log shows${after}`
}

function phaseLook(explanation: Explanation): readonly [string, Style] {
  const { phase, kind, severity, telling, isAlert, action } = explanation
  if (telling === 'history') return [phase === 'open' ? 'history' : phase === 'closed' ? 'was over' : 'recovers', 'dim']
  switch (phase) {
    case 'open':
      if (telling === 'noted') return ['noted', 'dim']
      if (isPartOfPlatform(explanation)) return ['with all', 'yellow']
      if (!isAlert) return ['goes on', severity === 'high' ? 'yellow' : 'dim']
      if (severity === 'high') return ['ALERT', 'red']
      return [kind === 'fall' || kind === 'surge' || kind === 'silence' ? kind : 'alert', 'yellow']
    case 'mitigated':
      if (verifiedText(explanation) !== undefined)
        return isUnheld(explanation) ? ['NOT HELD', 'red'] : ['holds', 'green']
      return action.kind === 'throttle-refused' ? ['not held', 'red'] : ['throttled', 'yellow']
    case 'recovering':
      if (isLateBack(explanation)) return ['NOT BACK', 'red']
      return [isGivenBackByPerson(explanation) ? 'released' : 'recovers', 'cyan']
    case 'closed':
      return ['closed', 'green']
    default:
      phase satisfies never
      return ['', 'dim']
  }
}

/** Whether it is told that its limit should be back by now. */
const isLateBack = ({ phase, action, isAlert }: Explanation): boolean =>
  phase === 'recovering' && isAlert === true && action.kind === 'restore' && action.waiting?.isLate === true

interface Shown {
  readonly callsPerSecond: number
  readonly lag: Lag | undefined
  readonly recovering: number
  /** Where much of what is read counts for nothing. */
  readonly uncounted: string | undefined
}

/** From this share on what is not counted comes first: whoever reads a rate takes it for what is watched. */
const LARGE_SHARE = 0.2

function uncountedText({
  calls,
  rejected,
  late,
  future,
}: {
  readonly calls: number
  readonly rejected: number
  readonly late: number
  readonly future: number
}): string | undefined {
  const lost = rejected + late + future
  const share = lost / Math.max(1, calls + rejected)
  if (lost === 0 || share < LARGE_SHARE) return undefined
  const reasons = [
    ...(late > 0 ? [`${late} late`] : []),
    ...(future > 0 ? [`${future} dated in the future`] : []),
    ...(rejected > 0 ? [`${rejected} rejected`] : []),
  ].join(', ')
  const hint = future === lost ? ': is a clock wrong, here or at the gateway?' : ''
  return `${Math.min(100, Math.round(share * 100))} % NOT WATCHED (${reasons}${hint})`
}

function statusText(reading: Reading, { callsPerSecond, lag, recovering, uncounted }: Shown): string {
  if (reading.lag === undefined && callsPerSecond === 0) return 'waiting for the first call'
  const parts = [
    `${callsPerSecond.toLocaleString('en-US', { maximumFractionDigits: callsPerSecond < 10 ? 1 : 0 })} calls/s`,
    ...(uncounted === undefined ? [] : [uncounted]),
    `lag ${lagText(lag)}`,
    `${reading.activeKeys} of ${reading.keys} keys active`,
    incidentsText(reading.openIncidents, recovering),
  ]
  if (reading.throttled > 0) parts.push(`${reading.throttled} throttled`)
  if (reading.isHalted) parts.push('throttling HALTED')
  if (reading.late > 0) parts.push(`${reading.late} late`)
  if (reading.rejected > 0) parts.push(`${reading.rejected} rejected`)
  return parts.join(' · ')
}

function incidentsText(open: number, recovering: number): string {
  if (open === 0) return 'no incident'
  if (recovering === 0) return count(open, 'incident')
  return recovering >= open
    ? `${count(open, 'incident')} recovering`
    : `${count(open, 'incident')}, ${recovering} recovering`
}

const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? '' : 's'}`
const clockTime = (at: number): string => new Date(at).toISOString().slice(11, 19)
