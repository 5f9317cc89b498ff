/**
 * What must hold in every story, whatever goes wrong: checked as each thing happens, and once more when all is over. The
 * first law that is broken ends the story. Edges that the outside world leaves open are counted, not forgiven in silence.
 */
import type { EpochMs } from '../../core/vocabulary.ts'
import { SECOND_MS } from '../../core/vocabulary.ts'
import type { Gateway } from '../../simulation/gateway.ts'
import type { JournalEntry } from '../../stores/journal-entry.ts'
import type { TelemetryEvent } from '../../worker/telemetry.ts'
import type { SimulatedTable } from './authorizer-table.ts'
import { tenantOf } from './cast.ts'
import { createCommandsLaw } from './commands-law.ts'
import type { Edges } from './edges.ts'
import type { Publication, SnsWatch } from './faulty-aws.ts'
import { createLimitsLaw } from './limits-law.ts'
import { createPartLaw, type PartLaw } from './part-law.ts'
import type { Schedule } from './schedule.ts'
import type { SimulatedStream } from './stream.ts'

export type Laws = ReturnType<typeof createLaws>

interface Surroundings {
  readonly schedule: Schedule
  readonly gateway: Gateway
  readonly table: SimulatedTable
  readonly stream: SimulatedStream
  readonly taughtCalls: number
  readonly now: () => number
  readonly wallNow: () => EpochMs
  readonly note: (text: string) => void
}

export function createLaws(surroundings: Surroundings) {
  const { schedule, stream, now, note, wallNow } = surroundings
  let broken: string | undefined
  const breakLaw = (says: string): void => {
    if (broken !== undefined) return
    broken = says
    note(`LAW BROKEN: ${says}`)
  }
  const edges: Edges = { alertsTwice: 0, changesCrossed: 0, lateCalls: 0 }
  const commands = createCommandsLaw({ now, wallNow, breakLaw })
  const limits = createLimitsLaw({ ...surroundings, breakLaw, edges, lowered: commands.lowered })

  // --- parts ---
  const parts = new Map<string, PartLaw>()
  const late = new Map<string, number>()
  function part(name: string, partitions: readonly number[]): PartLaw {
    const known = parts.get(name)
    if (known !== undefined) return known
    const lateCalls = (calls: number): void => {
      late.set(name, calls)
      edges.lateCalls = [...late.values()].reduce((sum, calls) => sum + calls, 0)
    }
    const law = createPartLaw({ ...surroundings, name, partitions, breakLaw, lateCalls })
    parts.set(name, law)
    return law
  }
  if (schedule.kind === 'shared') for (const [number, name] of stream.partitions.entries()) part(name, [number])
  else part('all', [...stream.partitions.keys()])

  // --- alerts ---
  const published = new Map<string, number>()
  const publishedOf = new Map<string, Publication[]>()
  const acknowledged = new Set<string>()
  const intended = new Set<string>()
  /** Of these keys something was told. */
  const toldOf = new Set<string>()

  /** `known`: all that the sender has announced. */
  const snsWatchOf = (known: () => readonly JournalEntry[]): SnsWatch => ({
    publishing(publication) {
      const { id } = publication
      if (acknowledged.has(id)) breakLaw(`alert ${id} is sent again, and the journal knew that it had been`)
      if (!known().some(entry => entry.kind === 'intent' && entry.effect.id === id))
        breakLaw(`alert ${id} is sent, and the journal does not say so`)
      return () => {
        const times = (published.get(id) ?? 0) + 1
        note(`sns: ${id} (${publication.phase})${times === 1 ? '' : `, time ${times}`}`)
        if (times > 1) edges.alertsTwice++
        published.set(id, times)
        publishedOf.set(publication.incidentId, [...(publishedOf.get(publication.incidentId) ?? []), publication])
      }
    },
  })

  function told(event: TelemetryEvent): void {
    if (event.name === 'effectIntended' && event.effect.kind === 'alert') intended.add(event.effect.id)
    if (event.name === 'effectPerformed' && event.effect.kind === 'alert') acknowledged.add(event.effect.id)
    if (event.name === 'effectRefused' && event.effect.kind === 'alert')
      breakLaw(`alert ${event.effect.id} was given up: ${event.because}`)
    if (event.name === 'incidentChanged') toldOf.add(event.explanation.keyId)
    commands.told(event)
  }

  function endOfAlerts(): void {
    for (const id of intended) if (!published.has(id)) breakLaw(`alert ${id} was never sent`)
    for (const [incidentId, alerts] of publishedOf) {
      const numbers = new Set(alerts.map(({ id }) => Number(id.split('alert-')[1])))
      for (let number = 1; number <= Math.max(...numbers); number++)
        if (!numbers.has(number)) breakLaw(`${incidentId} has no alert ${number} of ${Math.max(...numbers)}`)
    }
    const alertedKeys = new Set([...publishedOf.values()].flat().map(({ keyId }) => keyId))
    for (const { keyId, kind, from, to } of schedule.storms) {
      const isLong = kind === 'retries' && to - from >= 30 * SECOND_MS
      const isTold = alertedKeys.has(keyId) || alertedKeys.has(`tenant:${tenantOf(keyId)}`) || alertedKeys.has('*')
      if (isLong && !isTold) breakLaw(`the storm of ${keyId} from ${seconds(from)} to ${seconds(to)} was never alerted`)
    }
  }

  return {
    ...{ edges, breakLaw, toldOf, commands, limits, snsWatchOf, told },
    broken: () => broken,
    part: (name: string): PartLaw => part(name, []),
    journaled: commands.journaled,
    rotten(): void {
      for (const law of parts.values()) law.rotten()
    },
    /** Whether all limits are people's own and all alerts were sent. */
    isSettled: (): boolean => limits.isBack() && [...intended].every(id => published.has(id)),
    published: (): ReadonlyMap<string, readonly Publication[]> => publishedOf,
    /** The story is over. */
    end(): void {
      for (const law of parts.values()) law.end(toldOf)
      limits.end()
      endOfAlerts()
    },
  }
}

const seconds = (ms: number): string => `${(ms / SECOND_MS).toFixed(1)} s`
