/**
 * Whether a gateway can be asked at all, before limits are given back: without a region or credentials a worker tries again
 * until somebody gives them, and whoever waits at a terminal would wait for ever.
 */
import { credentialsHint } from '../../aws-client.ts'
import { StreamError } from '../../core/errors.ts'
import type { LimitGateways } from '../limit-gateways.ts'

/** Throws CONFIG_INVALID where there is none; what may pass by itself is left to the tries. */
export async function gatewaysReady(gateways: LimitGateways, names: ReadonlySet<string | undefined>): Promise<void> {
  for (const [name, { client }] of gateways) {
    if (!names.has(name)) continue
    await client.config.region().catch((cause: unknown) => {
      throw unready('no AWS region is known', 'Set AWS_REGION=…, or give the weir.yaml that names it (--config)', cause)
    })
    await client.config.credentials().catch((cause: unknown) => {
      const hint = credentialsHint(cause)
      if (hint !== undefined) throw unready(cause instanceof Error ? cause.message : String(cause), hint, cause)
    })
  }
}

const unready = (because: string, hint: string, cause: unknown): StreamError =>
  new StreamError('CONFIG_INVALID', `Nothing was given back, since API Gateway cannot be asked: ${because}`, {
    retry: 'never',
    hint,
    cause,
  })
