/**
 * Wall clock to instant and back, in the zones that the runtime knows (IANA’s, by `Intl`): a batch at two in the morning is
 * at two in winter and in summer. Pure: the same zone data gives the same answers.
 */
import { DAY_MS, type EpochMs, MINUTE_MS } from '../vocabulary.ts'

export const UTC = 'UTC'

/** Whether it is a name of a zone, as `Europe/Berlin`; offsets are none, since they know no summer. */
export function isTimeZone(name: string): boolean {
  if (/^[+-]/.test(name)) return false
  try {
    return formatOf(name) !== undefined
  } catch {
    return false
  }
}

/** Formats are dear to make; there are as many as zones that a file names. */
const formats = new Map<string, Intl.DateTimeFormat>()

function formatOf(zone: string): Intl.DateTimeFormat {
  let format = formats.get(zone)
  if (format === undefined) {
    const digits = { year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit' } as const
    format = new Intl.DateTimeFormat('en-US', { timeZone: zone, hourCycle: 'h23', ...digits, second: '2-digit' })
    formats.set(zone, format)
  }
  return format
}

/** What the zone's clocks show at this instant, as if they showed UTC. */
export function wallClock(at: EpochMs, zone: string): EpochMs {
  if (zone === UTC) return at
  const shown: Record<string, number> = {}
  for (const { type, value } of formatOf(zone).formatToParts(at)) shown[type] = Number(value)
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = shown
  return Date.UTC(year, month - 1, day, hour, minute, second)
}

/**
 * When the zone's clocks show this. What they show twice, as the clock goes back, is the first time; what they never show,
 * as it goes forward, is as long after the change as it would have been after the hour that is left out.
 */
export function instantOf(wall: EpochMs, zone: string): EpochMs {
  if (zone === UTC) return wall
  const before = wall - offsetAt(wall - DAY_MS, zone)
  const after = wall - offsetAt(wall + DAY_MS, zone)
  const shows = [before, after].filter(at => wallClock(at, zone) === wall)
  return shows.length === 0 ? before : Math.min(...shows)
}

const offsetAt = (at: EpochMs, zone: string): number => {
  const minute = Math.floor(at / MINUTE_MS) * MINUTE_MS
  return wallClock(minute, zone) - minute
}
