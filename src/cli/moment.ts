/** A moment as people write it: as Weir itself writes times, with a zone, or as epoch milliseconds. A time that nobody could be sure of is refused. */
import { StreamError } from '../core/errors.ts'
import { type EpochMs, SECOND_MS } from '../core/vocabulary.ts'

const written = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?)(?: ?(Z|UTC|GMT)|([+-]\d{2}):?(\d{2}))?$/i

/** Epoch ms, rounded down to its second: that is when a key is looked at. Throws TIME_UNUSABLE. */
export function parseMoment(text: string): EpochMs {
  const trimmed = text.trim()
  if (/^\d{13}$/.test(trimmed)) return wholeSecond(Number(trimmed))
  const [, date, time, utc, hours, minutes] = written.exec(trimmed) ?? []
  if (date === undefined || time === undefined) throw unusable(trimmed)
  const zone = utc !== undefined ? 'Z' : hours === undefined ? undefined : `${hours}:${minutes}`
  if (zone === undefined)
    throw new StreamError('TIME_UNUSABLE', `“${text}” is ambiguous: it names no zone`, {
      retry: 'never',
      hint: `Weir's own times are UTC: ${date}T${time}Z if this is one of them; else with its offset, ${date}T${time}+01:00`,
    })
  const at = Date.parse(`${date}T${time.replace(',', '.')}${zone}`)
  if (Number.isNaN(at) || !isOfCalendar(date)) throw unusable(trimmed)
  return wholeSecond(at)
}

const wholeSecond = (at: number): EpochMs => Math.floor(at / SECOND_MS) * SECOND_MS

/** JavaScript takes 30 February for 2 March. */
function isOfCalendar(date: string): boolean {
  const at = Date.parse(`${date}T00:00Z`)
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(date)
}

function unusable(text: string): StreamError {
  const isTimeOfDay = /^\d{1,2}:\d{2}(:\d{2})?/.test(text)
  return new StreamError(
    'TIME_UNUSABLE',
    isTimeOfDay ? `“${text}” is ambiguous: it names no day` : `“${text}” is no moment`,
    { retry: 'never', hint: 'Write it like 2026-11-20T14:03:07Z, or as the epoch milliseconds of a message' },
  )
}
