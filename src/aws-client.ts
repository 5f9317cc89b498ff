/**
 * What all AWS clients share: region and credentials the SDK's standard way (environment, profile, role), our own retries
 * instead of its own (they know the clock and tell of themselves), and plain HTTP/1.1 to an endpoint that is named: the Kinesis
 * client would speak HTTP/2 there, which simulations do not. A simulation on loopback knows no accounts, so none is asked for.
 */
import { NodeHttpHandler } from '@smithy/node-http-handler'

export interface AwsClientSettings {
  readonly region?: string | undefined
  readonly endpoint?: string | undefined
}

const connectWithinMs = 5_000

/** `answerWithinMs` is real time: what the network may take, whatever the worker's clock shows. */
export function awsClientOptions(
  { region, endpoint }: AwsClientSettings,
  { answerWithinMs }: { answerWithinMs: number },
) {
  const isSimulated = endpoint !== undefined && isLoopback(endpoint)
  const known = region ?? (isSimulated ? 'us-east-1' : undefined)
  return {
    maxAttempts: 1,
    requestHandler: new NodeHttpHandler({
      connectionTimeout: connectWithinMs,
      requestTimeout: answerWithinMs,
      throwOnRequestTimeout: true,
    }),
    ...(known !== undefined && { region: known }),
    ...(endpoint !== undefined && { endpoint }),
    ...(isSimulated && { credentials: { accessKeyId: 'simulated', secretAccessKey: 'simulated' } }),
  }
}

function isLoopback(endpoint: string): boolean {
  return ['127.0.0.1', 'localhost', '[::1]'].includes(new URL(endpoint).hostname)
}
