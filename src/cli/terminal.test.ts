import { expect, test } from 'vitest'
import type { Explanation } from '../core/explanation/explanation.ts'
import type { Verdict } from '../core/incident/verification.ts'
import type { Reading } from '../worker/telemetry.ts'
import { createTerminal, mayColour, printable } from './terminal.ts'

const noon = Date.UTC(2026, 10, 20, 12, 0, 0)

const reading: Reading = {
  ...{ overMs: 1_000, records: 4, bytes: 4_000, calls: 20, rejected: 0, lag: { records: 0 }, eventTime: noon },
  ...{ watermark: noon - 35_000, keys: 200, activeKeys: 63, totalCalls: 20, late: 0, future: 0 },
  ...{ openIncidents: 0, throttled: 0, isHalted: false, history: true, catchingUpFrom: undefined },
}

const storm: Explanation = {
  ...{
    incidentId: 'key_abc123#1',
    keyId: 'key_abc123',
    phase: 'open',
    kind: 'retry-storm',
    severity: 'high',
    telling: 'alerted',
    isAlert: true,
  },
  tenant: { id: 'client-a', name: 'Client A', contact: 'client-a-sre@partner.com', escalation: undefined },
  ...{ onsetAt: noon - 2_000, decidedAt: noon, current: { calls: 1_667, seconds: 2, callsPerMinute: 50_000 } },
  expected: { callsPerMinute: 500, lowerPerMinute: 400, upperPerMinute: 600, days: 7 },
  ...{ detectors: [], evidence: [], mode: 'enforce' },
  action: { kind: 'throttle', limits: { rateLimit: 15, burstLimit: 30 }, expiresAt: noon + 600_000 },
}

function screen({ live = false } = {}) {
  let text = ''
  let now = 0
  const write = (more: string): void => {
    text += more
  }
  const terminal = createTerminal({ write, live, colour: false, columns: () => 80, nowMs: () => now })
  return {
    terminal,
    text: () => text,
    wait: (ms: number): void => {
      now += ms
    },
  }
}

test('without a terminal the reading is told once in five seconds, at its mean rate', () => {
  const { terminal, text, wait } = screen()
  terminal.tell({ name: 'batchesRead', ...reading })
  for (let second = 0; second < 5; second++) {
    wait(1_000)
    terminal.tell({ name: 'batchesRead', ...reading, calls: 10 * second })
  }
  expect(text().split('\n')).toEqual([
    ' 12:00:00  reading   20 calls/s · lag none · 63 of 200 keys active · no incident',
    ' 12:00:00  reading   20 calls/s · lag none · 63 of 200 keys active · no incident',
    '',
  ])
})

test('on a terminal the status line stays where it is, and what happens is written above it', () => {
  const { terminal, text } = screen({ live: true })
  terminal.tell({ name: 'batchesRead', ...reading })
  terminal.tell({ name: 'sourceReported', level: 'warn', detail: 'a broker went away' })
  const status = ' 12:00:00  reading   20 calls/s · lag none · 63 of 200 keys active · no incident'.slice(0, 79)
  expect(text()).toBe(`${status}\r\u001b[2K 12:00:00  warn      The source reports: a broker went away\n${status}`)
})

test('a lag that was told ten seconds ago is not known any more', () => {
  const { terminal, text, wait } = screen()
  for (let second = 0; second <= 20; second++) {
    terminal.tell({ name: 'batchesRead', ...reading, ...(second > 0 && { records: 0, calls: 0 }) })
    wait(1_000)
  }
  expect(text().match(/lag \w+/g)).toEqual(['lag none', 'lag none', 'lag none', 'lag unknown', 'lag unknown'])
})

test('the status says which of the incidents are over but for their closing', () => {
  const { terminal, text, wait } = screen()
  const status = (openIncidents: number): string | undefined => {
    wait(5_000)
    terminal.tell({ name: 'batchesRead', ...reading, openIncidents })
    return text().trimEnd().split('\n').at(-1)?.split(' · ').at(-1)
  }
  const turn = (keyId: string, phase: Explanation['phase']): void =>
    terminal.tell({ name: 'incidentChanged', explanation: { ...storm, keyId, phase } })
  turn('key_a', 'open')
  expect(status(1)).toBe('1 incident')
  turn('key_a', 'recovering')
  expect(status(1)).toBe('1 incident recovering')
  turn('key_b', 'open')
  expect(status(2)).toBe('2 incidents, 1 recovering')
  turn('key_a', 'closed')
  expect(status(1)).toBe('1 incident')
})

test('an incident opens with the whole text of its alert, and what was done is said with the limits', () => {
  const { terminal, text } = screen()
  terminal.tell({ name: 'incidentChanged', explanation: storm })
  terminal.tell({
    name: 'effectPerformed',
    effect: {
      ...{ id: 'key_abc123#1/throttle-1', incidentId: 'key_abc123#1', keyId: 'key_abc123', decidedAt: noon },
      ...{
        kind: 'throttle',
        limits: { rateLimit: 15, burstLimit: 30 },
        expiresAt: 601_000,
        urgency: 1,
        keys: [],
        siblings: [],
      },
    },
    outcome: { kind: 'applied', before: { rateLimit: 100, burstLimit: 200 }, after: { rateLimit: 15, burstLimit: 30 } },
    tookMs: 40,
  })
  const lines = text().split('\n')
  expect(lines.slice(0, 5)).toEqual([
    ' 12:00:00  ALERT     Client A: retry-storm',
    '           │ Client A (key_abc123) exceeded anomaly threshold.',
    '           │ Current: 50,000 req/min. Expected: 400-600 req/min.',
    '           │ Client is in AUTOMATIC throttle reduction.',
    '           │ Contact: client-a-sre@partner.com per escalation policy.',
  ])
  expect(lines.at(-2)).toBe(' 12:00:00  lowered   Client A: 100/s, burst 200 → 15/s, burst 30')
})

