/** What happens in the story of a seed, drawn up before it begins: who misbehaves when, and what goes wrong around the worker. */
import type { Mode } from '../../core/config/config.ts'
import { SECOND_MS } from '../../core/vocabulary.ts'
import { createRandom, type Random } from '../../simulation/random.ts'
import { homeOf, personsLimits, players, tenantOf, type Ways } from './cast.ts'

/** ms since the story began. */
export interface Stretch {
  readonly from: number
  readonly to: number
}

export interface Storm extends Stretch {
  readonly keyId: string
  /** `retries`: half of it fails. `surge`: it is answered as usual. `failing`: no more calls than usual, and nearly all fail. */
  readonly kind: 'retries' | 'surge' | 'failing' | 'silence'
  readonly callsPerSecond: number
}

/** Shares of calls that go wrong, each in its way. */
export interface Unreliability {
  /** Refused before it is carried out: told to come later. */
  readonly throttled: number
  readonly conflict: number
  /** A 500, carried out or not. */
  readonly failed: number
  /** No answer; carried out or not. */
  readonly lost: number
  /** Takes seconds. */
  readonly slow: number
}

/** What a person says to the worker: about a key, or about all. */
export interface SaidCommand {
  readonly at: number
  readonly kind: 'release' | 'release-all' | 'extend' | 'hold' | 'halt' | 'go-on'
  readonly keyId: string
  readonly forMs: number
  /** Said once more at the same moment. */
  readonly isTwice: boolean
}

/**
 * `whole`: one worker at a time, whose stream is its own. `shared`: two workers, to whom a group gives partitions. `twin`: a life that
 * is cut off and goes on, held against the same life without that.
 */
export type StoryKind = 'whole' | 'shared' | 'twin'

export interface Schedule {
  readonly seed: number
  readonly kind: StoryKind
  readonly ways: Ways
  /** Whether a dead man's switch watches over what is lowered. */
  readonly hasSwitch: boolean
  /** From then on there is no worker any more. */
  readonly diesAt: number | undefined
  readonly commands: readonly SaidCommand[]
  /** Of a shared stream: a partition goes to a worker. */
  readonly handovers: readonly { readonly at: number; readonly partition: number; readonly worker: number }[]
  /** Of two workers one stands still for so long, and knows nothing of it. */
  readonly freezes: readonly (Stretch & { readonly worker: number })[]
  readonly scheduler: Unreliability
  readonly maxTenants: number
  readonly partitions: number
  readonly keyed: boolean
  readonly checkpointEveryMs: number
  /** Whether the story is told to its end, also where all is given back and told long before it. */
  readonly isLong: boolean
  /** From then on nothing goes wrong any more, and nobody misbehaves. */
  readonly calmFrom: number
  readonly storms: readonly Storm[]
  /** Everybody's calls fail. */
  readonly sick: readonly Stretch[]
  readonly gateway: Unreliability
  readonly sns: Unreliability
  readonly gatewayDown: readonly Stretch[]
  readonly snsDown: readonly Stretch[]
  /** The worker's role may change nothing. */
  readonly denied: readonly Stretch[]
  readonly slowDisk: readonly Stretch[]
  readonly fullDisk: readonly Stretch[]
  readonly failingDisk: readonly Stretch[]
  readonly pauses: readonly (Stretch & { readonly partition: number })[]
  readonly absences: readonly (Stretch & { readonly partition: number })[]
  readonly sourceLost: readonly number[]
  readonly stops: readonly number[]
  /** A worker's age, in steps, at which it dies; each life takes the next. */
  readonly deaths: readonly Death[]
  /** Of each life; those after them enforce. */
  readonly modes: readonly Mode[]
  /** Whether the newest checkpoint may be damaged as the machine loses its power. */
  readonly rots: boolean
  /** Share of events worth dying at (a call carried out, a line synced) at which it does. */
  readonly deathAtMoments: number
  readonly persons: readonly { readonly at: number; readonly planId: string; readonly limits: number }[]
  readonly exemptions: readonly { readonly at: number; readonly tenant: string; readonly isExempt: boolean }[]
  readonly clockJumps: readonly { readonly at: number; readonly byMs: number }[]
}

export interface Death {
  readonly afterSteps: number
  readonly how: 'process' | 'machine'
}

const none: Unreliability = { throttled: 0, conflict: 0, failed: 0, lost: 0, slow: 0 }

