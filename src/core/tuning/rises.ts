/**
 * What a setting promises of each client: from where on a rise would be seen, and people be told of it. By what is known at the
 * end of a history, as the day goes: of eight times of the day that follows the median, since what is usual differs from hour to hour.
 */
import { median } from 'simple-statistics'
import type { Usual } from '../../../detectors/contract.ts'
import { sequentialSurge } from '../../../detectors/sequential-surge.ts'
import type { Engine } from '../engine-state.ts'
import { engineStatus } from '../engine-status.ts'
import { alertable, type Detectable, detectable, detectableIn, type SurgeValues } from '../explanation/detectable.ts'
import { timesAllowed } from '../incident/alert-budget.ts'
import { callsOfLastWeek, slotOf } from '../state/baseline.ts'
import { idOf, isKnown, read, SLOT } from '../state/known-keys.ts'
import type { Owner } from '../state/owner.ts'
import { usualOf } from '../state/usual.ts'
import { type ApiKeyId, SLOTS_PER_DAY } from '../vocabulary.ts'

export interface KeyRises {
  readonly keyId: ApiKeyId
  /** The tenant's name, or its id. */
  readonly tenant: string | undefined
  readonly callsPerMinute: number
  /** For each of `detectableIn` seconds: that would open an incident, and that people would be alerted of; undefined where of none. */
  readonly seen: readonly Detectable[]
  readonly told: readonly (Detectable | undefined)[]
}

const TIMES_A_DAY = 8
/** The busiest: each takes a millisecond or ten. */
const MOST_KEYS = 500

/** Busiest first; of none where nothing that compares with the usual may open an incident. */
export function risesOf(engine: Engine): readonly KeyRises[] {
  const surge = engine.jury.open.find(({ detector }) => detector === sequentialSurge)
  if (surge === undefined) return []
  const values = surge.values as unknown as SurgeValues
  const next = slotOf(engineStatus(engine).knownUntil ?? 0)
  const allowed = timesAllowed(engine)
  return busiest(engine).map(({ owner, key, keyId }) => {
    const usuals = Array.from({ length: TIMES_A_DAY }, (_, time) =>
      usualOf(owner.keys, key, owner.coverage, next + (time * SLOTS_PER_DAY) / TIMES_A_DAY),
    ).filter(usual => usual !== undefined)
    const { name, tenantId } = engine.settings.tenants.byKey.get(keyId) ?? {}
    return { keyId, tenant: name ?? tenantId, ...risesBy(usuals, values, allowed) }
  })
}

interface KnownKey {
  readonly owner: Owner
  readonly key: number
  readonly keyId: ApiKeyId
  readonly calls: number
}

function busiest({ state }: Engine): readonly KnownKey[] {
  const known: KnownKey[] = []
  for (const owner of state.owners.values()) {
    const { keys } = owner
    for (let key = 0; key < keys.records.cells; key++) {
      const calls = isKnown(keys, key) ? (callsOfLastWeek(keys, key, read(keys, key, SLOT)) ?? 0) : 0
      if (calls > 0) known.push({ owner, key, keyId: idOf(keys, key), calls })
    }
  }
  known.sort((one, other) => other.calls - one.calls || (one.keyId < other.keyId ? -1 : 1))
  return known.slice(0, MOST_KEYS)
}

function risesBy(
  usuals: readonly Usual[],
  values: SurgeValues,
  allowed: number,
): Pick<KeyRises, 'callsPerMinute' | 'seen' | 'told'> {
  if (usuals.length === 0) return { callsPerMinute: 0, seen: [], told: [] }
  const callsPerMinute = median(usuals.map(usual => usual.callsPerMinute))
  const riseTo = (seconds: number, rates: readonly number[]): Detectable => {
    const rate = median([...rates])
    return { seconds, callsPerMinute: rate, multiple: callsPerMinute === 0 ? undefined : rate / callsPerMinute }
  }
  return {
    callsPerMinute,
    seen: detectableIn.map(seconds =>
      riseTo(
        seconds,
        usuals.map(usual => detectable(usual, values, seconds).callsPerMinute),
      ),
    ),
    told: detectableIn.map(seconds => {
      const rates = usuals.map(usual => alertable(usual, values, { seconds, allowed })?.callsPerMinute)
      return rates.every(rate => rate !== undefined) ? riseTo(seconds, rates) : undefined
    }),
  }
}
