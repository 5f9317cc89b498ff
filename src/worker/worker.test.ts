import { afterEach, expect, test } from 'vitest'
import { StreamError } from '../core/errors.ts'
import type { Decoder } from '../core/formats/decoder.ts'
import { mostKeys } from '../core/formats/key-index.ts'
import { type ApiKeyId, HOUR_MS, MINUTE_MS, type PartitionId, SECOND_MS } from '../core/vocabulary.ts'
import type { FilePiece } from '../sources/file-pieces.ts'
import type { SourceBatch } from '../sources/source.ts'
import { dayOfHistory, live, newFolder, noon, removeFolders, settings, takesNothing } from './testing-life.ts'
import { untilQuiet } from './testing-world.ts'

afterEach(removeFolders)

test('a storm is alerted and throttled once, and given back in two steps when it is over', async () => {
  const life = await live({ folder: newFolder() })
  await life.bring(5, 1)
  expect(life.asked()).toEqual([])
  await life.bring(10, 200)
  expect(life.asked()).toEqual(['k1#1/alert-1', 'k1#1/throttle-1'])
  await life.bring(100, 1)
  await life.stop()
  expect(life.phases()).toEqual(['open', 'mitigated', 'recovering', 'closed'])
  const plans = life.asked().filter(id => !id.includes('alert'))
  expect(plans).toEqual(['k1#1/restore-1', 'k1#1/restore-2', 'k1#1/throttle-1'])
})

test('stopped while it is taught its history, it writes nothing, and the next start teaches all of it', async () => {
  const folder = newFolder()
  async function* stopsAfterTwoDays(ask: AbortController): AsyncGenerator<FilePiece> {
    yield dayOfHistory(7)
    yield dayOfHistory(6)
    ask.abort()
  }
  const first = await live({ folder, teach: stopsAfterTwoDays })
  await first.running
  expect(first.told).toEqual([{ name: 'workerStopped', totalCalls: 0 }])

  const taught: number[] = []
  const second = await live({
    folder,
    async *teach() {
      for (let day = 7; day > 0; day--) {
        taught.push(day)
        yield dayOfHistory(day)
      }
    },
  })
  await second.stop()
  expect(taught).toEqual([7, 6, 5, 4, 3, 2, 1])
})

/** A life whose source has a partition `t/0` of now, and a `t/1` so much behind for the first half minute. */
async function besideALatePartition({ lateMs, keyed = false }: { readonly lateMs: number; readonly keyed?: boolean }) {
  const holds: string[] = []
  const engine = { ...settings, keyed }
  const life = await live({ folder: newFolder(), engine, keyed, hold: held => void holds.push(held.join()) })
  await life.bring(1, 1)
  for (let second = 1; second < 30; second++) {
    const line = JSON.stringify({ requestTimeEpoch: noon + second * SECOND_MS - lateMs, apiKeyId: 'k2', status: 200 })
    life.source.give('t/1', [line], noon + second * SECOND_MS)
    await life.bring(1, 1)
  }
  return { life, holds }
}

test('a partition whose log always comes some minutes late holds nobody', async () => {
  const { life, holds } = await besideALatePartition({ lateMs: 5 * 60_000 })
  await life.stop()
  expect(holds).toEqual([])
})

/** `minutes` of a partition, a call a minute and a record a call, read at one o'clock; `more`: records behind them. */
function backlog(partition: PartitionId, minutes: readonly [from: number, to: number], more: number): SourceBatch {
  return backlogOf(partition, upTo(...minutes), { from: minutes[0], more })
}

const upTo = (from: number, to: number): readonly number[] =>
  Array.from({ length: to - from }, (_, index) => from + index)

/** The same, of calls at these minutes. */
function backlogOf(partition: PartitionId, minutes: readonly number[], { from = 0, more = 0 } = {}): SourceBatch {
  const records = minutes.map((minute, index) => {
    const requestTimeEpoch = noon + minute * MINUTE_MS
    const payload = Buffer.from(JSON.stringify({ requestTimeEpoch, apiKeyId: 'k2', status: 200 }))
    return { partition, position: String(from + index + 1), payload }
  })
  return { partition, records, arrivedAt: noon + HOUR_MS, lag: { records: more } }
}

const quarterHours = (partition: PartitionId): readonly SourceBatch[] =>
  [0, 15, 30].map(from => backlog(partition, [from, from + 15], 30 - from))

/** What the life counted at last, and which partitions were held, one after another. */
async function reading(given: readonly SourceBatch[], { keyed = false, passMs = 1_000 } = {}) {
  const holds: string[] = []
  const engine = { ...settings, keyed }
  const hold = (held: readonly PartitionId[]) => void holds.push(held.join())
  const life = await live({ folder: newFolder(), engine, keyed, hold, given: [...given], startsAt: noon + HOUR_MS })
  await life.pass(passMs)
  await life.stop()
  const last = life.told.findLast(event => event.name === 'minuteSummarised')
  const rejected = life.told.flatMap(event => (event.name === 'rejectsSummarised' ? [event.recent] : []))
  return { holds, calls: last?.totalCalls, late: last?.late, rejected, committed: life.source.committed.at(-1) }
}

