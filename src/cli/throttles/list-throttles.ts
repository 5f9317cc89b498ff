/** What `weir throttles list` does. Standard output holds the answer only. */
import { systemClock } from '../../clock.ts'
import type { OperatorWord } from '../../core/explanation/explanation.ts'
import { terminalSafe, times, waitingOf } from '../../core/explanation/json.ts'
import type { EpochMs } from '../../core/vocabulary.ts'
import { haltedNow, type KeptState, type KeptThrottle, keptState } from './kept-throttles.ts'
import { listText } from './throttle-text.ts'
import { type PlaceOptions, throttlesPlace } from './throttles-place.ts'

export interface ListOptions extends PlaceOptions {
  readonly json?: boolean
}

export async function listThrottles(
  options: ListOptions,
  out: { write(text: string): unknown } = process.stdout,
  now: EpochMs = systemClock().now(),
): Promise<void> {
  const { directory, folders, tenants, note } = await throttlesPlace(options)
  const kept = ofAll(await Promise.all(folders.map(folder => keptState(folder, tenants))))
  const halted = await haltedNow(directory, kept.halted)
  const told = { ...kept, halted, notes: [...(note === undefined ? [] : [note]), ...kept.notes] }
  out.write(options.json ? `${terminalSafe(JSON.stringify(listBody(told)))}\n` : listText(told, now))
}

/** What is known of the parts of a shared stream, as of the oldest of their checkpoints. */
function ofAll(parts: readonly KeptState[]): KeptState {
  const asOf = parts.flatMap(part => part.asOf ?? [])
  return {
    entries: parts.flatMap(({ entries }) => entries),
    incidents: new Map(parts.flatMap(({ incidents }) => [...incidents])),
    throttles: parts.flatMap(({ throttles }) => throttles),
    halted: parts.find(({ halted }) => halted !== undefined)?.halted,
    asOf: asOf.length === 0 ? undefined : Math.min(...asOf),
    notes: parts.flatMap(({ notes }) => notes),
  }
}

/** Field names are a promise (`weir.throttles/1`): what is unknown is null, fields are only added. */
export const listBody = ({ throttles, halted, asOf, notes }: KeptState) => ({
  schema: 'weir.throttles/1',
  halted: halted === undefined ? null : { by: halted.by, ...times('since', halted.since) },
  ...(asOf !== undefined && times('checkpointAt', asOf)),
  throttles: throttles.map(throttleBody),
  notes,
})

export function throttleBody(throttle: KeptThrottle) {
  const {
    keyId,
    tenant,
    place,
    instead,
    original,
    may,
    since,
    expiresAt,
    held,
    extended,
    waiting,
    is,
    why,
    incidentId,
  } = throttle
  return {
    tenant: tenant === undefined ? null : { id: tenant.tenantId, name: tenant.name ?? null },
    keyId,
    plan: place ?? null,
    ...(throttle.unplaced !== undefined && { unplaced: throttle.unplaced }),
    ...(instead !== undefined && insteadBody(instead)),
    /** null: no throttle set. Left out where no plan was touched yet. */
    ...(original !== undefined && { original, now: may }),
    ...(since !== undefined && times('since', since)),
    ...(expiresAt !== undefined && times('expiresAt', expiresAt)),
    ...wordBody('held', held),
    ...wordBody('extended', extended),
    ...(waiting !== undefined && { waiting: waitingOf(waiting) }),
    state: is,
    why: why ?? null,
    incidentId,
  }
}

/** In which other way than by its plan's limits it is lowered. */
function insteadBody(story: NonNullable<KeptThrottle['instead']>) {
  const gateway = story.gateway ?? null
  if (story.kind === 'row') return { row: { gateway, row: story.row, penaltyKey: story.penaltyKey } }
  const { movedKey, from, to, state } = story
  return { move: { gateway, movedKey, from, to, state } }
}

const wordBody = (name: string, word: OperatorWord | undefined) =>
  word === undefined ? {} : { [name]: { by: word.by, ...times('until', word.until) } }
