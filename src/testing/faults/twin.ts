/**
 * A life that is cut off again and again, held against the same life without a fault: of the same stream both must know the same by the
 * end, to the bit, and have told the same. It is the strongest that is true of them:
 *
 * - All that was counted, every pane, window, incident and alert is equal, and what was learned of keys without an incident. What differs
 *   is when they looked: the clock's time at the last tick (`now`), when something of a partition came last (`lastArrival`), what an early
 *   look has summed up (`early`, `earlyWindows`), what an earlier life has judged already (`judgedTo`); in
 *   which minute an incident opened that nobody was told of, which is decided again (`openings`); how often what is usual was worked out anew (`lessons`); and in
 *   which order keys stand in a list.
 * - Nobody is throttled in them: a limit that is lowered a second later lets other calls through, and then the streams are not the same.
 */
import { restoreState } from '../../core/engine-snapshot.ts'
import { ANSWERS, DAY_ROWS, findKey, read, restoreKnownKeys, SILENCE } from '../../core/state/known-keys.ts'
import type { Snapshot } from '../../stores/checkpoint.ts'
import { savedKeys, savedState } from '../../worker/saved-state.ts'
import { stateDigest } from '../../worker/state-digest.ts'
import { players, tenantOf } from './cast.ts'
import { drawSchedule, type Schedule } from './schedule.ts'
import { type StoryResult, tellWhole, type WholeStory } from './story.ts'
import type { Taught } from './taught.ts'

/** Tells the story of a seed of any kind; of twins both. */
export async function tellSeed(
  seed: number,
  taught: Taught,
  options: { readonly mostSteps?: number | undefined } = {},
): Promise<StoryResult> {
  const schedule = drawSchedule(seed)
  const story = await tellWhole(schedule, taught, options)
  if (schedule.kind !== 'twin' || story.result.broken !== undefined || options.mostSteps !== undefined)
    return story.result
  const twin = await tellWhole({ ...schedule, ...undisturbed }, taught)
  const broken = twin.result.broken ?? differenceOf(story, twin)
  return broken === undefined ? story.result : { ...story.result, broken }
}

const none = { throttled: 0, conflict: 0, failed: 0, lost: 0, slow: 0 }
const undisturbed: Partial<Schedule> = {
  ...{ deaths: [], deathAtMoments: 0, stops: [], slowDisk: [], fullDisk: [], failingDisk: [], snsDown: [], sns: none },
}

function differenceOf(story: WholeStory, twin: WholeStory): string | undefined {
  const [told, toldTwin] = [toldBy(story), toldBy(twin)]
  if (told !== toldTwin) return `its undisturbed twin has told ${toldTwin}, and it ${told}`
  if (story.last === undefined || twin.last === undefined) return 'a twin has written no state'
  const [engine, engineTwin] = [story.last, twin.last].map(snapshot => timeless(stateIn(snapshot)))
  const place = firstDifference(engine, engineTwin, 'engine')
  if (place !== undefined) return `it does not know what its undisturbed twin does: ${place}`
  return lessonsDiffer(story.last, twin.last, new Set([...story.toldOf, ...twin.toldOf]))
}

const stateIn = ({ state, later, slabs }: Snapshot) =>
  restoreState({ state: savedState(state).engine, keys: savedKeys(later), slabs }, new Map())

/** Of each key of which nothing was told: whose incident ends a moment later learns from a minute more or less. */
function lessonsDiffer(one: Snapshot, other: Snapshot, toldOf: ReadonlySet<string>): string | undefined {
  for (const id of savedState(one.state).engine.owners.keys()) {
    const [keys, others] = [keysIn(one, id), keysIn(other, id)]
    if (keys === undefined || others === undefined) continue
    for (const { keyId } of players) {
      const isTold = toldOf.has('*') || toldOf.has(keyId) || toldOf.has(`tenant:${tenantOf(keyId)}`)
      const [number, twins] = [findKey(keys, keyId), findKey(others, keyId)]
      if (isTold || number === undefined || twins === undefined) continue
      const field = learnedFields.find(field => read(keys, number, field) !== read(others, twins, field))
      if (field !== undefined) return `its undisturbed twin has learned something else of ${keyId} (word ${field})`
    }
  }
  return undefined
}

