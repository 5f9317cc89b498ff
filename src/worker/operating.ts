/**
 * People's commands on their way into the engine. What is obeyed is journaled before it is answered, and every command in
 * the journal that the engine's state has not heard of is recalled at the next start (core/recall.ts): given while no worker ran, or
 * after the last checkpoint of one that was killed. A limit that no incident holds any more is given back on a person's word too.
 */
import type { Clock } from '../clock.ts'
import type { Engine } from '../core/engine.ts'
import { engineStatus } from '../core/engine.ts'
import type { EngineInput } from '../core/engine-input.ts'
import { cleanText } from '../core/explanation/text.ts'
import { answerTo, type CommandAnswer, type OperatorCommand } from '../core/operator.ts'
import { type ApiKeyId, type EpochMs, HOUR_MS } from '../core/vocabulary.ts'
import type { AuditLog } from '../stores/audit.ts'
import type { EffectJournal, JournalEntry } from '../stores/journal-entry.ts'
import type { Telemetry } from './telemetry.ts'

export interface OperatingOptions {
  readonly engine: Engine
  readonly journal: EffectJournal
  readonly clock: Clock
  readonly telemetry: Telemetry
  readonly audit: Pick<AuditLog, 'record'> | undefined
  readonly feed: (input: EngineInput) => Promise<void>
  /** Limits that a person wants lowered for longer: for whatever would give them back without us. */
  readonly prolong: (keyId: ApiKeyId, until: EpochMs) => void
  /** Gives back what the journal says is lowered for these, whatever the engine thinks of them. */
  readonly giveBackLost: (keyIds: ReadonlySet<ApiKeyId>, by: string) => Promise<void>
}

export interface Operating {
  /** `word`: its number, where it was said to all; it is heard once, whatever comes of it. */
  operate(command: OperatorCommand, by: string, word?: number): Promise<CommandAnswer>
  /** Tells an engine that has no past what of these entries concerns it all the same. Once, at the start. */
  hearAnew(entries: readonly JournalEntry[]): Promise<void>
}

type Commanded = Extract<JournalEntry, { kind: 'commanded' }>

export function createOperating(options: OperatingOptions): Operating {
  const { engine, journal, clock, telemetry, audit, feed, prolong, giveBackLost } = options

  /** Lowered by the journal, with no incident that would give it back. */
  function lostOf(command: OperatorCommand): ReadonlySet<ApiKeyId> {
    if (command.kind !== 'release' && command.kind !== 'release-all' && command.kind !== 'halt') return new Set()
    const { limitedKeys } = engineStatus(engine)
    const holders = [...journal.stories().values()].flatMap(story => story.holders)
    const isMeant = (keyId: ApiKeyId): boolean => command.kind !== 'release' || keyId === command.keyId
    return new Set(holders.filter(keyId => isMeant(keyId) && !limitedKeys.has(keyId)))
  }

  function prolongAll(answer: CommandAnswer): void {
    if (answer.kind !== 'obeyed' || answer.until === undefined) return
    for (const keyId of answer.keyIds) prolong(keyId, answer.until)
  }

  return {
    async operate(command, name, word) {
      const by = cleanText(name)
      const at = clock.now()
      const lost = lostOf(command)
      const asked = answerTo(engine, command, by)
      const answer = withLost(asked, lost)
      const said = answer.kind === 'obeyed' ? entriesOf(command, answer.keyIds) : []
      const written = word !== undefined && said.length === 0 ? [command] : said
      await journal.append(
        written.map(one => ({ kind: 'commanded', at, command: one, by, ...(word !== undefined && { word }) })),
      )
      if (answer.kind === 'obeyed') {
        await feed({ kind: 'operator', command, by, at })
        prolongAll(answer)
        if (lost.size > 0) await giveBackLost(lost, by)
      }
      telemetry({ name: 'operatorCommanded', command, by, answer })
      await audit?.record({ at, by, change: 'command', command, answer })
      return answer
    },

    async hearAnew(entries) {
      const commanded = entries.filter(entry => entry.kind === 'commanded')
      const heard = commanded.filter(one => concernsNewcomer(one, clock.now()))
      for (const { command, by, at } of heard) await feed({ kind: 'operator', command, by, at })
    },
  }
}

/** Of all limits it is written down whose they were: by the time somebody hears of it others may be lowered. */
const entriesOf = (command: OperatorCommand, keyIds: readonly ApiKeyId[]): readonly OperatorCommand[] =>
  command.kind === 'release-all' ? keyIds.map(keyId => ({ kind: 'release', keyId })) : [command]

/** Without a past, who was released within the hour is spared in what began before, and halted stays halted. */
const concernsNewcomer = ({ command, at }: Commanded, now: EpochMs): boolean =>
  command.kind === 'halt' || command.kind === 'go-on' || (command.kind === 'release' && at > now - HOUR_MS)

/** A limit that no incident holds is a reason to obey, whatever the engine says. */
function withLost(asked: CommandAnswer, lost: ReadonlySet<ApiKeyId>): CommandAnswer {
  if (lost.size === 0) return asked
  if (asked.kind === 'refused') return { kind: 'obeyed', keyIds: [...lost], incidentIds: [] }
  return { ...asked, keyIds: [...new Set([...asked.keyIds, ...lost])] }
}
