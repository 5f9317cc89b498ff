/**
 * A key that the API's own authorizer hands out is lowered by what the authorizer answers: a row in a table that it reads names a
 * penalty key, and calls are counted against that one's plan from then on. No call to the control plane, no gap, and an end of its own: `expiresAt` is
 * in every row, so a limit returns though Weir dies. It bites when the authorizer's cached answers have run out.
 *
 *   choose a penalty key that nobody has ─► journal ─► PutItem, if the row is ours or has ended ─► lowered
 *   restore: UpdateItem expiresAt = now, if the row is ours ─► left
 *
 * There is no half of it: what the tenant's own key allows is not known here, and a penalty key has the limits that it has. So the row stays for the
 * probation, also where the throttle has expired: by itself it ends after that. And whether it holds is not read from the log: it bites when the
 * authorizer's cached answers have run out, up to an hour later, and from then on the gateway's log may name the penalty key.
 */
import type { Outcome, RestoreEffect, ThrottleEffect } from '../../core/incident/effect.ts'
import { placeName } from '../../core/incident/limit-story.ts'
import type { RowPlace, RowStory } from '../../core/incident/row-story.ts'
import type { ApiKeyId, EpochMs, PlanLimits } from '../../core/vocabulary.ts'
import type { RowEntry } from '../../stores/journal-entry.ts'
import { backoffMs } from '../usage-plan-client.ts'
import type { PenaltyKey, Written } from './authorizer-rows.ts'
import {
  type LimitEffect,
  mendEveryMs,
  noGateway,
  notConfigured,
  type Part,
  type Performed,
  type Run,
  refused,
  silent,
  superseded,
  type Targets,
  type Way,
  type WayWorld,
} from './way.ts'

export interface RowTarget extends RowPlace {
  /** What the key normally needs. */
  readonly limits: PlanLimits
}

export interface AuthorizerTableWay extends Way<RowTarget, RowStory> {
  /** A person wants it for longer: a row ends by itself, so it is told. */
  prolong(
    story: RowStory,
    longer: { readonly keyId: ApiKeyId; readonly until: EpochMs },
    signal: AbortSignal,
  ): Promise<void>
}

