import { expect, test } from 'vitest'
import { StreamError } from '../core/errors.ts'
import type { PartitionId, Position } from '../core/vocabulary.ts'
import type { Positions, SharedSource, Source, SourceBatch } from '../sources/source.ts'
import { runShared } from './shared-worker.ts'
import type { TelemetryEvent } from './telemetry.ts'
import { handClock, handSource, untilQuiet } from './testing-world.ts'

const [one, two] = ['t/0', 't/1'] as [PartitionId, PartitionId]
const held = (): StreamError => new StreamError('STATE_HELD', 'another worker is using it', { retry: 'later' })

/** A worker of a group, whose partitions' lives only note what they read. `begin`: what each life does before it reads. */
function worker({
  begin = async () => new Map(),
  take = async () => undefined,
}: {
  readonly begin?: (partition: PartitionId) => Promise<Positions>
  readonly take?: (batch: SourceBatch) => Promise<void>
} = {}) {
  const clock = handClock(0)
  const source = handSource()
  const noted: string[] = []
  const told: TelemetryEvent[] = []
  let assign = (_: readonly PartitionId[]): void => {}
  const shared: SharedSource = {
    ...source,
    keyed: true,
    onAssigned(tell) {
      assign = tell
    },
    goOn: (partition, position) => void noted.push(`${partition} goes on at ${position ?? 'its beginning'}`),
    hold: partitions => void noted.push(`held: ${partitions.join(' ') || 'none'}`),
  }
  const stop = new AbortController()
  async function live(partition: PartitionId, part: Source, signal: AbortSignal): Promise<void> {
    const positions = await begin(partition)
    noted.push(`${partition} begins`)
    for await (const batch of part.read(positions, signal)) {
      await take(batch)
      noted.push(`${partition} reads ${batch.records[0]?.position}`)
    }
    noted.push(`${partition} ends`)
  }
  const running = runShared({ source: shared, clock, telemetry: event => void told.push(event), live }, stop.signal)
  const since = (): readonly string[] => noted.splice(0)
  return {
    ...{ clock, told, running },
    async assign(...partitions: PartitionId[]): Promise<readonly string[]> {
      assign(partitions)
      await untilQuiet()
      return since()
    },
    async give(partition: PartitionId): Promise<readonly string[]> {
      source.give(partition, ['{}'], 0)
      await untilQuiet()
      return since()
    },
    async pass(ms: number): Promise<readonly string[]> {
      await clock.pass(ms)
      await untilQuiet()
      return since()
    },
    async stop(): Promise<readonly string[]> {
      stop.abort()
      await running
      return since()
    },
  }
}

test('each partition has a life of its own, which is read from where its checkpoint is, and held until it reads', async () => {
  const { assign, give, stop } = worker({ begin: async partition => new Map([[partition, '7' as Position]]) })
  expect(await assign(one, two)).toEqual([
    'held: t/0 t/1',
    't/0 begins',
    't/0 goes on at 7',
    'held: t/1',
    't/1 begins',
    't/1 goes on at 7',
    'held: none',
  ])
  expect([...(await give(one)), ...(await give(two))]).toEqual(['t/0 reads 1', 't/1 reads 1'])
  expect((await stop()).filter(line => line.includes('ends'))).toEqual(['t/0 ends', 't/1 ends'])
})

test('one that goes to another worker ends, one that stays reads on, and one that comes back begins anew', async () => {
  const { assign, give, stop } = worker()
  await assign(one, two)
  expect((await assign(two)).filter(line => !line.startsWith('held'))).toEqual(['t/0 ends'])
  expect(await give(one)).toEqual([])
  expect(await give(two)).toEqual(['t/1 reads 1'])
  expect((await assign(one, two)).filter(line => !line.startsWith('held'))).toEqual([
    't/0 begins',
    't/0 goes on at its beginning',
  ])
  await stop()
})

test('while its last owner has not let go of it, a partition waits, and the others are read', async () => {
  let isHeld = true
  const { assign, give, pass, stop, told } = worker({
    begin: async partition => {
      if (partition === one && isHeld) throw held()
      return new Map()
    },
  })
  expect(await assign(one, two)).toEqual(['held: t/0 t/1', 't/1 begins', 't/1 goes on at its beginning', 'held: t/0'])
  expect(await give(two)).toEqual(['t/1 reads 1'])
  await pass(250)
  isHeld = false
  expect(await pass(250)).toEqual(['t/0 begins', 't/0 goes on at its beginning', 'held: none'])
  expect(told).toEqual([{ name: 'partitionAwaited', partition: one }])
  await stop()
})

test('one whose directory was taken over while the worker was frozen begins anew where the other has left it', async () => {
  let isFrozen = false
  const { assign, give, pass, stop } = worker({
    begin: async partition => new Map([[partition, (isFrozen ? '9' : '3') as Position]]),
    take: async () => {
      if (isFrozen) throw held()
    },
  })
  await assign(one)
  await give(one)
  isFrozen = true
  await give(one)
  expect(await pass(250)).toEqual(['t/0 begins', 't/0 goes on at 9', 'held: none'])
  isFrozen = false
  await stop()
})

test('what a person has to mend is told, and tried again, and keeps no other partition from being watched', async () => {
  let isDamaged = true
  const { assign, give, pass, stop, told } = worker({
    begin: async partition => {
      if (partition === one && isDamaged) throw new Error('its checkpoint is damaged')
      return new Map()
    },
  })
  await assign(one, two)
  expect(told).toEqual([{ name: 'partitionTroubled', partition: one, because: 'its checkpoint is damaged' }])
  expect(await give(two)).toEqual(['t/1 reads 1'])
  isDamaged = false
  expect(await pass(10_000)).toEqual(['t/0 begins', 't/0 goes on at its beginning', 'held: none'])
  await stop()
})

test('a partition that is slow to take what comes does not keep the others from theirs', async () => {
  let release = (): void => {}
  const disk = new Promise<void>(resolve => {
    release = resolve
  })
  const { assign, give, pass, stop } = worker({
    take: async ({ partition }) => {
      if (partition === one) await disk
    },
  })
  await assign(one, two)
  await give(one)
  await give(one)
  expect(await give(two)).toEqual([])
  expect(await pass(100)).toEqual(['held: t/0', 't/1 reads 1'])
  release()
  expect(await pass(0)).toEqual(['t/0 reads 1', 'held: none', 't/0 reads 2'])
  await stop()
})
