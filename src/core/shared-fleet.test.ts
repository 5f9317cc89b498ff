/** A stream in two parts, each with half of the clients: what is judged by the whole fleet is judged as if they were one. */
import { expect, test } from 'vitest'
import { engineStatus } from './engine.ts'
import { fleetSums } from './incident/fleet.ts'
import { isFleetSums, NO_OTHERS, sumOf } from './incident/fleet-sums.ts'
import { type Call, inOrder, type Stream, settingsOf, steady, streamInto, TEN, taught } from './testing-stream.ts'

const clients = Array.from({ length: 12 }, (_, client) => `key_${client}`)
const settings = settingsOf({ incident: { closesAfter: '20s' }, time: { delivery: '2s' } })
const halves = [clients.slice(0, 6), clients.slice(6)] as const
const usual = (keys: readonly string[]): Call[] =>
  inOrder(...keys.map(key => steady(key, { perSecond: 5, from: TEN, seconds: 150 })))
const failing = (key: string): Call[] => steady(key, { perSecond: 40, from: TEN + 60_000, seconds: 30, status: 503 })

/** Both live, second by second, and tell each other what they see. */
function liveTogether(
  parts: readonly Stream[],
  calls: readonly (readonly Call[])[],
  { apart = false, tells = () => 0 }: { readonly apart?: boolean; readonly tells?: (second: number) => number } = {},
): void {
  for (let second = 0; second < 150; second++) {
    const end = TEN + (second + 1) * 1_000
    for (const [index, part] of parts.entries()) {
      const now = (calls[index] ?? []).filter(({ at }) => at >= end - 1_000 && at < end)
      if (now.length > 0) part.give(now)
      part.tick(end)
    }
    if (apart) continue
    const sums = parts.map(({ engine }) => fleetSums(engine))
    for (const [index, part] of parts.entries()) {
      const others = sumOf(sums.filter((_, other) => other !== index))
      part.take({ kind: 'fleet', others: { sums: others, tellsPlatform: index === tells(second) }, at: end })
    }
  }
}

const half = (keys: readonly string[]): Stream =>
  streamInto(taught(settings, Object.fromEntries(keys.map(key => [key, 300]))))

test('an API that is sick is told of once, by one of them, and nobody is throttled by either', () => {
  const parts = halves.map(half)
  // Two of each half: in neither as many as would be many (3), and in both together four.
  const sick = halves.map(keys => inOrder(usual(keys), ...keys.slice(0, 2).map(failing)))
  liveTogether(parts, sick)
  const told = parts.map(({ effects }) => effects.map(({ id }) => id).filter(id => id.startsWith('platform')))
  expect(told).toEqual([['platform#1/alert-1', 'platform#1/alert-2'], []])
  expect(parts.map(({ engine }) => engineStatus(engine).throttled)).toEqual([0, 0])
})

test('who told that the API is sick tells that it is well again, though another tells what comes next', () => {
  const parts = halves.map(half)
  const sick = halves.map(keys => inOrder(usual(keys), ...keys.slice(0, 2).map(failing)))
  liveTogether(parts, sick, { tells: second => (second < 75 ? 0 : 1) })
  const told = parts.map(({ effects }) => effects.map(({ id }) => id).filter(id => id.startsWith('platform')))
  expect(told).toEqual([['platform#1/alert-1', 'platform#1/alert-2'], []])
})

test('apart from each other they would take each for its own doing', () => {
  const parts = halves.map(half)
  const sick = halves.map(keys => inOrder(usual(keys), ...keys.slice(0, 2).map(failing)))
  liveTogether(parts, sick, { apart: true })
  expect(parts.map(({ effects }) => effects.some(({ kind }) => kind === 'throttle'))).toEqual([true, true])
})

test('a surge that drowns its own part is no harm where the others call far more', () => {
  const surge = steady('key_0', { perSecond: 100, from: TEN + 60_000, seconds: 30 })
  const severities = (others: number): readonly string[] => {
    const parts = halves.map(half)
    const many = halves[1].flatMap(key => steady(key, { perSecond: others, from: TEN, seconds: 150 }))
    liveTogether(parts, [inOrder(usual(halves[0]), surge), inOrder(many)])
    return parts[0]?.changes.filter(({ keyId }) => keyId === 'key_0').map(({ severity }) => severity) ?? []
  }
  expect(new Set(severities(5))).toContain('high')
  expect(new Set(severities(60))).toEqual(new Set(['low']))
})

test('no more tenants are throttled than the user allows, counting those of the other part', () => {
  const how = settingsOf({ throttle: { maxTenants: 1 }, platform: { keys: 100 }, incident: { closesAfter: '20s' } })
  const part = streamInto(taught(how, { key_0: 300, key_1: 300 }))
  part.take({ kind: 'fleet', others: { sums: { ...NO_OTHERS, throttled: 1, parts: 1 }, tellsPlatform: true }, at: TEN })
  liveTogether([part], [inOrder(usual(['key_0', 'key_1']), failing('key_0'))], { apart: true })
  expect(part.changes[0]?.action).toEqual({ kind: 'held', because: 'too-many-throttled' })
})

test('what another version or half a file says is no sum', () => {
  expect(isFleetSums(JSON.parse(JSON.stringify(NO_OTHERS)))).toBe(true)
  const { calls: _, ...fewer } = NO_OTHERS
  for (const wrong of [fewer, { ...NO_OTHERS, calls: null }, undefined, 'text', []])
    expect(isFleetSums(wrong)).toBe(false)
})
