import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import { compress, init } from '@bokuweb/zstd-wasm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Position } from '../core/vocabulary.ts'
import { readFilePieces } from './file-pieces.ts'

const mebibyte = 1024 * 1024
const never = new AbortController().signal
const zstd = (text: string) => Buffer.from(compress(Buffer.from(text), 3))
const numbered = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => `${from + index} ${((from + index) * 7919) % 1009}\n`).join('')

let folder: string
let files = 0
beforeAll(async () => {
  await init()
  folder = await mkdtemp(join(tmpdir(), 'weir-zstd-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function read(content: Uint8Array | string, from?: string, maxRecordBytes = 2 * mebibyte) {
  const path = join(folder, `${files++}.log`)
  await writeFile(path, content)
  return await piecesOf(path, { maxRecordBytes, ...(from !== undefined && { from: from as Position }) })
}

async function piecesOf(path: string, options: Parameters<typeof readFilePieces>[1]) {
  const texts: string[] = []
  const positions: string[] = []
  const faults: unknown[] = []
  for await (const piece of readFilePieces(path, options, never)) {
    if (piece.kind === 'fault') faults.push(piece.fault)
    else {
      texts.push(Buffer.from(piece.record.payload).toString())
      positions.push(piece.record.position)
    }
  }
  return { texts, positions, faults, text: texts.join('') }
}

describe('a zstd file', () => {
  test('is told by its first bytes, several frames are one file, and any piece is a place to go on', async () => {
    const [first, second] = [numbered(0, 150_000), numbered(150_000, 300_000)]
    const packed = Buffer.concat([zstd(first), zstd(second)])
    const all = await read(packed)
    expect(all.text).toBe(first + second)
    expect(all.faults).toEqual([])
    expect(all.texts.length).toBeGreaterThan(2)
    expect(all.texts.every(text => text.endsWith('\n'))).toBe(true)
    const resumed = await read(packed, all.positions[0])
    expect(all.texts[0] + resumed.text).toBe(first + second)
    expect(resumed.positions.at(-1)).toBe(String(first.length + second.length))
  })

  test('that is cut off or damaged gives what came before, and one fault that says where', async () => {
    const text = numbered(0, 150_000)
    const packed = zstd(text)
    const cut = await read(packed.subarray(0, packed.length - 100))
    expect(cut.text.length).toBeGreaterThan(text.length - 256 * 1024)
    expect(text.startsWith(cut.text)).toBe(true)
    expect(cut.faults).toEqual([{ position: String(cut.text.length), reason: 'bad-zstd', length: 0 }])

    const damaged = Buffer.concat([packed, Buffer.from('no frame at all, but something else')])
    const { faults, ...rest } = await read(damaged)
    expect(rest.text).toBe(text)
    expect(faults).toMatchObject([{ reason: 'bad-zstd', position: String(text.length) }])
  })

  test('whose window would take more memory than zstd itself gives is refused', async () => {
    const { faults } = await read(Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0xf8, 1, 0, 0]))
    expect(faults).toEqual([{ position: '0', reason: 'too-large', length: 9 }])
  })

  test('is read from a pipe too, however it arrives', async () => {
    const packed = zstd('one\ntwo\n')
    const standardInput = Readable.from([...packed].map(byte => Buffer.from([byte])))
    const { text } = await piecesOf('-', { maxRecordBytes: 2 * mebibyte, standardInput })
    expect(text).toBe('one\ntwo\n')
    for (const short of ['P\n', '(', '']) {
      const typed = Readable.from(short === '' ? [] : [Buffer.from(short)])
      expect((await piecesOf('-', { maxRecordBytes: 2 * mebibyte, standardInput: typed })).text).toBe(short)
    }
  })
})

describe('objects one after another without a line end', () => {
  const object = (index: number) => `{"apiKeyId":"k${index}","userAgent":"}{\\"","nested":{"n":${index}}}`
  const objects = (count: number) => Array.from({ length: count }, (_, index) => object(index)).join('')

  test('are cut between objects, in a file far larger than a record may be, and resumed there', async () => {
    const text = objects(80_000)
    for (const content of [text, gzipSync(text), zstd(text)]) {
      const all = await read(content)
      expect(all.faults).toEqual([])
      expect(all.text).toBe(text)
      expect(all.texts.length).toBeGreaterThan(2)
      for (const piece of all.texts) {
        expect([piece.slice(0, 14), piece.at(-1)]).toEqual(['{"apiKeyId":"k', '}'])
        expect(piece.length).toBeLessThan(2.5 * mebibyte)
      }
      expect((await read(content, all.positions[1])).text).toBe(all.texts.slice(2).join(''))
    }
  })

  test('may be longer than a piece each: a batch that somebody packed', async () => {
    const large = `{"messageType":"${'x'.repeat(1.4 * mebibyte)}"}`
    const all = await read(large + large + object(1) + large)
    expect(all.faults).toEqual([])
    expect(all.text).toBe(large + large + object(1) + large)
    expect(all.texts.length).toBeGreaterThan(1)
  })

  test('but one line that is longer than a record may be is still refused', async () => {
    const all = await read(`${'x'.repeat(3 * mebibyte)}\n${object(1)}\n`)
    expect(all.text).toBe(`${object(1)}\n`)
    expect(all.faults).toMatchObject([{ reason: 'too-large' }])
  })
})
