/**
 * Who takes people's commands in this process: one life, or one for each partition of a shared stream. What is about one key
 * is for the life that has it; what is about everybody is for all.
 */
import type { CommandAnswer, OperatorCommand } from '../core/operator.ts'
import type { Keeper } from './keeper.ts'

export interface Operators {
  /** From now on it is asked too, until what is returned is called. */
  join(operate: Keeper['operate']): () => void
  /** Undefined while there is nobody to ask. */
  operate(command: OperatorCommand, by: string): Promise<CommandAnswer> | undefined
}

export function createOperators(): Operators {
  const lives = new Set<Keeper['operate']>()

  async function askEach(command: OperatorCommand, by: string): Promise<CommandAnswer> {
    let answer: CommandAnswer | undefined
    for (const operate of [...lives]) {
      const next = await operate(command, by)
      answer = answer === undefined ? next : together(answer, next)
      if ('keyId' in command && answer.kind === 'obeyed') break
    }
    return answer ?? { kind: 'refused', because: 'the worker stops' }
  }

  return {
    join(operate) {
      lives.add(operate)
      return () => void lives.delete(operate)
    },
    operate: (command, by) => (lives.size === 0 ? undefined : askEach(command, by)),
  }
}

function together(one: CommandAnswer, other: CommandAnswer): CommandAnswer {
  if (one.kind === 'refused') return other
  if (other.kind === 'refused') return one
  return {
    ...one,
    keyIds: [...one.keyIds, ...other.keyIds],
    incidentIds: [...one.incidentIds, ...other.incidentIds],
  }
}
