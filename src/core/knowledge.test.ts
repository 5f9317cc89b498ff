import { expect, test } from 'vitest'
import { createBatch, type PaneRow } from './call-batch.ts'
import { advance, createEngine, type Engine } from './engine.ts'
import { knowledgeOf } from './knowledge.ts'
import { settingsOf, TEN } from './testing-stream.ts'
import { DAY_MS, type EpochMs, MINUTE_MS, SLOT_MS } from './vocabulary.ts'

/** An engine that was taught counts: of each key, so many calls a minute in the stretches in which it called. */
function taughtRows(rows: readonly { key: string; perMinute: number; from: EpochMs; until: EpochMs }[]): Engine {
  const engine = createEngine(settingsOf(), { withHistory: true })
  const ids = [...new Set(rows.map(({ key }) => key))]
  const panes: PaneRow[] = rows.flatMap(({ key, perMinute, from, until }) =>
    Array.from({ length: (until - from) / SLOT_MS }, (_, slot) => ({
      ...{
        key: ids.indexOf(key),
        start: from + slot * SLOT_MS,
        seconds: 300,
        calls: 5 * perMinute,
        status2xx: 5 * perMinute,
      },
      ...{ status4xx: 0, status429: 0, status5xx: 0, latencySumMs: 0, latencyCount: 0, bytes: 0 },
    })),
  )
  panes.sort((one, other) => one.start - other.start)
  const batch = createBatch({ ids })
  for (const pane of panes) {
    batch.panes = [pane]
    const rows = { from: 0, to: 0, panesFrom: 0, panesTo: 1 }
    advance(engine, { kind: 'batch', partition: 'week', batch, ...rows, arrivedAt: pane.start })
  }
  advance(engine, { kind: 'history-ended' })
  return engine
}

const week = { from: TEN - 7 * DAY_MS, until: TEN }

test('a week without a gap is known whole, and a key in it well', () => {
  const { covered, keys } = knowledgeOf(taughtRows([{ key: 'k', perMinute: 60, ...week }]), TEN + 3 * SLOT_MS)
  expect(covered).toEqual({ from: week.from, until: TEN, minutes: 10_080, days: 7, gaps: [] })
  expect(keys).toEqual([
    {
      keyId: 'k',
      calls: expect.closeTo(60 * 10_080, -3),
      days: 7,
      usual: expect.objectContaining({ callsPerMinute: expect.closeTo(60, -1), days: 7 }),
    },
  ])
})

test('what the stream did not deliver is a gap, with its minutes', () => {
  const gap = { from: TEN - 3 * DAY_MS, until: TEN - 3 * DAY_MS + 30 * MINUTE_MS }
  const engine = taughtRows([
    { key: 'k', perMinute: 600, from: week.from, until: gap.from },
    { key: 'k', perMinute: 600, from: gap.until, until: TEN },
  ])
  expect(knowledgeOf(engine, TEN).covered).toMatchObject({ minutes: 10_050, gaps: [gap] })
})

test('a key is known for as many days as it was there, the one with the most calls first', () => {
  const engine = taughtRows([
    { key: 'old', perMinute: 10, ...week },
    { key: 'new', perMinute: 100, from: TEN - 2 * DAY_MS, until: TEN },
    { key: 'newest', perMinute: 1, from: TEN - 30 * MINUTE_MS, until: TEN },
  ])
  expect(knowledgeOf(engine, TEN).keys.map(({ keyId, days }) => [keyId, days])).toEqual([
    ['new', 2],
    ['old', 7],
    ['newest', 0],
  ])
})

test('nothing taught is nothing known', () => {
  expect(knowledgeOf(createEngine(settingsOf()), TEN)).toEqual({ covered: undefined, keys: [] })
})
