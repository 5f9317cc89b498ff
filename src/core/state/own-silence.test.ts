import { describe, expect, test } from 'vitest'
import type { ApiKeyId } from '../vocabulary.ts'
import { beginBaseline } from './baseline.ts'
import { addKey, createKnownKeys, type KnownKeys } from './known-keys.ts'
import { notePaneMinute } from './own-reach.ts'
import { inheritPauses, longestPause, notePause } from './own-silence.ts'

const DAY = 288
/** Known for so many days, each minute second by second. */
function known(days: number): { keys: KnownKeys; key: number } {
  const keys = createKnownKeys()
  const key = addKey(keys, 'a' as ApiKeyId)
  beginBaseline(keys, key, 0)
  for (let minute = 0; minute < days * 1_440; minute++) notePaneMinute(keys, key)
  return { keys, key }
}

const pause = (day: number, seconds: number, callsPerMinute = 60) => ({ slot: day * DAY, seconds, callsPerMinute })

describe('the longest pause of a key', () => {
  test('is not known before two days were seen second by second', () => {
    const { keys, key } = known(1.9)
    notePause(keys, key, pause(1, 300))
    expect(longestPause(keys, key, 3 * DAY)).toBeUndefined()
    const seen = known(2)
    notePause(seen.keys, seen.key, pause(1, 300))
    expect(longestPause(seen.keys, seen.key, 2 * DAY)).toBeCloseTo(300 * 0.97)
  })

  test('fades, so that what has not come for weeks is missed sooner', () => {
    const { keys, key } = known(3)
    notePause(keys, key, pause(1, 600))
    expect(longestPause(keys, key, 31 * DAY)).toBeCloseTo(600 * 0.97 ** 30)
  })

  test('grows to three times itself a day at most: one outage does not hide the next', () => {
    const { keys, key } = known(3)
    notePause(keys, key, pause(1, 100))
    notePause(keys, key, pause(5, 3_000))
    notePause(keys, key, pause(5, 3_000))
    expect(longestPause(keys, key, 5 * DAY)).toBeCloseTo(3 * 100 * 0.97 ** 4)
  })

  test('is taught by none in which hardly a call was missing, and by none that lasts for hours', () => {
    const { keys, key } = known(3)
    notePause(keys, key, pause(1, 300, 3))
    notePause(keys, key, pause(1, 4_000))
    expect(longestPause(keys, key, 3 * DAY)).toBe(0)
  })

  test('of several keys that become one tenant is the shortest of theirs', () => {
    const [one, other, tenant] = [known(3), known(3), known(3)]
    notePause(one.keys, one.key, pause(1, 900))
    notePause(other.keys, other.key, pause(1, 60))
    inheritPauses(tenant.keys, tenant.key, [one, other])
    expect(longestPause(tenant.keys, tenant.key, DAY * 2)).toBeCloseTo(60 * 0.97)
  })
})
