/** What a client or a tenant may write, at each place where it comes out again: a table of one against the other. */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { noticeInput } from '../actions/notice.ts'
import { publishInput } from '../actions/sns.ts'
import { tenantsSchema } from '../core/config/config.ts'
import { tenantDirectory } from '../core/config/tenants.ts'
import { StreamError } from '../core/errors.ts'
import type { Explanation } from '../core/explanation/explanation.ts'
import { changeLine } from '../core/explanation/json.ts'
import { alertText } from '../core/explanation/text.ts'
import { decode, keysOf } from '../core/formats/testing-decode.ts'
import { standingOrder } from '../core/incident/standing-order.ts'
import type { ApiKeyId } from '../core/vocabulary.ts'
import { noticeOf, publication } from '../dead-man/notice.ts'
import { createMetrics } from '../server/metrics.ts'
import { openAudit } from '../stores/audit.ts'
import { openUndelivered } from '../stores/undelivered.ts'
import type { TelemetryEvent } from '../worker/telemetry.ts'
import { alert, at, events, explanation, reading, throttle } from '../worker/testing-events.ts'
import { listAlerts, showAlert } from './alerts-undelivered.ts'
import { exportAudit, listAudit } from './audit-log.ts'
import { failureText } from './exit.ts'
import { jsonSink } from './telemetry-sinks.ts'
import { createTerminal } from './terminal.ts'
import { html } from './tune-page/html.ts'

const hostile = {
  'a colour': '\u001b[31mred\u001b[0m',
  'a title of the window': '\u001b]0;owned\u0007',
  'an eight-bit sequence': '\u009b2Jcleared',
  'another line': 'name\n2026-11-20 ALERT everything is fine',
  'the line again': 'name\roverwritten',
  'a line of Unicode': 'name\u2028next\u2029next',
  'text turned round': '\u202egnp.exe\u202c \u2066x\u2069',
  'what is not seen': 'a\u200bb\u{e0041}\u{e0042}\ufeff',
  'a formula': '=HYPERLINK("http://evil.example","x")',
  'a formula behind a space': ' @SUM(1+1)*cmd|calc',
  'a wide formula': '＝1+1',
  'a script': '<script>alert(1)</script><img src=x onerror=alert(1)>\'"',
  'a quote and a label': 'x"} 1\nweir_ready{evil="',
  'half a character': 'a\ud800b',
  'nothing but length': 'x'.repeat(5_000),
}

/** The key's id as the decoder makes it of a line, and its tenant as tenants.yaml has it. */
function told(text: string): Explanation {
  const line = JSON.stringify({
    apiKeyId: text,
    requestTimeEpoch: String(at),
    status: '200',
    userAgent: text,
    path: text,
  })
  const [keyId = ''] = keysOf(decode(line, { reads: { route: true, source: true } }))
  const tenants = { [text]: { name: text, contact: text, escalation: text, keys: [{ id: keyId }] } }
  const owner = tenantDirectory(tenantsSchema.parse({ tenants })).byKey.get(keyId as ApiKeyId)
  if (owner === undefined) throw new Error('the key is nobody’s')
  const { tenantId: id, name, contact, escalation, exempt } = owner
  return {
    ...{ ...explanation, incidentId: `${keyId}#1`, keyId: keyId as ApiKeyId },
    tenant: { id, name, contact, escalation, exempt } as Explanation['tenant'],
    action: { kind: 'throttle-refused', because: text },
    held: { by: text, until: at },
  }
}

const folders: string[] = []
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true })
})
const newFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'weir-hostile-'))
  folders.push(folder)
  writeFileSync(join(folder, 'weir.yaml'), 'mode: observe\n')
  return folder
}

const written = async (
  write: (out: { write(text: string): unknown }) => Promise<unknown> | unknown,
): Promise<string> => {
  let text = ''
  await write({
    write: more => {
      text += more
    },
  })
  return text
}

