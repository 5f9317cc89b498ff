import { afterEach, expect, test, vi } from 'vitest'
import { scaledClock, systemClock } from './clock.ts'

afterEach(() => {
  vi.useRealTimers()
})

test('the clock follows the machine, which was suspended for an hour or set right by NTP', () => {
  vi.useFakeTimers({ toFake: ['Date'], now: 1_000_000 })
  const clock = systemClock()
  vi.setSystemTime(4_600_000)
  expect(clock.now()).toBe(4_600_000)
  vi.setSystemTime(4_599_000)
  expect(clock.now()).toBe(4_599_000)
})

test('an hour on a clock a thousand times as fast takes 3.6 s of life', () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  const clock = scaledClock({ startsAt: 0, speed: 1_000 })
  vi.advanceTimersByTime(3_600)
  expect(clock.now()).toBe(3_600_000)
})

test('a sleep ends when its signal aborts', async () => {
  const asked = new AbortController()
  const sleeping = systemClock().sleep(3_600_000, asked.signal)
  asked.abort()
  await expect(sleeping).resolves.toBeUndefined()
})
