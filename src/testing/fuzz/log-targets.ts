/**
 * Every format that a log's line may have. One line is made bad, and stands before, between and behind good ones: all good
 * calls count, as they would without it, and what the bad one was is counted too, as a call or as a rejection.
 */
import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { type CallBatch, createBatch } from '../../core/call-batch.ts'
import { createDecoder } from '../../core/formats/decoder.ts'
import type { FieldSettings, FormatName } from '../../core/formats/field-names.ts'
import { randomLines } from '../../core/formats/testing-lines.ts'
import type { FuzzTarget } from './target.ts'

interface LogFormat {
  readonly name: string
  readonly share: number
  readonly format: FormatName
  readonly fields?: FieldSettings
  /** A line of this key id, good in any case. */
  readonly line: (keyId: string, time: number, seed: number) => string
  /** A valid line to be made bad, where it is to be more various than `line`. */
  readonly template?: (seed: number) => string
  /** From lines to what is delivered. */
  readonly packed?: (lines: readonly string[]) => Buffer
  /** Each line of text is one thing: a call, a row or a rejection. */
  readonly isText?: true
}

const start = Date.UTC(2026, 0, 1)
const maxRecordBytes = 1 << 22

/** What was read, in words that can be compared. */
interface Read {
  readonly calls: readonly string[]
  readonly rows: readonly string[]
  readonly rejections: number
  readonly isControl: boolean
}

const usual = (keyId: string, time: number, seed: number): string =>
  JSON.stringify({
    requestId: `r-${seed}`,
    requestTimeEpoch: String(time),
    apiKeyId: keyId,
    sourceIp: '192.0.2.7',
    path: '/v1/items/17',
    status: '200',
    responseLatency: String(seed % 900),
    responseLength: '512',
  })

const envelope = (messages: readonly string[]): Buffer =>
  Buffer.from(
    JSON.stringify({
      ...{ messageType: 'DATA_MESSAGE', owner: '123456789012', logGroup: 'access', logStream: 's' },
      subscriptionFilters: ['weir'],
      logEvents: messages.map((message, index) => ({ id: `3${index}`, timestamp: start + index, message })),
    }),
  )

const varint = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)])
const field = (number: number, bytes: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from([...varint(number * 8 + 2), ...varint(bytes.length)]), bytes])

/** As the Kinesis Producer Library packs records. */
export function aggregated(records: readonly (string | Uint8Array)[]): Buffer {
  const message = Buffer.concat(
    records.map(record => field(3, Buffer.concat([Buffer.from([8, 0]), field(3, Buffer.from(record))]))),
  )
  return Buffer.concat([Buffer.from([0xf3, 0x89, 0x9a, 0xc2]), message, createHash('md5').update(message).digest()])
}

const iso = (time: number): string => new Date(time).toISOString()
const clfTime = (time: number): string => `01/Jan/2026:${iso(time).slice(11, 19)} +0000`
const randomLine = (seed: number): string => randomLines(seed % 100_000, 1)[0] ?? ''

