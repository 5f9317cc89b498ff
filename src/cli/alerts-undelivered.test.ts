import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { AlertEffect } from '../core/incident/effect.ts'
import { HOUR_MS, MINUTE_MS } from '../core/vocabulary.ts'
import { type ServedSns, serveSns } from '../simulation/sns.ts'
import { lockDirectory } from '../stores/checkpoint-lock.ts'
import { openEffectJournal } from '../stores/effect-journal.ts'
import { openIncidentLog } from '../stores/incident-log.ts'
import { openUndelivered, undeliveredFolder } from '../stores/undelivered.ts'
import { handClock, untilQuiet } from '../worker/testing-world.ts'
import { resendAlerts } from './alerts-resend.ts'
import { dropAlerts, listAlerts, showAlert } from './alerts-undelivered.ts'

const topicArn = 'arn:aws:sns:eu-central-1:123456789012:weir-alerts'
const decidedAt = Date.UTC(2026, 10, 20, 3, 12, 0)
const now = decidedAt + 8 * HOUR_MS

let folder = ''
let sns: ServedSns
let config = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-alerts-'))
  sns = await serveSns({ topics: [topicArn] })
  config = join(folder, 'weir.yaml')
  await writeFile(config, `alerts: {sns: {topicArn: '${topicArn}', endpoint: '${sns.endpoint}'}}\n`)
})
afterEach(async () => {
  await sns.close()
  await rm(folder, { recursive: true, force: true })
})

const state = () => join(folder, '.weir')

test('the list says who was not told of what, since when and why, and what still waits', async () => {
  await leave(['k1#1/alert-1', 'k1#1/alert-2'], { waiting: ['k2#1/alert-1'], over: ['k1#1'] })
  expect(await said(out => listAlerts({ config }, { out, now: () => now }))).toBe(
    `2 alerts that nobody got; \`weir alerts resend --all\` sends them:

  k1#1/alert-1  [high] surge, open: Client A (k1) exceeded anomaly threshold. (tenant client-a)
    decided 2026-11-20 03:12:00 UTC, given up 2026-11-20 09:12:00 UTC; over since 2026-11-20 03:40:00 UTC
    SNS did not take it for 6 h 0 min

  k1#1/alert-2  [high] surge, open: Client A (k1) exceeded anomaly threshold. (tenant client-a)
    decided 2026-11-20 03:12:00 UTC, given up 2026-11-20 09:12:00 UTC; over since 2026-11-20 03:40:00 UTC
    SNS did not take it for 6 h 0 min

1 alert that the worker has not sent yet, and tries while it runs:

  k2#1/alert-1  [high] surge, open: Client A (k2) exceeded anomaly threshold. (tenant client-a), waiting since 2026-11-20 03:12:00 UTC (8 h 0 min)
`,
  )
  const json = JSON.parse(await said(out => listAlerts({ config, json: true }, { out, now: () => now })))
  expect(json).toMatchObject({
    schema: 'weir.undelivered/1',
    undelivered: [{ id: 'k1#1/alert-1', tenantId: 'client-a', isOver: true }, { id: 'k1#1/alert-2' }],
    waiting: [{ id: 'k2#1/alert-1', isOver: false }],
  })
})

test('one is shown whole, by its id or its incident’s; one that is not there is said so', async () => {
  await leave(['k1#1/alert-1'], { over: ['k1#1'] })
  const shown = await said(out => showAlert('k1#1', { config }, { out, now: () => now }))
  expect(shown.split('\n').slice(0, 5)).toEqual([
    'k1#1/alert-1: decided 2026-11-20 03:12:00 UTC, given up 2026-11-20 09:12:00 UTC. It is OVER since 2026-11-20 03:40:00 UTC.',
    'SNS did not take it for 6 h 0 min',
    '',
    'Client A (k1) exceeded anomaly threshold.',
    'Current: 540 req/min. Expected: unknown (no history).',
  ])
  await expect(showAlert('k9#1', { config })).rejects.toMatchObject({ code: 'INCIDENT_UNKNOWN' })
})

test('sent again it goes out in order, as the message it always was, marked as late, and is gone from the list', async () => {
  await leave(['k1#1/alert-2', 'k1#1/alert-10', 'k3#1/alert-1'], { over: ['k1#1'] })
  const told = await said(out => resendAlerts(['k1#1'], { config }, { out, ...here() }))
  expect(told).toBe('k1#1/alert-2 is sent.\nk1#1/alert-10 is sent.\n')
  const bodies = sns.messages().map(({ message }) => JSON.parse(message))
  expect(bodies.map(({ deduplicationId }) => deduplicationId)).toEqual(['k1#1/alert-2', 'k1#1/alert-10'])
  expect(bodies[0].text.split('\n')[0]).toBe(
    'DELAYED by 8 h 0 min: decided 2026-11-20 03:12:00 UTC, sent 2026-11-20 11:12:00 UTC. It is OVER since 2026-11-20 03:40:00 UTC.',
  )
  await said(out => resendAlerts([], { config, all: true }, { out, ...here() }))
  expect(sns.messages()).toHaveLength(3)
  expect(await said(out => listAlerts({ config }, { out, now: () => now }))).toBe('Every alert was delivered.\n')
})

