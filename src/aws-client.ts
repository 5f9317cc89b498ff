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

/**
 * Refused now, and not for good: throttling, credentials that are being renewed, a clock that is being set. By name,
 * since AWS answers such things with 400 or 403 as it does a wrong request. What has no status at all is the caller's to judge.
 */
export function isPassing(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const { name, message } = error
  if (passingNames.test(name)) return true
  // So services say that the clock is wrong; of a wrong secret they use the same name.
  if (name === 'InvalidSignatureException') return /^Signature (expired|not yet current)/.test(message)
  const status = statusOf(error)
  return status === 408 || status === 429
}

const passingNames = new RegExp(
  [
    ...['Throttl', '^TooManyRequests', '^RequestLimitExceeded', '^ProvisionedThroughputExceeded', '^SlowDown'],
    ...[
      '^ExpiredToken',
      '^TokenRefreshRequired',
      '^CredentialsProviderError',
      '^TokenProviderError',
      '^IDPCommunication',
    ],
    ...['^RequestTimeTooSkewed', '^RequestExpired', '^RequestInTheFuture', '^RequestTimeout'],
  ].join('|'),
)

/** The HTTP status that AWS answered; undefined where nobody did. */
export function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('$metadata' in error)) return undefined
  const { $metadata: metadata } = error
  if (typeof metadata !== 'object' || metadata === null || !('httpStatusCode' in metadata)) return undefined
  return typeof metadata.httpStatusCode === 'number' ? metadata.httpStatusCode : undefined
}

function isLoopback(endpoint: string): boolean {
  return ['127.0.0.1', 'localhost', '[::1]'].includes(new URL(endpoint).hostname)
}
