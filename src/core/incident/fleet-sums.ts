/**
 * What one part of a shared stream tells the others of its keys, once a second, so that each can judge by the whole fleet: a
 * partition sees a share of the clients only. Plain numbers that add up; a client whose keys are in several parts counts in each.
 */
export interface FleetSums {
  /** Over the last ten seconds: calls, and those beyond what is usual. */
  readonly calls: number
  readonly excess: number
  /** Executions' milliseconds in the last ten seconds, and a minute before. */
  readonly ranMs: number
  readonly ranBeforeMs: number
  /** Clients, as in `FleetSurvey`. */
  readonly active: number
  readonly failing: number
  readonly refused: number
  readonly inTrouble: number
  readonly wrong: number
  readonly newlyWrong: number
  /** Calls carried in the busiest minute of the last seven days. */
  readonly busiestMinute: number
  /** Clients that turn wrong a minute, as usual (openings.ts: openings, the older the less they count). */
  readonly openings: number
  readonly throttled: number
  readonly keys: number
  /** How many parts this is the sum of, and how many of them have a platform incident. */
  readonly parts: number
  readonly sick: number
}

export const NO_OTHERS: FleetSums = {
  ...{ calls: 0, excess: 0, ranMs: 0, ranBeforeMs: 0 },
  ...{ active: 0, failing: 0, refused: 0, inTrouble: 0, wrong: 0, newlyWrong: 0 },
  ...{ busiestMinute: 0, openings: 0, throttled: 0, keys: 0, parts: 0, sick: 0 },
}

const names = Object.keys(NO_OTHERS) as readonly (keyof FleetSums)[]

export function sumOf(sums: readonly FleetSums[]): FleetSums {
  const total: Record<keyof FleetSums, number> = { ...NO_OTHERS }
  for (const one of sums) for (const name of names) total[name] += one[name]
  return total
}

/** Whether it is one, as it comes from another worker's file. */
export const isFleetSums = (value: unknown): value is FleetSums =>
  typeof value === 'object' &&
  value !== null &&
  names.every(name => Number.isFinite((value as Readonly<Record<string, unknown>>)[name]))

/** What an engine knows of the other parts; of a stream that is not shared there are none. */
export interface OtherParts {
  readonly sums: FleetSums
  /** Whether this part is the one that tells people of platform incidents, so that they hear of each once. */
  readonly tellsPlatform: boolean
}
