/** What `weir explain` does. Standard output holds the answer only; progress goes to standard error. */
import { type TenantDirectory, tenantWideId } from '../core/config/tenants.ts'
import { type Engine, type EngineSettings, engineStatus } from '../core/engine.ts'
import { StreamError } from '../core/errors.ts'
import type { Account } from '../core/explanation/account.ts'
import { accountLine } from '../core/explanation/account-json.ts'
import { accountText } from '../core/explanation/account-text.ts'
import type { Explanation } from '../core/explanation/explanation.ts'
import { likeKeys } from '../core/explanation/like-keys.ts'
import { knownKeyIds } from '../core/explanation/observation.ts'
import { plannedOf } from '../core/planned/schedule.ts'
import { type ApiKeyId, DAY_MS, type EpochMs } from '../core/vocabulary.ts'
import { type KeyWatch, type Seen, type Stretch, watchKey } from '../worker/key-watch.ts'
import { replay } from '../worker/replay.ts'
import { exitCodes } from './exit.ts'
import { counted, iso } from './plain-words.ts'
import { openRecordedLogs, type RecordedLogsOptions } from './recorded-logs.ts'
import { progressOn } from './replay-logs.ts'
import type { startThreads } from './replay-threads.ts'
import { listenForStop } from './stop-signal.ts'

export interface ExplainOptions extends RecordedLogsOptions {
  readonly json?: boolean
}

export interface Asked {
  readonly keyId: ApiKeyId
  readonly stretch: Stretch
}

/** `out` takes the answer and nothing else. Throws KEY_UNKNOWN, TIME_UNUSABLE, and what a replay may throw. */
export async function explainLogs(
  asked: Asked,
  logs: readonly string[],
  options: ExplainOptions,
  out: { write(text: string): unknown } = process.stdout,
  decodedAhead?: ReturnType<typeof startThreads>,
): Promise<void> {
  const stop = listenForStop()
  const enough = new AbortController()
  const progress = progressOn(process.stderr)
  try {
    const signal = AbortSignal.any([stop.signal, enough.signal])
    const recorded = await openRecordedLogs(logs, options, signal, decodedAhead)
    const watch = watchKey(asked.keyId, asked.stretch)
    let engine: Engine | undefined
    await replay({
      ...{ settings: recorded.settings, decoder: recorded.decoder, history: recorded.history, logs: recorded.logs },
      watched(watched, reaches) {
        engine = watched
        return watch.watched(watched, reaches)
      },
      changed: () => {},
      progressed: progress.show,
    })
    progress.clear()
    if (stop.signal.aborted) {
      process.exitCode = exitCodes.failed
      return
    }
    const seen = watch.seen()
    if (seen === undefined) throw nothingSeen(asked, watch, engine)
    const account = accountOf(asked, recorded.settings, watch, seen)
    out.write(options.json ? `${accountLine(account)}\n` : `${accountText(account)}\n`)
  } finally {
    enough.abort()
    progress.clear()
    stop.release()
  }
}

function accountOf(
  { keyId, stretch }: Asked,
  { config, tenants }: EngineSettings,
  watch: KeyWatch,
  { observation, aftermath }: Seen,
): Account {
  const { staysAbove, closesAfter } = config.incident
  return {
    ...{ keyId, at: observation.view.at, mode: config.mode, staysAbove, closesAfterMs: closesAfter },
    tenant: tenantOf(tenants, keyId),
    stretch: stretch.from === stretch.to ? undefined : { ...stretch, looks: watch.looks() },
    plannedThatDay: plannedOf(tenants, keyId, dayOf(observation.view.at)),
    ...{ observation, aftermath },
  }
}

function dayOf(at: EpochMs): { readonly from: EpochMs; readonly to: EpochMs } {
  const from = Math.floor(at / DAY_MS) * DAY_MS
  return { from, to: from + DAY_MS }
}

function tenantOf({ byKey }: TenantDirectory, keyId: ApiKeyId): Explanation['tenant'] {
  const tenant = byKey.get(keyId)
  if (tenant === undefined) return undefined
  const { tenantId, name, contact, escalation } = tenant
  return { id: tenantId, name, contact, escalation }
}

/** Either the moment does not lie in the log, or the key had not been heard of by then. */
function nothingSeen({ keyId, stretch }: Asked, watch: KeyWatch, engine: Engine | undefined): StreamError {
  const span = watch.span()
  if (engine === undefined || span === undefined || watch.looks() === 0) return outside(stretch, span)
  const until = iso(Math.min(stretch.to, span.to))
  return new StreamError('KEY_UNKNOWN', `Nothing was heard of ${keyId} up to ${until}`, {
    retry: 'never',
    hint: knownHint(keyId, engine),
  })
}

function outside(stretch: Stretch, span: { readonly from: EpochMs; readonly to: EpochMs } | undefined): StreamError {
  const asked = stretch.from === stretch.to ? iso(stretch.from) : `${iso(stretch.from)} to ${iso(stretch.to)}`
  if (span === undefined) return new StreamError('TIME_UNUSABLE', `Nothing was read of ${asked}`, { retry: 'never' })
  return stretch.to < span.from
    ? new StreamError('TIME_UNUSABLE', `${asked} lies before the log, which begins at ${iso(span.from)}`, {
        retry: 'never',
        hint: 'Give the log of that time as well; what is given as --history only teaches, and is not looked at',
      })
    : new StreamError('TIME_UNUSABLE', `${asked} lies after the log, which ends at ${iso(span.to)}`, {
        retry: 'never',
        hint: 'Give the log of that time as well. Times are UTC: was a local one meant? Then with its offset, +01:00',
      })
}

function knownHint(keyId: string, engine: Engine): string {
  const tenant = [...engine.settings.tenants.byKey.values()].find(
    ({ tenantId, name }) => tenantId === keyId || name?.toLowerCase() === keyId.toLowerCase(),
  )
  if (tenant !== undefined) {
    const keys = tenant.keys.join(', ')
    return tenant.keys.length === 1
      ? `That is a tenant, whose key is ${keys}`
      : `That is a tenant, whose keys are ${keys}; of all together asks ${tenantWideId(tenant.tenantId)}`
  }
  const like = likeKeys(keyId, knownKeyIds(engine))
  const known = counted(engineStatus(engine).keys, 'key is', 'keys are')
  return like.length > 0
    ? `Like it: ${like.join(', ')}`
    : `${known} known by then, none of them like it; weir learn lists those with the most calls`
}
