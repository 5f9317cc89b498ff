import { expect, test } from 'vitest'
import { likeKeys } from './like-keys.ts'

const known = ['key_abc123', 'key_abc124', 'key_b1001', 'hash:77', 'anonymous']

test('a key that was mistyped or written in part is found, the most alike first', () => {
  expect(likeKeys('key_abd123', known)).toEqual(['key_abc123', 'key_abc124'])
  expect(likeKeys('ABC123', known)).toEqual(['key_abc123'])
  expect(likeKeys('abc', known)).toEqual(['key_abc123', 'key_abc124'])
})

test('what is like none of them gets none, and a letter is in too many to mean one', () => {
  expect(likeKeys('payments', known)).toEqual([])
  expect(likeKeys('k', known)).toEqual([])
})
