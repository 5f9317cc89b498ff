/**
 * What `weir replay --recording` does: tells the incidents of a recorded run as a replay of logs does, and whether every
 * decision is what it was. Under other settings it is a replay like any other, of the same stream.
 */
import { readFile } from 'node:fs/promises'
import type { Mode } from '../core/config/config.ts'
import { engineSettings } from '../core/engine.ts'
import { changeLine } from '../core/explanation/json.ts'
import { findRecording, type RecordedSegment } from '../stores/recording-reader.ts'
import {
  type OtherSettings,
  type Parting,
  type RecordedReplayResult,
  type ReplayNote,
  replayRecording,
} from '../worker/recorded-replay.ts'
import { loadConfig } from './config-file.ts'
import { exitCodes } from './exit.ts'
import type { LineOutput } from './live-line.ts'
import { counted, iso, number } from './plain-words.ts'
import { changeText, progressOn } from './replay-logs.ts'

export interface RecordedOptions {
  readonly config?: string
  readonly mode?: Mode
  readonly json?: boolean
  readonly failOnIncident?: boolean
}

interface Streams {
  /** Takes the answer and nothing else. */
  readonly out: { write(text: string): unknown }
  readonly err: LineOutput
}

/** Sets exit code 1 where a decision is not what it was. Throws as `findRecording` and `loadConfig` do. */
export async function replayRecorded(
  directory: string,
  options: RecordedOptions,
  { out, err }: Streams = { out: process.stdout, err: process.stderr },
): Promise<void> {
  const other = await otherSettingsOf(options)
  const { segments, headless } = await findRecording(directory)
  const progress = progressOn(err)
  const incidents = new Set<string>()
  const notes: string[] = [...dropped(segments), ...headless.map(headlessText)]
  try {
    const result = await replayRecording({
      segments,
      ...(other && { other }),
      changed(change) {
        incidents.add(change.incidentId)
        progress.clear()
        out.write(options.json ? `${changeLine(change)}\n` : changeText(change))
      },
      noted: note => void notes.push(noteText(note)),
      progressed: (_, status) => progress.show({ calls: status().calls, paneRows: 0 }, status),
    })
    progress.clear()
    const { parting } = result
    // With --json the answer is incidents alone; whether it can be relied on is said beside it.
    const told = options.json ? err : out
    const summary = other ? [`Judged under ${namesOf(options)}: nothing was compared.`] : [comparedText(result)]
    for (const note of notes) told.write(`${note}\n`)
    if (!options.json) out.write(`${totalText(result, incidents.size)}\n${summary.join('\n')}\n`)
    if (parting !== undefined) told.write(partingText(parting))
    if (parting !== undefined || (options.failOnIncident && incidents.size > 0)) process.exitCode = exitCodes.failed
  } finally {
    progress.clear()
  }
}

async function otherSettingsOf({ config: path, mode }: RecordedOptions): Promise<OtherSettings | undefined> {
  if (path === undefined)
    return mode && { of: recorded => ({ ...recorded, config: { ...recorded.config, mode } }), hasTenants: false }
  const { config, tenants } = await loadConfig(path, { readFile: file => readFile(file, 'utf8'), acts: false })
  const settings = engineSettings({ ...config, mode: mode ?? config.mode }, tenants.tenants, tenants.planned)
  // How the stream was partitioned is a fact of the recording.
  return { of: recorded => ({ ...settings, keyed: recorded.keyed }), hasTenants: true }
}

const namesOf = ({ config, mode }: RecordedOptions): string =>
  [config, mode && `mode ${mode}`].filter(name => name !== undefined).join(' in ')

const dropped = ([first]: readonly RecordedSegment[]): readonly string[] =>
  first === undefined || first.head.place.input === 0
    ? []
    : [
        `What came before ${first.name} was dropped at --record-max: it begins at input ${number(first.head.place.input + 1)} of life ${first.head.place.life}.`,
      ]

const headlessText = (name: string): string => `${name} holds nothing: the worker was killed as it began it.`

function noteText(note: ReplayNote): string {
  switch (note.kind) {
    case 'torn':
      return `${note.segment} is torn: its last ${number(note.lostBytes)} bytes are of no use and were cut off.`
    case 'breaks-off': {
      const at = note.at === undefined ? '' : `, at ${iso(note.at)}`
      return `The recording of life ${note.after.life} breaks off after input ${number(note.after.input)}${at}: the worker was killed, or recording had stopped.`
    }
    case 'begins-anew':
      return `What led to ${note.segment} is not recorded: it goes on from the state that the worker had there.`
    default:
      note satisfies never
      return ''
  }
}

function totalText({ lives, inputs, calls, status, span }: RecordedReplayResult, opened: number): string {
  const over = span ? `, ${iso(span.from)} to ${iso(span.to)}` : ''
  const answer = opened === 0 ? 'no incident' : counted(opened, 'incident')
  const fed = `${counted(inputs, 'input')} with ${counted(calls, 'call')} of ${counted(status.keys, 'key')}`
  return `${counted(lives, 'life', 'lives')}, ${fed}${over}: ${answer}.`
}

function comparedText({ decisions, settingsHashes, parting }: RecordedReplayResult): string {
  if (parting !== undefined) return 'NOT what was recorded.'
  const changed =
    settingsHashes.length > 1
      ? ` The settings changed on the way (${settingsHashes.map(hash => hash.slice(0, 8)).join(', ')}).`
      : ''
  return `Every decision is what it was: ${counted(decisions, 'effect or change', 'effects and changes')} compared, and the state wherever it is recorded.${changed}`
}

function partingText({ place, segment, input, recorded, now }: Parting): string {
  const where = `input ${number(place.input)} of life ${place.life} (${segment})`
  if (input === undefined)
    return `Parted before ${where}: the state that the worker had there is not the one that the inputs before it lead to.\n`
  const what = input.kind === 'batch' ? `${counted(input.length, 'call')} of ${input.partition}` : input.kind
  return `Parted at ${where}: ${what}\n  recorded: ${recorded ?? 'no decision'}\n  now:      ${now ?? 'no decision'}\n`
}
