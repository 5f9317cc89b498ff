/**
 * What `weir throttles show` does: the whole story of one key's throttle or of one incident, from all that is kept on disk. What
 * an incident rests on is in the newest checkpoint while it lasts; of one that is over only what was done is left.
 */
import { systemClock } from '../../clock.ts'
import type { WeirConfig } from '../../core/config/config.ts'
import { tenantDirectory } from '../../core/config/tenants.ts'
import type { Explanation } from '../../core/explanation/explanation.ts'
import { alertBody, terminalSafe, times } from '../../core/explanation/json.ts'
import { alertText, cleanText, durationText, kindName, timeText } from '../../core/explanation/text.ts'
import type { Outcome } from '../../core/incident/effect.ts'
import { placeName } from '../../core/incident/limit-story.ts'
import type { CommandAnswer, OperatorCommand } from '../../core/operator.ts'
import type { ApiKeyId, EpochMs } from '../../core/vocabulary.ts'
import { type AuditEntry, type LimitEntry, readAudit } from '../../stores/audit.ts'
import { changesOf, type LoggedChange } from '../../stores/incident-log.ts'
import type { JournalEntry } from '../../stores/journal-entry.ts'
import { limitsText } from '../../worker/telemetry-text.ts'
import { haltedNow, type KeptState, keptState, type OpenIncident } from './kept-throttles.ts'
import { throttleBody } from './list-throttles.ts'
import { keyOf, throttlesNamed, unknownThrottle } from './named-throttles.ts'
import { haltedText, limitText, listText } from './throttle-text.ts'
import { type PlaceOptions, type ThrottlesPlace, throttlesPlace } from './throttles-place.ts'

export interface ShowOptions extends PlaceOptions {
  readonly json?: boolean
}

/** Something that happened, with where it is written down. */
interface Moment {
  readonly at: EpochMs
  readonly from: 'incident' | 'journal' | 'audit'
  readonly text: string
}

/** Of several folders, which workers share, the one in which something is lowered for it; else the first. */
async function folderOf(name: string, { folders, tenants }: ThrottlesPlace) {
  const all = await Promise.all(
    folders.map(async directory => ({ directory, kept: await keptState(directory, tenants) })),
  )
  const [first] = all
  const knows = all.find(
    ({ kept }) => throttlesNamed(name, kept.throttles).length > 0 || kept.incidents.has(keyOf(name) as ApiKeyId),
  )
  const told = knows ?? (await firstThatTold(name, all)) ?? first
  if (told === undefined) throw new Error('a state has a folder')
  return told
}

async function firstThatTold<Folder extends { readonly directory: string }>(name: string, all: readonly Folder[]) {
  for (const one of all) if ((await changesOf(one.directory, name)).length > 0) return one
  return undefined
}

/** Throws KEY_UNKNOWN where nothing is known of it. */
export async function showThrottle(
  name: string,
  options: ShowOptions,
  out: { write(text: string): unknown } = process.stdout,
  now: EpochMs = systemClock().now(),
): Promise<void> {
  const place = await throttlesPlace(options)
  const { tenants, config } = place
  const { directory, kept } = await folderOf(name, place)
  const throttles = throttlesNamed(name, kept.throttles)
  const keyId = throttles[0]?.keyId ?? keyOf(name)
  const isOneIncident = name !== keyId && name.includes('#')
  const isMeant = (incidentId: string | undefined, ofKey: string): boolean =>
    isOneIncident ? incidentId === name : ofKey === keyId
  const changes = await changesOf(directory, isOneIncident ? name : keyId)
  const isOfAll = (command: OperatorCommand): boolean => !('keyId' in command) && throttles.length + changes.length > 0
  const audit = await readAudit(directory, entry =>
    entry.change === 'command' &&
    (isOfAll(entry.command) || (entry.answer.kind === 'obeyed' && entry.answer.incidentIds.includes(name)))
      ? true
      : isMeant(incidentOfAudit(entry), keyOfAudit(entry)),
  )
  const entries = kept.entries.filter(entry =>
    entry.kind === 'commanded' && isOfAll(entry.command) ? true : isMeant(incidentOfEntry(entry), keyOfEntry(entry)),
  )
  const incident = kept.incidents.get(keyId)
  const isTold = incident !== undefined && (!isOneIncident || incident.story.incidentId === name)
  const explanation = isTold
    ? explanationOf(incident, keyId, config, tenantDirectory(tenants).byKey.get(keyId))
    : undefined
  if (throttles.length + changes.length + audit.length + entries.length === 0 && explanation === undefined)
    throw unknownThrottle(name, directory)
  const moments = [...changes.map(momentOfChange), ...entries.flatMap(momentOfEntry), ...audit.map(momentOfAudit)].sort(
    (one, other) => one.at - other.at,
  )
  if (options.json) {
    const effect = { kind: 'alert', id: '', incidentId: '', keyId, decidedAt: now } as const
    const body = {
      schema: 'weir.throttle/1',
      keyId,
      throttles: throttles.map(throttleBody),
      explanation: explanation === undefined ? null : alertBody({ ...effect, explanation }),
      moments: moments.map(({ at, from, text }) => ({ ...times('at', at), from, text })),
      journal: entries,
      audit,
    }
    out.write(`${terminalSafe(JSON.stringify(body))}\n`)
    return
  }
  const halted = await haltedNow(place.directory, kept.halted)
  out.write(storyText({ ...kept, halted, throttles }, { explanation, moments, now }))
}