/** All of a record but where it stands among the others. */
const learnedFields = Array.from({ length: SILENCE }, (_, field) => field).filter(
  field => field < DAY_ROWS - 3 || field >= ANSWERS.from,
)

function keysIn({ state, slabs }: Snapshot, id: string) {
  const kept = savedState(state).engine.owners.get(id)?.keys
  const [records, rows, places] = ['records', 'rows', 'places'].map(name => slabs.get(`${name} ${id}`))
  if (kept === undefined || records === undefined || rows === undefined || places === undefined) return undefined
  return restoreKnownKeys(kept, { records, rows, places })
}

function toldBy({ published }: WholeStory): string {
  // Not how often: what grows worse between two looks is told in one alert or in two.
  const alerts = [...published].flatMap(([incidentId, told]) => told.map(({ phase }) => `${incidentId} (${phase})`))
  return [...new Set(alerts)].sort().join(', ') || 'nothing'
}

/** Not of what is known, but of when it was last looked at. */
const times: ReadonlySet<string> = new Set([
  'now',
  'lastArrival',
  'early',
  'earlyWindows',
  'judgedTo',
  'openings',
  'lessons',
  'keys',
  'place',
  'plans',
])

/** The same without what is not held to be equal. Objects that are shared stay so. */
function timeless(state: unknown): unknown {
  const known = new Map<object, unknown>()
  function copy(value: unknown): unknown {
    if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value
    const before = known.get(value)
    if (before !== undefined) return before
    const made = emptyLike(value)
    known.set(value, made)
    if (value instanceof Map) for (const [name, item] of value) (made as Map<unknown, unknown>).set(name, copy(item))
    else if (value instanceof Set) for (const item of inOrder([...value])) (made as Set<unknown>).add(copy(item))
    else if (Array.isArray(value)) for (const item of inOrder(value)) (made as unknown[]).push(copy(item))
    else
      for (const [name, item] of Object.entries(value))
        if (!times.has(name)) (made as Record<string, unknown>)[name] = copy(item)
    return made
  }
  return copy(state)
}

/** Where keys stand in a list, their order is that in which they were looked at. */
function inOrder(items: readonly unknown[]): readonly unknown[] {
  const keyOf = (item: unknown): string =>
    typeof item === 'object' && item !== null && 'keyId' in item ? String(item.keyId) : ''
  return items.every(item => keyOf(item) !== '')
    ? [...items].sort((one, other) => (keyOf(one) < keyOf(other) ? -1 : 1))
    : items
}

function emptyLike(value: object): object {
  if (value instanceof Map) return new Map()
  if (value instanceof Set) return new Set()
  return Array.isArray(value) ? [] : {}
}

/** Where it is, and what stands there; for whoever has to understand it. */
function firstDifference(one: unknown, other: unknown, path: string): string | undefined {
  if (stateDigest(one) === stateDigest(other)) return undefined
  if (!isStructure(one) || !isStructure(other) || one.constructor !== other.constructor)
    return `${path} is ${leafText(one)} and ${leafText(other)}`
  const [parts, others] = [partsOf(one), partsOf(other)]
  for (const name of new Set([...parts.keys(), ...others.keys()])) {
    const found = firstDifference(parts.get(name), others.get(name), `${path}.${name}`)
    if (found !== undefined) return found
  }
  return `${path} is in another order`
}

const isStructure = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !ArrayBuffer.isView(value)

function partsOf(value: object): ReadonlyMap<string, unknown> {
  const parts = value instanceof Map ? [...value] : value instanceof Set ? [...value].entries() : Object.entries(value)
  return new Map([...parts].map(([name, part]) => [String(name), part]))
}

const leafText = (value: unknown): string =>
  ArrayBuffer.isView(value) ? 'bytes' : (JSON.stringify(value) ?? 'nothing').slice(0, 100)
