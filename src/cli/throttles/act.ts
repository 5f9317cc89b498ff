/**
 * What `weir throttles release`, extend, hold, halt and go-on do: a worker that runs is told, and where none runs limits are
 * given back from its journal. Whether one runs the lock of the state directory says.
 */
import { userInfo } from 'node:os'
import { basename } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { controlPlaneQueue } from '../../actions/control-plane-queue.ts'
import { type Clock, systemClock } from '../../clock.ts'
import { StreamError } from '../../core/errors.ts'
import { cleanText, timeText } from '../../core/explanation/text.ts'
import type { OperatorCommand } from '../../core/operator.ts'
import type { ApiKeyId, EpochMs } from '../../core/vocabulary.ts'
import { holderOf } from '../../stores/checkpoint-lock.ts'
import { spokenWords } from '../../stores/spoken-words.ts'
import type { Telemetry } from '../../worker/telemetry.ts'
import { sentenceOf } from '../../worker/telemetry-text.ts'
import { openDeadMansSwitch } from '../dead-mans-switch.ts'
import { limitGateways } from '../limit-gateways.ts'
import { listenForStop } from '../stop-signal.ts'
import { gatewaysReady } from './gateway-ready.ts'
import { type KeptThrottle, keptState } from './kept-throttles.ts'
import { keyOf, throttlesNamed, unknownThrottle } from './named-throttles.ts'
import { type OfflineRelease, releaseOffline } from './offline-release.ts'
import { type HeldFolder, tellAll } from './tell-all.ts'
import { throttlesText } from './throttle-text.ts'
import { type PlaceOptions, throttlesPlace } from './throttles-place.ts'
import { commandWorker, type RunningWorker } from './worker-command.ts'

export interface ActOptions extends PlaceOptions {
  /** Who says so, for the audit; undefined: the operating system's user. */
  readonly as?: string
  readonly yes?: boolean
}

export interface ActSurroundings {
  readonly out: { write(text: string): unknown }
  readonly clock: Clock
  readonly random: () => number
  readonly env: Readonly<Record<string, string | undefined>>
  /** Asks a person; undefined: there is none at this terminal. */
  readonly confirm: ((question: string) => Promise<boolean>) | undefined
  readonly signal: AbortSignal
}

export type Act =
  | { readonly kind: 'release'; readonly name: string }
  | { readonly kind: 'release-all' }
  | { readonly kind: 'extend'; readonly name: string; readonly byMs: number }
  | { readonly kind: 'hold'; readonly name: string; readonly forMs: number }
  | { readonly kind: 'halt' | 'go-on' }

/** With the process's own surroundings. */
export async function act(what: Act, options: ActOptions): Promise<void> {
  const stop = listenForStop()
  const isTerminal = process.stdin.isTTY === true && process.stdout.isTTY === true
  try {
    await actIn(what, options, {
      ...{ out: process.stdout, clock: systemClock(), random: Math.random, env: process.env },
      ...{ confirm: isTerminal ? confirmOnTerminal : undefined, signal: stop.signal },
    })
  } finally {
    stop.release()
  }
}

/**
 * Throws KEY_UNKNOWN, COMMAND_REFUSED, WORKER_UNREACHABLE, GATEWAY_REFUSED, and what reading the configuration and the state
 * may throw.
 */
