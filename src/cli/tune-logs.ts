/** What `weir tune` does. Standard output holds the answer only; progress goes to standard error. */
import { access, constants, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { weirSchema } from '../core/config/config.ts'
import { type EngineSettings, engineSettings } from '../core/engine.ts'
import { StreamError } from '../core/errors.ts'
import { type Knob, knobsOf, type Setting, withSetting } from '../core/tuning/knob.ts'
import type { Label } from '../core/tuning/label.ts'
import {
  compareJudged,
  createReckoner,
  type Judged,
  type Parts,
  partsOf,
  reportOf,
  speaks,
} from '../core/tuning/report.ts'
import type { KeyRises } from '../core/tuning/rises.ts'
import { type Searched, search } from '../core/tuning/search.ts'
import { DAY_MS } from '../core/vocabulary.ts'
import { labelsPath, readLabels } from '../stores/labels.ts'
import { createTally, type LogTally, readCanonically } from '../worker/bare-log.ts'
import { type KeptLog, keepLog } from '../worker/kept-log.ts'
import { nothingRead } from '../worker/replay.ts'
import { openTrials, type Trials } from '../worker/trials.ts'
import { loadConfig } from './config-file.ts'
import { exitCodes } from './exit.ts'
import type { LineOutput } from './live-line.ts'
import { iso } from './plain-words.ts'
import { openRecordedLogs, type RecordedLogs, type RecordedLogsOptions } from './recorded-logs.ts'
import { createLogNotes, type LogNotes } from './replay-summary.ts'
import type { startThreads } from './replay-threads.ts'
import { listenForStop } from './stop-signal.ts'
import { tuneJson } from './tune-json.ts'
import { tunePage } from './tune-page/page.ts'
import { tuneProgress } from './tune-progress.ts'
import { type Read, tuneText } from './tune-text.ts'

export interface TuneOptions extends Omit<RecordedLogsOptions, 'mode'> {
  readonly labels?: string
  /** Days. */
  readonly holdOut?: number
  /** False alarms, as `alertBudget` says them. Without it that of the configuration. */
  readonly budget?: string
  readonly tries: number
  readonly against?: string
  readonly html?: string
  readonly json?: boolean
}

export interface TuneSurroundings {
  readonly out: { write(text: string): unknown }
  readonly err: LineOutput
}

/** The file that a log is kept in is refused beyond this. */
const mostKeptBytes = 32 * 1024 ** 3

/** Throws what a replay may throw, CONFIG_INVALID of the other configuration, SOURCE_UNREADABLE of labels, STORE_UNWRITABLE. */
export async function tuneLogs(
  logs: readonly string[],
  options: TuneOptions,
  { out, err }: TuneSurroundings = { out: process.stdout, err: process.stderr },
  decodedAhead?: ReturnType<typeof startThreads>,
): Promise<void> {
  if (options.html !== undefined) await checkWritable(options.html)
  const stop = listenForStop()
  const progress = tuneProgress(err)
  const folder = await mkdtemp(join(tmpdir(), 'weir-tune-'))
  try {
    const tuned = await tuneIn(folder, { logs, options, progress, signal: stop.signal, decodedAhead })
    progress.clear()
    if (tuned === undefined) {
      err.write('weir: Stopped before all was tried\n')
      process.exitCode = exitCodes.failed
      return
    }
    const { report, read } = tuned
    if (options.html !== undefined) await writeFile(options.html, tunePage(report, read))
    out.write(options.json ? `${tuneJson(report, read)}\n` : tuneText(report, read, options.html))
  } finally {
    progress.clear()
    stop.release()
    await rm(folder, { recursive: true, force: true })
  }
}

interface Wanted {
  readonly logs: readonly string[]
  readonly options: TuneOptions
  readonly progress: ReturnType<typeof tuneProgress>
  readonly signal: AbortSignal
  readonly decodedAhead: ReturnType<typeof startThreads> | undefined
}

/** undefined where it was stopped. What is read is kept in the folder. */
async function tuneIn(folder: string, { logs, options, progress, signal, decodedAhead }: Wanted) {
  const recorded = await openRecordedLogs(logs, options, signal, decodedAhead)
  const { settings } = recorded
  const other = options.against === undefined ? undefined : await otherSettings(options.against, settings)
  const budgetPerWeek = budgetFor(options, settings)
  const labels = await labelsFor(options, settings)
  const { kept, read } = await keep(recorded, join(folder, 'log'), progress.read)
  if (signal.aborted) return undefined
  const trials = openTrials(kept, availableParallelism())
  try {
    const tuning = tune({ options, budgetPerWeek, labels, settings, other, trials, progress: progress.tried, kept })
    const report = await Promise.race([tuning, aborted(signal)])
    return report && { report, read }
  } finally {
    await trials.close()
  }
}

const aborted = (signal: AbortSignal): Promise<undefined> =>
  new Promise(resolve => {
    if (signal.aborted) resolve(undefined)
    signal.addEventListener('abort', () => resolve(undefined), { once: true })
  })

/** Before the hour of work whose answer could not be kept. */
async function checkWritable(path: string): Promise<void> {
  try {
    await access(dirname(resolve(path)), constants.W_OK)
  } catch (cause) {
    throw new StreamError('STORE_UNWRITABLE', `Cannot write the page ${path}`, {
      retry: 'never',
      hint: 'Its folder must be there, and writable',
      cause,
    })
  }
}

/** The other configuration on the same stream; where it names no tenants, with the same ones. */
async function otherSettings(path: string, settings: EngineSettings): Promise<Other> {
  const loaded = await loadConfig(path, { readFile: file => readFile(file, 'utf8'), acts: false })
  const { tenants, ...rest } = engineSettings(loaded.config, loaded.tenants.tenants, loaded.tenants.planned)
  const hasTenants = loaded.files.length > 1
  return { name: path, settings: { ...rest, keyed: settings.keyed, tenants: hasTenants ? tenants : settings.tenants } }
}

interface Other {
  readonly name: string
  readonly settings: EngineSettings
}

function budgetFor({ budget }: TuneOptions, { config }: EngineSettings): number {
  if (budget === undefined) return config.alertBudget
  const parsed = weirSchema.shape.alertBudget.safeParse(budget)
  if (parsed.success) return parsed.data
  throw new StreamError('CONFIG_INVALID', `--budget is “${budget}”: should be a rate, as alertBudget is`, {
    retry: 'never',
    hint: "Write it like '1 per week', '3 per day' or '2 per month'",
  })
}

/** A file that was named must be there; the one beside the state may not be. */
async function labelsFor({ labels, config }: TuneOptions, settings: EngineSettings): Promise<readonly Label[]> {
  const folder = config === undefined ? '.' : dirname(config)
  const path = labels ?? labelsPath(resolve(folder, settings.config.state.directory))
  const read = await readLabels(path)
  if (read === undefined && labels !== undefined)
    throw new StreamError('SOURCE_UNREADABLE', `There are no labels at ${labels}`, {
      retry: 'never',
      hint: 'weir label writes them',
    })
  return read ?? []
}

/** Reads and decodes everything, once. Throws NOTHING_READ. */
async function keep(
  recorded: RecordedLogs,
  path: string,
  progressed: (tally: LogTally) => void,
): Promise<{ readonly kept: KeptLog; readonly read: Read }> {
  const keeper = keepLog(path, mostKeptBytes)
  const notes = createLogNotes(recorded.decoder)
  const history = createTally()
  const log = createTally()
  let inputs = 0
  await readCanonically(
    recorded.history,
    notes.decoder,
    history,
    input => {
      keeper.take('history', input)
      if (++inputs % 1024 === 0) progressed(history)
    },
    { lastMayJump: false },
  )
  await readCanonically(recorded.logs.map(notes.follow), notes.decoder, log, input => {
    keeper.take('log', input)
    if (++inputs % 1024 === 0) progressed(log)
  })
  const kept = keeper.end()
  if (recorded.history.length > 0 && kept.history.length === 0) throw nothingRead('history', history)
  if (kept.log.length === 0) throw nothingRead('log', log)
  const { firsts }: LogNotes = notes.read()
  return { kept, read: { history, log, firsts, files: recorded.files } }
}

interface Tuning {
  readonly options: TuneOptions
  readonly budgetPerWeek: number
  readonly labels: readonly Label[]
  readonly settings: EngineSettings
  readonly other: Other | undefined
  readonly trials: Trials
  readonly kept: KeptLog
  readonly progress: (done: number, batch: number, tried: number) => void
}

async function tune({ options, budgetPerWeek, labels, settings, other, trials, kept, progress }: Tuning) {
  const knobs = knobsOf(settings.config)
  const judging = createJudging({ labels, trials, progress, parted: span => partsFor(span, options, kept) })
  const searched = await searchThrough(
    knobs,
    { tries: options.tries, budgetPerWeek },
    setting => underSetting(settings, knobs, setting),
    judging.judge,
  )
  const [judged] = other === undefined ? [] : await judging.judge([other.settings])
  return reportOf({
    ...{ parts: judging.parts(), budgetPerWeek, labels, knobs, searched },
    against: other && judged && { name: other.name, judged },
    rises: judging.rises(),
  })
}

function partsFor(span: Parts['span'], { holdOut }: TuneOptions, kept: KeptLog): Parts {
  const holdOutMs = holdOut === undefined ? undefined : holdOut * DAY_MS
  const parts = partsOf(span, { holdOutMs, hasHistory: kept.history.length > 0 })
  if (parts.tuned.to > parts.tuned.from) return parts
  throw new StreamError('TIME_UNUSABLE', `--hold-out ${holdOut} leaves nothing of the log to tune on`, {
    retry: 'never',
    hint: `It reaches from ${iso(span.from)} to ${iso(span.to)}`,
  })
}

const underSetting = (settings: EngineSettings, knobs: readonly Knob[], setting: Setting): EngineSettings => ({
  ...settings,
  config: withSetting(settings.config, knobs, setting),
})

/** The first that is judged is the present setting: what it tells says what is due, and where the log begins and ends. */
function createJudging({
  labels,
  trials,
  progress,
  parted,
}: Pick<Tuning, 'labels' | 'trials' | 'progress'> & { readonly parted: (span: Parts['span']) => Parts }) {
  let begun: { readonly parts: Parts; readonly reckoner: ReturnType<typeof createReckoner> } | undefined
  let tried = 0
  let rises: readonly KeyRises[] = []
  return {
    rises: () => rises,
    parts(): Parts {
      if (begun === undefined) throw new Error('nothing was judged')
      return begun.parts
    },
    async judge(settings: readonly EngineSettings[]): Promise<readonly Judged[]> {
      const [present, ...others] = settings.map(one => ({ settings: one }))
      const asked = present === undefined ? [] : [{ ...present, withRises: begun === undefined }, ...others]
      const results = await trials.judge(asked, done => progress(done, settings.length, tried))
      rises = results[0]?.rises ?? rises
      tried += settings.length
      return results.map(({ told, span }) => {
        if (begun === undefined) {
          const parts = parted(span)
          begun = { parts, reckoner: createReckoner(parts, labels) }
        }
        return begun.reckoner.judge(told)
      })
    },
  }
}

async function searchThrough(
  knobs: readonly Knob[],
  { tries, budgetPerWeek }: { readonly tries: number; readonly budgetPerWeek: number },
  settingsOf: (setting: Setting) => EngineSettings,
  judge: (settings: readonly EngineSettings[]) => Promise<readonly Judged[]>,
): Promise<Searched<Judged>> {
  const steps = search<Judged>({ knobs, tries, compare: compareJudged(budgetPerWeek), speaks })
  let step = steps.next()
  while (!step.done) step = steps.next(await judge(step.value.map(settingsOf)))
  return step.value
}
