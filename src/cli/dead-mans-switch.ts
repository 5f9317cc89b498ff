/**
 * The dead man's switch as `weir run` uses it: a Scheduler client for each gateway that has one. Loaded only where there is
 * one; where there is none and limits are lowered, that is told.
 */
import type { DeadMansSwitch, GatewaySwitch } from '../actions/dead-mans-switch.ts'
import type { ScheduleTrouble } from '../actions/one-time-schedules.ts'
import type { Clock } from '../clock.ts'
import type { GatewayConfig, WeirConfig } from '../core/config/config.ts'
import type { EffectJournal } from '../stores/journal-entry.ts'
import type { Telemetry } from '../worker/telemetry.ts'

export interface SwitchSurroundings {
  readonly clock: Clock
  readonly journal: Pick<EffectJournal, 'recovered' | 'stories'>
  readonly telemetry: Telemetry
  /** Of a shared stream: whose journal it is, by the name of its folder. */
  readonly part?: string | undefined
  readonly stillOurs?: () => Promise<void>
}

/** Every gateway with its name; that of `gateway` has none. */
export const namedGateways = ({
  gateway,
  gateways,
}: WeirConfig): readonly (readonly [string | undefined, GatewayConfig])[] => [
  ...(gateway ? [[undefined, gateway] as const] : []),
  ...Object.entries(gateways),
]

const isUnguarded = ([, { deadMansSwitch }]: readonly [string | undefined, GatewayConfig]): boolean =>
  deadMansSwitch === undefined

/** Once, at the start: who lowers limits must know which of them would stay lowered without Weir. */
export function tellUnguarded(config: WeirConfig, telemetry: Telemetry): void {
  const unguarded = namedGateways(config).filter(isUnguarded)
  if (config.mode === 'enforce' && unguarded.length > 0)
    telemetry({
      name: 'limitsUnguarded',
      gateways: unguarded.map(([name]) => (name === undefined ? 'gateway' : `gateways.${name}`)),
    })
}

/** Whatever the mode: what an earlier run in enforce has lowered is watched over until it is given back. */
export async function openDeadMansSwitch(
  config: WeirConfig,
  surroundings: SwitchSurroundings,
): Promise<DeadMansSwitch | undefined> {
  const { clock, journal, part } = surroundings
  const gateways = namedGateways(config)
  if (gateways.every(isUnguarded)) return undefined
  const { deadMansSwitch } = await import('../actions/dead-mans-switch.ts')
  const switches = new Map<string | undefined, GatewaySwitch>()
  for (const [name, gateway] of gateways) {
    const opened = await gatewaySwitch(gateway, surroundings)
    if (opened !== undefined) switches.set(name, opened)
  }
  const { expiresAfter: expiresAfterMs, probation: probationMs } = config.throttle
  return deadMansSwitch({ switches, journal, clock, expiresAfterMs, probationMs, ...(part !== undefined && { part }) })
}

async function gatewaySwitch(
  { deadMansSwitch, roleArn, externalId }: GatewayConfig,
  { clock, telemetry, stillOurs }: SwitchSurroundings,
): Promise<GatewaySwitch | undefined> {
  if (deadMansSwitch === undefined) return undefined
  const { oneTimeSchedules, schedulerClient } = await import('../actions/one-time-schedules.ts')
  const { functionArn, schedulerRoleArn, group, margin, required, endpoint } = deadMansSwitch
  // Scheduler calls nothing elsewhere, and the function asks the gateway where it is itself.
  const region = functionArn.split(':')[3]
  const schedules = oneTimeSchedules({
    client: schedulerClient({ region, endpoint, roleArn, externalId }),
    ...{ group, functionArn, schedulerRoleArn, clock, random: Math.random, ...(stillOurs && { stillOurs }) },
    onTrouble: trouble => telemetry(troubleEvent(trouble)),
    onMade: ({ name: schedule, effectId }) => telemetry({ name: 'scheduleMade', schedule, effectId }),
  })
  return { schedules, marginMs: margin, required }
}

function troubleEvent({ name: schedule, because, needsPerson, effectId }: ScheduleTrouble): Parameters<Telemetry>[0] {
  if (effectId === undefined) return { name: 'scheduleLeft', schedule, because }
  return { name: 'scheduleMissing', schedule, effectId, because, needsPerson }
}