export async function actIn(what: Act, options: ActOptions, surroundings: ActSurroundings): Promise<void> {
  const { out, clock, env, signal } = surroundings
  const place = await throttlesPlace(options)
  const { directory, config } = place
  if (place.note !== undefined) out.write(`${cleanText(place.note)}\n`)
  const by = cleanText(options.as ?? userInfo().username)
  const folders = await Promise.all(
    place.folders.map(async folder => {
      const { throttles } = await keptState(folder, place.tenants)
      const meant = 'name' in what ? throttlesNamed(what.name, throttles) : throttles
      return { folder, meant, holder: await holderOf(folder) }
    }),
  )
  const knowing = folders.filter(({ meant }) => meant.length > 0)
  // Whom nothing is lowered for any worker may know of; the same one is told once.
  const told = new Map(
    ('name' in what && knowing.length > 0 ? knowing : folders).flatMap(({ holder, meant }) =>
      holder === undefined ? [] : [[workerName(holder), { holder, meant }] as const],
    ),
  )
  const left = knowing.filter(({ holder }) => holder === undefined)
  if (told.size === 0 && (what.kind === 'halt' || what.kind === 'go-on'))
    return leftForNext(what, by, directory, surroundings)
  if (told.size === 0 && what.kind !== 'release' && what.kind !== 'release-all') throw needsWorker(what, directory)
  const lowered = left.flatMap(({ folder, meant }) =>
    meant.filter(({ place, instead }) => place !== undefined || instead !== undefined).map(one => ({ folder, ...one })),
  )
  if (told.size === 0 && lowered.length === 0) {
    if (what.kind === 'release') throw unknownThrottle(what.name, directory)
    out.write('No limit is lowered: there is nothing to give back.\n')
    return
  }
  if (what.kind === 'release-all')
    await agreed(
      knowing.flatMap(({ meant }) => meant),
      options,
      surroundings,
    )
  const workerOf = (holder: RunningWorker['holder']): RunningWorker => ({
    ...{ listen: config.server.listen, directory, env, holder },
  })
  const [first] = told.values()
  if ('name' in what)
    for (const { holder, meant } of told.values()) {
      const to = { worker: workerOf(holder), untouched: untouchedIn(meant) }
      for (const command of commandsOf(what, meant)) await tell(command, by, to, surroundings)
    }
  else if (first !== undefined)
    await tellAll({
      ...{ command: what, by, directory, clock, held: folders.flatMap(heldBy) },
      // All of them would be asked at one address, where one of them listens.
      tell: () => tell(what, by, { worker: workerOf(first.holder), untouched: new Set() }, surroundings),
      say: text => void out.write(`${cleanText(text)}\n`),
    })
  if (what.kind !== 'release' && what.kind !== 'release-all') return
  const say = (at: EpochMs, text: string): void => void out.write(`${clockText(at)}  ${cleanText(text)}\n`)
  const gateways = limitGateways(config, () => controlPlaneQueue({ clock }))
  const telemetry: Telemetry = event => say(clock.now(), sentenceOf(event))
  if (lowered.length > 0) await gatewaysReady(gateways, new Set(lowered.map(one => one.gateway)))
  const watchOver =
    (folder: string): OfflineRelease['watchOver'] =>
    (journal, stillOurs) => {
      const part = folder === directory ? undefined : basename(folder)
      return openDeadMansSwitch(config, { clock, journal, telemetry, part, stillOurs })
    }
  for (const folder of new Set(lowered.map(one => one.folder))) {
    out.write(`No worker runs on ${folder}: giving limits back from its journal, as asked by ${by}.\n`)
    const ofKeys = [...new Map(lowered.filter(one => one.folder === folder).map(one => [one.keyId, one])).values()]
    const { random } = surroundings
    const release = { directory: folder, isShared: folder !== directory, lowered: ofKeys, by, clock, random, say }
    await releaseOffline({ ...release, gateways, watchOver: watchOver(folder) }, signal)
    out.write('Done. The next worker does not throttle them again in the same incident.\n')
  }
}

interface Folder {
  readonly folder: string
  readonly holder: RunningWorker['holder'] | undefined
}

const workerName = ({ pid, host }: RunningWorker['holder']): string => `${pid} on ${host}`

const heldBy = ({ folder, holder }: Folder): readonly HeldFolder[] =>
  holder === undefined ? [] : [{ folder, worker: workerName(holder) }]

/** Where nobody works on the state: whoever does next hears it before anything else. */
async function leftForNext(
  { kind }: { readonly kind: 'halt' | 'go-on' },
  by: string,
  directory: string,
  { out, clock }: ActSurroundings,
): Promise<void> {
  await spokenWords(directory).say({ command: { kind }, by, at: clock.now() })
  const next =
    kind === 'halt'
      ? 'the next begins halted, and throttles nobody until weir throttles go-on. What is lowered it gives back; weir throttles release --all does so now.'
      : 'the next may throttle again.'
  out.write(`No worker runs on ${directory}: ${next}\n`)
}

/** For whom it is asked, and nothing is lowered yet. */
const untouchedIn = (meant: readonly KeptThrottle[]): ReadonlySet<ApiKeyId> =>
  new Set(meant.flatMap(({ is, keyId }) => (is === 'asked for' ? keyId : [])))

