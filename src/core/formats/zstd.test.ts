import { compress, init } from '@bokuweb/zstd-wasm'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { decode, keysOf, rejectedOf } from './testing-decode.ts'
import { inflateZstd, isZstd } from './zstd.ts'

const noon = Date.UTC(2026, 0, 1, 12)
const line = (key: string) => `{"apiKeyId":"${key}","requestTimeEpoch":"${noon}","status":"200"}\n`
const lines = (count: number) => Array.from({ length: count }, (_, index) => line(`k${(index * 7919) % 1009}`)).join('')
const zstd = (text: string | Uint8Array, level = 3) => Buffer.from(compress(Buffer.from(text), level))
const limit = 1 << 20

const magic = [0x28, 0xb5, 0x2f, 0xfd]
const skippable = (bytes: number) =>
  Buffer.concat([Buffer.from([0x53, 0x2a, 0x4d, 0x18, bytes & 255, bytes >> 8, 0, 0]), Buffer.alloc(bytes, 7)])
/** A block of one byte, repeated. */
const run = (count: number, isLast: boolean) => {
  const header = (count << 3) | (1 << 1) | Number(isLast)
  return [header & 255, (header >> 8) & 255, (header >> 16) & 255, 0x78]
}

beforeAll(async () => {
  await init()
})

describe('a zstd record', () => {
  test('is read as what is in it, at any level, one frame or several, with what is to be skipped between them', () => {
    const text = lines(3000)
    for (const level of [1, 3, 19]) expect(inflateZstd(zstd(text, level), limit).bytes.toString()).toBe(text)
    const frames = [zstd(line('k1')), skippable(5), zstd(lines(3)), skippable(0), zstd(''), zstd(line('k9'))]
    const batch = decode([Buffer.concat(frames), skippable(3), zstd(line('k5'))])
    expect(keysOf(batch)).toEqual(['k1', 'k0', 'k856', 'k703', 'k9', 'k5'])
    expect(rejectedOf(batch)).toEqual({})
  })

  test('that is cut off gives what came before, and is noted; at its end or between frames nothing is lost', () => {
    // Of random keys, so that it fills several blocks: no more than a whole block comes out.
    const whole = zstd(lines(20_000))
    const { bytes, fault } = inflateZstd(whole.subarray(0, whole.length - 3), 4 * limit)
    expect(fault).toBe('bad-zstd')
    expect(bytes.length).toBeGreaterThan(128 * 1024)
    for (let length = 4; length < 80; length++) {
      const cut = inflateZstd(zstd(line('k1')).subarray(0, length), limit)
      expect(cut.fault).toBe(length < zstd(line('k1')).length ? 'bad-zstd' : undefined)
    }
    const two = Buffer.concat([zstd(line('k1')), zstd(line('k2')).subarray(0, 30)])
    const batch = decode(two)
    expect([keysOf(batch), rejectedOf(batch)]).toEqual([['k1'], { 'bad-zstd': 1 }])
  })

  test('is no bomb: neither by what comes out, nor by a window, nor by many frames', () => {
    const bomb = Buffer.from([...magic, 0, 0x58, ...Array.from({ length: 200 }, () => run(131072, false)).flat()])
    const window = Buffer.from([...magic, 0, 0xf8, ...run(10, true)])
    const single = Buffer.from([...magic, 0xe0, 0, 0, 0, 0, 1, 0, 0, 0, ...run(10, true)])
    const many = Buffer.concat(Array.from({ length: 2000 }, () => Buffer.from([...magic, 0, 0, ...run(1, true)])))
    for (const bytes of [bomb, window, single, many, zstd(Buffer.alloc(2 * limit))])
      expect(inflateZstd(bytes, limit)).toEqual({ bytes: Buffer.alloc(0), fault: 'too-large' })
    expect(rejectedOf(decode([bomb, window, line('k1')]))).toEqual({ 'too-large': 2 })
  })

  test('as the format draws it: descriptor, window, dictionary, content size, blocks, checksum', () => {
    const raw = [0x19, 0, 0, 0x61, 0x62, 0x63]
    for (const header of [
      [0x00, 0x00],
      [0x20, 3],
      [0x40, 0x00, 0, 0],
      [0x60, 3, 0],
      [0x80, 0x00, 3, 0, 0, 0],
      [0xe0, 3, 0, 0, 0, 0, 0, 0, 0],
    ])
      expect([header, inflateZstd(Buffer.from([...magic, ...header, ...raw]), limit).bytes.toString()]).toEqual([
        header,
        'abc',
      ])
    // A checksum is stepped over, and its lack is a break.
    const checked = [...magic, 0x24, 3, ...raw]
    expect(inflateZstd(Buffer.from([...checked, 1, 2, 3, 4]), limit).fault).toBeUndefined()
    expect(inflateZstd(Buffer.from([...checked, 1, 2]), limit).fault).toBe('bad-zstd')
    expect(inflateZstd(Buffer.from([...magic, 0x00, 0x00, 0x07, 0, 0]), limit).fault).toBe('bad-zstd')
  })

  test('is damaged where its literals would be read for ever', () => {
    // A tree whose weights are coded by a table of 32 states, all of one symbol: the first, the fourth, the sixth.
    for (const table of [
      [0xf0, 0x03],
      [0x10, 0xfc, 0x01],
      [0x10, 0xe6, 0x0f],
    ]) {
      const weights = [...table, ...Array.from({ length: 10 }, () => 0xff)]
      const body = [0x02 | (1 << 4), 0, 0, weights.length, ...weights, 0xff, 0xff, 0xff, 0]
      const header = (body.length << 3) | (2 << 1) | 1
      const block = [header & 255, header >> 8, 0, ...body]
      expect(inflateZstd(Buffer.from([...magic, 0, 0, ...block]), limit).fault).toBe('bad-zstd')
    }
  })

  test('whatever bytes come is inflated or refused, never thrown, and stays within its bound', () => {
    const whole = zstd(lines(400))
    const damage = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 5 })
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), damage, (bytes, changes) => {
        const damaged = Buffer.from(whole)
        for (const [at, value] of changes) damaged[at] = value
        for (const payload of [Buffer.from([...magic, ...bytes]), damaged])
          expect(inflateZstd(payload, limit).bytes.length).toBeLessThanOrEqual(limit)
      }),
      { numRuns: 500 },
    )
  })

  test('is told by its first four bytes', () => {
    expect([isZstd(zstd('')), isZstd(skippable(0)), isZstd(Buffer.from('{"a":1}')), isZstd(Buffer.alloc(2))]).toEqual([
      true,
      true,
      false,
      false,
    ])
  })
})