test('while SNS is still down nothing is lost: the first that fails ends it, and all are still kept', async () => {
  await leave(['k1#1/alert-1', 'k2#1/alert-1'])
  sns.failAll('server-error')
  const clock = handClock(now)
  const resending = resendAlerts(
    [],
    { config, all: true },
    { out: { write: () => {} }, clock, signal: new AbortController().signal },
  ).then(
    () => 'sent',
    (failure: Error) => failure.message,
  )
  for (let passed = 0; passed < 30; passed++) {
    await untilQuiet()
    await clock.pass(1_000)
  }
  expect(await resending).toMatch(/^2 of 2 alerts were not sent: SNS did not take it for \d+ s/)
  expect((await said(out => listAlerts({ config }, { out, now: () => now }))).split('\n')[0]).toContain(
    '2 alerts that nobody got',
  )
})

test('of those that SNS refuses the others are sent all the same', async () => {
  await leave(['k1#1/alert-1', 'k2#1/alert-1'])
  await writeFile(config, `alerts: {sns: {topicArn: '${topicArn}-gone', endpoint: '${sns.endpoint}'}}\n`)
  await expect(said(out => resendAlerts([], { config, all: true }, { out, ...here() }))).rejects.toMatchObject({
    code: 'ALERT_REFUSED',
    message: expect.stringMatching(/^2 of 2 alerts were not sent: there is no topic/),
  })
})

test('two do not send at once', async () => {
  await leave(['k1#1/alert-1'])
  const lock = await lockDirectory(undeliveredFolder(state()))
  await expect(resendAlerts([], { config, all: true })).rejects.toMatchObject({ code: 'STATE_TAKEN' })
  await lock.release()
  expect(sns.calls()).toBe(0)
})

test('what is dropped is gone, and only that', async () => {
  await leave(['k1#1/alert-1', 'k2#1/alert-1'])
  await expect(dropAlerts(['k1#1', 'k9#1'], { config })).rejects.toMatchObject({ code: 'INCIDENT_UNKNOWN' })
  expect(await said(out => dropAlerts(['k1#1'], { config }, { out, now: () => now }))).toBe(
    'k1#1/alert-1 is dropped: nobody is told of it.\n',
  )
  const left = await said(out => listAlerts({ config, json: true }, { out, now: () => now }))
  expect(JSON.parse(left).undelivered.map(({ id }: { id: string }) => id)).toEqual(['k2#1/alert-1'])
})

const here = () => ({ clock: handClock(now), signal: new AbortController().signal })

async function said(work: (out: { write(text: string): void }) => Promise<void>): Promise<string> {
  const pieces: string[] = []
  await work({ write: text => void pieces.push(text) })
  return pieces.join('')
}

/** What a worker leaves behind. */
async function leave(
  ids: readonly string[],
  { waiting = [], over = [] }: { readonly waiting?: readonly string[]; readonly over?: readonly string[] } = {},
): Promise<void> {
  const undelivered = await openUndelivered(state())
  for (const id of ids)
    await undelivered.keep({
      ...{ effect: alertOf(id), givenUpAt: decidedAt + 6 * HOUR_MS, because: 'SNS did not take it for 6 h 0 min' },
    })
  const journal = await openEffectJournal(state())
  for (const id of [...ids, ...waiting]) await journal.append([{ kind: 'intent', at: decidedAt, effect: alertOf(id) }])
  const outcome = { kind: 'refused', because: 'SNS did not take it for 6 h 0 min' } as const
  for (const effectId of ids) await journal.append([{ kind: 'outcome', at: decidedAt, effectId, outcome }])
  await journal.close()
  const incidents = await openIncidentLog(state(), () => {})
  for (const incidentId of over)
    incidents.record({
      ...alertOf(`${incidentId}/alert-1`).explanation,
      phase: 'closed',
      decidedAt: decidedAt + 28 * MINUTE_MS,
    })
  await incidents.close()
}

function alertOf(id: string): AlertEffect {
  const incidentId = id.slice(0, id.indexOf('/'))
  const keyId = id.slice(0, id.indexOf('#'))
  return {
    ...{ kind: 'alert', id, incidentId, keyId, decidedAt },
    explanation: {
      ...{ incidentId, keyId, phase: 'open', kind: 'surge', severity: 'high', telling: 'alerted' },
      tenant: { id: 'client-a', name: 'Client A', contact: undefined, escalation: undefined },
      ...{ onsetAt: decidedAt - 2_000, decidedAt, current: { calls: 9, seconds: 1, callsPerMinute: 540 } },
      ...{ expected: undefined, detectors: [], evidence: [], mode: 'observe', action: { kind: 'none' } },
    },
  }
}
