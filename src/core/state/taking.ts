/**
 * Takes an owner's live keys as they are at one moment, a few at a time while the stream goes on: ten thousand at once would hold
 * it. A key that is about to change is taken first (`beforeChange`), so that all are as of the moment of the beginning. What
 * else an owner has of keys, which of them stand in what list, is little and taken at once.
 */
import type { ApiKeyId } from '../vocabulary.ts'
import { nothingRare, type Rare, readKeys, writeKey } from './key-form.ts'
import { readRings, writeRings } from './key-rings.ts'
import { beforeCalls, type KeyState, type Taker } from './key-state.ts'
import { createNumberBytes, takeWritten } from './number-bytes.ts'
import type { Owner } from './owner.ts'

/** Some keys of an owner, as bytes and what is rare beside them; rings of the same or of other keys. Plain data. */
export interface TakenKeys {
  /** The owner's name; undefined: of whole tenants. */
  readonly owner: string | undefined
  readonly keys: Uint8Array<ArrayBuffer>
  readonly rings: Uint8Array<ArrayBuffer>
  readonly rare: Rare
}

/** In which of an owner's fields keys stand. */
type Listing = {
  [Field in keyof Owner]: Owner[Field] extends
    | readonly KeyState[]
    | ReadonlySet<KeyState>
    | ReadonlyMap<number, readonly KeyState[]>
    ? Field
    : never
}[keyof Owner]

type KeyLists = Pick<Owner, Listing>

/** The same by the keys' numbers, in their order. Of a key that another owner has by now, though it still stands here: less than 0, its place among `strays`. */
export type KeptLists = {
  readonly [Field in Listing]: Owner[Field] extends ReadonlyMap<number, unknown>
    ? ReadonlyMap<number, Numbers>
    : Numbers
} & { readonly strays: readonly KeyState[] }

type Numbers = Int32Array<ArrayBuffer>

export interface Taking {
  readonly lists: KeptLists
  /** Whether there are keys left to be taken, or taken ones left to be fetched. */
  isLeft(): boolean
  /** Takes some more keys, and gives what has been taken since. */
  next(): TakenKeys
  /** Nobody wants the others any more. */
  abandon(): void
}

/** So many keys, or so many of their bytes, are some milliseconds' work. */
const KEYS_AT_ONCE = 256
const BYTES_AT_ONCE = 256 * 1024

export function beginTaking(name: string | undefined, owner: KeyLists): Taking {
  const live = [...owner.live]
  const rings = createNumberBytes(BYTES_AT_ONCE)
  const out = { keys: createNumberBytes(BYTES_AT_ONCE), rare: nothingRare() }
  const full: TakenKeys[] = []
  let asked = 0

  const bytesTaken = (): number => out.keys.at + rings.at
  function written(): TakenKeys {
    const { rare } = out
    out.rare = nothingRare()
    return { owner: name, keys: takeWritten(out.keys), rings: takeWritten(rings), rare }
  }
  const taker: Taker = {
    take(key) {
      key.untaken = undefined
      writeKey(out, key)
      if (bytesTaken() >= BYTES_AT_ONCE) full.push(written())
    },
    takeRings(key) {
      key.untakenRings = undefined
      if (key.activity) writeRings(rings, key.number, key.activity)
      if (bytesTaken() >= BYTES_AT_ONCE) full.push(written())
    },
  }

  for (const key of live) {
    // Who asked before gets it first.
    beforeCalls(key)
    key.untaken = taker
    key.untakenRings = taker
  }
  return {
    lists: numbered(owner, key => key.untaken === taker),
    isLeft: () => asked < live.length || full.length > 0 || bytesTaken() > 0,
    next() {
      for (let keys = 0; asked < live.length && keys < KEYS_AT_ONCE && full.length === 0; asked++) {
        const key = live[asked]
        if (key?.untakenRings !== taker) continue
        if (key.untaken === taker) taker.take(key)
        taker.takeRings(key)
        keys++
      }
      return full.shift() ?? written()
    },
    abandon() {
      for (const key of live) {
        if (key.untaken === taker) key.untaken = undefined
        if (key.untakenRings === taker) key.untakenRings = undefined
      }
    },
  }
}

function numbered(owner: KeyLists, isLive: (key: KeyState) => boolean): KeptLists {
  const strays = new Map<KeyState, number>()
  const numberOf = (key: KeyState): number => {
    if (isLive(key)) return key.number
    const place = strays.get(key) ?? strays.size
    strays.set(key, place)
    return -1 - place
  }
  // A key that calls stands here once for each second that is open: in a loop, since `from` costs ten times as much.
  const numbers = (keys: readonly KeyState[]): Numbers => {
    const found = new Int32Array(keys.length)
    for (let index = 0; index < keys.length; index++) found[index] = numberOf(keys[index] as KeyState)
    return found
  }
  const byTime = (keys: ReadonlyMap<number, readonly KeyState[]>): ReadonlyMap<number, Numbers> =>
    new Map([...keys].map(([time, ofTime]) => [time, numbers(ofTime)]))
  const lists = {
    live: numbers(owner.live),
    active: numbers([...owner.active]),
    incidents: numbers([...owner.incidents]),
    limited: numbers([...owner.limited]),
    wrong: numbers([...owner.wrong]),
    awaited: numbers([...owner.awaited]),
    dirty: numbers(owner.dirty),
    minuteKeys: numbers(owner.minuteKeys),
    openSeconds: byTime(owner.openSeconds),
    keysByMinute: byTime(owner.keysByMinute),
  }
  return { ...lists, strays: [...strays.keys()].map(key => ({ ...key, untaken: undefined })) }
}

/** The same keys in the same lists. */
export function bringBack(lists: KeptLists, taken: readonly TakenKeys[], idOf: (number: number) => ApiKeyId): KeyLists {
  const byNumber = new Map<number, KeyState>()
  const rings = new Map(taken.flatMap(some => [...readRings(some.rings)]))
  for (const { keys, rare } of taken) for (const key of readKeys(keys, rare, rings, idOf)) byNumber.set(key.number, key)
  const keyOf = (number: number): KeyState => {
    const key = number < 0 ? lists.strays[-1 - number] : byNumber.get(number)
    if (key === undefined) throw new Error(`the checkpoint has no key of number ${number}`)
    return key
  }
  const keys = (numbers: Numbers): KeyState[] => Array.from(numbers, keyOf)
  const byTime = (numbers: ReadonlyMap<number, Numbers>): Map<number, KeyState[]> =>
    new Map([...numbers].map(([time, ofTime]) => [time, keys(ofTime)]))
  return {
    live: keys(lists.live),
    active: new Set(keys(lists.active)),
    incidents: new Set(keys(lists.incidents)),
    limited: new Set(keys(lists.limited)),
    wrong: new Set(keys(lists.wrong)),
    awaited: new Set(keys(lists.awaited)),
    dirty: keys(lists.dirty),
    minuteKeys: keys(lists.minuteKeys),
    openSeconds: byTime(lists.openSeconds),
    keysByMinute: byTime(lists.keysByMinute),
  }
}