function storyText(
  kept: KeptState,
  told: { readonly explanation: Explanation | undefined; readonly moments: readonly Moment[]; readonly now: EpochMs },
): string {
  const { explanation, moments, now } = told
  return [
    ...(kept.throttles.length === 0 && kept.halted !== undefined ? [haltedText(kept.halted)] : []),
    listText(kept, now).trimEnd(),
    '',
    ...(explanation === undefined
      ? ['What it rested on is not kept: no checkpoint has this incident open.']
      : [alertText(explanation)]),
    '',
    ...moments.map(({ at, from, text }) => `${timeText(at)}  ${from.padEnd(8)}  ${text}`),
    '',
  ].join('\n')
}

/** As the checkpoint has it, which is how it was last told or measured. */
function explanationOf(
  { phase, story }: OpenIncident,
  keyId: string,
  { mode }: Pick<WeirConfig, 'mode'>,
  owner:
    | {
        readonly tenantId: string
        readonly name: string | undefined
        readonly contact: string | undefined
        readonly escalation: string | undefined
      }
    | undefined,
): Explanation {
  const { signal, incidentId, telling, action, extended, held, verification } = story
  const { kind, severity, onsetAt, decidedAt, current, expected, planned, detectors, evidence } = signal
  return {
    ...{ incidentId, keyId, kind, severity, telling, onsetAt, decidedAt, current, expected, detectors, evidence },
    tenant: owner && { id: owner.tenantId, name: owner.name, contact: owner.contact, escalation: owner.escalation },
    // What was measured is of when it was open; told as a recovery it would be taken for what is now.
    ...{ phase: phase === 'recovering' ? 'mitigated' : phase, mode, action },
    ...(planned !== undefined && { planned }),
    ...(extended !== undefined && { extended }),
    ...(held !== undefined && { held }),
    ...(verification !== undefined && { verification }),
  }
}

const incidentOfEffect = (effectId: string): string => effectId.slice(0, Math.max(0, effectId.lastIndexOf('/')))

function incidentOfEntry(entry: JournalEntry): string | undefined {
  if (entry.kind === 'intent') return entry.effect.incidentId
  return entry.kind === 'commanded' || entry.kind === 'memos' ? undefined : incidentOfEffect(entry.effectId)
}

function keyOfEntry(entry: JournalEntry): string {
  switch (entry.kind) {
    case 'intent':
      return entry.effect.keyId
    case 'commanded':
      return 'keyId' in entry.command ? entry.command.keyId : ''
    // What the core remembers is no news to people.
    case 'memos':
      return ''
    case 'outcome':
      return keyOf(incidentOfEffect(entry.effectId))
    default:
      return entry.keyId
  }
}

const incidentOfAudit = (entry: AuditEntry): string | undefined =>
  entry.change === 'command' ? undefined : entry.incidentId
const keyOfAudit = (entry: AuditEntry): string =>
  entry.change === 'command' ? ('keyId' in entry.command ? entry.command.keyId : '') : (entry.keyId ?? '')

const momentOfChange = ({ decidedAt, phase, kind, severity, incidentId }: LoggedChange): Moment => ({
  at: decidedAt,
  from: 'incident',
  text: `${cleanText(incidentId)} is ${phase}: ${kindName(kind)}, severity ${severity}`,
})