test('a rate of which much counts for nothing says so first, and asks for a clock where all of it is of the future', () => {
  const { terminal, text, wait } = screen()
  terminal.tell({ name: 'batchesRead', ...reading, calls: 200, future: 200 })
  wait(5_000)
  terminal.tell({ name: 'batchesRead', ...reading, calls: 200, future: 210, late: 50, rejected: 40 })
  wait(5_000)
  terminal.tell({ name: 'batchesRead', ...reading, calls: 200, future: 215, late: 55 })
  expect(
    text()
      .split('\n')
      .map(line => line.slice(21, 130)),
  ).toEqual([
    '200 calls/s · 100 % NOT WATCHED (200 dated in the future: is a clock wrong, here or at the gateway?) · lag no',
    '200 calls/s · 42 % NOT WATCHED (50 late, 10 dated in the future, 40 rejected) · lag none · 63 of 200 keys act',
    '200 calls/s · lag none · 63 of 200 keys active · no incident · 55 late',
    '',
  ])
})

test('ALERT is only what an alert goes out for, and what a person gives back does not recover by it', () => {
  const { terminal, text } = screen()
  const { isAlert: _, ...silent } = storm
  const restore = { kind: 'restore', step: 'full', because: 'operator', by: 'ann' } as const
  terminal.tell({ name: 'incidentChanged', explanation: { ...storm, phase: 'recovering', action: restore } })
  terminal.tell({ name: 'batchesRead', ...reading, openIncidents: 1 })
  terminal.tell({ name: 'incidentChanged', explanation: { ...silent, action: { kind: 'held', because: 'halted' } } })
  expect(text().split('\n')).toEqual([
    ' 12:00:00  released  Client A: retry-storm',
    ' 12:00:00  reading   20 calls/s · lag none · 63 of 200 keys active · 1 incident',
    ' 12:00:00  goes on   Client A: retry-storm',
    '',
  ])
})

test('a limit that does not come back is told with the whole alert', () => {
  const { terminal, text } = screen()
  const waiting = {
    askedAt: noon - 60_000,
    asOf: noon,
    ahead: 0,
    waitMs: 0,
    because: 'TimeoutError',
    isLate: true,
  } as const
  const action = { kind: 'restore', step: 'full', because: 'operator', by: 'ann', waiting } as const
  terminal.tell({ name: 'incidentChanged', explanation: { ...storm, phase: 'recovering', action } })
  expect(text().split('\n').slice(0, 2)).toEqual([
    ' 12:00:00  NOT BACK  Client A: retry-storm',
    '           │ Client A (key_abc123) has NOT got its limit back yet.',
  ])
})

test('a tenant cannot paint on the screen', () => {
  const { terminal, text } = screen()
  const name = '\u001b[2J\u001b[31mClient A\r\nALERT'
  terminal.tell({ name: 'incidentChanged', explanation: { ...storm, tenant: { ...storm.tenant!, name } } })
  expect(text().replaceAll('\n', '')).not.toMatch(/\p{Cc}/u)
  expect(text().split('\n')[0]).toBe(' 12:00:00  ALERT     Client A��ALERT: retry-storm')
})

test('a line stays one line, and sequences leave nothing behind', () => {
  expect(printable('a\u001b[31mred\u001b[0m\tb\u202ec')).toBe('ared�b�c')
})

test('colour is for terminals, and for people who did not say no', () => {
  expect(mayColour({ isTTY: true }, {})).toBe(true)
  expect(mayColour({ isTTY: true }, { NO_COLOR: '1' })).toBe(false)
  expect(mayColour({ isTTY: true }, { TERM: 'dumb' })).toBe(false)
  expect(mayColour({}, {})).toBe(false)
})

test('whether a lowered limit holds is a line; that it does not comes with the whole alert', () => {
  const { terminal, text } = screen()
  const limits = { rateLimit: 15, burstLimit: 30 }
  const seen = { from: noon, seconds: 30, accepted: 14_400, refused: 0, unclear: 0, allowed: 480 }
  const verified = (verdict: Verdict): Explanation => ({
    ...{ ...storm, phase: 'mitigated', action: { kind: 'throttled', limits, before: undefined, expiresAt: noon } },
    verification: {
      ...{ verdict, plans: [{ planId: 'p', limits, keys: ['key_abc123'] }], limits, changedAt: noon, wasSo: false },
      ...{ settledAt: noon, missed: undefined, lookedTo: 0, alerted: 'nothing' },
    },
  })
  terminal.tell({ name: 'incidentChanged', explanation: verified({ kind: 'too-early' }) })
  terminal.tell({
    name: 'incidentChanged',
    explanation: verified({ kind: 'bites', since: noon, afterMs: 19_400, seen }),
  })
  terminal.tell({ name: 'incidentChanged', explanation: verified({ kind: 'does-not-bite', seen }) })
  expect(text().split('\n').slice(0, 4)).toEqual([
    ' 12:00:00  throttled Client A: retry-storm',
    ' 12:00:00  holds     Client A: 15/s, burst 30, by what the log shows, 19 s after the gateway took it',
    ' 12:00:00  NOT HELD  Client A: lowered to 15/s, burst 30, and calls as before',
    '           │ Client A (key_abc123) is NOT held by its lowered limit.',
  ])
})