test('of a backlog no call is late because another partition was read first', async () => {
  const { calls, late, holds, committed } = await reading([backlog('t/0', [0, 45], 0), ...quarterHours('t/1')])
  expect({ calls, late }).toEqual({ calls: 90, late: 0 })
  expect(holds).toEqual(['t/0', ''])
  expect(committed).toEqual([
    ['t/0', '45'],
    ['t/1', '45'],
  ])
})

test('the positions that a source was given move with what is counted, and not with what waits', async () => {
  const given = [backlog('t/0', [0, 45], 0), backlog('t/1', [0, 15], 30)]
  const life = await live({ folder: newFolder(), hold: () => {}, given, startsAt: noon + HOUR_MS })
  await life.pass(1_000)
  expect(life.source.positions()).toEqual([
    ['t/0', '17'],
    ['t/1', '15'],
  ])
  await life.stop()
})

test('what waits for a slower partition is not in the positions: a worker that is stopped meanwhile reads it again', async () => {
  const { calls, committed } = await reading([backlog('t/0', [0, 45], 0), backlog('t/1', [0, 15], 30)])
  // Up to two minutes beyond the fourteenth, with which the slower one ends for now.
  expect(committed).toEqual([
    ['t/0', '17'],
    ['t/1', '15'],
  ])
  expect(calls).toBe(32)
})

/** A partition `t/0`, beside a slower `t/1`, that is over before `after` is read of `t/2`. */
const followed = (minutes: readonly [from: number, to: number], after: SourceBatch): readonly SourceBatch[] => [
  ...[backlog('t/2', [0, 1], 0), backlog('t/1', [0, 15], 30), backlog('t/0', minutes, 0)],
  { ...after, over: ['t/0'] },
]

test('a partition that is over keeps its position until what came after it is counted', async () => {
  const given = followed([0, 15], backlog('t/2', [45, 60], 0))
  const { committed } = await reading(given)
  expect(new Map(committed)).toEqual(new Map(Object.entries({ 't/0': '15', 't/1': '15', 't/2': '1' })))
  const whole = await reading([...given, backlog('t/1', [15, 45], 0)])
  expect(new Map(whole.committed)).toEqual(new Map(Object.entries({ 't/1': '45', 't/2': '60' })))
})

test('a partition that is over keeps its position while some of it waits, also when what came after it is counted', async () => {
  const { committed } = await reading(followed([0, 45], backlog('t/2', [1, 2], 0)))
  expect(new Map(committed)).toEqual(new Map(Object.entries({ 't/0': '17', 't/1': '15', 't/2': '2' })))
})

test('a partition that is stuck with more behind it is waited for no longer than one that is idle', async () => {
  const given = [backlog('t/0', [0, 45], 0), backlog('t/1', [0, 15], 30)]
  const { calls, late, holds } = await reading(given, { passMs: 32_000 })
  expect({ calls, late }).toEqual({ calls: 60, late: 0 })
  expect(holds).toEqual(['t/0', ''])
})

test('a partition that leaves while some of it waits is held no longer', async () => {
  const holds: string[] = []
  const hold = (held: readonly PartitionId[]) => void holds.push(held.join())
  const given = [backlog('t/0', [0, 45], 0), backlog('t/1', [0, 15], 30)]
  const life = await live({ folder: newFolder(), hold, given, startsAt: noon + HOUR_MS })
  expect(holds).toEqual(['t/0'])
  life.source.partitions = () => ['t/1']
  await life.pass(1_000)
  expect(holds).toEqual(['t/0', ''])
  await life.stop()
})

test('what waits of a partition that was another reader’s in between is theirs, though it is back before anybody looked', async () => {
  const holds: string[] = []
  const hold = (held: readonly PartitionId[]) => void holds.push(held.join())
  const given = [backlog('t/0', [0, 45], 0), backlog('t/1', [0, 15], 30)]
  const life = await live({ folder: newFolder(), hold, given, startsAt: noon + HOUR_MS })
  const left: PartitionId[][] = [['t/0']]
  life.source.departed = () => left.shift() ?? []
  // So long that it would be counted, since nobody waits for an idle one.
  await life.pass(32_000)
  expect(holds).toEqual(['t/0', ''])
  await life.stop()
  expect(life.told.findLast(event => event.name === 'minuteSummarised')).toMatchObject({ totalCalls: 32 })
  expect(life.source.committed.at(-1)).toEqual([
    ['t/0', '17'],
    ['t/1', '15'],
  ])
})

test('one clock that is ahead of its backlog makes no other call late, and is refused', async () => {
  const wild = backlogOf('t/0', [...upTo(0, 4), 50, ...upTo(4, 34)])
  const { calls, late, rejected } = await reading([wild, ...quarterHours('t/1')])
  expect({ calls, late, rejected }).toEqual({ calls: 34 + 45, late: 0, rejected: [{ future: 1 }] })
})

