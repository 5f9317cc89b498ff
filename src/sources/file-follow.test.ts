/** With real files, renamed and emptied as logrotate does it; time is in hand. */
import { appendFile, copyFile, mkdtemp, rename, rm, truncate, unlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { PartitionId, Position } from '../core/vocabulary.ts'
import { followingSource } from './file-follow.ts'
import type { SourceEvent } from './source.ts'

const mebibyte = 1024 * 1024
let folder: string
let log: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-follow-'))
  log = join(folder, 'access.log')
})
afterEach(() => rm(folder, { recursive: true }))

test('lines are handed over as they come, and a last line without an end waits for it', async () => {
  await writeFile(log, 'one\ntw')
  const life = follow()
  expect(await life.read()).toBe('one\n')
  expect(await life.read()).toBe('')
  await appendFile(log, 'o\nthree\n')
  expect(await life.read()).toBe('two\nthree\n')
  await life.stop()
})

test('a log that is not there yet is told of and waited for', async () => {
  const life = follow()
  expect(await life.read()).toBe('')
  expect(life.events).toMatchObject([{ name: 'fileAwaited', detail: expect.stringContaining('access.log') }])
  await writeFile(log, 'one\n')
  expect(await life.read()).toBe('one\n')
  await life.stop()
})

test('a log that is renamed is read to its end, late lines too, and then the one in its place', async () => {
  await writeFile(log, 'one\n')
  const life = follow()
  await life.read()
  await appendFile(log, 'two\n')
  await rename(log, `${log}.1`)
  await writeFile(log, 'four\n')
  expect(await life.read()).toBe('two\nfour\n')
  await appendFile(`${log}.1`, 'three, late\n')
  await appendFile(log, 'five\n')
  expect(await life.read()).toBe('three, late\nfive\n')
  expect(life.events.map(({ name }) => name)).toEqual(['fileRotated'])
  await life.stop()
})

test('a renamed file that is quiet for a minute is over, and a last line without an end is a line', async () => {
  await writeFile(log, 'one\ntwo, cut o')
  const life = follow()
  await life.read()
  await rename(log, `${log}.1`)
  await writeFile(log, 'three\n')
  expect(await life.read()).toBe('three\n')
  life.pass(60_000)
  expect(await life.read()).toBe('two, cut o')
  expect(life.partitions()).toEqual([`${log}#2`])
  await appendFile(log, 'four\n')
  await life.read()
  expect([...life.positions.keys()]).toEqual([`${log}#2`])
  await life.stop()
})

test('a log that is copied and emptied loses nothing, not even what came between', async () => {
  await writeFile(log, 'one\n')
  const life = follow()
  await life.read()
  await appendFile(log, 'two\nthree\n')
  await copyFile(log, `${log}.1`)
  await truncate(log)
  await appendFile(log, 'four\n')
  expect(await life.read()).toBe('two\nthree\nfour\n')
  await life.stop()
})

test('a log that is emptied and has grown again past where it was is seen to be new', async () => {
  await writeFile(log, 'one\n')
  const life = follow()
  await life.read()
  await copyFile(log, `${log}.1`)
  await writeFile(log, 'six and seven and eight\n')
  expect(await life.read()).toBe('six and seven and eight\n')
  await life.stop()
})

test('a log that is emptied without a copy is told, and read on', async () => {
  await writeFile(log, 'one\ntwo')
  const life = follow()
  await life.read()
  await writeFile(log, '3\n')
  expect(await life.read()).toBe('3\n')
  expect(life.events).toMatchObject([
    { name: 'fileRotated', level: 'warn', detail: expect.stringContaining('no copy is beside it') },
    { name: 'linesLost' },
  ])
  expect(life.faults).toEqual(['rotated-away'])
  await life.stop()
})

test('several logs are read side by side, each through its own rotations', async () => {
  const other = join(folder, 'other.log')
  await writeFile(log, 'a1\n')
  await writeFile(other, 'b1\n')
  const life = follow([log, other])
  expect(await life.read()).toBe('a1\nb1\n')
  await rename(other, `${other}.1`)
  await writeFile(other, 'b2\n')
  await appendFile(log, 'a2\n')
  expect(await life.read()).toBe('a2\nb2\n')
  expect(life.partitions()).toEqual([`${log}#1`, `${other}#2`])
  await life.stop()
})

test('a log that has begun in the place of a renamed one stays a partition when lines come late to that', async () => {
  await writeFile(log, 'one\n')
  const life = follow()
  await life.read()
  await rename(log, `${log}.1`)
  await writeFile(log, 'three\n')
  await life.read()
  await appendFile(`${log}.1`, 'two, late\n')
  await life.read()
  expect(life.beside).toEqual([[`${log}#1`], [`${log}#2`], [`${log}#1`, `${log}#2`]])
  await life.stop()
})

test('a log whose name is like an older part of another is a log of its own', async () => {
  const first = `${log}.1`
  await writeFile(log, 'a1\n')
  await writeFile(first, 'b1\n')
  const life = follow([log, first])
  await life.read()
  await rename(log, `${log}.2`)
  await appendFile(first, 'b2\n')
  await writeFile(log, 'a2\n')
  expect(await life.read()).toBe('a2\nb2\n')
  await life.stop()
})