/** Every event with text in the place of what an incident, an error or a person says. */
function eventsOf(text: string): readonly TelemetryEvent[] {
  const explanation = told(text)
  const { keyId, incidentId } = explanation
  const fill = (event: TelemetryEvent): TelemetryEvent => {
    const fields: Record<string, unknown> = { ...event }
    for (const name of ['because', 'by', 'detail', 'note', 'source', 'file', 'route', 'schedule', 'planId'])
      if (typeof fields[name] === 'string') fields[name] = text
    if ('explanation' in event) fields.explanation = explanation
    if ('keyId' in event) fields.keyId = keyId
    if ('incidentId' in event) fields.incidentId = incidentId
    if ('effect' in event) {
      const kept = event.effect.kind === 'alert' ? { explanation } : {}
      fields.effect = { ...event.effect, ...kept, keyId, incidentId, id: `${incidentId}/1` }
    }
    return fields as unknown as TelemetryEvent
  }
  return Object.values(events).map(event => fill(event as TelemetryEvent))
}

async function audited(text: string): Promise<string> {
  const directory = newFolder()
  const audit = await openAudit(
    join(directory, '.weir'),
    failure => {
      throw failure
    },
    undefined,
    { contextOf: () => ({ tenantId: text }) },
  )
  const { keyId, incidentId } = told(text)
  await audit.record({
    ...{
      at,
      by: text,
      change: 'throttle',
      keyId,
      planId: text,
      gateway: text,
      incidentId,
      effectId: `${incidentId}/1`,
    },
    ...{ from: { rateLimit: 9, burstLimit: 9 }, to: { rateLimit: 5, burstLimit: 5 }, result: 'refused', because: text },
  })
  await audit.close()
  return join(directory, 'weir.yaml')
}

const chosen = (config: string) => ({ config, lines: 20 })

/** What comes out of each; each line of it is held against what may not be in it. */
const sinks: Readonly<Record<string, (text: string) => Promise<string> | string>> = {
  terminal: text =>
    written(({ write }) => {
      const terminal = createTerminal({ write, live: false, colour: false, columns: () => 100, nowMs: () => 0 })
      terminal.tell({ name: 'batchesRead', ...reading })
      for (const event of eventsOf(text)) terminal.tell(event)
    }),
  'an error at the terminal': text =>
    failureText(new StreamError('KEY_UNKNOWN', `There is no ${text}`, { retry: 'never', hint: text })),
  'JSON log': text =>
    written(out => {
      const log = jsonSink(out, 'trace')
      for (const event of eventsOf(text)) log(event)
    }),
  'alert text': text => alertText(told(text)),
  'SNS subject': text => publishInput({ ...alert, explanation: told(text) }, 'arn:aws:sns:eu-west-1:1:t').Subject ?? '',
  'SNS text': text => JSON.parse(publishInput({ ...alert, explanation: told(text) }, 'arn:t').Message ?? '').text,
  'SNS attributes': text =>
    Object.values(publishInput({ ...alert, explanation: told(text) }, 'arn:t').MessageAttributes ?? {})
      .map(({ StringValue }) => StringValue)
      .join('\n'),
  'notice text': text => {
    const { incidentId, keyId } = told(text)
    const incident = {
      incidentId,
      who: keyId,
      kind: 'surge',
      severity: 'high',
      onsetAt: at,
      toldAt: at,
      state: 'over',
    } as const
    const notice = { kind: 'history', at, from: at - 1, incidents: [incident], more: 0 } as const
    const { Subject = '', Message = '' } = noticeInput(notice, 'arn:t', { source: text, mode: 'observe' })
    return `${Subject}\n${JSON.parse(Message).text}`
  },
  'dead man’s switch': text => {
    const giveBack = { kind: 'plan', planId: text, original: null, mayHave: [], methods: [] } as const
    const order = standingOrder({ effectId: throttle.id, holders: [told(text).keyId], expiresAt: at, giveBack })
    const notice = noticeOf(order, { kind: 'failed', because: text }, at)
    if (notice === undefined) throw new Error('nobody is told')
    const { Subject = '', MessageAttributes = {} } = publication(notice, 'arn:t')
    return [Subject, notice.text, ...Object.values(MessageAttributes).map(({ StringValue }) => StringValue)].join('\n')
  },
  'replay --json': text => changeLine(told(text)),
  'audit list': async text => written(async out => listAudit(chosen(await audited(text)), out)),
  'audit export as CSV': async text =>
    written(async out => exportAudit({ ...chosen(await audited(text)), format: 'csv' }, out)),
  'audit export as JSON': async text =>
    written(async out => exportAudit({ ...chosen(await audited(text)), format: 'ndjson' }, out)),
  'undelivered alerts': async text => {
    const directory = newFolder()
    const store = await openUndelivered(join(directory, '.weir'))
    await store.keep({ effect: { ...alert, explanation: told(text) }, givenUpAt: at, because: text })
    const options = { config: join(directory, 'weir.yaml') }
    const list = await written(out => listAlerts(options, { out, now: () => at }))
    const json = await written(out => listAlerts({ ...options, json: true }, { out, now: () => at }))
    return `${list}${json}${await written(out => showAlert(alert.id, options, { out, now: () => at }))}`
  },
  'tune page': text => html`<td title="${text}">${text}</td>`.markup,
  'Prometheus metrics': async text => {
    const clock = { now: () => at, sleep: async () => {} }
    const view = () => ({ rejected: new Map(), effectWaits: [] }) as never
    const metrics = createMetrics({
      clock,
      version: '1',
      mode: 'observe',
      view,
      ready: () => ({ ok: true, phase: 'ready', checks: [] }) as never,
    })
    const tell = metrics.newTeller()
    for (const event of eventsOf(text)) tell(event)
    return metrics.text()
  },
}

