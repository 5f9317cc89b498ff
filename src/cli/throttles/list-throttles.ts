/** What `weir throttles list` does. Standard output holds the answer only. */
import { systemClock } from '../../clock.ts'
import type { OperatorWord } from '../../core/explanation/explanation.ts'
import { terminalSafe, times } from '../../core/explanation/json.ts'
import type { EpochMs } from '../../core/vocabulary.ts'
import { type KeptState, type KeptThrottle, keptState } from './kept-throttles.ts'
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
  const { directory, tenants, note } = await throttlesPlace(options)
  const kept = await keptState(directory, tenants)
  const told = { ...kept, notes: [...(note === undefined ? [] : [note]), ...kept.notes] }
  out.write(options.json ? `${terminalSafe(JSON.stringify(listBody(told)))}\n` : listText(told, now))
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
  const { keyId, tenant, place, original, may, since, expiresAt, held, extended, is, why, incidentId } = throttle
  return {
    tenant: tenant === undefined ? null : { id: tenant.tenantId, name: tenant.name ?? null },
    keyId,
    plan: place ?? null,
    /** null: no throttle set. Left out where no plan was touched yet. */
    ...(original !== undefined && { original, now: may }),
    ...(since !== undefined && times('since', since)),
    ...(expiresAt !== undefined && times('expiresAt', expiresAt)),
    ...wordBody('held', held),
    ...wordBody('extended', extended),
    state: is,
    why: why ?? null,
    incidentId,
  }
}

const wordBody = (name: string, word: OperatorWord | undefined) =>
  word === undefined ? {} : { [name]: { by: word.by, ...times('until', word.until) } }
