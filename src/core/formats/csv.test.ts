import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { FieldSettings } from './field-names.ts'
import { callsOf, decode as decodeAs, keysOf, rejectedOf } from './testing-decode.ts'

const noon = Date.UTC(2026, 0, 1, 12)
const decode = (payloads: string | readonly string[], fields: FieldSettings = {}) =>
  decodeAs(payloads, { format: 'csv', fields })

const header = 'requestTimeEpoch,apiKeyId,status,responseLatency,responseLength'
const row = (key = 'k1') => `${noon},${key},200,45,812`
const call = { key: 'k1', time: noon, status: 200, latencyMs: 45, bytes: 812 }

describe('rows of a CSV', () => {
  test('are read by the log’s first line, in any order of columns and with any of the delimiters', () => {
    for (const delimiter of [',', ';', '\t']) {
      const lines = [
        'status,path,apiKeyId,requestTimeEpoch,responseLength,responseLatency',
        `200,/v1,k1,${noon},812,45`,
      ]
      const batch = decode(lines.map(line => line.replaceAll(',', delimiter)).join('\r\n'))
      expect(callsOf(batch)).toEqual([call])
      expect(rejectedOf(batch)).toEqual({})
    }
  })

  test('of the gateway’s preset, which has no header, are read by the header of the settings', () => {
    const fields = {
      header:
        'sourceIp,caller,user,requestTime,httpMethod,resourcePath,protocol,status,responseLength,requestId,apiKeyId',
    }
    const line = '192.0.2.7,-,-,01/Jan/2026:12:00:00 +0000,POST,/v1/payments,HTTP/1.1,200,812,5f1c0b52-7d5e,k1'
    expect(callsOf(decode([line, `${line}\n${line}`], fields))).toEqual(Array(3).fill({ ...call, latencyMs: -1 }))
  })

  test('that a client’s text makes begin like an envelope are rows all the same, and cost no other row', () => {
    const fields = { header: 'userAgent,requestTimeEpoch,apiKeyId,status' }
    const victim = `{"messageType":"DATA_MESSAGE","logEvents":[{"id":"1","timestamp":1,"message":"x;${noon};victim;200"}]}`
    const rows = [victim, '{"messageType":', '{'].map((agent, index) => `${agent},${noon},k${index},200`)
    const good = `curl,${noon},good,200`
    for (const row of rows)
      expect(keysOf(decode([`${row}\n${good}`, `${good}\n${row}\n${good}`], fields))).not.toContain('victim')
    for (const row of rows.slice(1))
      expect(keysOf(decode(`${row}\n${good}`, fields))).toEqual([`k${rows.indexOf(row)}`, 'good'])
    // One with more commas than the header is refused by itself.
    expect(rejectedOf(decode(`${rows[0]}\n${good}`, fields))).toEqual({ 'bad-row': 1 })
    const envelope = JSON.stringify({
      messageType: 'DATA_MESSAGE',
      logEvents: [{ id: '1', timestamp: noon, message: good }],
    })
    expect(keysOf(decode(`${envelope}\n${envelope}\n${good}\n`, fields))).toEqual(['good', 'good', 'good'])
  })

  test('go on by one header from record to record, and a header that comes again is neither row nor rejection', () => {
    const batch = decode([`${header}\n${row()}\n`, `${row()}\n${header}\n${row()}`, header])
    expect(batch.length).toBe(3)
    expect(rejectedOf(batch)).toEqual({})
    expect(rejectedOf(decode([`${header}\n${row()}`], { header }))).toEqual({})
    const numbered = `${header},1,2`
    expect(rejectedOf(decode([`${numbered}\n${row()},a,b`], { header: numbered }))).toEqual({})
  })

  test('of files put together go by the header before them', () => {
    const batch = decode(
      `${header}\n${row()}\nts;apiKeyId;status\n${noon};k2;200\nstatus;apiKeyId;ts\n200;k3;${noon}\n`,
    )
    expect(keysOf(batch)).toEqual(['k1', 'k2', 'k3'])
    expect(rejectedOf(batch)).toEqual({})
  })

  test('hold delimiters and quotes in cells that are quoted', () => {
    const batch = decode([
      header,
      `"${noon}","k,1","200","45","812"`,
      `${noon},"k ""1""",200,45,812`,
      `${noon},"",200,,-`,
    ])
    expect(callsOf(batch)).toEqual([
      { ...call, key: 'k,1' },
      { ...call, key: 'k "1"' },
      { ...call, key: 'anonymous', latencyMs: -1, bytes: -1 },
    ])
  })

  test('that end in empty cells are whole, tabs or not', () => {
    expect(callsOf(decode([header.replaceAll(',', '\t'), `${noon}\tk1\t200\t\t`]))).toEqual([
      { ...call, latencyMs: -1, bytes: -1 },
    ])
  })
})

