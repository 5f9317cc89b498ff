import { APIGatewayClient } from '@aws-sdk/client-api-gateway'
import { expect, test } from 'vitest'
import { controlPlaneQueue } from './control-plane-queue.ts'
import { clock, never } from './testing-plans.ts'
import { failureOf, usagePlans } from './usage-plan-client.ts'

/** Whose credentials never come: the request is not even sent. */
function hangingPlans(withinMs?: number) {
  const client = new APIGatewayClient({
    region: 'us-east-1',
    endpoint: 'http://127.0.0.1:9',
    credentials: () => new Promise(() => {}),
  })
  const random = () => 0.5
  return usagePlans({ client, queue: controlPlaneQueue({ clock }), clock, random, ...(withinMs && { withinMs }) })
}

test('a call that hangs is a call without an answer', async () => {
  const plans = hangingPlans(20)
  const unknown = { kind: 'unknown', because: 'Error: no answer within 20 ms' }
  expect(await plans.settingsNow('plan-a', never)).toEqual(unknown)
  expect(await plans.set('plan-a', { before: null, after: null, methods: [] }, 'raw', never)).toEqual(unknown)
})

test('a call that hangs keeps nobody from stopping', async () => {
  const stop = new AbortController()
  const asked = hangingPlans().settingsNow('plan-a', stop.signal)
  stop.abort(new Error('stopping'))
  await expect(asked).rejects.toThrow('stopping')
})

test('nothing is changed by who has lost the state to another, however long it has waited for its turn', async () => {
  const held = new Error('another worker is using it')
  let sent = 0
  const client = { send: async () => sent++ } as unknown as APIGatewayClient
  const stillOurs = () => Promise.reject(held)
  const plans = usagePlans({ client, queue: controlPlaneQueue({ clock }), clock, random: () => 0.5, stillOurs })
  const change = { before: null, after: null, methods: [] }
  await expect(plans.set('plan-a', change, 'raw', never)).rejects.toBe(held)
  await expect(plans.leave('plan-a', 'key-a', never)).rejects.toBe(held)
  await expect(plans.enter('plan-a', 'key-a', never)).rejects.toBe(held)
  expect(sent).toBe(0)
})

test('a key is not moved by who loses the state while the move waits for its turn', async () => {
  const held = new Error('another worker is using it')
  let isOurs = true
  let sent = 0
  const client = { send: async () => sent++ } as unknown as APIGatewayClient
  const stillOurs = () => (isOurs ? Promise.resolve() : Promise.reject(held))
  const queue = controlPlaneQueue({ clock })
  const frozen: typeof queue.call = (call, ...how) => {
    isOurs = false
    return queue.call(call, ...how)
  }
  const plans = usagePlans({ client, queue: { ...queue, call: frozen }, clock, random: () => 0.5, stillOurs })
  await expect(plans.leave('plan-a', 'key-a', never)).rejects.toBe(held)
  expect(sent).toBe(0)
})

test('a gateway that asks to be left alone for an hour is asked again in a minute', () => {
  const asks = (retryAfterSeconds: string) =>
    Object.assign(new Error('slow down'), { name: 'TooManyRequestsException', retryAfterSeconds })
  expect(failureOf(asks('7'), 'read')).toMatchObject({ kind: 'passing', afterMs: 7_000 })
  expect(failureOf(asks('3600'), 'read')).toMatchObject({ kind: 'passing', afterMs: 60_000 })
})
