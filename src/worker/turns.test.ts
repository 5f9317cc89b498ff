import { expect, test } from 'vitest'
import { createTurns } from './turns.ts'

test('a turn begins when the one before it is over', async () => {
  const inTurn = createTurns()
  const order: string[] = []
  let finishFirst = (): void => {}
  const first = inTurn(async () => {
    order.push('first begins')
    await new Promise<void>(resolve => {
      finishFirst = resolve
    })
    order.push('first ends')
  })
  const second = inTurn(async () => {
    order.push('second')
  })
  await Promise.resolve()
  finishFirst()
  await Promise.all([first, second])
  expect(order).toEqual(['first begins', 'first ends', 'second'])
})

test('a turn that fails tells whoever took it, and the next one goes on', async () => {
  const inTurn = createTurns()
  const failing = inTurn(() => Promise.reject(new Error('disk full')))
  const next = inTurn(async () => 'went on')
  await expect(failing).rejects.toThrow('disk full')
  expect(await next).toBe('went on')
})
