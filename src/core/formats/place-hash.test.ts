/** What is hashed while its end is looked for is hashed as it is where its end is known. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createFound } from './found.ts'
import { pathHash, readPath, readSourceHash, sourceHash } from './place-hash.ts'

const seed = 4_711

/** A text from its third byte on, with a quote behind it. */
function written(text: string) {
  const bytes = Buffer.from(`"x${text}"${'"'.repeat(8)}`)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  return { view, from: 2, to: 2 + Buffer.byteLength(text), found: Object.assign(createFound(seed), { at: 2 }) }
}

const letters = fc.string({ unit: fc.constantFrom('/', 'a', 'b', '7', '-', '.', '{', '~', 'é'), maxLength: 40 })

test('a path is the same route read to its quote as known to its end, and so is one with a question', () => {
  fc.assert(
    fc.property(letters, fc.option(letters), (path, asked) => {
      const { view, from, to, found } = written(asked === null ? path : `${path}?${asked}`)
      expect(readPath(view, found)).toBe(pathHash(view, from, to))
      expect(found.at).toBe(from + Buffer.byteLength(path))
      const alone = written(path)
      expect(pathHash(view, from, to)).toBe(pathHash(alone.view, alone.from, alone.to))
    }),
  )
})

test('a path with a space in it is left to who knows its end', () => {
  const { view, found } = written('/a path')
  expect(readPath(view, found)).toBe(0)
})

test('a source is the same read to its quote as known to its end', () => {
  fc.assert(
    fc.property(letters, source => {
      const { view, from, to, found } = written(source)
      expect(readSourceHash(view, found)).toBe(sourceHash(seed, view, from, to))
      expect(found.at).toBe(to)
    }),
  )
})

test('texts that differ in a byte, or by one more, differ in their hash', () => {
  const texts = ['', 'a', 'b', 'ab', 'abc', 'abcd', 'abce', 'abcda', '\0abc', 'abc\0', '/v1/items/1', '/v1/items/2']
  const hashes = texts.map(text => {
    const { view, from, to } = written(text)
    return [pathHash(view, from, to), sourceHash(seed, view, from, to)]
  })
  expect(new Set(hashes.map(([, source]) => source)).size).toBe(texts.length)
  const printable = hashes.filter((_, index) => !texts[index]?.includes('\0'))
  expect(new Set(printable.map(([path]) => path)).size).toBe(printable.length)
})