const lineBreaks: readonly string[] = ['audit export as CSV']
/** A failure has lines of its own: what it quotes of others is escaped where it is made. */
const mayHaveLines: readonly string[] = ['an error at the terminal']
/** What steers a terminal, turns text round, hides it, or ends a line where none should end. */
const steering = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u

describe.each(Object.entries(sinks))('%s', (name, sink) => {
  test.each(Object.entries(hostile))('shows %s as text', async (_, text) => {
    const out = await sink(text)
    const harmless = await sink('nobody')
    const plain = out.replaceAll(lineBreaks.includes(name) ? '\r\n' : '\n', '')
    expect(steering.exec(plain)?.[0]).toBeUndefined()
    // No text makes a line of its own; a long one may take the place of others.
    if (!mayHaveLines.includes(name)) expect(out.split('\n').length).toBe(harmless.split('\n').length)
    if (/JSON|--json/.test(name))
      for (const line of out.trim().split('\n')) expect(typeof JSON.parse(line)).toBe('object')
    if (/subject|dead man/i.test(name)) expect(out.split('\n')[0]).toMatch(/^[ -~]{1,99}$/)
    if (name === 'tune page') expect(out).not.toMatch(/<script|<img|"[^>]*"[^>]*"[^>]*>/)
    if (name === 'Prometheus metrics') expect(out).not.toContain('evil')
    if (name === 'audit export as CSV') for (const cell of cellsIn(out)) expect(isFormula(cell), cell).toBe(false)
    if (name === 'SNS attributes')
      for (const value of out.split('\n')) expect([...value].length).toBeLessThanOrEqual(200)
  })
})

const isFormula = (cell: string): boolean => /^\s*[=+\-@＝＋－＠]/.test(cell) && !Number.isFinite(Number(cell))

/** As RFC 4180 has them. */
const cellsIn = (csv: string): readonly string[] =>
  csv.match(/"(?:[^"]|"")*"|[^,\r\n]+/g)?.map(cell => cell.replace(/^"|"$/g, '').replaceAll('""', '"')) ?? []
