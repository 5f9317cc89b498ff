import { expect, test } from 'vitest'
import { judgeAlerts, judgeChanges, notRestored, type SeenAlert } from './laws.ts'

const original = { rateLimit: 100.25, burstLimit: 200 }
const alert = (id: string, publishedAt: number, phase = 'open'): SeenAlert => ({ id, keyId: 'k', phase, publishedAt })
const whole = [alert('k#1/alert-1', 1), alert('k#1/alert-2', 2, 'recovering'), alert('k#1/alert-3', 3, 'closed')]
const told = (id: string, at: number) => ({ id, at })
const nothing = { intended: [], done: [] }

test('an incident that is told to its end is whole', () => {
  expect(judgeAlerts(whole, { intended: whole.map(({ id }) => told(id, 0)), done: [] })).toEqual({
    ...{ expected: 3, received: 3, lost: [], doubled: [], atTheEdge: [], unclosed: [] },
  })
})

test('an alert that was to be sent and did not come is lost; so is one that is missing before another', () => {
  expect(judgeAlerts(whole.slice(0, 2), { intended: [told('k#1/alert-3', 3)], done: [] })).toMatchObject({
    ...{ expected: 3, received: 2, lost: ['k#1/alert-3'], unclosed: ['k#1'] },
  })
  expect(judgeAlerts(whole.slice(1), nothing)).toMatchObject({ expected: 3, lost: ['k#1/alert-1'], unclosed: [] })
})

test('a second copy is at the edge while nobody had written down that the first was sent, and doubled after that', () => {
  const twice = [...whole, alert('k#1/alert-1', 9)]
  expect(judgeAlerts(twice, { intended: [], done: [told('k#1/alert-1', 10)] })).toMatchObject({
    ...{ doubled: [], atTheEdge: ['k#1/alert-1'] },
  })
  expect(judgeAlerts(twice, { intended: [], done: [told('k#1/alert-1', 8)] })).toMatchObject({
    ...{ doubled: ['k#1/alert-1'], atTheEdge: [] },
  })
  expect(judgeAlerts(twice, nothing)).toMatchObject({ doubled: [], atTheEdge: ['k#1/alert-1'] })
})

test('a limit that is off by a quarter call is not restored', () => {
  const plan = (rateLimit: number) => ({ keyId: 'k', original, limits: { ...original, rateLimit } })
  expect(notRestored([plan(100.25)])).toEqual([])
  expect(notRestored([plan(100)])).toEqual(['k has 100/200 instead of 100.25/200'])
})

test('only who storms is lowered, and nobody is raised', () => {
  const seen = (keyId: string, rateLimit: number) => [{ keyId, at: 0, limits: { rateLimit, burstLimit: 10 } }]
  const of = { stormer: 'a', original }
  expect(judgeChanges(seen('a', 2), of)).toEqual([])
  expect(judgeChanges(seen('b', 2), of)).toEqual(['b, who was quiet, was set to 2/10'])
  expect(judgeChanges(seen('a', 101), of)).toEqual(['a was set above its own limit, to 101/10'])
})