const formats: readonly LogFormat[] = [
  { name: 'json', share: 30, format: 'auto', line: usual, template: randomLine },
  { name: 'access-log', share: 6, format: 'access-log', line: usual, template: randomLine },
  {
    ...{ name: 'panes', share: 6, format: 'panes' },
    line: (key, time, seed) =>
      JSON.stringify({ key, start: time, seconds: 60, calls: 400 + (seed % 9), status2xx: 380, status5xx: 3 }),
  },
  {
    ...{ name: 'kong', share: 5, format: 'kong' },
    line: (keyId, time, seed) =>
      JSON.stringify({
        request: { uri: '/v1/items?page=2', method: 'GET', headers: { 'user-agent': 'curl/8', apikey: 'x' } },
        response: { status: 200, size: 512, headers: {} },
        latencies: { request: seed % 900, kong: 2, proxy: 5 },
        ...{ authenticated_entity: { id: keyId, consumer_id: 'c' }, consumer: { id: 'c', username: 'u' } },
        ...{ client_ip: '192.0.2.7', started_at: time, tries: [{ ip: '192.0.2.9' }] },
      }),
  },
  {
    ...{ name: 'envoy', share: 4, format: 'envoy' },
    line: (keyId, time, seed) =>
      JSON.stringify({
        ...{ start_time: iso(time), key_id: keyId, response_code: 200, duration: seed % 900, bytes_sent: 512 },
        ...{ path: '/v1/items', downstream_remote_address: '192.0.2.7:4711', user_agent: 'curl/8' },
      }),
  },
  {
    ...{ name: 'nginx', share: 4, format: 'nginx' },
    line: (keyId, time, seed) =>
      JSON.stringify({
        ...{ msec: (time / 1000).toFixed(3), key_id: keyId, status: '200', request_time: `0.${100 + (seed % 900)}` },
        ...{ bytes_sent: '512', method: 'GET', uri: '/v1/items', agent: 'curl/8' },
      }),
  },
  {
    ...{ name: 'apisix', share: 4, format: 'apisix', fields: { latencySeconds: ['request_time'] } },
    line: (keyId, time, seed) =>
      JSON.stringify({
        ...{
          msec: (time / 1000).toFixed(3),
          consumer_name: keyId,
          status: '200',
          request_time: `0.${100 + (seed % 900)}`,
        },
        bytes_sent: '512',
      }),
  },
  {
    ...{ name: 'own-names', share: 4, format: 'auto' },
    fields: { keyId: ['auth.key_id'], time: ['times.started'], status: ['response.status'], latencyMicros: ['took'] },
    line: (keyId, time, seed) =>
      JSON.stringify({
        auth: { key_id: keyId },
        times: { started: time },
        response: { status: 200 },
        took: 100 + (seed % 9000),
      }),
  },
  {
    ...{ name: 'clf', share: 8, format: 'clf', isText: true },
    line: (keyId, time, seed) =>
      `192.0.2.7 - ${keyId} [${clfTime(time)}] "GET /v1/items/${seed % 99} HTTP/1.1" 200 512 "-" "curl/8 (x; y)" rt=0.${100 + (seed % 900)}`,
  },
  {
    ...{ name: 'csv', share: 8, format: 'csv', isText: true },
    fields: { header: 'userAgent,requestTime,apiKeyId,status,responseLatency,path' },
    line: (keyId, time, seed) => `"curl/8, ""x""",${iso(time)},${keyId},200,${seed % 900},/v1/items`,
  },
  {
    ...{ name: 'envelope', share: 6, format: 'auto', packed: envelope },
    ...{ line: usual, template: randomLine },
  },
  {
    ...{ name: 'envelope-of-clf', share: 3, format: 'clf', packed: envelope, isText: true },
    line: (keyId, time) => `192.0.2.7 - ${keyId} [${clfTime(time)}] "GET /v1/items HTTP/1.1" 200 512`,
  },
  {
    ...{ name: 'gzip', share: 3, format: 'auto', line: usual, template: randomLine },
    packed: lines => gzipSync(lines.join('\n'), { level: 1 }),
  },
  { name: 'kpl', share: 3, format: 'auto', line: usual, template: randomLine, packed: aggregated },
  {
    ...{ name: 'kpl-of-gzip', share: 2, format: 'auto', line: usual, template: randomLine },
    packed: lines => aggregated(lines.map(line => gzipSync(line, { level: 1 }))),
  },
]

export function read({ format, fields = {} }: Pick<LogFormat, 'format' | 'fields'>, payload: Buffer): Read {
  const reads = { route: true, source: true }
  const decoder = createDecoder({ format, fields, hashSecret: 'a secret of the test', maxRecordBytes, reads })
  const batch = createBatch(decoder.keys)
  decoder.decode(payload, '7', batch)
  const wrong = impossible(batch)
  if (wrong !== undefined) throw new Error(wrong)
  const { keys, key, time, status, latencyMs, bytes, route, source, panes, rejected, controlMessages } = batch
  return {
    calls: Array.from({ length: batch.length }, (_, row) =>
      [keys.ids[key[row] ?? -1], time[row], status[row], latencyMs[row], bytes[row], route[row], source[row]].join(' '),
    ),
    rows: panes.map(row => JSON.stringify({ ...row, key: keys.ids[row.key] })),
    rejections: [...rejected.values()].reduce((sum, count) => sum + count, 0),
    isControl: controlMessages > 0,
  }
}

/** What no call may say, whatever stood on its line. */
function impossible({ keys, key, time, status, latencyMs, bytes, length, samples }: CallBatch): string | undefined {
  for (let row = 0; row < length; row++) {
    const id = keys.ids[key[row] ?? -1]
    if (id === undefined || id === '' || id.length > 256) return `a call is of the key ${JSON.stringify(id)}`
    if (!(Math.abs(time[row] ?? Number.NaN) <= 8.64e15)) return `a call was at ${time[row]}`
    if (!((status[row] ?? -1) === 0 || ((status[row] ?? 0) >= 100 && (status[row] ?? 0) <= 599)))
      return `a call has the status ${status[row]}`
    if (!Number.isFinite(latencyMs[row]) || (latencyMs[row] ?? 0) < -1) return `a call took ${latencyMs[row]} ms`
    if (!Number.isFinite(bytes[row]) || (bytes[row] ?? 0) < -1) return `a call has ${bytes[row]} bytes`
  }
  for (const { excerpt } of samples)
    if (excerpt.length > 160 || /[^\x20-\x7e]/.test(excerpt)) return `an excerpt is ${JSON.stringify(excerpt)}`
  return undefined
}