export function drawSchedule(seed: number): Schedule {
  const kind = kindOf(seed)
  const drawn = drawCommon(seed, kind)
  switch (kind) {
    case 'whole':
      return drawn
    case 'shared':
      return shared(drawn)
    case 'twin':
      return { ...drawn, ...undisturbed, partitions: 1, keyed: false }
    default:
      return kind satisfies never
  }
}

/** By the seed alone: so each kind has its share of any hundred. */
function kindOf(seed: number): StoryKind {
  const number = seed % 10
  if (number === 3 || number === 7) return 'shared'
  return number === 9 ? 'twin' : 'whole'
}

/** Two workers enforce the same from their first life to their last, and the stream is Kafka's. */
function shared(drawn: Schedule): Schedule {
  const random = createRandom(drawn.seed, 'shared')
  const { calmFrom } = drawn
  const partitions = 2 + random.integer(2)
  const at = (): number => (10 + random.integer(calmFrom / SECOND_MS - 20)) * SECOND_MS
  const some = <T>(share: number, most: number, draw: () => T): readonly T[] =>
    random.uniform() < share ? Array.from({ length: 1 + random.integer(most) }, draw) : []
  const freeze = (): Stretch & { readonly worker: number } => {
    const from = at()
    const lasts = (random.uniform() < 0.7 ? 9 + random.integer(30) : 1 + random.integer(10)) * SECOND_MS
    return { from, to: Math.min(from + lasts, calmFrom), worker: random.integer(2) }
  }
  return {
    ...drawn,
    ...{
      partitions,
      keyed: true,
      modes: [],
      exemptions: [],
      sourceLost: [],
      absences: [],
      rots: false,
      diesAt: undefined,
    },
    pauses: drawn.pauses.map(pause => ({ ...pause, partition: pause.partition % partitions })),
    handovers: some(0.8, 5, () => ({ at: at(), partition: random.integer(partitions), worker: random.integer(2) })),
    freezes: some(0.6, 3, freeze),
  }
}

/** What changes what the stream delivers, or when something is decided, is not for twins. */
const undisturbed = {
  ...{ modes: [], exemptions: [], persons: [], sourceLost: [], absences: [], pauses: [], clockJumps: [], commands: [] },
  ...{ diesAt: undefined, hasSwitch: false, rots: false, sick: [] },
} satisfies Partial<Schedule>

function drawCommon(seed: number, kind: StoryKind): Schedule {
  const random = createRandom(seed, 'schedule')
  const chance = (share: number): boolean => random.uniform() < share
  const calmFrom = (150 + random.integer(210)) * SECOND_MS
  const within = (shortest: number, longest: number): Stretch => {
    const lasts = (shortest + random.integer(longest - shortest + 1)) * SECOND_MS
    const from = 5 * SECOND_MS + random.integer(Math.max(1, calmFrom - lasts - 10 * SECOND_MS))
    return { from, to: Math.min(from + lasts, calmFrom - 1) }
  }
  const some = <T>(share: number, most: number, draw: () => T): readonly T[] =>
    chance(share) ? Array.from({ length: 1 + random.integer(most) }, draw) : []
  const unreliability = (): Unreliability =>
    chance(0.25)
      ? none
      : {
          throttled: random.uniform() * 0.2,
          conflict: random.uniform() * 0.1,
          failed: random.uniform() * 0.2,
          lost: random.uniform() * 0.25,
          slow: random.uniform() * 0.2,
        }
  const partitions = 1 + random.integer(3)
  const onPartition = (stretch: Stretch) => ({ ...stretch, partition: random.integer(partitions) })
  const mortality = random.pick(['none', 'few', 'some', 'many'] as const)
  const drawn = {
    ...{ seed, kind, handovers: [], freezes: [] },
    ...{ maxTenants: 1 + random.integer(3), partitions, calmFrom },
    keyed: chance(0.2),
    isLong: chance(0.2),
    checkpointEveryMs: random.pick([2_000, 5_000, 15_000, 30_000] as const),
    storms: drawStorms(random, within),
    sick: some(0.15, 1, () => within(15, 40)),
    gateway: unreliability(),
    sns: unreliability(),
    gatewayDown: some(0.2, 2, () => within(5, 90)),
    snsDown: some(0.2, 2, () => within(5, 120)),
    slowDisk: some(0.2, 2, () => within(5, 60)),
    fullDisk: some(0.15, 2, () => within(2, 40)),
    failingDisk: some(0.1, 2, () => within(2, 30)),
    denied: some(0.1, 1, () => within(5, 60)),
    rots: chance(0.15),
    modes: some(0.15, 3, () => random.pick(['enforce', 'observe', 'suggest'] as const)),
    pauses: some(0.3, 2, () => onPartition(within(2, 20))),
    absences: some(0.25, 2, () => onPartition(within(2, 15))),
    sourceLost: some(0.1, 2, () => within(1, 2).from),
    stops: some(0.3, 2, () => within(1, 2).from),
    deaths: drawDeaths(random, mortality),
    deathAtMoments: mortality === 'none' ? 0 : random.pick([0, 0.02, 0.1] as const),
    persons: some(0.4, 3, () => ({
      at: within(1, 2).from,
      planId: random.pick(planIds),
      limits: random.integer(personsLimits.length),
    })),
    exemptions: some(0.3, 2, () => ({
      at: within(1, 2).from,
      tenant: random.pick(['k1', 'k2', 'k3', 'multi', 'unlimited']),
      isExempt: chance(0.7),
    })),
    clockJumps: some(0.25, 2, () => ({ at: within(1, 2).from, byMs: (random.integer(41) - 20) * SECOND_MS })),
  }
  return { ...drawn, ...drawAlso(drawn) }
}

