import { expect, test } from 'vitest'
import { boundedCredentials, credentialsHint, isPassing } from './aws-client.ts'

const error = (name: string, { message = 'as told by the test', status = 400 } = {}) =>
  Object.assign(new Error(message), { name, $metadata: { httpStatusCode: status } })

test.each([
  ...['ThrottlingException', 'Throttled', 'KMSThrottlingException', 'TooManyRequestsException', 'RequestLimitExceeded'],
  ...['ExpiredToken', 'ExpiredTokenException', 'CredentialsProviderError', 'RequestExpired', 'RequestTimeTooSkewed'],
])('%s passes by itself', name => {
  expect(isPassing(error(name))).toBe(true)
})

test.each([
  ...['AccessDeniedException', 'UnrecognizedClientException', 'ExpiredIteratorException', 'NotFoundException'],
  ...['LimitExceededException', 'InvalidSignatureException', 'BadRequestException'],
])('%s does not', name => {
  expect(isPassing(error(name))).toBe(false)
})

test('a signature that is refused for the time it bears passes when the clock is right', () => {
  const message = 'Signature expired: 20260101T000000Z is now earlier than 20260101T001000Z'
  expect(isPassing(error('InvalidSignatureException', { message }))).toBe(true)
})

test('what the status alone says is believed too', () => {
  expect([408, 429, 403, 500].map(status => isPassing(error('Unknown', { status })))).toEqual([
    true,
    true,
    false,
    false,
  ])
})

test('credentials that never come fail in time as something that passes, and are asked for anew', async () => {
  let asked = 0
  const good = { accessKeyId: 'a', secretAccessKey: 's' }
  const provider = boundedCredentials(
    async () => {
      asked++
      return asked === 1 ? () => new Promise(() => {}) : async () => good
    },
    { withinMs: 20 },
  )
  const failure: unknown = await provider().catch((thrown: unknown) => thrown)
  expect(failure).toMatchObject({ message: 'no credentials came within 20 ms' })
  expect([isPassing(failure), credentialsHint(failure)]).toEqual([true, expect.stringContaining('AWS_PROFILE')])
  expect(await provider()).toEqual(good)
  expect(await provider()).toEqual(good)
  expect(asked).toBe(2)
})
