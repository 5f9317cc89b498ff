/** What `weir learn` does. Standard output holds the summary only; progress goes to standard error. */
import { open, readFile, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { systemClock } from '../clock.ts'
import type { FormatName } from '../core/config/config.ts'
import { engineSettings, engineStatus } from '../core/engine.ts'
import { createDecoder, maxRecordBytes } from '../core/formats/decoder.ts'
import { fieldsRead } from '../core/judge.ts'
import { knowledgeOf } from '../core/knowledge.ts'
import { DAY_MS, type EpochMs } from '../core/vocabulary.ts'
import { findFiles } from '../sources/file-paths.ts'
import { checkReadable, readFilePieces, standardInputPath } from '../sources/file-pieces.ts'
import { openCheckpoints } from '../stores/checkpoint.ts'
import type { BareLog } from '../worker/bare-log.ts'
import { decodeAhead } from '../worker/decode-ahead.ts'
import { learn } from '../worker/learn.ts'
import { loadConfig } from './config-file.ts'
import { withHeaderOf } from './csv-header.ts'
import { exitCodes } from './exit.ts'
import { loadHashSecret } from './hash-secret.ts'
import { type LearnSummary, learnJson, learnText } from './learn-summary.ts'
import { type LineOutput, liveLine } from './live-line.ts'
import { number } from './plain-words.ts'
import { createLogNotes } from './replay-summary.ts'
import { paysAhead } from './replay-threads.ts'
import { sizeText } from './size.ts'
import { listenForStop } from './stop-signal.ts'

export interface LearnOptions {
  readonly config: string
  readonly format?: FormatName
  readonly replace?: boolean
  readonly json?: boolean
}

export interface LearnSurroundings {
  readonly out: { write(text: string): unknown }
  readonly err: LineOutput
  readonly now: () => EpochMs
}

/** Throws StreamError: STATE_TAKEN, NOTHING_READ, and what reading the configuration, the logs and the state may throw. */
export async function learnLogs(
  named: readonly string[],
  options: LearnOptions,
  { out, err, now }: LearnSurroundings = { out: process.stdout, err: process.stderr, now: systemClock().now },
): Promise<void> {
  const stop = listenForStop()
  try {
    const files = await findFiles(named)
    const paths = files.map(({ path }) => path)
    for (const path of paths) await checkReadable(path)
    const loaded = await loadConfig(options.config, { readFile: path => readFile(path, 'utf8'), acts: false })
    const { config, tenants } = loaded
    const directory = resolve(dirname(resolve(options.config)), config.state.directory)
    const settings = engineSettings(config, tenants.tenants, tenants.planned)
    // Its lock keeps a worker out, and us while one is there.
    const checkpoints = await openCheckpoints(directory)
    try {
      const hashSecret = await loadHashSecret(directory, process.env)
      const format = options.format ?? config.format
      const fields = await withHeaderOf(paths, { format, fields: config.fields, maxRecordBytes })
      const decoding = { format, fields, hashSecret, maxRecordBytes, reads: fieldsRead(config) }
      const notes = createLogNotes(createDecoder(decoding))
      const logs: BareLog[] = []
      for (const { path, folder } of files)
        logs.push(
          notes.follow(
            paysAhead(path)
              ? { path, folder, ...decodeAhead(path, decoding, stop.signal) }
              : { path, folder, pieces: readFilePieces(path, { maxRecordBytes }, stop.signal) },
          ),
        )
      const progress = progressOn(err, await plainBytesOf(paths))
      const learned = await learn(
        {
          ...{ settings, decoder: notes.decoder, logs, checkpoints, directory, at: now() },
          replace: options.replace ?? false,
          progressed: (tally, engine) => progress.show(tally, engineStatus(engine).eventTime),
        },
        stop.signal,
      ).finally(progress.clear)
      if (learned === undefined) {
        err.write('weir: Stopped before all was read: nothing was kept, the state is as it was\n')
        process.exitCode = exitCodes.failed
        return
      }
      const { engine, tally } = learned
      const knownUntil = engineStatus(engine).knownUntil ?? now()
      const at = sameTimeOfDay(now(), knownUntil)
      const summary: LearnSummary = {
        ...{ tally, knownUntil, at, now: now(), directory, tenants: settings.tenants },
        knowledge: knowledgeOf(engine, at),
        firsts: notes.read().firsts,
        logs: paths,
      }
      out.write(options.json ? `${learnJson(summary)}\n` : learnText(summary))
    } finally {
      await checkpoints.close()
    }
  } finally {
    stop.release()
  }
}

/** The first moment from `from` on that has the time of day (UTC) of `now`. */
function sameTimeOfDay(now: EpochMs, from: EpochMs): EpochMs {
  const days = Math.ceil((from - now) / DAY_MS)
  return now + days * DAY_MS
}

/**
 * What the logs come to when they are inflated; undefined where nobody can say. Of a gzip file its last four bytes say
 * it, modulo 4 GiB and of its last member only: what is less than the file itself is not believed.
 */
async function plainBytesOf(paths: readonly string[]): Promise<number | undefined> {
  let total = 0
  for (const path of paths) {
    if (path === standardInputPath) return undefined
    const { size } = await stat(path)
    const file = await open(path, 'r')
    try {
      const { bytesRead, buffer: head } = await file.read(Buffer.alloc(2), 0, 2, 0)
      const isGzip = bytesRead === 2 && head.readUInt16BE(0) === 0x1f8b
      const plain =
        isGzip && size > 4 ? (await file.read(Buffer.alloc(4), 0, 4, size - 4)).buffer.readUInt32LE(0) : size
      if (plain < size) return undefined
      total += plain
    } finally {
      await file.close()
    }
  }
  return total
}

const redrawEveryMs = 200
const lineEveryMs = 10_000

/** A line that rewrites itself on a terminal; elsewhere a line every ten seconds. */
function progressOn(screen: LineOutput, totalBytes: number | undefined) {
  const live = liveLine(screen)
  let shownAt = performance.now()
  return {
    show(
      { bytes, calls, paneRows }: { bytes: number; calls: number; paneRows: number },
      eventTime: EpochMs | undefined,
    ) {
      const everyMs = screen.isTTY ? redrawEveryMs : lineEveryMs
      if (performance.now() - shownAt < everyMs) return
      shownAt = performance.now()
      const of = totalBytes === undefined || bytes > totalBytes ? '' : ` of ${sizeText(totalBytes)}`
      const at = eventTime === undefined ? '' : `, at ${new Date(eventTime).toISOString().slice(0, 19)}Z`
      const line = `${sizeText(bytes)}${of} read, ${number(calls + paneRows)} calls and rows${at}`
      if (screen.isTTY) live.show(line)
      else screen.write(`${line}\n`)
    },
    clear: live.clear,
  }
}
