/** Counts where a key's calls go and come from, and learns of closed minutes what is usual of it. Mutable on purpose. */
import { type CallBatch, hasPlaces } from '../call-batch.ts'
import type { CallGroups } from './call-groups.ts'
import {
  addNewPlaceCall,
  addRoute,
  type CallPlaces,
  createCallPlaces,
  evenCalls,
  rememberedSource,
  rememberSource,
  routesIn,
  stretchPlace,
} from './call-places.ts'
import type { KeyState } from './key-state.ts'
import type { KnownKeys } from './known-keys.ts'
import { learnRoutes, noteSource } from './known-places.ts'

/** The rows of a group from `first` to `end` (exclusive), all of one second. */
interface Run {
  readonly first: number
  readonly end: number
}

interface Counting {
  readonly keys: KnownKeys
  readonly closedToSecond: number
}

/** Of a batch that has any. */
export function countPlaces(
  { keys, closedToSecond }: Counting,
  { activity, number }: KeyState,
  second: number,
  batch: CallBatch,
  { from, next }: CallGroups,
  { first, end }: Run,
): void {
  if (activity === undefined || !hasPlaces(batch)) return
  const { route: routes, source: sources } = batch
  let offset = first
  while (offset !== end && routes[from + offset] === 0 && sources[from + offset] === 0) offset = next[offset] as number
  if (offset === end) return
  activity.places ??= createCallPlaces()
  const { places } = activity
  const place = stretchPlace(places, second, closedToSecond)
  const hour = Math.floor(second / SECONDS_PER_HOUR)
  // Mostly a key calls from one place.
  let lastSource = 0
  let isNew = false
  for (; offset !== end; offset = next[offset] as number) {
    const route = routes[from + offset] as number
    const source = sources[from + offset] as number
    if (route !== 0 && place >= 0) addRoute(places, place, route)
    if (source === 0) continue
    if (source !== lastSource) {
      lastSource = source
      isNew = isNewSource(keys, number, places, source, hour)
    }
    if (isNew && place >= 0) addNewPlaceCall(places, place, second)
  }
}

const SECONDS_PER_HOUR = 3_600

function isNewSource(keys: KnownKeys, key: number, places: CallPlaces, source: number, hour: number): boolean {
  const remembered = rememberedSource(places, source, hour)
  if (remembered !== undefined) return remembered
  const isNew = noteSource(keys.places, key, source, hour)
  rememberSource(places, source, hour, isNew)
  return isNew
}

export function learnRoutesOf(keys: KnownKeys, { activity, number }: KeyState, minute: number): void {
  const places = activity?.places
  if (!places?.hasRoutes) return
  const end = (minute + 1) * 60
  learnRoutes(keys.places, number, minute, { routes: routesIn(places, end, 60), evenCalls: evenCalls(places, end) })
}