test('a start goes on in the same file, at the same byte', async () => {
  await writeFile(log, 'one\n')
  const first = follow()
  await first.read()
  await first.stop()
  await appendFile(log, 'two\n')
  const second = follow([log], first.positions)
  expect(await second.read()).toBe('two\n')
  await second.stop()
})

test('a log that was renamed while nobody read is found beside its name, and every file since then is read', async () => {
  await writeFile(log, 'one\n')
  const first = follow()
  await first.read()
  await first.stop()
  await appendFile(log, 'two\n')
  await rename(log, `${log}.2`)
  await writeFile(`${log}.1`, 'three\n')
  await writeFile(log, 'four\n')
  await dated({ [`${log}.2`]: 100, [`${log}.1`]: 200, [log]: 300 })
  const second = follow([log], first.positions)
  expect(await second.read()).toBe('two\nthree\nfour\n')
  expect(second.faults).toEqual([])
  await second.stop()
})

test('a log that was copied and emptied while nobody read goes on in the copy', async () => {
  await writeFile(log, 'one\n')
  const first = follow()
  await first.read()
  await first.stop()
  await appendFile(log, 'two\n')
  await copyFile(log, `${log}.1`)
  await writeFile(log, 'three is longer than all that was before\n')
  const second = follow([log], first.positions)
  expect(await second.read()).toBe('two\nthree is longer than all that was before\n')
  await second.stop()
})

test('a log that was compressed before it was read is told and counted, and not guessed at', async () => {
  await writeFile(log, 'one\n')
  await dated({ [log]: 100 })
  const first = follow()
  await first.read()
  await first.stop()
  await writeFile(`${log}.1.gz`, gzipSync('one\ntwo\n'))
  await unlink(log)
  await writeFile(log, 'three\n')
  await dated({ [`${log}.1.gz`]: 200, [log]: 300 })
  const second = follow([log], first.positions)
  expect(await second.read()).toBe('three\n')
  expect(second.faults).toEqual(['rotated-away'])
  expect(second.events).toMatchObject([{ name: 'linesLost', detail: expect.stringContaining('access.log.1.gz') }])
  await second.stop()
})

test('of a log that was read to its end before it was compressed nothing is missing', async () => {
  await writeFile(log, 'one\n')
  await dated({ [log]: 100 })
  const first = follow()
  await first.read()
  await first.stop()
  await writeFile(`${log}.1.gz`, gzipSync('one\n'))
  await unlink(log)
  await writeFile(log, 'two\n')
  await dated({ [`${log}.1.gz`]: 100 })
  const second = follow([log], first.positions)
  expect(await second.read()).toBe('two\n')
  expect(second.faults).toEqual([])
  await second.stop()
})

test('a log that is gone altogether is a gap', async () => {
  await writeFile(log, 'one\n')
  const first = follow()
  await first.read()
  await first.stop()
  await unlink(log)
  await writeFile(log, 'another, of the same inode perhaps\n')
  const second = follow([log], first.positions)
  expect(await second.read()).toBe('another, of the same inode perhaps\n')
  expect(second.faults).toEqual(['rotated-away'])
  expect([...second.positions.keys()]).toEqual([`${log}#2`])
  await second.stop()
})

test('whatever a log goes through, and wherever it is begun anew, every line is read once and in its order', async () => {
  const step = fc.constantFrom('write', 'write', 'half', 'rename', 'copy', 'read', 'restart', 'minute')
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30 }), async steps => {
      for (const name of ['', '.1', '.2', '.3', '.4', '.5', '.6', '.7', '.8', '.9'])
        await rm(`${log}${name}`, { force: true })
      let [lines, seconds, pending] = [0, 1_000, '']
      let read = ''
      let life = follow()
      await life.untilAsleep()
      const written: string[] = []
      const append = async (text: string) => {
        await appendFile(log, text)
        await dated({ [log]: seconds++ })
      }
      const line = () => {
        written.push(`{"line":${++lines},"of":"a log whose lines differ"}\n`)
        return written.at(-1) ?? ''
      }
      // A writer ends its line before the file is changed under it.
      const finishLine = async () => {
        if (pending !== '') await append(pending)
        pending = ''
      }
      const shift = async (to: (from: string, name: string) => Promise<void>) => {
        await finishLine()
        for (let number = 8; number > 0; number--)
          await rename(`${log}.${number}`, `${log}.${number + 1}`).catch(() => {})
        await to(log, `${log}.1`).catch(() => {})
      }
      for (const what of [...steps, 'write', 'read'] as const) {
        if (what === 'write') {
          await finishLine()
          await append(line())
        } else if (what === 'half') {
          await finishLine()
          const whole = line()
          await append(whole.slice(0, 9))
          pending = whole.slice(9)
        } else if (what === 'rename') await shift(rename)
        else if (what === 'copy')
          await shift(async (from, name) => {
            // An empty file has no beginning to be known by: filled and emptied between two looks it is as it was.
            read += await life.read()
            await copyFile(from, name)
            await dated({ [name]: seconds++ })
            await truncate(from)
            await dated({ [from]: seconds++ })
          })
        else if (what === 'minute') life.pass(61_000)
        else if (what === 'restart') {
          read += await life.stop()
          life = follow([log], life.positions)
          await life.untilAsleep()
        } else read += await life.read()
      }
      await finishLine()
      read += await life.read()
      read += await life.stop()
      // Nothing was read of a log that was rotated before the first read: then there is no place to look from.
      const firstRead = written.findIndex(each => read.startsWith(each))
      expect(read).toBe(written.slice(firstRead).join(''))
    }),
    { numRuns: 60 },
  )
})

