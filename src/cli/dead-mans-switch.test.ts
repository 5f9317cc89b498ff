import { expect, test } from 'vitest'
import { systemClock } from '../clock.ts'
import { weirSchema } from '../core/config/config.ts'
import type { TelemetryEvent } from '../worker/telemetry.ts'
import { openDeadMansSwitch, tellUnguarded } from './dead-mans-switch.ts'

const deadMansSwitch = {
  functionArn: 'arn:aws:lambda:us-east-1:123456789012:function:weir-dead-man',
  schedulerRoleArn: 'arn:aws:iam::123456789012:role/weir-scheduler',
}
const journal = { recovered: [], stories: () => new Map() }

async function opened(config: object) {
  const told: TelemetryEvent[] = []
  const parsed = weirSchema.parse(config)
  const telemetry = (event: TelemetryEvent) => void told.push(event)
  tellUnguarded(parsed, telemetry)
  const opened = await openDeadMansSwitch(parsed, { clock: systemClock(), journal, telemetry })
  await opened?.close()
  return { isOpen: opened !== undefined, told }
}

test('who enforces is told at the start which gateways have no switch', async () => {
  expect(await opened({ mode: 'enforce', gateway: {}, gateways: { eu: { deadMansSwitch }, us: {} } })).toEqual({
    isOpen: true,
    told: [{ name: 'limitsUnguarded', gateways: ['gateway', 'gateways.us'] }],
  })
  expect(await opened({ mode: 'enforce', gateway: { deadMansSwitch } })).toEqual({ isOpen: true, told: [] })
})

test('who lowers nothing is told nothing; what an earlier run has lowered is watched over all the same', async () => {
  expect(await opened({ mode: 'observe', gateway: {} })).toEqual({ isOpen: false, told: [] })
  expect(await opened({ mode: 'suggest', gateway: { deadMansSwitch } })).toEqual({ isOpen: true, told: [] })
})
