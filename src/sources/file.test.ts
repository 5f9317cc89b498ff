import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { PartitionId, Position } from '../core/vocabulary.ts'
import { fileSource } from './file.ts'
import { type FilePiece, readFilePieces, readPlainPieces } from './file-pieces.ts'
import type { SourceBatch } from './source.ts'

const mebibyte = 1024 * 1024
const maxRecordBytes = 2 * mebibyte
const clock = { now: () => 1_700_000_000_000, sleep: async () => {} }
const never = new AbortController().signal
let directory: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'weir-files-'))
})
afterAll(() => rm(directory, { recursive: true }))

test('a file comes in pieces of about a mebibyte that begin and end with lines', async () => {
  const text = numberedLines(60_000)
  const pieces = await read(await file(text))

  expect(pieces.length).toBeGreaterThan(2)
  expect(pieces.every(({ text: piece = '' }) => piece.endsWith('\n') && piece.length < 1.5 * mebibyte)).toBe(true)
  expect(joined(pieces)).toBe(text)
})

test('a last line without an end is read, and so is a file of one such line', async () => {
  expect(await read(await file('one\ntwo'))).toEqual([{ text: 'one\ntwo', position: '7' }])
  expect(await read(await file(''))).toEqual([])
})

test('gzip is told by its first bytes, and several members are one file', async () => {
  const first = numberedLines(40_000)
  const second = numberedLines(40_000, 40_000)
  const pieces = await read(await file(Buffer.concat([gzipSync(first), gzipSync(second)])))

  expect(joined(pieces)).toBe(first + second)
  expect(pieces.at(-1)?.position).toBe(String(first.length + second.length))
})

test.each(['plain', 'gzip'])('a %s file is resumed after any piece, at the same plain offset', async kind => {
  const text = numberedLines(60_000)
  const path = await file(kind === 'gzip' ? gzipSync(text) : text)
  const [first] = await read(path)
  const resumed = await read(path, first?.position)

  expect(first?.text + joined(resumed)).toBe(text)
  expect(resumed.at(-1)?.position).toBe(String(text.length))
  expect(await read(path, String(text.length))).toEqual([])
})

test('a file shorter than the position is another file by now, and is read from its start', async () => {
  expect(await read(await file('new\n'), '5000')).toEqual([{ text: 'new\n', position: '4' }])
})

test('of a truncated gzip everything that is in it is handed over, then it is a fault', async () => {
  const text = numberedLines(3_000)
  const whole = gzipSync(text)
  const pieces = await read(await file(whole.subarray(0, whole.length - 9)))

  expect(joined(pieces)).toBe(text)
  expect(pieces.at(-1)).toEqual({ fault: 'bad-gzip', position: String(text.length), length: 0 })
})

test('a gzip cut anywhere gives a beginning of its lines and one fault', async () => {
  const text = numberedLines(400)
  const whole = gzipSync(text)
  for (let length = 3; length < whole.length; length += 97) {
    const pieces = await read(await file(whole.subarray(0, length)))
    expect(text.startsWith(joined(pieces))).toBe(true)
    expect(pieces.filter(({ fault }) => fault !== undefined)).toHaveLength(1)
  }
})

test('a wrong checksum, or rubbish after the end, costs no line that came before', async () => {
  const text = numberedLines(3_000)
  const wrong = gzipSync(text)
  wrong.writeUInt32LE(0, wrong.length - 8)

  for (const bytes of [wrong, Buffer.concat([gzipSync(text), Buffer.from('rubbish')])]) {
    const pieces = await read(await file(bytes))
    expect(joined(pieces)).toBe(text)
    expect(pieces.at(-1)).toMatchObject({ fault: 'bad-gzip', position: String(text.length) })
  }
})

test('zeros after a gzip are padding', async () => {
  const pieces = await read(await file(Buffer.concat([gzipSync('one\n'), Buffer.alloc(200_000)])))
  expect(pieces).toEqual([{ text: 'one\n', position: '4' }])
})

test('a line longer than a piece is in one piece, and costs its neighbours nothing', async () => {
  const text = `before\n${'x'.repeat(1.7 * mebibyte)}\nafter\n`
  const pieces = await read(await file(text))

  expect(pieces.map(piece => piece.text).join('') === text).toBe(true)
  expect(pieces.every(piece => piece.text?.endsWith('\n'))).toBe(true)
  expect(pieces[0]?.text).toBe('before\n')
})

test.each([
  'plain',
  'gzip',
])('a line over the limit in a %s file is a fault, and the lines around it are read', async kind => {
  const long = `${'x'.repeat(5 * mebibyte)}\n`
  const text = `before\n${long}after\n`
  const pieces = await read(await file(kind === 'gzip' ? gzipSync(text) : text))

  expect(pieces).toEqual([
    { text: 'before\n', position: '7' },
    { fault: 'too-large', position: String(7 + long.length), length: long.length },
    { text: 'after\n', position: String(text.length) },
  ])
})

test('a line over the limit that never ends is a fault', async () => {
  const text = 'x'.repeat(3 * mebibyte)
  expect(await read(await file(text))).toEqual([
    { fault: 'too-large', position: String(text.length), length: text.length },
  ])
})