export function authorizerTable({ gateways, ledger, clock, random, onTrouble }: WayWorld): AuthorizerTableWay {
  const storyOf = (place: RowPlace): RowStory | undefined => {
    const story = ledger.stories().get(placeName(place))
    return story?.kind === 'row' ? story : undefined
  }

  /** When its row ends by itself. */
  const endOf = ({ gateway, expiresAt }: Pick<RowStory, 'gateway' | 'expiresAt'>): EpochMs =>
    expiresAt + (gateways.get(gateway)?.authorizerTable?.beyondMs ?? 0)

  async function find(
    { keys: needs, limits }: ThrottleEffect,
    { gateway: name, keys }: Part,
  ): Promise<Targets<RowTarget>> {
    const gateway = gateways.get(name)
    const because =
      gateway === undefined
        ? noGateway(name)
        : gateway.authorizerTable === undefined
          ? 'no `authorizerTable` is configured to write to'
          : undefined
    if (because !== undefined) return { kind: 'found', targets: [], missed: keys.length === 0 ? [] : [because] }
    const targets = keys.map(({ keyId, row }): RowTarget => {
      const need = needs.find(one => one.keyId === keyId)?.limits ?? limits
      return { ...(name !== undefined && { gateway: name }), row, limits: need }
    })
    return { kind: 'found', targets, missed: [] }
  }

  async function lower(effect: ThrottleEffect, { limits, ...place }: RowTarget, run: Run): Promise<Performed> {
    const table = gateways.get(place.gateway)?.authorizerTable
    const want = run.wants.get(place.gateway)
    if (table === undefined || want === undefined) return { place, outcome: refused(noGateway(place.gateway)) }
    const story = storyOf(place)
    const isAsWanted = story?.isSet === true && story.expiresAt >= effect.expiresAt
    if (story !== undefined && isAsWanted && endOf(story) > clock.now()) {
      if (!story.holders.includes(effect.keyId)) await note('row-held', effect, place)
      return { place, outcome: { kind: 'already', after: limitsIn(table.penaltyKeys, story), wholeOnly: true } }
    }
    const version = `${effect.id}@${effect.decidedAt}`
    const expiresAt = Math.max(effect.expiresAt, story?.expiresAt ?? 0)
    const ours = story?.versions ?? []
    const about = { at: clock.now(), effectId: effect.id, keyId: effect.keyId, ...place }
    if (want.isSuperseded()) return { place, outcome: superseded }
    const penaltyKey = await takeKey(table.penaltyKeys, limits, place, key =>
      ledger.write({ kind: 'row-changing', ...about, penaltyKey: key.id, version, expiresAt }),
    )
    if (penaltyKey.kind === 'refused') return { place, outcome: penaltyKey }
    // Called back while it was announced: what would be written now nobody would end.
    if (want.isSuperseded()) return { place, outcome: superseded }
    const row = {
      row: place.row,
      penaltyKey: penaltyKey.key,
      incidentId: effect.incidentId,
      expiresAt: expiresAt + table.beyondMs,
      version,
      fence: effect.decidedAt,
    }
    const written = await tries(
      effect,
      () => table.rows.put(row, ours, clock.now(), run.signal),
      run,
      () => want.isSuperseded() || run.isMissed(place.gateway),
    )
    switch (written.kind) {
      case 'ok': {
        await note('row-set', effect, place)
        const { rateLimit, burstLimit } = penaltyKey.key
        return { place, outcome: { kind: 'applied', after: { rateLimit, burstLimit }, wholeOnly: true } }
      }
      case 'others':
        await note('row-left', effect, place)
        return { place, outcome: refused(`the authorizer’s table has a row for ${place.row} that somebody else wrote`) }
      case 'refused':
        if (ours.length === 0) await note('row-left', effect, place)
        return { place, outcome: refused(written.because) }
      case 'passing':
      case 'unknown':
        // Whether it arrived is not known: it stays owed, and ends by itself.
        return { place, outcome: want.isSuperseded() ? superseded : refused(silent(place.gateway, written.because)) }
      default:
        return written satisfies never
    }
  }

  async function prolong(
    { gateway, row, effectId, penaltyKey, versions }: RowStory,
    { keyId, until }: { readonly keyId: ApiKeyId; readonly until: EpochMs },
    signal: AbortSignal,
  ): Promise<void> {
    const place = { ...(gateway !== undefined && { gateway }), row }
    const table = gateways.get(gateway)?.authorizerTable
    const version = versions.at(-1)
    if (table === undefined || version === undefined) return
    const about = { effectId, keyId, ...place }
    await ledger.write({ kind: 'row-changing', at: clock.now(), ...about, penaltyKey, version, expiresAt: until })
    const isOver = (): boolean => storyOf(place)?.expiresAt !== until
    const attempt = () => table.rows.prolong({ row, expiresAt: until + table.beyondMs }, versions, clock.now(), signal)
    const written = await tries({ id: effectId, kind: 'throttle' }, attempt, { signal }, isOver)
    if (written.kind === 'ok' && !isOver()) await ledger.write({ kind: 'row-set', at: clock.now(), ...about })
  }

  async function restore(effect: RestoreEffect, { gateway, row }: RowStory, run: Run): Promise<Performed> {
    const place = { ...(gateway !== undefined && { gateway }), row }
    const outcome = await giveBack(effect, place, run)
    return { place, outcome }
  }

  async function giveBack(effect: RestoreEffect, place: RowPlace, run: Run): Promise<Outcome> {
    const story = storyOf(place)
    if (story === undefined) return { kind: 'already' }
    if (ledger.isHeldByOthers(effect.keyId, place)) {
      if (effect.step === 'full') await note('row-let-go', effect, place)
      return { kind: 'already' }
    }
    if (effect.step === 'half') return { kind: 'already', wholeOnly: true }
    if (endOf(story) <= clock.now()) {
      await note('row-left', effect, place)
      return { kind: 'already' }
    }
    const table = gateways.get(place.gateway)?.authorizerTable
    if (table === undefined) {
      const until = new Date(story.expiresAt).toISOString()
      return notConfigured(place.gateway, `the authorizer’s table has a row for ${place.row} that ends at ${until}`)
    }
    const want = run.wants.get(place.gateway)
    const row = { row: place.row, version: `${effect.id}@${effect.decidedAt}`, fence: effect.decidedAt }
    const written = await tries(
      effect,
      () => table.rows.end(row, story.versions, clock.now(), run.signal),
      run,
      () => want?.isSuperseded() === true || endOf(story) <= clock.now(),
    )
    if (written.kind !== 'ok' && written.kind !== 'others' && endOf(story) > clock.now()) return superseded
    await note('row-left', effect, place)
    if (written.kind === 'others' && !written.hasEnded)
      return refused(`the row for ${place.row} was changed meanwhile by someone else; left as it is`)
    return written.kind === 'ok' ? { kind: 'applied' } : { kind: 'already' }
  }

  /** What may pass is tried again; of a restore also what a person has to mend. */
  async function tries(
    effect: Pick<LimitEffect, 'id' | 'kind'>,
    attempt: () => Promise<Written>,
    { signal }: Pick<Run, 'signal'>,
    isOver: () => boolean,
  ): Promise<Written> {
    for (let failures = 0; ; failures++) {
      const written = await attempt()
      const isDone = written.kind === 'ok' || written.kind === 'others'
      if (isDone || (written.kind === 'refused' && effect.kind === 'throttle') || isOver()) return written
      const afterMs = written.kind === 'refused' ? mendEveryMs : backoffMs(failures, random)
      onTrouble({ effectId: effect.id, error: written.because, nextTryInMs: afterMs })
      await clock.sleep(afterMs, signal)
      signal.throwIfAborted()
    }
  }

  /** The first of those that suit which no other part of the stream has; it is journaled with that. */
  async function takeKey(
    keys: readonly PenaltyKey[],
    need: PlanLimits,
    place: RowPlace,
    announce: (key: PenaltyKey) => Promise<string | undefined>,
  ): Promise<{ readonly kind: 'taken'; readonly key: PenaltyKey } | ReturnType<typeof refused>> {
    let because = allInUse(keys)
    for (let left = keys; ; ) {
      // No await from here to the story: whoever comes next finds the key taken.
      const key = freeKey(left, need, place)
      if (key === undefined) return refused(because)
      const taken = await announce(key)
      if (taken === undefined) return { kind: 'taken', key }
      because = taken
      left = left.filter(({ id }) => id !== key.id)
    }
  }

  /** One that nobody is answered with: the lowest that leaves what is needed, or the highest there is. */
  function freeKey(keys: readonly PenaltyKey[], need: PlanLimits, place: RowPlace): PenaltyKey | undefined {
    const own = storyOf(place)?.penaltyKey
    const taken = new Set<string>()
    for (const story of ledger.stories().values())
      if (
        story.kind === 'row' &&
        story.gateway === place.gateway &&
        story.row !== place.row &&
        endOf(story) > clock.now()
      )
        taken.add(story.penaltyKey)
    const free = keys.filter(({ id }) => !taken.has(id)).sort((one, other) => one.rateLimit - other.rateLimit)
    return free.find(({ id }) => id === own) ?? free.find(({ rateLimit }) => rateLimit >= need.rateLimit) ?? free.at(-1)
  }

  async function note(
    kind: Exclude<RowEntry['kind'], 'row-changing'>,
    effect: LimitEffect,
    place: RowPlace,
  ): Promise<void> {
    const until = effect.kind === 'throttle' && kind === 'row-held' ? { expiresAt: effect.expiresAt } : {}
    await ledger.write({ kind, at: clock.now(), effectId: effect.id, keyId: effect.keyId, ...place, ...until })
  }

  return {
    name: 'authorizer-table',
    find,
    lower,
    restore,
    prolong,
    isTaken: async story => ({ kind: 'known', isTaken: endOf(story) > clock.now() }),
  }
}

function limitsIn(keys: readonly PenaltyKey[], { penaltyKey }: RowStory): PlanLimits | undefined {
  const key = keys.find(({ id }) => id === penaltyKey)
  return key && { rateLimit: key.rateLimit, burstLimit: key.burstLimit }
}

const allInUse = (keys: readonly PenaltyKey[]): string =>
  `all ${keys.length} penalty keys are in use: give \`authorizerTable.penaltyKeys\` as many as \`throttle.maxTenants\``
