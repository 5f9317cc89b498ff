/**
 * The header of CSV files that the settings say nothing of: the first line of each, looked at before anything is read. A
 * worker that goes on in the middle of a file, and a thread that decodes another one, never see that line.
 */

import { StreamError } from '../core/errors.ts'
import { headerOfLog, longestHeader } from '../core/formats/csv.ts'
import { type FieldSettings, type FormatName, fieldNamesOf } from '../core/formats/field-names.ts'
import { readFilePieces, standardInputPath } from '../sources/file-pieces.ts'

/** `fields` with the header that all `files` begin with. Throws SOURCE_UNREADABLE where one has none, or another. */
export async function withHeaderOf(
  files: readonly string[],
  { format, fields, maxRecordBytes }: { format: FormatName; fields: FieldSettings; maxRecordBytes: number },
): Promise<FieldSettings> {
  if (format !== 'csv' || fields.header !== undefined) return fields
  const times = fieldNamesOf(format, fields).time
  let [first, header]: [string, string | undefined] = ['', undefined]
  for (const path of files) {
    // What is piped in cannot be looked at twice: there the decoder takes the first line for the header.
    if (path === standardInputPath) continue
    const line = await firstLineOf(path, maxRecordBytes)
    if (line === undefined) continue
    if (headerOfLog(line, name => times.includes(name)) === undefined)
      throw refused(
        `${path} does not begin with a header that names a column for the time (${times.join(', ')}) and none by a number`,
      )
    if (header !== undefined && line !== header) throw refused(`${path} begins with another header than ${first}`)
    if (header === undefined) [first, header] = [path, line]
  }
  return header === undefined ? fields : { ...fields, header }
}

/** Undefined for an empty file. */
async function firstLineOf(path: string, maxRecordBytes: number): Promise<string | undefined> {
  for await (const piece of readFilePieces(path, { maxRecordBytes }, new AbortController().signal)) {
    if (piece.kind === 'fault') return undefined
    const text = Buffer.from(piece.record.payload)
      .toString('utf8', 0, longestHeader)
      .replace(/^\ufeff/, '')
    return text.split(/\r?\n/, 1)[0]
  }
  return undefined
}

const refused = (sentence: string): StreamError =>
  new StreamError('SOURCE_UNREADABLE', sentence, {
    retry: 'never',
    hint: 'Give the columns in weir.yaml, as `fields: {header: "requestTime,apiKeyId,status"}`',
  })
