import { describe, expect, test } from 'vitest'
import type { Clock } from '../clock.ts'
import {
  callWaitMs,
  changeEveryMs,
  controlPlaneQueue,
  nextChange,
  ofPart,
  type WaitingChange,
} from './control-plane-queue.ts'

const throttleOf = (urgency: number, order: number): WaitingChange => ({
  rank: { kind: 'throttle', urgency },
  order,
  notBefore: 0,
})
const restoreOf = (order: number): WaitingChange => ({ rank: { kind: 'restore', urgency: 0 }, order, notBefore: 0 })

describe('whose turn it is', () => {
  test('the most dangerous throttle goes first, then the one that asked first, and restores last', () => {
    const waiting = [restoreOf(0), throttleOf(10, 1), throttleOf(500, 2), throttleOf(500, 3)]
    const order: number[] = []
    while (waiting.length > 0) {
      const turn = nextChange(waiting, 0, 0)
      if (turn.kind !== 'go') throw new Error(`expected go, got ${turn.kind}`)
      order.push(turn.change.order)
      waiting.splice(waiting.indexOf(turn.change), 1)
    }
    expect(order).toEqual([2, 3, 1, 0])
  })

  test('nobody goes until the gateway takes a change again', () => {
    expect(nextChange([throttleOf(1, 0)], 20_000, 15_000)).toEqual({ kind: 'wait', ms: 5_000 })
  })

  test('one that backs off lets the others by', () => {
    const backingOff = { ...throttleOf(500, 0), notBefore: 9_000 }
    const other = restoreOf(1)
    expect(nextChange([backingOff, other], 0, 1_000)).toEqual({ kind: 'go', change: other })
    expect(nextChange([backingOff], 0, 1_000)).toEqual({ kind: 'wait', ms: 8_000 })
  })

  test('with nobody waiting there is nothing to wait for', () => {
    expect(nextChange([], 20_000, 0)).toEqual({ kind: 'idle' })
  })
})

test('of other calls the sixth in a second waits', () => {
  expect(callWaitMs([0, 100, 200, 300], 400)).toBe(0)
  expect(callWaitMs([0, 100, 200, 300, 400], 400)).toBe(600)
  expect(callWaitMs([0, 100, 200, 300, 400], 1_000)).toBe(0)
})

