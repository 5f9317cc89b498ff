import { expect, test } from 'vitest'
import { castFor } from './casting.ts'
import { fleetOf } from './fleet.ts'
import { steadyTenant } from './testing-tenant.ts'

const fleet = fleetOf([
  ...['a', 'b', 'c'].map(id => steadyTenant(id)),
  ...['d', 'e'].map(id => ({ ...steadyTenant(id), callsPerMinute: 5 })),
])
const cast = (stream: string, suits = (_: { readonly id: string }) => true) =>
  castFor(fleet, { suits, perSize: 2, stream }).map(({ key, tenant }) => `${key} ${tenant.id}`)

test('as many of each size are drawn as there are, none twice, and the same by the same seed', () => {
  const drawn = cast('surge')
  expect(drawn).toHaveLength(4)
  expect(new Set(drawn).size).toBe(4)
  expect(drawn.slice(2).sort()).toEqual(['3 d', '4 e'])
  expect(cast('surge')).toEqual(drawn)
})

test('only those are drawn whom it suits', () => {
  expect(cast('silence', ({ id }) => id === 'b')).toEqual(['1 b'])
})
