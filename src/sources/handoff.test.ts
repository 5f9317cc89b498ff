import { expect, test } from 'vitest'
import { createHandoff } from './handoff.ts'

const never = new AbortController().signal

test('a batch is made only when somebody asks for it', async () => {
  const handoff = createHandoff<string>()
  const made: string[] = []
  const offer = (name: string) =>
    handoff.offer(() => {
      made.push(name)
      return name
    })
  offer('first')
  offer('second')

  expect(made).toEqual([])
  expect(await handoff.take(never)).toBe('first')
  expect(made).toEqual(['first'])
})

test('a taker waits for the next offer', async () => {
  const handoff = createHandoff<string>()
  const taken = handoff.take(never)
  const { settled } = handoff.offer(() => 'at last')

  expect(await taken).toBe('at last')
  await settled
})

test('an offer that turns out to be void, and one that was withdrawn, are passed over', async () => {
  const handoff = createHandoff<string>()
  const voided = handoff.offer(() => undefined)
  const withdrawn = handoff.offer(() => 'withdrawn')
  withdrawn.withdraw()
  await withdrawn.settled
  handoff.offer(() => 'good')

  expect(await handoff.take(never)).toBe('good')
  await voided.settled
})

test('an aborted taker gets nothing, and takes nothing from the next one', async () => {
  const handoff = createHandoff<string>()
  const controller = new AbortController()
  const aborted = handoff.take(controller.signal)
  controller.abort()
  handoff.offer(() => 'for the next')

  expect(await aborted).toBeUndefined()
  expect(await handoff.take(never)).toBe('for the next')
})

test('the end settles every offer and reaches a taker who waits as well as one who comes later', async () => {
  const lost = new Error('lost')
  const handoff = createHandoff<string>()
  const waiting = handoff.take(never)
  handoff.end(lost)

  await expect(waiting).rejects.toBe(lost)
  await expect(handoff.take(never)).rejects.toBe(lost)
  await handoff.offer(() => 'too late').settled
})