describe('the queue', () => {
  const never = new AbortController().signal

  /** Time passes only while somebody sleeps, so every moment is exact. */
  const start = () => {
    let now = 0
    const clock: Clock = {
      now: () => now,
      sleep: async ms => {
        now += ms
      },
    }
    return { clock, queue: controlPlaneQueue({ clock }) }
  }
  const attempt =
    <T>(value: T, holdMs = changeEveryMs) =>
    async () =>
      ({ kind: 'done', value, holdMs }) as const

  test('keeps 20 s between two changes, and lets the urgent one overtake', async () => {
    const { clock, queue } = start()
    const made: { name: string; at: number }[] = []
    const change = (name: string, urgency: number) =>
      queue.change(
        queue.want(name),
        { kind: 'throttle', urgency },
        async () => {
          made.push({ name, at: clock.now() })
          return { kind: 'done', value: name, holdMs: changeEveryMs }
        },
        never,
      )
    await Promise.all([change('first', 1), change('calm', 5), change('storm', 500)])
    expect(made).toEqual([
      { name: 'first', at: 0 },
      { name: 'storm', at: changeEveryMs },
      { name: 'calm', at: 2 * changeEveryMs },
    ])
  })

  test('drops what waits for a key when something newer is wanted for it', async () => {
    const { queue } = start()
    const rank = { kind: 'throttle', urgency: 1 } as const
    const first = queue.change(queue.want('key-x'), rank, attempt('x'), never)
    const older = queue.change(queue.want('key-a'), rank, attempt('older'), never)
    const newer = queue.change(queue.want('key-a'), rank, attempt('newer'), never)
    expect(await Promise.all([first, older, newer])).toEqual([
      { kind: 'done', value: 'x' },
      { kind: 'superseded' },
      { kind: 'done', value: 'newer' },
    ])
  })

  test('of two parts of a stream drops nothing that the other wants for the same tenant, and makes both in one row', async () => {
    const { queue } = start()
    const [one, two] = [ofPart(queue, 't/1'), ofPart(queue, 't/2')]
    const order: string[] = []
    const change = (part: typeof one, name: string, urgency: number) => {
      const wanted = async () => ({ kind: 'done', value: order.push(name), holdMs: changeEveryMs }) as const
      return part.change(part.want('tenant:a'), { kind: 'throttle', urgency }, wanted, never)
    }
    const all = [change(one, 'first', 1), change(one, 'superseded', 2), change(one, 'calm', 2), change(two, 'storm', 9)]
    expect((await Promise.all(all)).filter(({ kind }) => kind === 'superseded')).toHaveLength(1)
    expect(order).toEqual(['first', 'storm', 'calm'])
  })

  test('drops what waits for a key when nothing is wanted for it any more', async () => {
    const { queue } = start()
    const rank = { kind: 'restore', urgency: 0 } as const
    const want = queue.want('key-a')
    const first = queue.change(queue.want('key-x'), rank, attempt('x'), never)
    const waiting = [queue.change(want, rank, attempt('a'), never), queue.change(want, rank, attempt('b'), never)]
    want.end()
    expect(await Promise.all(waiting)).toEqual([{ kind: 'superseded' }, { kind: 'superseded' }])
    expect(await first).toEqual({ kind: 'done', value: 'x' })
  })

  test('does not try again what something newer was wanted for meanwhile', async () => {
    const { queue } = start()
    const rank = { kind: 'throttle', urgency: 1 } as const
    let tries = 0
    const older = queue.change(
      queue.want('key-a'),
      rank,
      async () => {
        tries += 1
        queue.want('key-a')
        return { kind: 'again', afterMs: 1_000, holdMs: 0 }
      },
      never,
    )
    expect(await older).toEqual({ kind: 'superseded' })
    expect(tries).toBe(1)
  })

  test('a try that asked for no change costs no turn', async () => {
    const { clock, queue } = start()
    const rank = { kind: 'throttle', urgency: 1 } as const
    await queue.change(queue.want('key-a'), rank, attempt('nothing to do', 0), never)
    await queue.change(queue.want('key-b'), rank, attempt('nothing to do', 0), never)
    expect(clock.now()).toBe(0)
  })

  test('a change given up while it waits leaves the others their turn', async () => {
    const { queue } = start()
    const rank = { kind: 'throttle', urgency: 1 } as const
    const stop = new AbortController()
    const first = queue.change(queue.want('key-a'), rank, attempt('a'), never)
    const givenUp = queue.change(queue.want('key-b'), rank, attempt('b'), stop.signal)
    const last = queue.change(queue.want('key-c'), rank, attempt('c'), never)
    stop.abort(new Error('stopping'))
    await expect(givenUp).rejects.toThrow('stopping')
    expect(await Promise.all([first, last])).toMatchObject([{ value: 'a' }, { value: 'c' }])
  })

  test('what a try throws is its own: the next is made all the same', async () => {
    const { queue } = start()
    const rank = { kind: 'restore', urgency: 0 } as const
    const broken = queue.change(queue.want('key-a'), rank, () => Promise.reject(new Error('disk full')), never)
    const next = queue.change(queue.want('key-b'), rank, attempt('b'), never)
    await expect(broken).rejects.toThrow('disk full')
    expect(await next).toEqual({ kind: 'done', value: 'b' })
  })

  test('says of what waits how many changes go before it, the one under way too, and about how long that takes', async () => {
    // Time stands still: nobody who waits for a turn comes to it.
    const queue = controlPlaneQueue({ clock: { now: () => 1_000, sleep: () => new Promise(() => {}) } })
    let answer = (): void => {}
    const answered = new Promise<void>(resolve => {
      answer = resolve
    })
    const change = (name: string, urgency: number, wait: Promise<void>) => {
      const want = queue.want(name)
      const made = queue.change(want, { kind: 'throttle', urgency }, () => wait.then(attempt(name)), never)
      return { want, made }
    }
    const first = change('first', 1, answered)
    const low = change('low', 5, Promise.resolve())
    const high = change('high', 50, Promise.resolve())
    expect([first, high, low].map(({ want }) => queue.standing(want))).toEqual([
      undefined,
      { ahead: 1, waitMs: 20_000 },
      { ahead: 2, waitMs: 40_000 },
    ])
    answer()
    await first.made
    await new Promise(resolve => setImmediate(resolve))
    expect([high, low].map(({ want }) => queue.standing(want))).toEqual([
      { ahead: 0, waitMs: 20_000 },
      { ahead: 1, waitMs: 40_000 },
    ])
  })

  test('starts at most five other calls in a second', async () => {
    const { clock, queue } = start()
    const starts = await Promise.all(Array.from({ length: 12 }, () => queue.call(async () => clock.now(), never)))
    expect(starts).toEqual([0, 0, 0, 0, 0, 1_000, 1_000, 1_000, 1_000, 1_000, 2_000, 2_000])
  })

  test('lets an urgent call go before all that wait', async () => {
    const { clock, queue } = start()
    const waiting = Array.from({ length: 12 }, () => queue.call(async () => clock.now(), never))
    const urgent = queue.call(async () => clock.now(), never, { isUrgent: true })
    expect(await urgent).toBe(1_000)
    expect((await Promise.all(waiting)).filter(at => at === 1_000)).toHaveLength(4)
  })

  test('forgets a call that was given up while it waits', async () => {
    const { queue } = start()
    const stop = new AbortController()
    const calls = Array.from({ length: 7 }, () => queue.call(async () => 'called', stop.signal))
    stop.abort(new Error('stopping'))
    const ends = (await Promise.allSettled(calls)).map(({ status }) => status)
    expect(ends.slice(5)).toEqual(['rejected', 'rejected'])
    expect(await queue.call(async () => 'called', never)).toBe('called')
  })
})