/** Drawn from chance of its own: what was drawn before it stays as it was. */
function drawAlso({ seed, calmFrom, storms }: Pick<Schedule, 'seed' | 'calmFrom' | 'storms'>) {
  const random = createRandom(seed, 'also')
  const chance = (share: number): boolean => random.uniform() < share
  const hasSwitch = chance(0.4)
  const isUnreliable = chance(0.5)
  const share = (most: number): number => (isUnreliable ? random.uniform() * most : 0)
  /** Mostly of who storms, while it does or soon after. */
  const command = (): SaidCommand => {
    const { keyId, from, to } = storms[random.integer(storms.length)] ?? { keyId: 'k1', from: 0, to: calmFrom }
    const meant = chance(0.5) && tenantOf(keyId) !== keyId ? `tenant:${tenantOf(keyId)}` : keyId
    return {
      at: Math.min(from + random.integer(to - from + 60 * SECOND_MS), calmFrom - SECOND_MS),
      kind: random.pick([
        'release',
        'release-all',
        'extend',
        'extend',
        'hold',
        'hold',
        'halt',
        'go-on',
        'go-on',
      ] as const),
      keyId: meant,
      forMs: (10 + random.integer(110)) * SECOND_MS,
      isTwice: chance(0.2),
    }
  }
  return {
    ways: chance(0.35) ? 'mixed' : 'own',
    hasSwitch,
    diesAt: hasSwitch && chance(0.35) ? Math.floor(calmFrom * (0.3 + 0.6 * random.uniform())) : undefined,
    scheduler: { throttled: share(0.2), conflict: 0, failed: share(0.2), lost: share(0.2), slow: share(0.2) },
    commands: chance(0.5) ? Array.from({ length: 2 + random.integer(12) }, command) : [],
  } as const
}

const planIds = [...new Set(homeOf.values())] as [string, ...string[]]

function drawStorms(random: Random, within: (shortest: number, longest: number) => Stretch): readonly Storm[] {
  const able = players.filter(({ storms }) => storms)
  const storms: Storm[] = []
  for (let left = 1 + random.integer(5); left > 0; left--) {
    const { keyId } = able[random.integer(able.length)] ?? able[0] ?? { keyId: '' }
    const kind = random.pick(['retries', 'retries', 'retries', 'surge', 'failing', 'silence'] as const)
    const storm: Storm = { keyId, kind, callsPerSecond: 60 + random.integer(60), ...within(10, 80) }
    // Nobody storms in two ways at once.
    if (!storms.some(other => other.keyId === keyId && storm.from < other.to && other.from < storm.to))
      storms.push(storm)
  }
  return storms
}

function drawDeaths(random: Random, mortality: 'none' | 'few' | 'some' | 'many'): readonly Death[] {
  const most = { none: 0, few: 1, some: 4, many: 12 }[mortality]
  return Array.from({ length: most }, () => ({
    // Many die young: while they start, or soon after.
    afterSteps: Math.floor(Math.exp(random.uniform() * 9)),
    how: random.pick(['process', 'machine'] as const),
  }))
}
