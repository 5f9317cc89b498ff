import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { looksLikeSecret, shownValue, withoutSecrets } from './secret.ts'

test('values of the shapes that gateways hand out are told from ids and from names that people write', () => {
  const values = [
    'h4Kq9ZpL2mX7vB1nT6cW8yR3sD5fG0jU4aE9iO2k',
    'sk_live_51HxQ2eKf8Gv3Tn9Lw4Rb7',
    '9f86d081884c7d659a2feaa0c55ad015',
  ]
  const ids = [
    'a1b2c3d4e5',
    'key_abc123',
    '3f2504e0-4f89-41d3-9a0c-0305e82c3301',
    'clientPaymentsEurope2024production',
    'IoTAPIGatewayForUSAEast',
    'arn:aws:sns:us-east-1:123456789012:weir-alerts',
    '12345678901234567890',
  ]
  expect(values.filter(looksLikeSecret)).toEqual(values)
  expect(ids.filter(looksLikeSecret)).toEqual([])
})

test('of a thousand random key values of forty characters none is taken for an id', () => {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
  const values = Array.from({ length: 1_000 }, (_, i) =>
    [...createHash('sha512').update(`${i}`).digest().subarray(0, 40)].map(byte => alphabet[byte % 62]).join(''),
  )
  expect(values.filter(value => !looksLikeSecret(value))).toEqual([])
})

test('what is shown of a value says its kind, and never a secret', () => {
  expect([
    shownValue(0.5, 'headroom'),
    shownValue('10m', 'expiresAfter'),
    shownValue(null, 'topic'),
    shownValue([1], 'brokers'),
    shownValue({ a: 1 }, 'sns'),
    shownValue(undefined, 'topic'),
    shownValue('hunter2', 'password'),
    shownValue('https://user:pass@gateway.example', 'endpoint'),
    shownValue('x'.repeat(100), 'topic'),
  ]).toEqual([
    '0.5',
    '"10m"',
    'empty',
    'a list',
    'a mapping',
    undefined,
    '<hidden: looks like a secret>',
    '<hidden: looks like a secret>',
    `"${'x'.repeat(57)}..."`,
  ])
  expect(withoutSecrets('alias h4Kq9ZpL2mX7vB1nT6cW8yR3sD5f is unknown')).toBe('alias <hidden> is unknown')
})
