import { expect, test } from 'vitest'
import { incidentsOf, type TelemetryEvent } from '../worker/telemetry.ts'
import { events, incidentId } from '../worker/testing-events.ts'
import { jsonSink } from './telemetry-sinks.ts'

test('times in the JSON log are whole milliseconds, at any depth; limits keep their fractions', () => {
  let text = ''
  const write = (more: string): void => {
    text += more
  }
  const tell = jsonSink({ write }, 'debug')
  const limits = { rateLimit: 12.5, burstLimit: 25 }
  tell({
    name: 'effectPerformed',
    effect: {
      kind: 'throttle',
      id: 'k#1/throttle-1',
      incidentId: 'k#1',
      keyId: 'k',
      decidedAt: 1_000.25,
      limits,
      expiresAt: 601_000,
      urgency: 1.5,
      keys: [],
      siblings: [],
    },
    outcome: { kind: 'applied', after: limits },
    tookMs: 4.41162109375,
  })
  expect(JSON.parse(text)).toMatchObject({
    event: 'effectPerformed',
    effect: { decidedAt: 1_000, limits, expiresAt: 601_000, urgency: 1.5 },
    outcome: { after: limits },
    tookMs: 4,
  })
})

const lineOf = (event: TelemetryEvent): string => {
  let text = ''
  jsonSink(
    {
      write(more: string) {
        text += more
      },
    },
    'debug',
  )(event)
  return text
}

test.each(Object.values(events))('whatever $name says of an incident is found by the incident’s id', event => {
  const line = lineOf(event)
  const { incidentId: id, incidentIds: ids = id === undefined ? [] : [id] } = JSON.parse(line)
  // An effect's id holds its incident's; so would any other way to speak of one.
  expect(ids).toEqual(line.includes(incidentId) ? [incidentId] : [])
})

test('the log of an incident can be followed by its id, from its opening to what could not be done', () => {
  const names = Object.values(events).flatMap(event => (incidentsOf(event).includes(incidentId) ? [event.name] : []))
  expect(names).toEqual([
    ...['incidentChanged', 'throttleVerified', 'effectIntended', 'effectPerformed', 'effectRefused'],
    ...['effectTroubled', 'effectsDelayed', 'effectLeftOpen', 'limitLeftLowered', 'scheduleMissing', 'scheduleMade'],
    ...['operatorCommanded'],
  ])
  const both = {
    name: 'effectsDelayed',
    effectIds: ['a#1/alert-1', 'a#1/throttle-1', 'b/c#2/alert-1'],
    longestMs: 1,
  } as const
  expect(JSON.parse(lineOf(both)).incidentIds).toEqual(['a#1', 'b/c#2'])
})
