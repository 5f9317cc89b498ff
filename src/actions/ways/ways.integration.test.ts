/** The ways over API Gateway's own API, as an emulator has it that others wrote. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type APIGatewayClient,
  CreateApiKeyCommand,
  CreateRestApiCommand,
  CreateUsagePlanCommand,
  CreateUsagePlanKeyCommand,
  GetUsagePlanCommand,
  GetUsagePlansCommand,
} from '@aws-sdk/client-api-gateway'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { scaledClock } from '../../clock.ts'
import { type OpenedJournal, openEffectJournal } from '../../stores/effect-journal.ts'
import { type MotoServer, startMoto } from '../../testing/servers/moto.ts'
import { controlPlaneQueue } from '../control-plane-queue.ts'
import { limits, low, never, restore, throttle } from '../testing-plans.ts'
import { apiGatewayClient, usagePlanPerformer } from '../usage-plan.ts'
import type { GatewayControl } from './way.ts'

let moto: MotoServer
let client: APIGatewayClient
let directory: string
let journal: OpenedJournal
const clock = scaledClock({ startsAt: 0, speed: 1_000 })

beforeAll(async () => {
  moto = await startMoto()
  client = apiGatewayClient({ endpoint: moto.endpoint })
})

afterAll(async () => {
  client?.destroy()
  await moto?.stop()
})

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'weir-ways-'))
  journal = await openEffectJournal(directory)
})

afterEach(async () => {
  await journal.close()
  await rm(directory, { recursive: true, force: true })
})

/** An API with a stage, a key, and a plan that the key is in; with limits of one method. */
async function ofAKey() {
  const { id: apiId } = await client.send(new CreateRestApiCommand({ name: 'payments' }))
  const { id: keyId } = await client.send(new CreateApiKeyCommand({ name: 'client-a', enabled: true }))
  const throttled = { rateLimit: 100, burstLimit: 200 }
  const plan = async (name: string, own: typeof low, methods = {}) => {
    const apiStages = [{ apiId, stage: 'prod', throttle: methods }]
    const { id } = await client.send(new CreateUsagePlanCommand({ name, throttle: own, apiStages }))
    return id!
  }
  const planId = await plan('shared', throttled, { '/pets/GET': limits(50, 50) })
  await client.send(new CreateUsagePlanKeyCommand({ usagePlanId: planId, keyId, keyType: 'API_KEY' }))
  return { keyId: keyId!, planId, throttled, penaltyPlan: await plan('penalty', low) }
}

function performer(control: Partial<GatewayControl> = {}) {
  const gateways = new Map([[undefined, { client, queue: controlPlaneQueue({ clock }), ...control }]])
  return usagePlanPerformer({ gateways, clock, random: () => 0.5, journal })
}

test('a plan is lowered and given back; limits of methods that are not stored are told as missed', async () => {
  const { keyId, planId, throttled } = await ofAKey()
  const read = async () => (await client.send(new GetUsagePlanCommand({ usagePlanId: planId }))).throttle
  const { perform } = performer()
  expect(await perform(throttle('throttle-1', low, { keyId }), never)).toMatchObject({
    ...{ kind: 'applied', before: throttled, after: low },
    missed: expect.stringContaining('did not take the limits of /pets/GET'),
  })
  expect(await read()).toEqual(low)
  expect(await perform(restore('full', keyId), never)).toMatchObject({ kind: 'applied', after: throttled })
  expect(await read()).toEqual(throttled)
  expect(journal.stories().size).toBe(0)
})

test('a key is moved to the penalty plan and back', async () => {
  const { keyId, planId, penaltyPlan } = await ofAKey()
  const plansOf = async () => ((await client.send(new GetUsagePlansCommand({ keyId }))).items ?? []).map(({ id }) => id)
  const { perform } = performer({ way: 'penalty-plan', penaltyPlan })
  expect(await perform(throttle('throttle-1', low, { keyId }), never)).toMatchObject({
    kind: 'applied',
    wholeOnly: true,
  })
  expect(await plansOf()).toEqual([penaltyPlan])
  expect(await perform(restore('full', keyId), never)).toMatchObject({ kind: 'applied' })
  expect(await plansOf()).toEqual([planId])
  expect(journal.stories().size).toBe(0)
})
