/** What concerns all that works on the state is left for all of it, whichever worker hears of it first (stores/spoken-words.ts). */
import type { Clock } from '../clock.ts'
import { cleanText } from '../core/explanation/text.ts'
import type { CommandAnswer, OperatorCommand } from '../core/operator.ts'
import type { Operate } from '../server/command-route.ts'
import { isOnOrOff, type SpokenWords, type Word } from '../stores/spoken-words.ts'
import type { Keeper } from '../worker/keeper.ts'

/** `own`: what is here to obey; undefined while there is nothing. */
export function sayingToAll(words: SpokenWords, clock: Clock, own: () => Keeper['operate'] | undefined): Operate {
  async function toAll(operate: Keeper['operate'], command: Word['command'], by: string): Promise<CommandAnswer> {
    if (command.kind === 'go-on' && !(await isHalted(words))) return operate(command, by)
    const number = await words.say({ command, by: cleanText(by), at: clock.now() })
    const answer = await operate(command, by, number)
    // Others are to hear of it, and it may have been heard here a moment ago.
    return answer.kind === 'obeyed' ? answer : { kind: 'obeyed', keyIds: [], incidentIds: [] }
  }
  return (command, by) => {
    const operate = own()
    if (operate === undefined) return undefined
    return isToAll(command) ? toAll(operate, command, by) : operate(command, by)
  }
}

export const isToAll = (command: OperatorCommand): command is Word['command'] =>
  command.kind === 'halt' || command.kind === 'go-on' || command.kind === 'release-all'

export const lastOnOrOff = async (words: SpokenWords) => (await words.after(undefined)).findLast(isOnOrOff)

const isHalted = async (words: SpokenWords): Promise<boolean> => (await lastOnOrOff(words))?.command.kind === 'halt'
