/**
 * The glossary as types: brands for what must not be swapped, and the stretches of time that everything is counted in.
 * Words and their one meaning each: src/README.md.
 */

declare const brand: unique symbol
type Branded<T, Name extends string> = T & { readonly [brand]?: Name }

/** Milliseconds since 1970-01-01T00:00:00Z, event time or arrival time as the name says. */
export type EpochMs = Branded<number, 'EpochMs'>
/** The API key's id (never its value), or `hash:…` of a raw key value that the log carried. */
export type ApiKeyId = Branded<string, 'ApiKeyId'>
export type TenantId = Branded<string, 'TenantId'>
/** Name of one ordered part of a stream: `topic/3`, `shardId-000000000000`, a file's path. */
export type PartitionId = Branded<string, 'PartitionId'>
/** Where reading goes on after a record: Kafka offset, Kinesis sequence number, byte offset, as text. Only its source compares it. */
export type Position = Branded<string, 'Position'>

/**
 * A usage plan's throttle: `rateLimit` in calls a second, `burstLimit` in calls (size of the token bucket).
 * Where it may be undefined, that means that the plan has no throttle.
 */
export interface PlanLimits {
  readonly rateLimit: number
  readonly burstLimit: number
}

export const SECOND_MS = 1_000
export const MINUTE_MS = 60_000
export const SLOT_MS = 5 * MINUTE_MS
export const HOUR_MS = 60 * MINUTE_MS
export const DAY_MS = 24 * HOUR_MS
export const SLOTS_PER_DAY = 288
export const BASELINE_DAYS = 7

/** The key of calls that carried none. Counted, never throttled. */
export const ANONYMOUS = 'anonymous' as ApiKeyId
