/**
 * What a person commands: to give a limit back, to keep it lowered for longer, or to have nobody throttled at all. Commands
 * are inputs of the one sequence, so a recording has them and a replay obeys them again.
 *
 * Halted is a state of the engine: it outlives restarts, and ends with `go-on` alone. A limit may also be given back while no
 * worker runs (from the journal), or be lowered by an incident that this engine has not come to yet: who is released
 * without an incident is spared in one that opens within the hour.
 */
import { type Engine, type EngineState, type Out, watching } from './engine-state.ts'
import type { OperatorWord } from './explanation/explanation.ts'
import { holdsLimit } from './incident/incident-questions.ts'
import { type Order, obey, wordUntil } from './incident/operator-order.ts'
import { move } from './incident/storyline.ts'
import type { KeyState } from './state/key-state.ts'
import type { Owner } from './state/owner.ts'
import { type ApiKeyId, type EpochMs, HOUR_MS } from './vocabulary.ts'

export type OperatorCommand =
  | { readonly kind: 'release'; readonly keyId: ApiKeyId }
  | { readonly kind: 'release-all' }
  | { readonly kind: 'extend'; readonly keyId: ApiKeyId; readonly byMs: number }
  | { readonly kind: 'hold'; readonly keyId: ApiKeyId; readonly forMs: number }
  | { readonly kind: 'halt' }
  | { readonly kind: 'go-on' }

/** What comes of a command: whose limits and which incidents it is about, or why it is not obeyed. */
export type CommandAnswer =
  | {
      readonly kind: 'obeyed'
      readonly keyIds: readonly ApiKeyId[]
      readonly incidentIds: readonly string[]
      readonly until?: EpochMs
    }
  | { readonly kind: 'refused'; readonly because: string }

const SPARED_MS = HOUR_MS
/** So many are spared at once; then who was released longest ago is not any more. */
const MOST_SPARED = 1_000

interface Said {
  readonly command: OperatorCommand
  readonly by: string
  readonly at: EpochMs
}

interface Concerned {
  readonly owner: Owner
  readonly key: KeyState
}

/** `at`: when it was said, which is long ago where a worker hears of it as it starts. */
export function takeOperator(engine: Engine, { command, by, at }: Said, out: Out): void {
  const { state } = engine
  if (command.kind === 'halt') state.halted ??= { by, since: at }
  if (command.kind === 'go-on') state.halted = undefined
  const concerned = concernedBy(engine, command)
  for (const { owner, key } of concerned) {
    const obeyed = obey(key.incident, { order: orderOf(command), by, now: at })
    if (obeyed.kind === 'step') move(engine, owner, key, obeyed.step, out)
  }
  if (command.kind === 'release' && !concerned.some(({ key }) => isOpen(key)))
    spare(state, command.keyId, { by, until: at + SPARED_MS })
}

/** What would come of it now. Asked before it is taken, by whoever answers the person. */
export function answerTo(engine: Engine, { command, by, at }: Said): CommandAnswer {
  const { state, settings } = engine
  const keyIds: ApiKeyId[] = []
  const incidentIds: string[] = []
  let until: EpochMs | undefined
  let because = 'nothing is known to be wrong with it, and its limit is not lowered'
  for (const { key } of concernedBy(engine, command)) {
    const obeyed = obey(key.incident, { order: orderOf(command), by, now: at })
    if (obeyed.kind === 'refused') {
      because = obeyed.because
      continue
    }
    keyIds.push(key.keyId)
    const story = 'story' in obeyed.step.incident ? obeyed.step.incident.story : undefined
    if (story !== undefined) incidentIds.push(story.incidentId)
    if (command.kind === 'extend') until = story?.extended?.until
    if (command.kind === 'hold') until = story?.held?.until
  }
  if (command.kind === 'go-on' && state.halted === undefined) return { kind: 'refused', because: 'Weir is not halted' }
  if (keyIds.length > 0 || !('keyId' in command))
    return { kind: 'obeyed', keyIds, incidentIds, ...(until !== undefined && { until }) }
  const lengthens = command.kind === 'hold' || command.kind === 'extend'
  if (lengthens && settings.tenants.byKey.get(command.keyId)?.exempt)
    return { kind: 'refused', because: 'its tenant is exempt (tenants.yaml), so that its limit is never lowered' }
  const tenant = settings.tenants.tenantWide.get(command.keyId)
  const isTenants = tenant !== undefined && concernedBy(engine, { ...command, keyId: tenant }).length > 0
  return { kind: 'refused', because: isTenants ? `it is watched with its tenant’s other keys as ${tenant}` : because }
}

/** Of one key its incident; of all, those whose limits are lowered or on their way. */
function concernedBy({ state }: Engine, command: OperatorCommand): readonly Concerned[] {
  if (command.kind === 'go-on') return []
  const found: Concerned[] = []
  for (const owner of watching(state)) {
    for (const key of owner.incidents) {
      if ('keyId' in command ? key.keyId === command.keyId : holdsLimit(key.incident)) found.push({ owner, key })
    }
  }
  return found
}

/** Whose limits a person wants lowered for longer than they were lowered for, and until when. */
export function wantedLonger({ state }: Engine): readonly { readonly keyId: ApiKeyId; readonly until: EpochMs }[] {
  const wanted: { readonly keyId: ApiKeyId; readonly until: EpochMs }[] = []
  for (const { incidents } of watching(state)) {
    for (const { keyId, incident } of incidents) {
      const until = holdsLimit(incident) ? wordUntil(incident) : undefined
      if (until !== undefined && until > state.now) wanted.push({ keyId, until })
    }
  }
  return wanted
}

const isOpen = ({ incident }: KeyState): boolean => incident.phase !== 'quiet' && incident.phase !== 'suspected'

function orderOf(command: OperatorCommand): Order {
  switch (command.kind) {
    case 'extend':
      return { kind: 'extend', byMs: command.byMs }
    case 'hold':
      return { kind: 'hold', forMs: command.forMs }
    case 'halt':
    case 'go-on':
      return { kind: 'halt' }
    case 'release':
    case 'release-all':
      return { kind: 'release' }
    default:
      throw new Error(`no such command: ${command satisfies never}`)
  }
}

function spare({ spared, now }: EngineState, keyId: ApiKeyId, word: OperatorWord): void {
  spared.delete(keyId)
  spared.set(keyId, word)
  for (const [longestAgo, { until }] of spared) {
    if (spared.size <= MOST_SPARED && until > now) return
    spared.delete(longestAgo)
  }
}
