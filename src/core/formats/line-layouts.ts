/**
 * The fast reader. A log writes the same names in the same order on every line, so the bytes between the values are
 * learned from a line that `readMembers` understood, and on the next line only compared: no name is looked up, no string
 * made, and what a value means is known by where it stands. A call is read to where it is settled and no further.
 * Whatever is not exactly as learned (an escape, another name, a time that makes no sense) is a miss, and the line goes to
 * the thorough reader: a miss costs time, never meaning. Mutable on purpose.
 */
import { type CallBatch, type PaneRow, roomForCall } from '../call-batch.ts'
import type { EpochMs } from '../vocabulary.ts'
import type { FieldSlots } from './field-slots.ts'
import { createFound } from './found.ts'
import type { Members } from './json-members.ts'
import type { KeyNames } from './key-names.ts'
import { type Layout, layoutOf, shapeHash } from './layout.ts'
import { matchLine } from './line-match.ts'
import { isPossible } from './panes.ts'
import type { Places } from './places.ts'

/** A stretch of lines. `view` shows the same bytes and `slackBytes` more behind the last newline. */
export interface Lines {
  readonly bytes: Buffer
  readonly view: DataView
}

export interface LineLayouts {
  /**
   * Counts the line that begins at `at`, and returns where the next one begins; -1: a miss, and nothing was counted. There
   * must be a newline at or after `at`. Of an escaped line it returns where the quote stands that ends it. `eventTime` stands in where the line has no time of its own.
   */
  read(lines: Lines, at: number, batch: CallBatch, eventTime: EpochMs | undefined): number
  /** Whether the line that was read last counted as anonymous. */
  wasKeyless(): boolean
  /** Takes over the shape of a line from `from` to `to` that was read whole, and counted. */
  learn(bytes: Buffer, from: number, to: number, members: Members, isPane: boolean): void
}

/** A log has one shape, or one with and one without what is not always there. The least recently matched goes. */
const mostLayouts = 8

interface LayoutOptions {
  /** The lines are strings in envelopes, and are read as they stand there; what is learned from is not. */
  readonly isEscaped?: boolean
  /** Where routes and sources are asked for. */
  readonly places?: Places | undefined
}

export function createLineLayouts(
  fields: FieldSlots,
  names: KeyNames,
  { isEscaped = false, places }: LayoutOptions = {},
): LineLayouts {
  const layouts: { readonly layout: Layout; matchedAt: number }[] = []
  let current = 0
  let matches = 0
  let isKeyless = false
  const found = createFound(places?.sourceSeed ?? 0)

  /** Counts what was found, where it is a call or a row. */
  const count = (
    { bytes, view }: Lines,
    isPane: boolean,
    batch: CallBatch,
    eventTime: EpochMs | undefined,
  ): boolean => {
    if (isPane) return addRow(bytes, view, batch)
    if (!found.hasTime) {
      if (eventTime === undefined) return false
      batch.time[batch.length] = eventTime
    }
    if (places !== undefined && !placed(places, view, batch)) return false
    const key = keyOf(bytes, view)
    isKeyless = key === undefined
    batch.key[batch.length] = key ?? names.anonymous()
    batch.length++
    return true
  }

  /** Puts route and source where the call's other values are; false where only the thorough reader can. */
  const placed = (places: Places, view: DataView, batch: CallBatch): boolean => {
    const { route, routeFrom, sourceFrom, sourceTo, sourceHash } = found
    batch.source[batch.length] = sourceFrom < 0 ? 0 : places.sourceOfHash(sourceHash, view, sourceFrom, sourceTo)
    batch.route[batch.length] = route
    return routeFrom < 0 || placedOdd(places, view, batch)
  }

  const placedOdd = (places: Places, view: DataView, batch: CallBatch): boolean => {
    const { routeFrom, routeTo, isRouteEscaped } = found
    const route = isRouteEscaped
      ? places.escapedRouteOf(view, routeFrom, routeTo)
      : places.routeOf(view, routeFrom, routeTo)
    batch.route[batch.length] = route
    return route !== 0
  }

  const keyOf = (bytes: Buffer, view: DataView): number | undefined => {
    const { keyFrom, keyTo, secretFrom, secretTo } = found
    if (keyFrom < 0) return secretFrom < 0 ? undefined : names.ofSecret(bytes, secretFrom, secretTo)
    const known = names.table.known(view, keyFrom, keyTo)
    return known < 0 ? names.ofId(bytes, keyFrom, keyTo) : known
  }

  const addRow = (bytes: Buffer, view: DataView, batch: CallBatch): boolean => {
    const counts = countsOf(batch.time[batch.length] ?? 0, found.amounts)
    if (found.keyFrom < 0 || !found.hasTime || !isPossible(counts)) return false
    isKeyless = false
    batch.panes.push({ key: keyOf(bytes, view) ?? names.anonymous(), ...counts })
    return true
  }

  const readAs = (
    layout: Layout,
    lines: Lines,
    at: number,
    batch: CallBatch,
    eventTime: EpochMs | undefined,
  ): number => {
    if (layout.isPane) found.amounts.fill(0)
    const next = matchLine(layout, lines.bytes, lines.view, at, batch, found)
    return next >= 0 && count(lines, layout.isPane, batch, eventTime) ? next : -1
  }

  return {
    read(lines, at, batch, eventTime) {
      roomForCall(batch)
      for (let tried = 0, index = current; tried < layouts.length; tried++, index++) {
        if (index === layouts.length) index = 0
        const candidate = layouts[index]
        const next = candidate === undefined ? -1 : readAs(candidate.layout, lines, at, batch, eventTime)
        if (next < 0 || candidate === undefined) continue
        if (tried > 0) {
          current = index
          candidate.matchedAt = ++matches
        }
        return next
      }
      return -1
    },
    wasKeyless: () => isKeyless,
    learn(bytes, from, to, members, isPane) {
      const hash = shapeHash(bytes, from, to, members)
      // A line that missed for its values, not for its shape, has nothing to teach. (Were two shapes to share a hash, the
      // second would always be read thoroughly.)
      if (layouts.some(({ layout }) => layout.hash === hash)) return
      const layout = layoutOf(bytes, from, to, members, fields, { isPane, isEscaped })
      if (layout === undefined) return
      const oldest = layouts.reduce(
        (least, { matchedAt }, index) => (matchedAt < (layouts[least]?.matchedAt ?? 0) ? index : least),
        0,
      )
      current = layouts.length < mostLayouts ? layouts.length : oldest
      layouts[current] = { layout, matchedAt: ++matches }
    },
  }
}

/** `row` is in the order of layout.ts’s `amounts`. */
function countsOf(start: EpochMs, row: Float64Array): Omit<PaneRow, 'key'> {
  const [seconds = 0, calls = 0, status2xx = 0, status4xx = 0, status429 = 0] = row
  const [status5xx = 0, latencySumMs = 0, latencyCount = 0, bytes = 0] = row.subarray(5)
  return { start, seconds, calls, status2xx, status4xx, status429, status5xx, latencySumMs, latencyCount, bytes }
}
