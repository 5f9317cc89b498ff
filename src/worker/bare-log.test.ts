import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { weirSchema } from '../core/config/config.ts'
import { createDecoder } from '../core/formats/decoder.ts'
import { type BareLog, type BatchInput, createTally, readCanonically } from './bare-log.ts'

const TEN = Date.UTC(2026, 2, 4, 10)
const line = (ms: number, key = 'a'): string =>
  JSON.stringify({ requestTimeEpoch: String(TEN + ms), apiKeyId: key, status: '200' })
const counted = (ms: number, seconds: number): string =>
  JSON.stringify({ key: 'a', start: TEN + ms, seconds, calls: 5 })

/** A file as it is read: pieces of so many lines. */
const file = (path: string, lines: readonly string[], linesPerPiece = lines.length): BareLog => ({
  path,
  pieces: (async function* () {
    for (let from = 0; from < lines.length; from += linesPerPiece) {
      const payload = Buffer.from(`${lines.slice(from, from + linesPerPiece).join('\n')}\n`)
      yield { kind: 'record', record: { partition: path, position: String(from), payload } } as const
    }
  })(),
})

/** Each input as `file@arrival: times`, ms after ten; rows as `+seconds`. */
async function read(...logs: readonly BareLog[]) {
  const decoder = createDecoder({
    format: 'auto',
    fields: weirSchema.parse({}).fields,
    hashSecret: 'test',
    maxRecordBytes: 33_554_432,
  })
  const tally = createTally()
  const inputs: string[] = []
  await readCanonically(logs, decoder, tally, input => inputs.push(textOf(input)))
  return { inputs, tally }
}

function textOf({ partition, arrivedAt, batch, from, to, panesFrom, panesTo }: BatchInput): string {
  const calls = [...batch.time.subarray(from, to)].map(at => String(at - TEN))
  const rows = batch.panes.slice(panesFrom, panesTo).map(({ start, seconds }) => `${start - TEN}+${seconds}`)
  return `${partition}@${arrivedAt - TEN}: ${[...calls, ...rows].join(' ')}`
}

describe('a bare log', () => {
  test('becomes batches that end at each event-time second, the call that passes it by itself; arrival is how far it has come', async () => {
    const { inputs, tally } = await read(
      file(
        'log',
        [0, 400, 999, 1_000, 2_500, 2_600].map(ms => line(ms)),
      ),
    )
    expect(inputs).toEqual(['log@0: 0', 'log@999: 400 999', 'log@1000: 1000', 'log@2500: 2500', 'log@2600: 2600'])
    expect(tally).toMatchObject({ calls: 6, records: 1 })
  })

  test('keeps the order in which its lines were delivered', async () => {
    const { inputs } = await read(file('log', [line(1_500), line(200), line(1_600), line(3_000), line(1_700)]))
    expect(inputs).toEqual(['log@1500: 1500', 'log@1600: 200 1600', 'log@3000: 3000', 'log@3000: 1700'])
  })

  test('of several files is read where it is oldest', async () => {
    const { inputs } = await read(
      file('b', [line(100), line(2_100)]),
      file('a', [line(1_100), line(3_100)]),
      file('c', []),
    )
    expect(inputs).toEqual(['b@100: 100', 'a@1100: 1100', 'b@2100: 2100', 'a@3100: 3100'])
  })

  test('of a folder is one partition: what overlaps is merged, and files are opened in their order, a few at a time', async () => {
    const begun: number[] = []
    const objects = Array.from({ length: 100 }, (_, number): BareLog => {
      const { pieces } = file('f', [line(number * 1_000), line(number * 1_000 + 1_500)])
      const told = (async function* () {
        begun.push(number)
        yield* pieces
      })()
      return { path: `f/${number}`, folder: 'f', pieces: told }
    })
    const decoder = createDecoder({ format: 'auto', fields: {}, hashSecret: 'test', maxRecordBytes: 33_554_432 })
    const times: number[] = []
    let mostOpen = 0
    await readCanonically(objects, decoder, createTally(), ({ partition, batch, from, to }) => {
      expect(partition).toBe('f')
      times.push(...[...batch.time.subarray(from, to)].map(at => at - TEN))
      mostOpen = Math.max(mostOpen, begun.length - times.filter(at => at % 1_000 === 500).length)
    })
    expect(times).toEqual(objects.flatMap((_, n) => [n * 1_000, n * 1_000 + 1_500]).sort((one, other) => one - other))
    expect(begun).toEqual(objects.map((_, number) => number))
    expect(mostOpen).toBe(16)
  })

  test('is the same sequence however its bytes were cut into pieces', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 20_000 }), { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 1, max: 10 }),
        async (times, linesPerPiece) => {
          const lines = times.toSorted((one, other) => one - other).map(ms => line(ms))
          const whole = await read(file('log', lines))
          const pieces = await read(file('log', lines, linesPerPiece))
          expect(pieces.inputs).toEqual(whole.inputs)
          expect(pieces.tally.calls).toBe(times.length)
        },
      ),
    )
  })

  test('does not follow one wild clock, and follows two calls that agree', async () => {
    const wild = await read(file('log', [line(0), line(3_600_000), line(1_000), line(1_100)]))
    expect(wild.inputs).toEqual(['log@0: 0', 'log@1000: 1000', 'log@1100: 1100'])
    expect([wild.tally.calls, [...wild.tally.rejected]]).toEqual([3, [['future', 1]]])
    const gap = await read(file('log', [line(0), line(3_600_000), line(3_600_100)], 1))
    expect(gap.inputs).toEqual(['log@0: 0', 'log@3600000: 3600000', 'log@3600100: 3600100'])
  })

  test('does not begin with a wild clock either', async () => {
    const { inputs, tally } = await read(file('log', [line(3_600_000), line(0), line(100)], 1))
    expect(inputs).toEqual(['log@0: 0', 'log@100: 100'])
    expect([...tally.rejected]).toEqual([['future', 1]])
  })

  test('holds counts of other tools, between its calls where they begin', async () => {
    const { inputs, tally } = await read(
      file('log', [counted(0, 60), counted(0, 60), line(30_000), counted(60_000, 60), line(60_500)]),
    )
    expect(inputs).toEqual(['log@0: 0+60 0+60', 'log@30000: 30000', 'log@60000: 60000+60', 'log@60500: 60500'])
    expect(tally).toMatchObject({ calls: 2, paneRows: 3 })
  })

  test('that is damaged says so, and its good lines count', async () => {
    const { inputs, tally } = await read(file('log', [line(0), '{"requestTimeEpoch":', line(500), '{}', 'nonsense']))
    expect(inputs).toEqual(['log@0: 0', 'log@500: 500'])
    expect([...tally.rejected.values()].reduce((sum, count) => sum + count, 0)).toBe(3)
  })
})