test.each([
  ['many lines', numberedLines(60_000)],
  ['a last line without an end', `${numberedLines(30_000)}cut`],
  ['lines longer than a piece', `before\n${'x'.repeat(1.7 * mebibyte)}\nafter\n${'y'.repeat(5 * mebibyte)}\nlast\n`],
  ['no line end at all', 'x'.repeat(1.5 * mebibyte)],
  ['nothing', ''],
])('a thread reads the same pieces of a plain file of %s', async (_, text) => {
  const path = await file(text)
  const pieces: Piece[] = []
  const reading = readPlainPieces(path)
  let next = reading.next()
  for (; !next.done; next = reading.next()) pieces.push(pieceOf(next.value))
  expect([...pieces, ...(await read(path, next.value))]).toEqual(await read(path))
})

test('what is no plain file a thread leaves to be read otherwise, from its start', async () => {
  for (const path of [await file(gzipSync('one\n')), join(directory, 'missing.log'), directory, '-'])
    expect(readPlainPieces(path).next()).toEqual({ done: true, value: '0' })
})

test('a file that cannot be read is named with the reason', async () => {
  const missing = join(directory, 'missing.log')
  await expect(read(missing)).rejects.toMatchObject({
    code: 'SOURCE_UNREADABLE',
    message: `Could not read ${missing}: there is no such file`,
  })
  await expect(read(directory)).rejects.toMatchObject({ message: `Could not read ${directory}: it is a directory` })
})

test('files are partitions, read one after another, and the one being read is the only one there is', async () => {
  const paths = [await file('one\n'), await file(gzipSync('two\n').subarray(0, 20))]
  const source = fileSource({ paths, maxRecordBytes }, { clock })
  const seen: [SourceBatch, readonly PartitionId[]][] = []
  for await (const batch of source.read(new Map(), never)) seen.push([batch, source.partitions()])

  const [first, second] = paths as PartitionId[]
  expect(seen).toMatchObject([
    [{ partition: first, records: [{ position: '4' }], arrivedAt: 1_700_000_000_000 }, [first]],
    [{ partition: second, records: [{ payload: Buffer.from('two\n') }] }, [second]],
    [{ partition: second, records: [], faults: [{ reason: 'bad-gzip', position: '4' }] }, [second]],
  ])
  expect(source.partitions()).toEqual([])
})

test('a misspelt path among many is told before the first is read', async () => {
  const paths = [await file('one\n'), join(directory, 'missing.log')]
  const batches = fileSource({ paths, maxRecordBytes }, { clock }).read(new Map(), never)

  await expect(batches[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'SOURCE_UNREADABLE' })
})

test('lines of a pipe are handed over as they come, not when a mebibyte is full', async () => {
  const standardInput = new Readable({ read() {} })
  const reading = fileSource({ paths: ['-'], maxRecordBytes }, { clock, standardInput })
    .read(new Map([['-' as PartitionId, '100' as Position]]), never)
    [Symbol.asyncIterator]()

  standardInput.push('one\ntw')
  expect((await reading.next()).value).toMatchObject({ records: [{ payload: Buffer.from('one\n'), position: '104' }] })
  standardInput.push('o\n')
  expect((await reading.next()).value).toMatchObject({ records: [{ payload: Buffer.from('two\n'), position: '108' }] })
  standardInput.push(null)
  expect((await reading.next()).done).toBe(true)
})

test('a pipe may be gzip', async () => {
  const standardInput = Readable.from([...gzipSync('one\n')].map(byte => Buffer.from([byte])))
  const pieces = []
  for await (const piece of readFilePieces('-', { maxRecordBytes, standardInput }, never)) pieces.push(piece)

  expect(pieces).toMatchObject([{ kind: 'record', record: { payload: Buffer.from('one\n') } }])
})

test('waiting for a pipe ends when it is told to', async () => {
  const stop = new AbortController()
  const reading = readFilePieces('-', { maxRecordBytes, standardInput: new Readable({ read() {} }) }, stop.signal)
  const next = reading[Symbol.asyncIterator]().next()
  stop.abort()

  expect((await next).done).toBe(true)
})

interface Piece {
  readonly text?: string
  readonly fault?: string
  readonly position: string
  readonly length?: number
}

async function read(path: string, from?: string): Promise<Piece[]> {
  const pieces: Piece[] = []
  const options = { maxRecordBytes, ...(from === undefined ? {} : { from: from as Position }) }
  for await (const piece of readFilePieces(path, options, never)) pieces.push(pieceOf(piece))
  return pieces
}

function pieceOf(piece: FilePiece): Piece {
  if (piece.kind === 'record')
    return { text: Buffer.from(piece.record.payload).toString(), position: piece.record.position }
  const { reason, position, length } = piece.fault
  return { fault: reason, position, length }
}

function joined(pieces: readonly Piece[]): string {
  return pieces.map(({ text = '' }) => text).join('')
}

let files = 0
async function file(content: string | Uint8Array): Promise<string> {
  const path = join(directory, `${++files}.log`)
  await writeFile(path, content)
  return path
}

function numberedLines(count: number, from = 0): string {
  return Array.from(
    { length: count },
    (_, index) => `{"line":${from + index},"status":"200","path":"/v1/payments"}\n`,
  ).join('')
}
