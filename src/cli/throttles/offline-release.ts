/**
 * Gives limits back where no worker runs: from the effect journal alone, through the same performer as the worker, at AWS's
 * own pace. It needs no stream, no checkpoint and no tenants.
 *
 *   lock the state → journal: who said so, and what is to be done → each plan, one in 20 s → journal and audit what came of it
 *
 * The next worker finds the command in the journal: it does not throttle them again in the incident they were throttled for.
 * A key that was moved goes back into its plan, a row in an authorizer's table ends; and the dead man's switch is told of each.
 * What is not done when this is stopped stands in the journal as begun; the next worker, or the next release, does it.
 */
import type { DeadMansSwitch } from '../../actions/dead-mans-switch.ts'
import type { Performer } from '../../actions/performer.ts'
import { usagePlanPerformer } from '../../actions/usage-plan.ts'
import type { Clock } from '../../clock.ts'
import { StreamError } from '../../core/errors.ts'
import { durationText } from '../../core/explanation/text.ts'
import type { Outcome, RestoreEffect, ThrottleEffect } from '../../core/incident/effect.ts'
import type { ApiKeyId, EpochMs } from '../../core/vocabulary.ts'
import { type AuditLog, openAudit } from '../../stores/audit.ts'
import { leased, lockDirectory, thisHost } from '../../stores/checkpoint-lock.ts'
import { machineDisk } from '../../stores/disk.ts'
import { openEffectJournal } from '../../stores/effect-journal.ts'
import type { EffectJournal } from '../../stores/journal-entry.ts'
import { limitsText } from '../../worker/telemetry-text.ts'
import type { LimitGateways } from '../limit-gateways.ts'

export interface OfflineRelease {
  readonly directory: string
  /** Workers share the state, and would take a lock over that is not touched often. */
  readonly isShared: boolean
  readonly gateways: LimitGateways
  /** The dead man's switch, where there is one: its schedules are taken away with what they were made for. */
  readonly watchOver: (journal: EffectJournal, stillOurs: () => Promise<void>) => Promise<DeadMansSwitch | undefined>
  /** Whose, with the incident that each was lowered for. */
  readonly lowered: readonly { readonly keyId: ApiKeyId; readonly incidentId: string }[]
  readonly by: string
  readonly clock: Clock
  readonly random: () => number
  /** A line of progress. */
  readonly say: (at: EpochMs, text: string) => void
}

/** AWS takes one change of a usage plan in so long. */
const CHANGE_EVERY_MS = 20_000

/**
 * Throws GATEWAY_REFUSED where not all could be given back, and STORE_UNWRITABLE where a worker holds the state after all.
 * Ends early when `signal` aborts.
 */
export async function releaseOffline(release: OfflineRelease, signal: AbortSignal): Promise<void> {
  try {
    await releaseFrom(release, signal)
  } catch (cause) {
    throw cause instanceof StreamError && cause.code === 'STORE_UNWRITABLE'
      ? onOtherDisk(cause, release.directory)
      : cause
  }
}

/** A disk that is full or read-only keeps nobody from giving limits back: the journal's copy says as much. */
const onOtherDisk = (cause: StreamError, directory: string): StreamError =>
  new StreamError('STORE_UNWRITABLE', cause.message, {
    retry: 'later',
    hint: `Give them back from a copy on another disk: cp -r ${directory} /elsewhere/weir; weir throttles release --all --state /elsewhere/weir`,
    cause,
  })

async function releaseFrom(release: OfflineRelease, signal: AbortSignal): Promise<void> {
  const { directory, isShared, lowered, say, clock } = release
  const place = { disk: machineDisk, host: thisHost }
  const lock = await lockDirectory(directory, isShared ? { ...place, life: leased } : place)
  // Stopped for longer than a lease and gone on, it finds that a worker has taken over.
  const stillOurs = () => lock.check()
  try {
    const journal = await openEffectJournal(directory, machineDisk, stillOurs, 'pass')
    try {
      const audit = await openAudit(
        directory,
        ({ message }) => say(clock.now(), `${message}; limits are given back all the same`),
        machineDisk,
        { stillOurs },
      )
      try {
        const watch = await release.watchOver(journal, stillOurs)
        try {
          void watch?.reconcile()
          const refused = await giveBack(release, { journal, audit, watch, stillOurs }, signal)
          if (signal.aborted) throw stopped(directory)
          if (refused.length > 0) throw notAll(refused, lowered.length)
        } finally {
          await watch?.close()
        }
      } finally {
        await audit.close()
      }
    } finally {
      await journal.close()
    }
  } finally {
    await lock.release()
  }
}

