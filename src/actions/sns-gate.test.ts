import { expect, test } from 'vitest'
import type { Clock } from '../clock.ts'
import { type Circuit, createGate, failed, type Turn } from './sns-gate.ts'

/** Time passes when it is told to. */
function handTime() {
  let now = 0
  const sleepers: { readonly until: number; readonly wake: () => void }[] = []
  const clock: Clock = {
    now: () => now,
    sleep: (ms, signal) =>
      new Promise(resolve => {
        sleepers.push({ until: now + ms, wake: resolve })
        signal?.addEventListener('abort', () => resolve(), { once: true })
      }),
  }
  return {
    clock,
    async pass(ms: number) {
      now += ms
      for (const { until, wake } of sleepers) if (until <= now) wake()
      await turn()
    },
  }
}

const turn = () => new Promise(resolve => setImmediate(resolve))

function open() {
  const time = handTime()
  const gate = createGate({ clock: time.clock, random: () => 1 })
  const entered: string[] = []
  const turns = new Map<string, Extract<Turn, { kind: 'try' }>>()
  return {
    gate,
    entered,
    pass: time.pass,
    async come(name: string, { notBefore = 0, until = Number.POSITIVE_INFINITY, stop = new AbortController() } = {}) {
      gate.enter({ signal: stop.signal, notBefore, until }).then(
        got => {
          entered.push(got.kind === 'try' ? name : `${name} over: ${got.because}`)
          if (got.kind === 'try') turns.set(name, got)
        },
        () => entered.push(`${name} stopped`),
      )
      await turn()
    },
    async fail(name: string) {
      gate.failed(turns.get(name) as Extract<Turn, { kind: 'try' }>, 'sick')
      await turn()
    },
    async answer() {
      gate.answered()
      await turn()
    },
  }
}

test('while SNS is down one tries for all, the next in line each time, with pauses that grow to half a minute', async () => {
  const { come, fail, pass, entered } = open()
  await come('a')
  await fail('a')
  for (const name of ['b', 'c', 'd']) await come(name)
  expect(entered).toEqual(['a'])
  await pass(499)
  expect(entered).toEqual(['a'])
  await pass(1)
  expect(entered).toEqual(['a', 'b'])
  await pass(60_000)
  expect(entered).toEqual(['a', 'b'])
  await fail('b')
  await pass(1_000)
  expect(entered).toEqual(['a', 'b', 'c'])

  let circuit: Circuit = { phase: 'good' }
  const pauses: number[] = []
  for (let at = 0; pauses.length < 9; at = (circuit as { nextTryAt: number }).nextTryAt) {
    circuit = failed(circuit, { at, because: 'sick', isForAll: true, random: () => 1 })
    pauses.push((circuit as { nextTryAt: number }).nextTryAt - at)
  }
  expect(pauses).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000])
})

test('once it answers the others come in, eight at once', async () => {
  const { come, fail, pass, answer, entered } = open()
  await come('first')
  await fail('first')
  for (let n = 1; n <= 12; n++) await come(`n${n}`)
  await pass(500)
  expect(entered).toEqual(['first', 'n1'])
  await answer()
  expect(entered).toHaveLength(2 + 8)
  await answer()
  expect(entered).toHaveLength(2 + 9)
})

test('tries that were on their way when it failed do not make the pause longer', async () => {
  const { gate, come, fail } = open()
  for (const name of ['a', 'b', 'c']) await come(name)
  for (const name of ['a', 'b', 'c']) await fail(name)
  expect(gate.circuit()).toMatchObject({ phase: 'down', failures: 1, nextTryAt: 500 })
})

test('whose time is over is sent away while SNS is down, and let in while it is there', async () => {
  const { come, fail, pass, entered } = open()
  await come('late already', { until: 0 })
  await fail('late already')
  await pass(500)
  await come('probe')
  await come('patient')
  await come('impatient', { until: 10_000 })
  await pass(9_500)
  expect(entered).toEqual(['late already', 'probe', 'impatient over: sick'])
})

test('what fails by itself lets others pass, and comes again no sooner than its own tries say', async () => {
  const { come, fail, answer, pass, entered } = open()
  await come('poison')
  await fail('poison')
  await come('poison again', { notBefore: 30_000 })
  await come('other')
  await pass(500)
  expect(entered).toEqual(['poison', 'other'])
  await answer()
  await pass(29_499)
  expect(entered).toHaveLength(2)
  await pass(1)
  expect(entered).toEqual(['poison', 'other', 'poison again'])
})

test('who waits and is told to stop waits no more', async () => {
  const { come, fail, pass, entered } = open()
  await come('a')
  await fail('a')
  const stop = new AbortController()
  await come('b', { stop })
  await come('c')
  stop.abort()
  await pass(500)
  expect(entered).toEqual(['a', 'b stopped', 'c'])
})
