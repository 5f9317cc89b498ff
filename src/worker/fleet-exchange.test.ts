import { expect, test } from 'vitest'
import { type FleetSums, NO_OTHERS, type OtherParts } from '../core/incident/fleet-sums.ts'
import type { PartitionId } from '../core/vocabulary.ts'
import { createFleetExchange, type FleetBoard } from './fleet-exchange.ts'
import { handClock, untilQuiet } from './testing-world.ts'

const sums = (calls: number): FleetSums => ({ ...NO_OTHERS, calls, keys: calls === 0 ? 0 : 1, parts: 1 })

/** Two workers at one board, the first with two parts. */
function fleet({ ofFirst = 1 } = {}) {
  const clock = handClock(0)
  const files = new Map<string, string>()
  const troubles: string[] = []
  let isBroken = false
  const stop = new AbortController()
  const boardOf = (name: string): FleetBoard => ({
    async write(text) {
      if (isBroken) throw new Error('the disk is gone')
      files.set(name, text)
    },
    read: async () => new Map([...files].filter(([other]) => other !== name)),
    remove: async other => void files.delete(other),
  })
  const workerOf = (name: string) =>
    createFleetExchange(boardOf(name), { clock, troubled: because => troubles.push(because) })
  const heard = new Map<string, OtherParts>()
  const part = (name: string, calls: number) => ({
    sums: () => sums(calls),
    take: async (others: OtherParts) => void heard.set(name, others),
  })
  const one = workerOf('one')
  const two = workerOf('two')
  one.join('t/0' as PartitionId, part('t/0', ofFirst))
  one.join('t/1' as PartitionId, part('t/1', 10))
  const leave = two.join('t/2' as PartitionId, part('t/2', 100))
  const stopTwo = new AbortController()
  const running = [one.run(stop.signal), two.run(AbortSignal.any([stop.signal, stopTwo.signal]))]
  return {
    ...{ files, troubles, leave },
    /** Its journal's disk is full, say. */
    fails: () => one.join('t/0' as PartitionId, { ...part('t/0', 1), take: () => Promise.reject(new Error('full')) }),
    calls: () => Object.fromEntries([...heard].map(([name, { sums }]) => [name, sums.calls])),
    tells: () => [...heard].filter(([, { tellsPlatform }]) => tellsPlatform).map(([name]) => name),
    break: () => {
      isBroken = true
    },
    killTwo: () => stopTwo.abort(),
    async pass(seconds: number) {
      for (let second = 0; second < seconds; second++) {
        await clock.pass(1_000)
        await untilQuiet()
      }
    },
    passAtOnce: clock.pass,
    async stop() {
      stop.abort()
      await Promise.all(running)
    },
  }
}

test('each part hears the sum of all others, of its own worker and of the others, and one of them tells', async () => {
  const { pass, calls, tells, stop } = fleet()
  await pass(2)
  expect(calls()).toEqual({ 't/0': 110, 't/1': 101, 't/2': 11 })
  expect(tells()).toEqual(['t/0'])
  await stop()
})

test('a part that knows no key yet tells nothing: the first that does speaks for all', async () => {
  const { pass, tells, stop } = fleet({ ofFirst: 0 })
  await pass(2)
  expect(tells()).toEqual(['t/1'])
  await stop()
})

test('a worker that says nothing new is counted for five seconds more, and its file is removed after an hour', async () => {
  const { pass, passAtOnce, calls, files, killTwo, stop } = fleet()
  await pass(2)
  killTwo()
  await pass(5)
  expect(calls()).toMatchObject({ 't/0': 110 })
  await pass(2)
  expect(calls()).toMatchObject({ 't/0': 10, 't/1': 1 })
  expect([...files.keys()]).toEqual(['one', 'two'])
  await passAtOnce(3_600_000)
  await pass(1)
  expect([...files.keys()]).toEqual(['one'])
  await stop()
})

test('what is no file of ours is passed over', async () => {
  const { pass, calls, files, stop } = fleet()
  files.set('three', '{"parts":{"t/9":{"calls":7}}}')
  files.set('four', '{"par')
  await pass(2)
  expect(calls()).toMatchObject({ 't/0': 110 })
  await stop()
})

test('without the board each worker judges by its own parts, and says so once', async () => {
  const world = fleet()
  world.break()
  await world.pass(3)
  expect(world.calls()).toEqual({ 't/0': 10, 't/1': 1, 't/2': 0 })
  expect(world.troubles).toEqual(['the disk is gone', 'the disk is gone'])
  await world.stop()
})

test('a part that cannot take what it hears keeps the others from nothing', async () => {
  const { fails, calls, pass, stop } = fleet()
  fails()
  await pass(3)
  expect(calls()).toEqual({ 't/1': 101, 't/2': 11 })
  await stop()
})
