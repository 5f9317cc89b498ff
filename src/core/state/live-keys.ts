/**
 * Of all known keys, those that something is going on with: they called in the last five minutes, or have an incident or a
 * wrong stretch. They have an object each; all others are numbers in `known-keys.ts` until they call again.
 */
import { type ApiKeyId, MINUTE_MS } from '../vocabulary.ts'
import { beginBaseline } from './baseline.ts'
import { createKeyState, type KeyState } from './key-state.ts'
import {
  addKey,
  beIdle,
  FIRST_MINUTE,
  findKey,
  INCIDENTS,
  idOf,
  isIdle,
  isKnown,
  type KnownKeys,
  longestIdle,
  moveKey,
  notIdle,
  read,
  removeKey,
  write,
} from './known-keys.ts'

export interface OwnedKeys {
  readonly keys: KnownKeys
  /** In no order. */
  readonly live: KeyState[]
  /** Place + 1 in `live`, by key; 0 for an idle one. */
  place: Int32Array<ArrayBuffer>
}

export function placesOf(live: readonly KeyState[], { records }: KnownKeys): Int32Array<ArrayBuffer> {
  const place = new Int32Array(Math.max(64, records.cells))
  for (const [index, key] of live.entries()) place[key.number] = index + 1
  return place
}

/** The minute in which a key turns up is not a whole one, unless it turns up as the minute begins. */
export const firstWholeMinute = (second: number): number => Math.ceil(second / 60)

/** A key that is not known yet, idle until it is asked for. */
export function beginKey(owner: OwnedKeys, keyId: ApiKeyId, timeMs: number): number {
  const number = addKey(owner.keys, keyId)
  beginBaseline(owner.keys, number, firstWholeMinute(Math.floor(timeMs / 1_000)))
  makePlace(owner, number)
  beIdle(owner.keys, number, Math.floor(timeMs / MINUTE_MS))
  return number
}

function makePlace(owner: OwnedKeys, number: number): void {
  if (number < owner.place.length) return
  const place = new Int32Array(owner.place.length * 2)
  place.set(owner.place)
  owner.place = place
}

/** The state of a known key; an idle one gets an object again. */
export function liveKey(owner: OwnedKeys, number: number): KeyState {
  const place = owner.place[number] as number
  const live = owner.live[place - 1]
  if (live !== undefined) return live
  const { keys } = owner
  notIdle(keys, number)
  const key = createKeyState(idOf(keys, number), {
    number,
    knownFrom: read(keys, number, FIRST_MINUTE),
    incidents: read(keys, number, INCIDENTS),
  })
  owner.live.push(key)
  owner.place[number] = owner.live.length
  return key
}

/** The state of a key that something is going on with; undefined for an idle or an unknown one. */
export function findLive(owner: OwnedKeys, keyId: ApiKeyId): KeyState | undefined {
  const number = findKey(owner.keys, keyId)
  return number === undefined ? undefined : owner.live[(owner.place[number] as number) - 1]
}

/** Nothing goes on with it any more: from now on it is its record and its rows. */
export function retire(owner: OwnedKeys, key: KeyState, minute: number): void {
  const { live, place, keys } = owner
  const at = (place[key.number] as number) - 1
  const last = live.pop()
  if (last !== undefined && last !== key) {
    live[at] = last
    place[last.number] = at + 1
  }
  place[key.number] = 0
  if (read(keys, key.number, INCIDENTS) !== key.incidents) write(keys, key.number, INCIDENTS, key.incidents)
  beIdle(keys, key.number, minute)
}

/** So many are forgotten at a time: each time, who looks keys up by number has to look all of them up again. */
const FORGOTTEN_AT_ONCE = 1_000
/**
 * Makes room: forgets the keys that have been idle longest of all owners'. Answers whether there were any.
 * What a key taught is lost with it, and its incidents are numbered anew if it comes back. One that is kept leaves the list
 * of idle keys when it is met, so that it is passed once and not each time: `listUnkept` is for when it is kept no longer.
 */
export function forgetLongestIdle(owners: readonly OwnedKeys[], isKept: (keyId: ApiKeyId) => boolean): boolean {
  let forgotten = 0
  while (forgotten < FORGOTTEN_AT_ONCE) {
    const longest = longestIdleOf(owners)
    if (longest === undefined) break
    const { keys, key } = longest
    notIdle(keys, key)
    if (isKept(idOf(keys, key))) continue
    removeKey(keys, key)
    keys.forgotten++
    forgotten++
  }
  return forgotten > 0
}

function longestIdleOf(owners: readonly OwnedKeys[]): { readonly keys: KnownKeys; readonly key: number } | undefined {
  let found: { readonly keys: KnownKeys; readonly key: number; readonly since: number } | undefined
  for (const { keys } of owners) {
    const idle = longestIdle(keys)
    if (idle !== undefined && idle.since < (found?.since ?? Number.POSITIVE_INFINITY)) found = { keys, ...idle }
  }
  return found
}

/** Keys that were kept when room was made, and are not any more, are idle like others from this minute on. */
export function listUnkept({ keys, place }: OwnedKeys, isKept: (keyId: ApiKeyId) => boolean, minute: number): void {
  for (let key = 0; key < keys.records.cells; key++) {
    const isAside = place[key] === 0 && isKnown(keys, key) && !isIdle(keys, key)
    if (isAside && !isKept(idOf(keys, key))) beIdle(keys, key, minute)
  }
}

/** What was taught of a key goes to the owner in whose partition it turns up; its number there, if there was anything. */
export function inheritKey(owner: OwnedKeys, taught: OwnedKeys, keyId: ApiKeyId, minute: number): number | undefined {
  const number = findKey(taught.keys, keyId)
  if (number === undefined) return undefined
  const live = findLive(taught, keyId)
  if (live !== undefined) retire(taught, live, minute)
  const moved = moveKey(taught.keys, number, owner.keys)
  makePlace(owner, moved)
  beIdle(owner.keys, moved, minute)
  return moved
}
