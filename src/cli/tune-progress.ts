/** How far a tuning has come: a line that rewrites itself on a terminal; elsewhere a line every ten seconds. */
import type { LogTally } from '../worker/bare-log.ts'
import { type LineOutput, liveLine } from './live-line.ts'
import { counted, number } from './plain-words.ts'

const redrawEveryMs = 200
const lineEveryMs = 10_000

export function tuneProgress(screen: LineOutput) {
  const live = liveLine(screen)
  const startedAt = performance.now()
  let shownAt = startedAt
  let triedFrom: number | undefined
  function show(line: () => string): void {
    const now = performance.now()
    if (now - shownAt < (screen.isTTY ? redrawEveryMs : lineEveryMs)) return
    shownAt = now
    if (screen.isTTY) live.show(line())
    else screen.write(`${line()}\n`)
  }
  return {
    read(tally: LogTally): void {
      show(() => `${number(tally.calls + tally.paneRows)} read`)
    },
    /** `done` of a batch of settings, after so many that were tried before it. */
    tried(done: number, batch: number, tried: number): void {
      triedFrom ??= performance.now()
      const sinceMs = performance.now() - triedFrom
      const all = tried + done
      show(
        () =>
          `${counted(Math.floor(all), 'setting')} tried, ${number(Math.ceil(batch - done))} to go in this round; ${secondsText(sinceMs / 1_000 / Math.max(all, 0.01))} each`,
      )
    },
    clear: live.clear,
  }
}

const secondsText = (seconds: number): string =>
  seconds < 90 ? `${seconds.toPrecision(2)} s` : `${Math.round(seconds / 60)} min`