function momentOfEntry(entry: JournalEntry): readonly Moment[] {
  const { at } = entry
  const moment = (text: string): readonly Moment[] => [{ at, from: 'journal', text: cleanText(text) }]
  switch (entry.kind) {
    case 'intent':
      return moment(`${entry.effect.id} decided`)
    case 'outcome':
      return moment(`${entry.effectId}: ${outcomeText(entry.outcome)}`)
    case 'commanded':
      return moment(`${entry.by} commands: ${commandText(entry.command)}`)
    case 'memos':
      return []
    case 'plan-changing':
      return moment(
        `plan ${placeName(entry)} is asked for ${limitText(entry.after)}, and had ${limitText(entry.before)} (${entry.effectId})`,
      )
    case 'plan-set':
      return moment(`plan ${placeName(entry)} has what it was asked for (${entry.effectId})`)
    case 'plan-held':
      return moment(`plan ${placeName(entry)} is low enough for ${entry.keyId} too`)
    case 'plan-let-go':
      return moment(`plan ${placeName(entry)} is lowered for others still`)
    case 'plan-left':
      return moment(`plan ${placeName(entry)} has nothing of ours any more`)
    case 'move-changing': {
      const { from, to, effectId } = entry
      const [out, into] = entry.towards === 'away' ? [from.join(', '), to] : [to, from.join(', ')]
      return moment(`${placeName(entry)} is taken out of ${out} and put into ${into} (${effectId})`)
    }
    case 'move-set':
      return moment(`${placeName(entry)} is in the penalty plan (${entry.effectId})`)
    case 'row-changing':
      return moment(
        `${placeName(entry)} of the authorizer’s table is to answer with ${entry.penaltyKey} until ${timeText(entry.expiresAt)} (${entry.effectId})`,
      )
    case 'row-set':
      return moment(`${placeName(entry)} of the authorizer’s table is as it was asked for (${entry.effectId})`)
    case 'move-held':
    case 'row-held':
      return moment(`${placeName(entry)} is lowered for ${entry.keyId} too`)
    case 'move-let-go':
    case 'row-let-go':
      return moment(`${placeName(entry)} is lowered for others still`)
    case 'move-left':
    case 'row-left':
      return moment(`${placeName(entry)} has nothing of ours any more`)
    default:
      throw new Error(`no such entry: ${entry satisfies never}`)
  }
}

export function outcomeText(outcome: Outcome): string {
  if (outcome.kind === 'refused') return `refused: ${outcome.because}`
  if (outcome.kind === 'already') return 'it was so already'
  return outcome.before === undefined && outcome.after === undefined
    ? 'done'
    : `done, ${limitsText(outcome.before)} → ${limitsText(outcome.after)}`
}

function momentOfAudit(entry: AuditEntry): Moment {
  const { at, by } = entry
  if (entry.change === 'command') {
    const text = `${by}: ${commandText(entry.command)}, ${answerText(entry.answer)}`
    return { at, from: 'audit', text: cleanText(text) }
  }
  const { change, way, result, planId, gateway, from, to, because, bitesAfterMs } = entry
  const where =
    planId === undefined ? '' : way === undefined ? ` of plan ${placeName({ gateway, planId })}` : ` of ${planId}`
  if (change === 'verified') {
    const after = bitesAfterMs === undefined ? '' : `, ${durationText(bitesAfterMs)} after the gateway had it`
    const why = because === undefined ? '' : `: ${because}`
    return {
      at,
      from: 'audit',
      text: cleanText(`${by}: the lowered limit${where} ${verdictText[result]}${after}${why}`),
    }
  }
  const what = result === 'refused' ? `refused: ${because}` : `${limitsText(from)} → ${limitsText(to)}, ${result}`
  return { at, from: 'audit', text: cleanText(`${by}: ${change}${where}: ${what}`) }
}

const verdictText: Readonly<Record<LimitEntry['result'], string>> = {
  ...{ applied: 'was changed', already: 'was so already', refused: 'was refused' },
  bites: 'holds',
  'does-not-bite': 'does NOT hold',
  'cannot-tell': 'could not be verified',
}

const commandText = (command: OperatorCommand): string =>
  'keyId' in command ? `${command.kind} ${command.keyId}` : command.kind

const answerText = (answer: CommandAnswer): string => {
  if (answer.kind === 'refused') return `not done: ${answer.because}`
  return answer.until === undefined ? 'done' : `until ${timeText(answer.until)}`
}