const oneLine = (input: Buffer): string => input.toString('utf8').replace(/[\n]/g, ' ')

function lineTarget(log: LogFormat): FuzzTarget {
  const good = (from: number, count: number): readonly string[] =>
    Array.from({ length: count }, (_, index) => log.line(`good-${from + index}`, start + 1_000 * (from + index), from))
  const packed = log.packed ?? ((lines: readonly string[]) => Buffer.from(`${lines.join('\n')}\n`))
  const before = good(0, 3)
  const behind = good(3, 3)
  const of = (...lines: readonly (readonly string[])[]): Read => read(log, packed(lines.flat()))
  const alone = of(before)
  const both = of(before, behind)
  const isKept = (whole: readonly string[], part: readonly string[]): boolean =>
    whole.length >= part.length && part.every((line, index) => line === whole[index])
  return {
    name: log.name,
    share: log.share,
    valid: seed => Buffer.from((log.template ?? (other => log.line(`key-${other % 7}`, start, other)))(seed)),
    judge(input) {
      if (alone.calls.length + alone.rows.length !== 3) return 'its good lines are not read'
      const bad = oneLine(input)
      const beforeBad = of(before, [bad])
      const between = of(before, [bad], behind)
      if (!isKept(beforeBad.calls, alone.calls) || !isKept(beforeBad.rows, alone.rows))
        return `a good line before it is lost: ${JSON.stringify(beforeBad)}`
      const rest = (all: Read, name: 'calls' | 'rows') => all[name].slice(alone[name].length)
      for (const name of ['calls', 'rows'] as const) {
        const wanted = [...beforeBad[name], ...rest(both, name)]
        if (wanted.join('\n') !== between[name].join('\n'))
          return `a good ${name} behind it is lost, or another was made: ${JSON.stringify(between[name])} where ${JSON.stringify(wanted)} were right`
      }
      if (between.rejections !== beforeBad.rejections)
        return `behind it ${between.rejections - beforeBad.rejections} more are refused`
      const first = of([bad], behind)
      for (const name of ['calls', 'rows'] as const)
        if (!first[name].join('\n').endsWith(rest(both, name).join('\n')))
          return `as the first line it costs good ones: ${JSON.stringify(first)}`
      if (JSON.stringify(first) !== JSON.stringify(of([bad], behind))) return 'it is read otherwise the second time'
      return countedOnce(log, bad, beforeBad, alone)
    },
  }
}

/** Nothing goes without a word, and one line of text is one thing. */
function countedOnce(log: LogFormat, bad: string, all: Read, alone: Read): string | undefined {
  const calls = all.calls.length - alone.calls.length
  const rows = all.rows.length - alone.rows.length
  const told = calls + rows + all.rejections
  // A mark of the byte order at the beginning of what was packed says nothing either.
  const isBlank = /^\ufeff?[ \t\r]*$/.test(bad)
  const saysNothing = isBlank || all.isControl || /"messageType"/.test(bad) || isHeader(log, bad)
  if (told === 0 && !saysNothing) return `it went without a word: ${JSON.stringify(bad.slice(0, 200))}`
  // A call without a key counts, and is noted; of a broken line that says enough, too.
  const most = log.isText || !/[{[]/.test(bad) ? Math.max(1, calls + 1) : Number.POSITIVE_INFINITY
  if (told > most) return `one line was told ${told} times`
  return calls > 1 && most < Number.POSITIVE_INFINITY ? `one line became ${calls} calls` : undefined
}

/** A header that comes again is neither row nor rejection. */
const isHeader = ({ format, fields }: LogFormat, line: string): boolean =>
  format === 'csv' &&
  line
    .replaceAll('"', '')
    .replace(/\r$/, '')
    .split(/[,;\t]/)
    .map(name => name.trim())
    .join() === fields?.header

/** Whole records: what was delivered is damaged anywhere, its packing too. */
function recordTarget(log: LogFormat): FuzzTarget {
  const packed = log.packed ?? ((lines: readonly string[]) => Buffer.from(lines.join('\n')))
  return {
    name: `${log.name}-record`,
    share: log.packed ? 6 : 2,
    valid: seed =>
      packed(
        Array.from({ length: 1 + (seed % 5) }, (_, index) => log.line(`key-${index}`, start + index, seed + index)),
      ),
    judge(input) {
      const one = read(log, input)
      return JSON.stringify(one) === JSON.stringify(read(log, input))
        ? undefined
        : 'it is read otherwise the second time'
    },
  }
}

export const logTargets: readonly FuzzTarget[] = [...formats.map(lineTarget), ...formats.map(recordTarget)]