interface Stores {
  readonly journal: EffectJournal
  readonly audit: AuditLog
  readonly watch: DeadMansSwitch | undefined
  readonly stillOurs: () => Promise<void>
}

/** Who could not get it back, and why. */
async function giveBack(
  { lowered, by, clock, say, gateways, random }: OfflineRelease,
  { journal, audit, watch, stillOurs }: Stores,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const at = clock.now()
  const keyIds = lowered.map(({ keyId }) => keyId)
  const plans = [...journal.stories().values()].filter(
    ({ kind, holders }) => kind === 'plan' && holders.some(keyId => keyIds.includes(keyId)),
  )
  const performer = usagePlanPerformer({
    ...{ gateways, clock, random, journal, audit, stillOurs },
    ...(watch && { watch }),
    onTrouble: ({ effectId, error, nextTryInMs }) =>
      say(clock.now(), `${effectId}: not yet, and tried again in ${durationText(nextTryInMs)}: ${error}`),
  })
  const restores = lowered.map(
    ({ keyId, incidentId }): RestoreEffect => ({
      ...{ id: `${incidentId}/released-${at}`, incidentId },
      ...{ keyId, decidedAt: at, kind: 'restore', step: 'full', by },
    }),
  )
  await journal.append([
    ...keyIds.map(keyId => ({ kind: 'commanded', at, command: { kind: 'release', keyId }, by }) as const),
    ...restores.map(effect => ({ kind: 'intent', at, effect }) as const),
  ])
  for (const { keyId, incidentId } of lowered)
    await audit.record({
      ...{ at, by, change: 'command', command: { kind: 'release', keyId } },
      answer: { kind: 'obeyed', keyIds: [keyId], incidentIds: [incidentId] },
    })
  if (plans.length > 1)
    say(
      at,
      `${plans.length} usage plans: AWS takes one change in 20 s, so about ${durationText((plans.length - 1) * CHANGE_EVERY_MS)}`,
    )
  const refused: string[] = []
  await Promise.all(
    restores.map(async effect => {
      const outcome = await performed(performer, effect, signal)
      if (outcome === undefined) return
      await journal.append([{ kind: 'outcome', at: clock.now(), effectId: effect.id, outcome }])
      say(clock.now(), `${effect.keyId}: ${resultText(outcome)}`)
      if (outcome.kind === 'refused') refused.push(effect.keyId)
    }),
  )
  return refused
}

/** Undefined where it was stopped: its intent stays in the journal. */
async function performed(
  performer: Performer<RestoreEffect | ThrottleEffect>,
  effect: RestoreEffect,
  signal: AbortSignal,
): Promise<Outcome | undefined> {
  try {
    return await performer.perform(effect, signal)
  } catch (cause) {
    if (signal.aborted) return undefined
    throw cause
  }
}

function resultText(outcome: Outcome): string {
  switch (outcome.kind) {
    case 'applied':
      return `given back, ${limitsText(outcome.before)} → ${limitsText(outcome.after)}`
    case 'already':
      return 'has its limit back already'
    case 'refused':
      return `NOT given back: ${outcome.because}`
    default:
      return outcome satisfies never
  }
}

const stopped = (directory: string): StreamError =>
  new StreamError('GATEWAY_UNREACHABLE', 'Stopped before all limits were given back', {
    retry: 'later',
    hint: `What is left stands in the journal of ${directory}: run the same command again, or start the worker`,
  })

const notAll = (refused: readonly string[], of: number): StreamError =>
  new StreamError(
    'GATEWAY_REFUSED',
    `Of ${of} limits ${refused.length} could not be given back: ${refused.join(', ')}`,
    {
      retry: 'later',
      hint: 'weir throttles show KEY says what their plans had; a person can set them so in the API Gateway console',
    },
  )
