/**
 * Rows of a CSV (RFC 4180): cells between commas, semicolons or tabs, in quotes where they hold one. Which column is what is
 * said by a header line: of the configuration, or the first line of the log. Wherever the header comes again, as it does
 * where files were put together, it is no row.
 *
 * A row has as many cells as the header, and ends with its line. So a client that gets a comma through where nothing is
 * quoted moves no other tenant's id into its place, and one that gets a quote through swallows no line but its own: the
 * price is that a line end within a cell, which RFC 4180 allows and no access log writes, is a bad row.
 */
import { addCall, type CallNumbers } from './access-log.ts'
import { absent, type FieldSlots, put, putDecoded, type Spans } from './field-slots.ts'
import { parseNumber, parseTime } from './field-text.ts'
import type { TakeLine } from './text-lines.ts'

const quote = 0x22
const delimiters = [0x2c, 0x3b, 0x09] as const

/** How the rows of a log are to be read. */
export interface CsvHeader {
  readonly delimiter: number
  readonly names: readonly string[]
}

/** The header that a line is, by the delimiter that it has most of; undefined for one that has none. */
export function csvHeaderOf(line: string): CsvHeader | undefined {
  const bytes = Buffer.from(line)
  const counts = delimiters.map(delimiter => cellsOf(bytes, 0, bytes.length, delimiter)?.length ?? 0)
  const most = Math.max(...counts)
  const delimiter = delimiters[counts.indexOf(most)]
  if (most < 2 || delimiter === undefined) return undefined
  const cells = cellsOf(bytes, 0, bytes.length, delimiter) ?? []
  return { delimiter, names: cells.map(cell => textOf(bytes, cell).toString().trim()) }
}

/** No header of a log is longer. */
export const longestHeader = 16 * 1024

/**
 * The header that a line of a log is: one that names a column for the time. A header names things, so a line with a value in
 * it is a row, whatever names a client got into it.
 */
export function headerOfLog(line: string, isTime: (name: string) => boolean): CsvHeader | undefined {
  const header = csvHeaderOf(line)
  return header?.names.some(isTime) && !holdsValue(line) ? header : undefined
}

/** Between any two delimiters: a client may have written more of another one than the row has of its own. */
const holdsValue = (line: string): boolean => line.split(/[,;\t]/).some(isValue)

/** A number or a time, in quotes or not. */
function isValue(text: string): boolean {
  const bytes = Buffer.from(text.trim().replace(/^"|"$/g, ''))
  const { length } = bytes
  return !Number.isNaN(parseNumber(bytes, 0, length)) || !Number.isNaN(parseTime(bytes, 0, length))
}

/** Without `header` the first line that names a column for the time is it; lines before that are refused. */
export function createCsvLine(
  fields: FieldSlots,
  spans: Spans,
  numbers: CallNumbers,
  header: string | undefined,
): TakeLine {
  let columns = header === undefined ? undefined : columnsOf(csvHeaderOf(header), fields)
  const cells: Cell[] = []
  const isTime = (name: string): boolean =>
    fields.byName.get(name)?.some(slot => fields.roles.time.includes(slot)) ?? false

  /** Whether the line is a header. What follows is read by it, where the settings have none. */
  const takesAsHeader = (bytes: Buffer, from: number, to: number): boolean => {
    if (to - from > longestHeader) return false
    const line = bytes.toString('utf8', from, to)
    if (header !== undefined) return isSame(csvHeaderOf(line), columns)
    const learned = columnsOf(headerOfLog(line, isTime), fields)
    columns = learned ?? columns
    return learned !== undefined
  }

  return (bytes, from, to, { batch, eventTime }) => {
    if (columns === undefined) return takesAsHeader(bytes, from, to) ? undefined : 'no-header'
    const count = readCells(bytes, from, to, columns.delimiter, cells)
    if (count !== columns.slots.length) return takesAsHeader(bytes, from, to) ? undefined : 'bad-row'
    spans.kind.fill(absent)
    for (const [index, slots] of columns.slots.entries()) {
      const cell = cells[index]
      if (cell !== undefined)
        for (const slot of slots) if (spans.kind[slot] === absent) putCell(spans, slot, bytes, cell)
    }
    const reason = addCall(batch, bytes, fields, spans, numbers, eventTime)
    return reason === 'bad-time' && takesAsHeader(bytes, from, to) ? undefined : reason
  }
}

interface Columns extends CsvHeader {
  /** By column, the slots of its name. */
  readonly slots: readonly (readonly number[])[]
}

function columnsOf(header: CsvHeader | undefined, { byName }: FieldSlots): Columns | undefined {
  if (header === undefined) return undefined
  return { ...header, slots: header.names.map(name => byName.get(name) ?? []) }
}

const isSame = (one: CsvHeader | undefined, other: CsvHeader | undefined): boolean =>
  one !== undefined &&
  one.names.length === other?.names.length &&
  one.names.every((name, at) => name === other.names[at])

interface Cell {
  from: number
  to: number
  /** Whether a quote in it is written twice. */
  hasDoubled: boolean
}

function cellsOf(bytes: Buffer, from: number, to: number, delimiter: number): readonly Cell[] | undefined {
  const cells: Cell[] = []
  return readCells(bytes, from, to, delimiter, cells) < 0 ? undefined : cells
}

/** Overwrites `cells` from the first on, and returns how many there are; -1 where a quote is out of place. */
function readCells(bytes: Buffer, from: number, to: number, delimiter: number, cells: Cell[]): number {
  let count = 0
  for (let at = from; ; ) {
    const isQuoted = bytes[at] === quote && at < to
    let hasDoubled = false
    const begin = isQuoted ? at + 1 : at
    let end = begin
    if (isQuoted) {
      for (; end < to; end++) {
        if (bytes[end] !== quote) continue
        if (end + 1 >= to || bytes[end + 1] !== quote) break
        hasDoubled = true
        end++
      }
      if (end >= to) return -1
      at = end + 1
      if (at < to && bytes[at] !== delimiter) return -1
    } else {
      while (end < to && bytes[end] !== delimiter) end++
      at = end
    }
    const cell = cells[count]
    if (cell === undefined) cells.push({ from: begin, to: end, hasDoubled })
    else {
      cell.from = begin
      cell.to = end
      cell.hasDoubled = hasDoubled
    }
    count++
    if (at >= to) return count
    at++
  }
}

function textOf(bytes: Buffer, { from, to, hasDoubled }: Cell): Buffer {
  const text = bytes.subarray(from, to)
  return hasDoubled ? Buffer.from(text.toString('utf8').replaceAll('""', '"')) : text
}

function putCell(spans: Spans, slot: number, bytes: Buffer, cell: Cell): void {
  if (cell.hasDoubled) putDecoded(spans, slot, textOf(bytes, cell))
  else put(spans, slot, bytes, cell.from, cell.to)
}
