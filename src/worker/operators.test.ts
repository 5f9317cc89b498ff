import { expect, test } from 'vitest'
import type { CommandAnswer, OperatorCommand } from '../core/operator.ts'
import { createOperators } from './operators.ts'

/** A life that has one key, which is lowered. */
function lifeWith(key: string) {
  const said: OperatorCommand[] = []
  const operate = async (command: OperatorCommand): Promise<CommandAnswer> => {
    said.push(command)
    if ('keyId' in command && command.keyId !== key) return { kind: 'refused', because: `${key} is another` }
    return { kind: 'obeyed', keyIds: [key], incidentIds: [`${key}#1`] }
  }
  return { operate, said }
}

test('of several lives the one that has the key obeys, and all of them what is about everybody', async () => {
  const operators = createOperators()
  const [first, second, third] = ['a', 'b', 'c'].map(lifeWith)
  const leave = [first, second, third].map(life => operators.join(life!.operate))
  expect(await operators.operate({ kind: 'release', keyId: 'b' }, 'ann')).toEqual({
    ...{ kind: 'obeyed', keyIds: ['b'], incidentIds: ['b#1'] },
  })
  expect(third?.said).toEqual([])
  expect(await operators.operate({ kind: 'release', keyId: 'x' }, 'ann')).toMatchObject({ kind: 'refused' })
  leave[0]?.()
  expect(await operators.operate({ kind: 'halt' }, 'ann')).toEqual({
    ...{ kind: 'obeyed', keyIds: ['b', 'c'], incidentIds: ['b#1', 'c#1'] },
  })
  leave[1]?.()
  leave[2]?.()
  expect(operators.operate({ kind: 'halt' }, 'ann')).toBeUndefined()
})