async function tell(
  command: OperatorCommand,
  by: string,
  { worker, untouched }: { readonly worker: RunningWorker; readonly untouched: ReadonlySet<ApiKeyId> },
  { out }: ActSurroundings,
): Promise<void> {
  const { keyIds, until } = await commandWorker(command, by, worker)
  const isYet = keyIds.length > 0 && keyIds.every(keyId => untouched.has(keyId))
  out.write(`${toldText(command, keyIds, until, isYet)}\n`)
}

/** `isYet`: nothing is lowered for them yet, but asked for. */
function toldText(
  command: OperatorCommand,
  keyIds: readonly ApiKeyId[],
  until: EpochMs | undefined,
  isYet: boolean,
): string {
  const whose = keyIds.map(cleanText).join(', ')
  const stays = isYet ? 'is not lowered yet; once it is, it stays so' : 'stays lowered'
  const back = `${whose} ${keyIds.length === 1 ? 'gets its limit' : 'get their limits'} back; AWS takes one change in 20 s, and up to two minutes until it bites. weir throttles list shows what is left.`
  switch (command.kind) {
    case 'release':
      return `${back}\nIt is not throttled again in this incident.`
    case 'release-all':
      return keyIds.length === 0
        ? 'No limit is lowered: there is nothing to give back.'
        : `${back}\nNew incidents may be throttled; weir throttles halt would stop that.`
    case 'extend':
      return `${whose} ${stays} until ${timeText(until ?? 0)}, or until it is calm.`
    case 'hold':
      return `${whose} ${stays} until ${timeText(until ?? 0)}, whatever it does. weir throttles release ends that.`
    case 'halt':
      return `Nobody is throttled from now on, until weir throttles go-on.${keyIds.length === 0 ? '' : ` ${back}`}`
    case 'go-on':
      return 'Weir may throttle again, also in incidents that are open now.'
    default:
      throw new Error(`no such command: ${command satisfies never}`)
  }
}

/** A name that the journal does not know may be that of an incident whose throttle is still on its way. */
function commandsOf(what: Act, meant: readonly KeptThrottle[]): readonly OperatorCommand[] {
  if (!('name' in what)) return [what]
  const keyIds = meant.length === 0 ? [keyOf(what.name) as ApiKeyId] : [...new Set(meant.map(({ keyId }) => keyId))]
  return keyIds.map((keyId): OperatorCommand => {
    if (what.kind === 'release') return { kind: 'release', keyId }
    return what.kind === 'extend'
      ? { kind: 'extend', keyId, byMs: what.byMs }
      : { kind: 'hold', keyId, forMs: what.forMs }
  })
}

async function agreed(
  throttles: readonly KeptThrottle[],
  { yes }: ActOptions,
  { out, confirm, clock }: ActSurroundings,
): Promise<void> {
  if (yes) return
  if (confirm === undefined)
    throw new StreamError(
      'COMMAND_REFUSED',
      'Giving all limits back needs a word of yours, and nobody is at a terminal',
      {
        retry: 'never',
        hint: 'weir throttles release --all --yes',
      },
    )
  out.write(`${throttlesText(throttles, clock.now())}\n`)
  if (
    !(await confirm(
      `Give ${throttles.length === 1 ? 'this limit' : `these ${throttles.length} limits`} back now? [y/N] `,
    ))
  )
    throw new StreamError('COMMAND_REFUSED', 'Nothing was given back, as you said', { retry: 'never' })
}

async function confirmOnTerminal(question: string): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stdout })
  try {
    return /^y(es)?$/i.test((await lines.question(question)).trim())
  } finally {
    lines.close()
  }
}

function needsWorker({ kind }: Act, directory: string): StreamError {
  const hints: Readonly<Partial<Record<Act['kind'], string>>> = {
    extend: 'Start it: weir run. It goes on with the throttles it had, and can be told then',
    hold: 'Start it: weir run. It goes on with the throttles it had, and can be told then',
  }
  return new StreamError('COMMAND_REFUSED', `No worker runs on ${directory} that could be told to ${kind}`, {
    retry: 'later',
    hint: hints[kind] ?? 'Start it: weir run',
  })
}

const clockText = (at: EpochMs): string => new Date(at).toISOString().slice(11, 19)
