/**
 * Time in a simulated story: a queue of events, and nothing happens between two of them. The code under test runs on
 * promises, so after each event all that needs no further event is let run; no timer, disk or network of the machine
 * takes part, and so a seed tells the same story each time.
 */

/** Whoever an event happens to. What a dead one still waits for never comes; what a frozen one waits for comes when it thaws. */
export interface Mortal {
  isAlive: boolean
  /** As `Loop.now` counts; until then it does nothing, and knows nothing of it. */
  frozenUntil?: number
}

export interface Loop {
  /** ms since the story began. */
  now(): number
  /** Events of the same moment happen in the order in which they were asked for. */
  at(time: number, happen: () => void, to?: Mortal): void
  after(ms: number, happen: () => void, to?: Mortal): void
  /** The next event, and all that it leads to by itself; false when there is none. */
  step(): Promise<boolean>
  steps(): number
}

interface Event {
  readonly time: number
  readonly order: number
  readonly happen: () => void
  readonly to: Mortal | undefined
}

export function createLoop(): Loop {
  const heap: Event[] = []
  let now = 0
  let order = 0
  let steps = 0
  const at: Loop['at'] = (time, happen, to) => push(heap, { time: Math.max(time, now), order: order++, happen, to })
  return {
    now: () => now,
    at,
    after: (ms, happen, to) => at(now + ms, happen, to),
    async step() {
      const event = nextFor(heap, at)
      if (event === undefined) return false
      now = event.time
      steps++
      event.happen()
      await quiet()
      return true
    },
    steps: () => steps,
  }
}

/** The next event that happens to anybody. */
function nextFor(heap: Event[], at: Loop['at']): Event | undefined {
  for (;;) {
    const event = pop(heap)
    if (event?.to?.isAlive === false) continue
    const thawsAt = event?.to?.frozenUntil ?? 0
    if (event === undefined || thawsAt <= event.time) return event
    at(thawsAt, event.happen, event.to)
  }
}

/** Two turns of the machine's own loop: the worker gives way to others once a batch. */
async function quiet(): Promise<void> {
  await new Promise(setImmediate)
  await new Promise(setImmediate)
}

const isBefore = (one: Event, other: Event): boolean =>
  one.time < other.time || (one.time === other.time && one.order < other.order)

function push(heap: Event[], event: Event): void {
  let at = heap.length
  heap.push(event)
  while (at > 0) {
    const parent = (at - 1) >> 1
    const above = heap[parent] as Event
    if (isBefore(above, event)) break
    heap[at] = above
    at = parent
  }
  heap[at] = event
}

function pop(heap: Event[]): Event | undefined {
  const first = heap[0]
  const last = heap.pop()
  if (first === undefined || last === undefined || heap.length === 0) return first
  let at = 0
  for (;;) {
    const left = 2 * at + 1
    if (left >= heap.length) break
    const right = left + 1
    const least = right < heap.length && isBefore(heap[right] as Event, heap[left] as Event) ? right : left
    if (isBefore(last, heap[least] as Event)) break
    heap[at] = heap[least] as Event
    at = least
  }
  heap[at] = last
  return first
}