test('on a keyed stream nobody waits for anybody', async () => {
  const { calls, holds } = await reading([backlog('t/0', [0, 45], 0), ...quarterHours('t/1')], { keyed: true })
  expect(calls).toBe(90)
  expect(holds).toEqual([])
})

test('a key table that ids have filled which are no keys is replaced, and calls go on to be their keys’', async () => {
  const full: Decoder = {
    keys: { ids: Array.from({ length: mostKeys }, (_, index) => `random-${index}` as ApiKeyId) },
    decode: () => expect.unreachable('it can tell no key from another any more'),
  }
  const life = await live({ folder: newFolder(), decoder: full })
  await life.bring(5, 1)
  await life.bring(10, 200)
  await life.stop()
  expect(life.asked()).toContain('k1#1/throttle-1')
})

test('a silent SNS and a silent gateway do not stop the stream', async () => {
  const life = await live({ folder: newFolder(), answer: takesNothing })
  await life.bring(5, 1)
  await life.bring(20, 200)
  await life.stop()
  const last = life.told.findLast(event => event.name === 'workerStopped')
  // k1's 5 and 4,000 calls, and two a second of k2.
  expect(last).toEqual({ name: 'workerStopped', totalCalls: 5 + 4_000 + 50 })
})

test('the source is told of a position only when a checkpoint that covers it is on disk', async () => {
  const order: string[] = []
  const life = await live({
    folder: newFolder(),
    watch: checkpoints => ({
      ...checkpoints,
      write(snapshot) {
        const { copied, written } = checkpoints.write(snapshot)
        const onDisk = written.then(() => void order.push(`on disk ${JSON.stringify(snapshot.positions)}`))
        return { copied, written: onDisk }
      },
    }),
  })
  const commit = life.source.commit
  life.source.commit = async positions => {
    order.push(`committed ${JSON.stringify(Object.fromEntries(positions))}`)
    await commit(positions)
  }
  await life.bring(6, 1)
  await life.stop()
  const committed = order.filter(entry => entry.startsWith('committed'))
  expect(committed.at(-1)).toBe('committed {"t/0":"6"}')
  for (const entry of committed) expect(order[order.indexOf(entry) - 1]).toBe(entry.replace('committed', 'on disk'))
})

test('a source that is lost stops the worker with what it said, and what was read is not read again', async () => {
  const folder = newFolder()
  const life = await live({ folder })
  await life.bring(3, 1)
  life.source.fail(new StreamError('SOURCE_LOST', 'the topic is gone', { retry: 'never' }))
  await expect(life.running).rejects.toThrow('the topic is gone')
  expect(life.told.map(({ name }) => name)).toContain('sourceTroubled')

  const next = await live({ folder, given: life.source.given, startsAt: noon + 3_000 })
  await next.bring(1, 1)
  await next.stop()
  expect(next.told.findLast(event => event.name === 'workerStopped')).toMatchObject({ totalCalls: 4 * 3 })
})

test('a stream that ends while a limit is lowered is over only when the limit was given back', async () => {
  const life = await live({ folder: newFolder() })
  await life.bring(5, 1)
  await life.bring(5, 200)
  life.source.end()
  await untilQuiet()
  expect(life.told.map(({ name }) => name)).not.toContain('workerStopped')
  await life.stop()
})

test('detectors that the log leaves blind are told once in a life, in its first minutes', async () => {
  const life = await live({ folder: newFolder() })
  await life.bring(130, 1)
  await life.stop()
  expect(life.told.filter(({ name }) => name === 'detectorsBlind')).toEqual([
    {
      name: 'detectorsBlind',
      blind: [
        { field: 'route', detectors: ['enumeration', 'stuck-poller'] },
        { field: 'source', detectors: ['new-place'] },
      ],
    },
  ])
})

test('whoever stops it while limits are lowered is told whose they are, and what gives them back without it', async () => {
  const life = await live({ folder: newFolder() })
  await life.bring(1, 1)
  const [before, after] = [
    { rateLimit: 100, burstLimit: 200 },
    { rateLimit: 4, burstLimit: 8 },
  ]
  const change = { keyId: 'k7' as ApiKeyId, effectId: 'k7#1/throttle-1', planId: 'p7', before, after }
  await life.journal.append([{ kind: 'plan-changing', at: noon, ...change }])
  await life.stop()
  expect(life.told.slice(-2)).toMatchObject([{ name: 'limitsStayLowered', keyIds: ['k7'] }, { name: 'workerStopped' }])
})

test('a command that cannot be written down ends the worker too: after a turn that failed there is never a checkpoint again', async () => {
  const life = await live({ folder: newFolder() })
  await life.bring(1, 1)
  await life.journal.close()
  await expect(life.say({ kind: 'halt' })).rejects.toThrow()
  life.running.catch(() => undefined)
  await expect(life.stop()).rejects.toThrow()
  expect(life.told).toContainEqual(expect.objectContaining({ name: 'workerStopping', because: 'trouble' }))
})
