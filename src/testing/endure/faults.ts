/**
 * What goes wrong in a round, and when: drawn from the seed, so that a run can be made again with the same choice. The
 * moments are the same, what the machine is just doing in them is not.
 */
import { createRandom, type Random } from '../../simulation/random.ts'

export type AwsTrouble = 'refuses' | 'hangs' | 'loses-answers' | 'stands-still'

/** One thing that goes wrong and comes back. */
export type Fault =
  /** SIGKILL, or SIGTERM; and started again. */
  | { readonly kind: 'worker-killed' | 'worker-stopped'; readonly who: Victim; readonly awayMs: number }
  /** SIGSTOP, for longer than the group waits for a member (10 s), and SIGCONT. */
  | { readonly kind: 'worker-frozen'; readonly who: Victim; readonly forMs: number }
  | { readonly kind: 'all-workers-killed'; readonly awayMs: number }
  /** SIGKILL, and started again with its data. */
  | { readonly kind: 'broker-killed'; readonly who: 'leader' | 'coordinator'; readonly awayMs: number }
  | { readonly kind: 'aws-away'; readonly how: AwsTrouble; readonly forMs: number }

/** Of two workers: the one that has lowered the limit, or the other. */
export type Victim = 'holder' | 'other'

export interface RoundPlan {
  readonly number: number
  /** Of the storm's first call. */
  readonly afterMs: number
  /** One, or two at the same moment. */
  readonly faults: readonly Fault[]
}

/** From onset to restore: a storm of 20 s, a throttle of 30 s, half of the limit and the whole 20 s apart. */
const longestAfterMs = 50_000
/** One in four comes so early that nobody has been told yet: an alert takes a second. */
const early = { share: 0.25, withinMs: 1_000 }

const combinations = [
  ['worker-killed'],
  ['worker-stopped'],
  ['worker-frozen'],
  ['broker-killed'],
  ['aws-away'],
  ['broker-killed', 'worker-killed'],
  ['aws-away', 'worker-killed'],
  ['aws-away', 'broker-killed'],
] as const
const ofTwo = [...combinations, ['all-workers-killed']] as const

/** Every combination comes once before one comes a second time. */
export function drawRounds(seed: number, rounds: number, workers: number): readonly RoundPlan[] {
  const random = createRandom(seed, 'endure')
  const deck: (typeof ofTwo)[number][] = []
  return Array.from({ length: rounds }, (_, index) => {
    if (deck.length === 0) deck.push(...(workers === 1 ? combinations : ofTwo))
    const [kinds = ['worker-killed'] as const] = deck.splice(random.integer(deck.length), 1)
    const faults = kinds.map(kind => drawFault(kind, random, workers))
    const afterMs = random.integer(random.uniform() < early.share ? early.withinMs : longestAfterMs)
    return { number: index + 1, afterMs, faults }
  })
}

function drawFault(kind: Fault['kind'], random: Random, workers: number): Fault {
  const between = (least: number, most: number): number => least + random.integer(most - least)
  const who: Victim = workers > 1 && random.uniform() < 0.3 ? 'other' : 'holder'
  switch (kind) {
    case 'worker-killed':
    case 'worker-stopped':
      return { kind, who, awayMs: between(0, 8_000) }
    case 'all-workers-killed':
      return { kind, awayMs: between(0, 8_000) }
    case 'worker-frozen':
      return { kind, who, forMs: between(12_000, 30_000) }
    case 'broker-killed':
      return { kind, who: random.pick(['leader', 'coordinator']), awayMs: between(5_000, 25_000) }
    case 'aws-away': {
      const how = random.pick<AwsTrouble>(['refuses', 'hangs', 'loses-answers', 'stands-still'])
      return { kind, how, forMs: between(5_000, 40_000) }
    }
    default:
      return kind satisfies never
  }
}

export function faultText(fault: Fault): string {
  switch (fault.kind) {
    case 'worker-killed':
    case 'worker-stopped':
      return `${fault.kind} (${fault.who}), away ${seconds(fault.awayMs)}`
    case 'all-workers-killed':
      return `${fault.kind}, away ${seconds(fault.awayMs)}`
    case 'worker-frozen':
      return `${fault.kind} (${fault.who}) for ${seconds(fault.forMs)}`
    case 'broker-killed':
      return `${fault.kind} (${fault.who}), away ${seconds(fault.awayMs)}`
    case 'aws-away':
      return `AWS ${fault.how} for ${seconds(fault.forMs)}`
    default:
      return fault satisfies never
  }
}

/** For counting: an AWS that is away by how. */
export const faultName = (fault: Fault): string => (fault.kind === 'aws-away' ? `aws-${fault.how}` : fault.kind)

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`
