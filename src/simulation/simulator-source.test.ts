import { expect, test } from 'vitest'
import type { Clock } from '../clock.ts'
import { SECOND_MS } from '../core/vocabulary.ts'
import type { Positions, SourceBatch } from '../sources/source.ts'
import { createPayflow } from './payflow.ts'
import { simulatorSource } from './simulator-source.ts'
import { payflowTenants } from './tenants.ts'

const seed = 5
const tenants = payflowTenants({ seed })
const startsAt = Date.parse('2025-03-12T12:00:00Z')

/** Time that passes only when somebody sleeps, and ends the reading at a given moment. */
function clockUntil(endsAt: number): { clock: Clock; signal: AbortSignal } {
  const abort = new AbortController()
  let now = startsAt
  const clock: Clock = {
    now: () => now,
    sleep: async ms => {
      if (now >= endsAt) abort.abort()
      now += ms
    },
  }
  return { clock, signal: abort.signal }
}

async function readUntil(
  endsAt: number,
  { wakeEveryMs = 250, positions = new Map() }: { wakeEveryMs?: number; positions?: Positions } = {},
) {
  const { clock, signal } = clockUntil(endsAt)
  const source = simulatorSource({ payflow: createPayflow({ seed, startsAt, tenants }), clock, seed, wakeEveryMs })
  const batches: SourceBatch[] = []
  for await (const batch of source.read(positions, signal)) batches.push(batch)
  return batches
}

const linesOf = (batches: SourceBatch[], partition?: string): string[] =>
  batches
    .filter(batch => partition === undefined || batch.partition === partition)
    .flatMap(({ records }) => records.flatMap(({ payload }) => Buffer.from(payload).toString().trimEnd().split('\n')))

test('every line of the simulation comes once, spread over four partitions', async () => {
  const batches = await readUntil(startsAt + 60 * SECOND_MS)
  const expected = createPayflow({ seed, startsAt, tenants }).step(startsAt + 60 * SECOND_MS)
  expect(linesOf(batches).toSorted()).toEqual(expected.toSorted())
  for (const partition of ['payflow/0', 'payflow/1', 'payflow/2', 'payflow/3'])
    expect(linesOf(batches, partition).length / expected.length).toBeCloseTo(0.25, 1)
})

test('a reader that comes late gets what it missed in pieces of a second', async () => {
  const batches = await readUntil(startsAt + 60 * SECOND_MS, { wakeEveryMs: 12 * SECOND_MS })
  const ofFirst = batches
    .filter(({ partition }) => partition === 'payflow/0')
    .map(({ records }) => Number(records[0]?.position))
  expect(Math.max(...ofFirst.slice(1).map((position, index) => position - ofFirst[index]!))).toBeLessThanOrEqual(
    2 * SECOND_MS,
  )
  expect(ofFirst).toEqual(ofFirst.toSorted())
})

test('read from where it was, it goes on with the next line and repeats none', async () => {
  const whole = await readUntil(startsAt + 40 * SECOND_MS)
  const first = await readUntil(startsAt + 20 * SECOND_MS)
  const positions = new Map(first.map(({ partition, records }) => [partition, records[0]!.position]))
  const rest = await readUntil(startsAt + 40 * SECOND_MS, { positions, wakeEveryMs: 1_700 })
  for (const partition of positions.keys()) {
    const continued = [...linesOf(first, partition), ...linesOf(rest, partition)]
    expect(continued.slice(0, linesOf(whole, partition).length)).toEqual(
      linesOf(whole, partition).slice(0, continued.length),
    )
  }
})

test('nothing is handed over before it has happened', async () => {
  for (const { arrivedAt, records } of await readUntil(startsAt + 30 * SECOND_MS)) {
    expect(Number(records[0]?.position)).toBeLessThanOrEqual(arrivedAt)
    for (const line of linesOf([{ partition: '', arrivedAt, records }]))
      expect(Number(JSON.parse(line).requestTimeEpoch)).toBeLessThan(arrivedAt)
  }
})
