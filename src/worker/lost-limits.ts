/** Gives back limits that the journal says are lowered and no incident holds: the state is gone, and nobody else ever would. */
import type { Clock } from '../clock.ts'
import { type Engine, engineStatus } from '../core/engine.ts'
import type { Effect, Outcome, RestoreEffect } from '../core/incident/effect.ts'
import { type LimitStories, type LimitStory, placeName } from '../core/incident/limit-story.ts'
import { type ApiKeyId, type EpochMs, HOUR_MS } from '../core/vocabulary.ts'
import type { EffectJournal } from '../stores/journal-entry.ts'
import type { Telemetry, TelemetryEvent } from './telemetry.ts'

export interface LostLimitsOptions {
  readonly engine: Engine
  readonly journal: EffectJournal
  readonly clock: Clock
  readonly telemetry: Telemetry
  readonly begin: (effect: Effect) => void
}

export interface LostLimits {
  /** All that no incident holds, each at most once an hour. */
  giveBackOrphans(): Promise<void>
  /** What the journal says is lowered for these, whatever the engine thinks of them. */
  giveBack(keyIds: ReadonlySet<ApiKeyId>, by?: string): Promise<void>
  /** What became of a change. */
  note(effect: Effect, outcome: Outcome): void
}

export function createLostLimits({ engine, journal, clock, telemetry, begin }: LostLimitsOptions): LostLimits {
  /** Whose limits no incident holds, and when giving them back was last begun. */
  const returning = new Map<ApiKeyId, EpochMs>()

  async function giveBack(keyIds: ReadonlySet<ApiKeyId>, by?: string): Promise<void> {
    if (keyIds.size === 0) return
    const at = clock.now()
    for (const keyId of keyIds) returning.set(keyId, at)
    const restores = lostRestores(keyIds, { decidedAt: at, by })
    await journal.append(restores.map(effect => ({ kind: 'intent', at, effect })))
    for (const effect of restores) begin(effect)
  }

  return {
    giveBack,
    async giveBackOrphans() {
      const { limitedKeys } = engineStatus(engine)
      const decidedAt = clock.now()
      const found = new Set<ApiKeyId>()
      for (const { keyId, story } of orphansOf(journal.stories(), limitedKeys)) {
        // Tried within the hour: what refused it is not mended by asking again each minute.
        if (found.has(keyId) || (returning.get(keyId) ?? 0) > decidedAt - HOUR_MS) continue
        found.add(keyId)
        telemetry(leftLowered(story, keyId, decidedAt))
      }
      await giveBack(found)
    },
    note(effect, outcome) {
      if (effect.kind === 'restore' && outcome.kind !== 'refused') returning.delete(effect.keyId)
    },
  }
}

const orphansOf = (stories: LimitStories, limitedKeys: ReadonlySet<ApiKeyId>) =>
  [...stories.values()].flatMap(story =>
    story.holders.filter(keyId => !limitedKeys.has(keyId)).map(keyId => ({ keyId, story })),
  )

/** Under which it is given back. */
const lostIncident = (keyId: ApiKeyId, decidedAt: EpochMs): string => `${keyId}#lost-${decidedAt}`

const leftLowered = (story: LimitStory, keyId: ApiKeyId, decidedAt: EpochMs): TelemetryEvent => ({
  ...{ name: 'limitLeftLowered', incidentId: lostIncident(keyId, decidedAt), keyId },
  ...{ way: story.kind, planId: placeName(story) },
  original: story.kind === 'plan' ? (story.original ?? undefined) : undefined,
})

/** All of it at once. */
const lostRestores = (
  lost: Iterable<ApiKeyId>,
  { decidedAt, by }: { readonly decidedAt: EpochMs; readonly by: string | undefined },
): readonly RestoreEffect[] =>
  [...lost].map(keyId => {
    const incidentId = lostIncident(keyId, decidedAt)
    const said = by === undefined ? {} : { by }
    return { id: `${incidentId}/restore-full`, incidentId, keyId, decidedAt, kind: 'restore', step: 'full', ...said }
  })