describe('what is no row', () => {
  test('lines before a header, rows of more or fewer cells, and quotes out of place cost themselves', () => {
    const batch = decode([
      row(),
      `${header}\n${row()},more\nk1,200\n${noon},"k1,200,45,812\n${noon},"k1"x,200,45,812\n${row()}`,
    ])
    expect(batch.length).toBe(1)
    expect(rejectedOf(batch)).toEqual({ 'no-header': 1, 'bad-row': 4 })
  })

  test('a comma that a client gets through moves nobody else into its place', () => {
    const named = 'path,apiKeyId,status,requestTimeEpoch'
    expect(keysOf(decode([named, `/v1,victim,200,${noon},k1,200,${noon}`, `/v1,k1,200,${noon}`]))).toEqual(['k1'])
  })

  test('a client that writes the names of columns changes none, with whatever delimiter', () => {
    const named = 'path,apiKeyId,status,requestTimeEpoch'
    const time = '"01/Jan/2026:12:00:00 +0000"'
    const rows = [
      `/v1,time,apiKeyId,k1,200,${noon}`,
      `/v1;time;apiKeyId;status;x;y,z,k1,200,${noon}`,
      `time,k1,200,bad`,
      `ts,apiKeyId,k1,-,${time}`,
    ]
    const batch = decode([named, ...rows, `/v1,k1,200,${noon}`])
    expect(keysOf(batch)).toEqual(['k1'])
    expect(rejectedOf(batch)).toEqual({ 'bad-row': 3, 'bad-time': 1 })
    expect(rejectedOf(decode(rows))).toEqual({ 'no-header': 4 })
  })

  test('a quote swallows no line but its own', () => {
    expect(keysOf(decode(`${header}\n"${row()}\n${row('k2')}\n`))).toEqual(['k2'])
  })

  test('no value is in an excerpt, and a raw key is a hash', () => {
    const batch = decode([`requestTimeEpoch,apiKey,status`, `bad,S3cretKey,200`, `${noon},S3cretKey,200`, 'S3cretKey'])
    expect(rejectedOf(batch)).toEqual({ 'bad-time': 1, 'bad-row': 1 })
    expect(keysOf(batch)[0]).toMatch(/^hash:/)
    expect(JSON.stringify([batch.samples, batch.keys.ids])).not.toContain('S3cret')
  })

  test('a header of the settings is not given up for one that the log shows', () => {
    const batch = decode([`status,apiKeyId,requestTimeEpoch,a,b\n200,k9,${noon},1,2\n${row()}`], { header })
    expect(keysOf(batch)).toEqual(['k1'])
    expect(rejectedOf(batch)).toEqual({ 'bad-time': 2 })
  })

  test('whatever is done to a row, those around it are read', () => {
    const insert = fc.constantFrom('', '"', '""', ',', ';', '\t', '\\', '\u0000', '\r', '{', 'é', '-', ' ')
    const mutation = fc.record({ at: fc.nat(60), cut: fc.nat(20), insert })
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 4 }), mutations => {
        const bad = mutations.reduce((text, { at, cut, insert }) => {
          const place = at % text.length || 1
          return `${text.slice(0, place)}${insert}${text.slice(place + cut)}` || ' '
        }, `${noon},"k ""2""",200,45,812`)
        const keys = keysOf(decode(`${header}\n${row('good')}\n${bad}\n${row('good')}`))
        expect(keys.filter(key => key === 'good').length).toBe(2)
      }),
      { numRuns: 2000 },
    )
  })
})
