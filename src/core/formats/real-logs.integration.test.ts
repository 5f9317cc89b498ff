/** Lines that real servers wrote, read as what they are; and one real day of them in each of the formats, read alike. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { describeWith } from '../../testing/servers/requirements.ts'
import { sharedDataDirectory } from '../../testing/shared-data.ts'
import { callsOf, decode, rejectedOf } from './testing-decode.ts'

const shared = (...path: readonly string[]) => join(sharedDataDirectory, ...path)
const maxRecordBytes = 1 << 25

interface WebCall {
  readonly ts: number
  readonly client: string
  readonly method: string
  readonly path: string
  readonly status: number
  readonly bytes: number
  readonly ua: string
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
function clfTime(seconds: number): string {
  const [, year, month, day, time] = /^(\d+)-(\d+)-(\d+)T([\d:]+)/.exec(new Date(seconds * 1000).toISOString()) ?? []
  return `${day}/${months[Number(month) - 1]}/${year}:${time} +0000`
}

describeWith('shared-data', 'a web site’s log of four days', () => {
  const text = gunzipSync(readFileSync(shared('semicomplete_apache_4d.ndjson.gz'))).toString()
  const lines = text.trim().split('\n')
  const web = lines.map(line => JSON.parse(line) as WebCall)
  const expected = web.map(({ ts, client, status, bytes }) => ({
    ...{ key: client, time: ts * 1000, status, bytes: bytes ?? -1, latencyMs: -1 },
  }))
  const escaped = (value: string) => value.replace(/["\\]/g, '\\$&')

  test('is read whole as JSON, flat or nested, in lines, one after another and in arrays', () => {
    const fields = { keyId: ['client'] }
    const nested = web.map(({ client, status, ...call }) =>
      JSON.stringify({ ...call, who: { client }, a: { b: { status } } }),
    )
    for (const [logged, named] of [
      [text, fields],
      [lines.join(''), fields],
      [`[${lines.join(',')}]`, fields],
      [nested.join('\n'), { keyId: ['who.client'], status: ['a.b.status'] }],
    ] as const) {
      const batch = decode(logged, { fields: named, maxRecordBytes })
      expect(callsOf(batch)).toEqual(expected)
      expect(rejectedOf(batch)).toEqual({})
    }
  })

  test('is read alike as Combined Log Format', () => {
    const logged = web.map(
      ({ ts, client, method, path, status, bytes, ua }) =>
        `192.0.2.7 - ${client} [${clfTime(ts)}] "${method} ${escaped(path)} HTTP/1.1" ${status} ${bytes ?? '-'} "-" "${escaped(ua ?? '-')}"`,
    )
    const batch = decode(logged.join('\n'), { format: 'clf', maxRecordBytes })
    expect(callsOf(batch)).toEqual(expected)
    expect(rejectedOf(batch)).toEqual({})
  })

  test('is read alike as CSV', () => {
    const cell = (value: string | number | undefined) => `"${String(value ?? '').replaceAll('"', '""')}"`
    const logged = web.map(({ ts, client, path, status, bytes, ua }) =>
      [ua, ts, path, client, status, bytes].map(cell).join(';'),
    )
    const batch = decode(`agent;time;path;apiKeyId;status;bytes\n${logged.join('\n')}`, {
      format: 'csv',
      maxRecordBytes,
    })
    expect(callsOf(batch)).toEqual(expected)
    expect(rejectedOf(batch)).toEqual({})
  })
})

describeWith('shared-data', 'recordings of attacks on web servers', () => {
  const folder = shared('crowdsec_http_tests')
  const logs = readdirSync(folder, { withFileTypes: true })
    .filter(entry => entry.isDirectory())
    .flatMap(({ name }) => readdirSync(join(folder, name)).map(file => join(folder, name, file)))
  const linesOf = (path: string) =>
    readFileSync(path, 'utf8')
      .split('\n')
      .filter(line => line.trim() !== '')

  test('are read where they are Common Log Format, malformed requests and all, and refused line by line where not', () => {
    const common = /^(\S+) \S+ .+? \[([^\]]+)\] "(?:[^"\\]|\\.)*" (\d{3}) (\d+|-)/
    let read = 0
    for (const path of logs) {
      const lines = linesOf(path)
      const expected = lines.flatMap(line => {
        const [, key, , status, bytes] = common.exec(line) ?? []
        return key === undefined ? [] : [{ key, status: Number(status), bytes: bytes === '-' ? -1 : Number(bytes) }]
      })
      const batch = decode(lines.join('\n'), { format: 'clf', fields: { keyId: ['host'] } })
      expect([path, callsOf(batch).map(({ key, status, bytes }) => ({ key, status, bytes }))]).toEqual([path, expected])
      expect(rejectedOf(batch)['unknown-format'] ?? 0).toBe(lines.length - expected.length)
      read += batch.length
    }
    expect(read).toBeGreaterThan(200)
  })

  test('are read where they are Envoy’s JSON, behind what the container runtime wrote before it', () => {
    const lines = linesOf(
      shared('crowdsec_http_tests', 'envoy-http-crawl-non_statics', 'envoy-http-crawl-non_statics.log'),
    )
    const json = lines.map(line => line.slice(line.indexOf('{')))
    const batch = decode(json.join('\n'), { format: 'envoy', fields: { keyId: ['downstream_remote_address'] } })
    expect(callsOf(batch)).toEqual(
      json.map(line => {
        const { start_time: start, response_code: status, downstream_remote_address: key } = JSON.parse(line)
        return { key, time: Date.parse(start), status, latencyMs: -1, bytes: -1 }
      }),
    )
  })
})
