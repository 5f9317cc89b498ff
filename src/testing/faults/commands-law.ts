/**
 * What must come of people's commands: what was answered as obeyed has its effect, whatever dies after that; and what was not
 * answered may have been obeyed or not.
 */
import type { RestoreEffect } from '../../core/incident/effect.ts'
import type { CommandAnswer, OperatorCommand } from '../../core/operator.ts'
import type { ApiKeyId, EpochMs } from '../../core/vocabulary.ts'
import { SECOND_MS } from '../../core/vocabulary.ts'
import type { JournalEntry } from '../../stores/journal-entry.ts'
import type { TelemetryEvent } from '../../worker/telemetry.ts'
import { type Lowering, onItsWayMs } from './edges.ts'

interface Surroundings {
  readonly now: () => number
  readonly wallNow: () => EpochMs
  readonly breakLaw: (says: string) => void
}

/** What was last said of one key. */
interface Word {
  readonly kind: 'extend' | 'hold'
  readonly until: EpochMs
}

export type CommandsLaw = ReturnType<typeof createCommandsLaw>

export function createCommandsLaw({ now, wallNow, breakLaw }: Surroundings) {
  let haltedSince: number | undefined
  let goOns = 0
  /** By incident, since when. */
  const released = new Map<string, number>()
  const words = new Map<ApiKeyId, Word>()
  /** Why a limit was last given back. */
  const why = new Map<ApiKeyId, string>()
  /** Ends of throttles that may stand in a journal: what was decided, and what was answered to people. */
  const ends = new Set<EpochMs>()
  /** Of these keys so many commands were not answered, and may never be: how far they were obeyed nobody knows. */
  const unsure = new Map<ApiKeyId, number>()
  let unsureOfAll = 0

  /** What it answers is called with the answer, or never. `isHeardByAll`: no worker was away. */
  function asked(command: OperatorCommand): (answer: CommandAnswer, isHeardByAll: boolean) => void {
    const goOnsBefore = goOns
    if (command.kind === 'go-on') {
      haltedSince = undefined
      goOns++
    }
    // Until it is answered it may have been obeyed or not: the word before it may stand, or not.
    const before = 'keyId' in command ? words.get(command.keyId) : undefined
    if ('keyId' in command) {
      unsure.set(command.keyId, (unsure.get(command.keyId) ?? 0) + 1)
      words.delete(command.keyId)
    } else if (command.kind !== 'go-on') {
      words.clear()
      unsureOfAll++
    }
    const wasUnsure = unsureOfAll
    return (answer, isHeardByAll) => {
      if ('keyId' in command) unsure.set(command.keyId, (unsure.get(command.keyId) ?? 1) - 1)
      if (answer.kind === 'refused') {
        if ('keyId' in command && before !== undefined && wasUnsure === unsureOfAll && !words.has(command.keyId))
          words.set(command.keyId, before)
        return
      }
      if (command.kind === 'halt' && isHeardByAll && goOns === goOnsBefore) haltedSince ??= now()
      if (command.kind === 'release' || command.kind === 'release-all')
        for (const id of answer.incidentIds) released.set(id, now())
      const { until } = answer
      if (until === undefined || !('keyId' in command)) return
      ends.add(until)
      if (wasUnsure === unsureOfAll && (command.kind === 'extend' || command.kind === 'hold'))
        for (const keyId of answer.keyIds) words.set(keyId, { kind: command.kind, until })
    }
  }

  function lowered({ tenant, effectId = '' }: Lowering): void {
    if (haltedSince !== undefined && now() > haltedSince + onItsWayMs)
      breakLaw(`${tenant} was lowered, and Weir is halted since ${seconds(haltedSince)}`)
    const incidentId = effectId.slice(0, effectId.lastIndexOf('/'))
    const since = released.get(incidentId)
    if (since !== undefined && now() > since + onItsWayMs)
      breakLaw(`${tenant} was lowered by ${incidentId}, which a person has released ${seconds(since)} into the story`)
  }

  function journaled(entries: readonly JournalEntry[]): void {
    for (const entry of entries) {
      if (entry.kind === 'intent' && entry.effect.kind === 'throttle') ends.add(entry.effect.expiresAt)
      if (entry.kind === 'intent' && entry.effect.kind === 'restore') givenBack(entry.effect)
      if (!('expiresAt' in entry) || entry.expiresAt === undefined || ends.has(entry.expiresAt)) continue
      if ((unsure.get(entry.keyId) ?? 0) === 0)
        breakLaw(
          `${entry.kind} of ${entry.keyId} ends ${new Date(entry.expiresAt).toISOString()}, and nobody has decided or said so`,
        )
    }
  }

  /** In a journal that was opened: also what was on disk by then though whoever wrote it did not live to see that. */
  function found(entries: readonly JournalEntry[]): void {
    for (const entry of entries)
      if (entry.kind === 'intent' && entry.effect.kind === 'throttle') ends.add(entry.effect.expiresAt)
  }

  function told(event: TelemetryEvent): void {
    if (event.name === 'effectRefused' && event.effect.kind === 'throttle') words.delete(event.effect.keyId)
    if (event.name !== 'incidentChanged') return
    const { keyId, action, phase } = event.explanation
    if (phase === 'closed') words.delete(keyId)
    if (action.kind === 'restore') why.set(keyId, action.because)
  }

  /** Judged as it is decided: what is told of a key later tells of the restore that is under way too. */
  function givenBack({ keyId, step }: RestoreEffect): void {
    const word = words.get(keyId)
    if (word === undefined || step === 'full') return
    const because = why.get(keyId)
    const isEarly = wallNow() < word.until - SECOND_MS
    const isOverruled = word.kind === 'extend' && because !== 'expired'
    if (isEarly && !isOverruled && because !== 'operator')
      breakLaw(
        `${keyId} is given back (${because}), and a person wants it lowered (${word.kind}) for ${seconds(word.until - wallNow())} more`,
      )
  }

  return { asked, lowered, journaled, found, told }
}

const seconds = (ms: number): string => `${(ms / SECOND_MS).toFixed(1)} s`