test('a line over the limit is a fault when its end comes, and its neighbours are read', async () => {
  await writeFile(log, `before\n${'x'.repeat(3 * mebibyte)}`)
  const life = follow([log], new Map(), 2 * mebibyte)
  expect(await life.read()).toBe('before\n')
  await appendFile(log, `${'x'.repeat(mebibyte)}\nafter\n`)
  expect(await life.read()).toBe('after\n')
  expect(life.faults).toEqual(['too-large'])
  await life.stop()
})

test('a line longer than a piece is one record', async () => {
  const long = `${'x'.repeat(1.5 * mebibyte)}\n`
  await writeFile(log, `before\n${long}after\n`)
  const life = follow()
  expect((await life.read()) === `before\n${long}after\n`).toBe(true)
  expect(life.faults).toEqual([])
  await life.stop()
})

test('a file that is held waits, and the others go on', async () => {
  const other = join(folder, 'other.log')
  await writeFile(log, 'a1\n')
  await writeFile(other, 'b1\n')
  const life = follow([log, other])
  await life.read()
  life.hold([`${log}#1`])
  await appendFile(log, 'a2\n')
  await appendFile(other, 'b2\n')
  expect(await life.read()).toBe('b2\n')
  life.hold([])
  expect(await life.read()).toBe('a2\n')
  await life.stop()
})

test('a compressed file cannot be followed, and a folder is none', async () => {
  await writeFile(log, gzipSync('one\n'))
  const life = follow()
  await expect(life.read()).rejects.toMatchObject({
    code: 'SOURCE_UNREADABLE',
    hint: expect.stringContaining('without `follow`'),
  })
  await expect(follow([folder]).read()).rejects.toMatchObject({ code: 'SOURCE_UNREADABLE' })
})

/** Sets when files were last written to, in seconds. */
async function dated(times: Readonly<Record<string, number>>): Promise<void> {
  for (const [path, seconds] of Object.entries(times)) await utimes(path, seconds, seconds)
}

/** A reader of the logs, asked again and again until it has nothing more. */
function follow(
  paths: readonly string[] = [log],
  from: ReadonlyMap<PartitionId, Position> = new Map(),
  maxRecordBytes = 32 * mebibyte,
) {
  const events: SourceEvent[] = []
  const faults: string[] = []
  const beside: (readonly PartitionId[])[] = []
  const positions = new Map(from)
  const asked = new AbortController()
  let now = 0
  let wake = (): void => {}
  let isAsleep = false
  let text = ''
  let trouble: unknown
  const clock = {
    now: () => now,
    sleep: (_: number, signal?: AbortSignal) =>
      new Promise<void>(resolve => {
        isAsleep = true
        wake = () => {
          isAsleep = false
          resolve()
        }
        if (signal?.aborted) wake()
        signal?.addEventListener('abort', () => wake(), { once: true })
      }),
  }
  const source = followingSource({ paths, maxRecordBytes }, { clock, onEvent: event => void events.push(event) })
  const reading = (async () => {
    for await (const batch of source.read(from, asked.signal)) {
      text += batch.records.map(({ payload }) => Buffer.from(payload).toString()).join('')
      faults.push(...(batch.faults ?? []).map(({ reason }) => reason))
      beside.push(source.partitions())
      const position = batch.records.at(-1)?.position ?? batch.faults?.at(-1)?.position
      if (position !== undefined) positions.set(batch.partition, position)
      for (const partition of batch.over ?? []) positions.delete(partition)
    }
  })().catch((error: unknown) => {
    trouble = error
  })
  const untilAsleep = async () => {
    while (!isAsleep && trouble === undefined) await turn()
    if (trouble !== undefined) throw trouble
  }
  return {
    events,
    faults,
    /** The partitions that there were as each batch came. */
    beside,
    positions,
    partitions: source.partitions,
    untilAsleep,
    hold: (partitions: readonly string[]) => source.hold?.(partitions),
    pass(ms: number) {
      now += ms
    },
    /** What there is to be read by now. */
    async read(): Promise<string> {
      await untilAsleep()
      wake()
      await untilAsleep()
      const read = text
      text = ''
      return read
    },
    /** What was read since it was last asked. */
    async stop(): Promise<string> {
      await untilAsleep()
      asked.abort()
      await reading
      return text
    },
  }
}
