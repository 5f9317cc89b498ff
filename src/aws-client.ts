/**
 * What all AWS clients share: region and credentials the SDK's standard way (environment, profile, SSO, web identity,
 * container, instance), on request a role assumed with them, our own retries instead of its own (they know the clock and tell
 * of themselves), and plain HTTP/1.1 to an endpoint that is named: the Kinesis client would speak HTTP/2 there, which
 * simulations do not. A simulation on loopback knows no accounts, so none is asked for; of roles it is asked at the same place.
 *
 * Nothing here waits for ever: a request is bounded by the handler, credentials by their provider, and a call as a whole,
 * whatever it waits for, by `boundedCall`. Credentials of their own, since a client asks for them once at a time: whoever
 * comes later waits for the same answer, and one that never came would hold them all for good.
 */
import type { fromNodeProviderChain, fromTemporaryCredentials } from '@aws-sdk/credential-providers'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import { type Clock, systemClock } from './clock.ts'

export interface AwsClientSettings {
  readonly region?: string | undefined
  readonly endpoint?: string | undefined
  /** Assumed before the first call, and again before its credentials expire. */
  readonly roleArn?: string | undefined
  /** What the role's trust policy may ask for. */
  readonly externalId?: string | undefined
}

const connectWithinMs = 5_000
/** A role of the machine answers in milliseconds, a program or a sign-on in seconds; one try of each that may be asked. */
const credentialsWithinMs = 15_000
/** Of STS: an answer to one request. */
const roleWithinMs = 10_000
const simulated = { accessKeyId: 'simulated', secretAccessKey: 'simulated' }

/** `answerWithinMs` is real time: what the network may take, whatever the worker's clock shows. */
export function awsClientOptions(settings: AwsClientSettings, { answerWithinMs }: { answerWithinMs: number }) {
  const { region, endpoint, roleArn } = settings
  const simulation = endpoint !== undefined && isLoopback(endpoint) ? endpoint : undefined
  const known = region ?? (simulation === undefined ? undefined : 'us-east-1')
  const own = simulation === undefined ? undefined : simulated
  const credentials = roleArn === undefined ? own : assumedRole({ ...settings, roleArn, region: known }, simulation)
  return {
    maxAttempts: 1,
    requestHandler: boundedHandler(answerWithinMs),
    credentialDefaultProvider: standardCredentials,
    ...(known !== undefined && { region: known }),
    ...(endpoint !== undefined && { endpoint }),
    ...(credentials !== undefined && { credentials }),
  }
}

const boundedHandler = (answerWithinMs: number): NodeHttpHandler =>
  new NodeHttpHandler({
    connectionTimeout: connectWithinMs,
    requestTimeout: answerWithinMs,
    throwOnRequestTimeout: true,
  })

type CredentialProvider = ReturnType<typeof fromTemporaryCredentials>

/** What the SDK asks by itself, bounded. */
function standardCredentials(input: Parameters<typeof fromNodeProviderChain>[0]): CredentialProvider {
  return boundedCredentials(async () => {
    // Loaded here: who is given credentials starts without them.
    const { fromNodeProviderChain } = await import('@aws-sdk/credential-providers')
    return fromNodeProviderChain(input)
  })
}

/**
 * Fails, as a thing that passes, where no credentials come in time, and begins anew with the next call: the chain that did
 * not answer may wait for ever.
 */
export function boundedCredentials(
  make: () => Promise<CredentialProvider>,
  { withinMs = credentialsWithinMs } = {},
): CredentialProvider {
  let made: Promise<CredentialProvider> | undefined
  return async identity => {
    const mine = made ?? make()
    made = mine
    try {
      return await boundedCall(async () => (await mine)(identity), { withinMs, what: 'credentials' })
    } catch (error) {
      made = undefined
      throw error instanceof UnansweredError ? new CredentialsSilentError(withinMs) : error
    }
  }
}

/** Named as the SDK names credentials that it cannot find: they may come by themselves, and the hint is the same. */
class CredentialsSilentError extends Error {
  constructor(withinMs: number) {
    super(`no credentials came within ${withinMs} ms`)
    this.name = 'CredentialsProviderError'
  }
}

/** Nobody answered, and nobody knows whether what was asked has been done. */
export class UnansweredError extends Error {
  constructor(what: string, withinMs: number) {
    super(`no ${what} within ${withinMs} ms`)
  }
}

export interface CallBounds {
  /** Real time for a call and all that it waits for: a client's own bound begins when the request is sent. */
  readonly withinMs: number
  readonly signal?: AbortSignal | undefined
  /** What is waited for, in a sentence. */
  readonly what?: string
  /** Whose time it is; without it the machine's own. */
  readonly patience?: Pick<Clock, 'sleep'> | undefined
}

/**
 * The call's answer, or a rejection when it takes too long or `signal` aborts. Given up, it is aborted too, so that a change
 * does not go out after all when nobody reckons with it any more. With a timer of its own: on Node 20 an
 * AbortSignal.timeout that only AbortSignal.any refers to is collected, and never fires.
 */
export async function boundedCall<T>(
  call: (signal: AbortSignal) => Promise<T>,
  { withinMs, signal, what = 'answer', patience = systemClock() }: CallBounds,
): Promise<T> {
  signal?.throwIfAborted()
  const over = new AbortController()
  const stop = () => over.abort(signal?.reason)
  signal?.addEventListener('abort', stop, { once: true })
  const answered = new AbortController()
  void patience.sleep(withinMs, answered.signal).then(() => {
    if (!answered.signal.aborted) over.abort(new UnansweredError(what, withinMs))
  })
  const givenUp = new Promise<never>((_, reject) => {
    over.signal.addEventListener('abort', () => reject(over.signal.reason), { once: true })
  })
  try {
    return await Promise.race([call(over.signal), givenUp])
  } finally {
    answered.abort()
    signal?.removeEventListener('abort', stop)
  }
}

/** The client keeps what it is given until shortly before it expires, and then asks again. */
function assumedRole(
  { roleArn, externalId, region }: AwsClientSettings & { readonly roleArn: string },
  simulation: string | undefined,
): CredentialProvider {
  const assume = boundedCredentials(async () => {
    // Loaded here: who assumes no role starts without it.
    const { fromTemporaryCredentials } = await import('@aws-sdk/credential-providers')
    return fromTemporaryCredentials({
      params: {
        RoleArn: roleArn,
        RoleSessionName: 'weir',
        ...(externalId !== undefined && { ExternalId: externalId }),
      },
      ...(simulation !== undefined && { masterCredentials: simulated }),
      clientConfig: {
        maxAttempts: 1,
        requestHandler: boundedHandler(roleWithinMs),
        ...(region !== undefined && { region }),
        ...(simulation !== undefined && { endpoint: simulation }),
      },
    })
  })
  return async identity => {
    try {
      return await assume(identity)
    } catch (error) {
      throw isRefused(error) ? new RoleRefusedError(roleArn, error) : error
    }
  }
}

/** STS said no, and will go on saying so until somebody changes a policy. */
export class RoleRefusedError extends Error {
  /** As if the service itself had refused: whoever judges by status sees a refusal. */
  readonly $metadata = { httpStatusCode: 403 }

  constructor(roleArn: string, cause: Error) {
    super(`May not assume ${roleArn}: ${cause.message}`, { cause })
    this.name = 'RoleRefusedError'
  }
}

function isRefused(error: unknown): error is Error {
  const status = statusOf(error)
  return error instanceof Error && status !== undefined && status >= 400 && status < 500 && !isPassing(error)
}

/** What a person can do about credentials that are missing, expired or refused; undefined where that is not the trouble. */
export function credentialsHint(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  return credentialHints.find(([names]) => names.test(error.name))?.[1]
}

const credentialHints: readonly (readonly [RegExp, string])[] = [
  [
    /^CredentialsProviderError$/,
    'Give AWS credentials: a role of the machine or container, a profile (AWS_PROFILE; `aws sso login` if it is one of SSO), or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
  ],
  [/^TokenProviderError$/, 'Sign in again: `aws sso login` with the profile of AWS_PROFILE'],
  [
    /^ExpiredToken/,
    'The AWS credentials have expired: `aws sso login` renews those of a profile; those in the environment never renew, so set new ones and start again',
  ],
  [
    /^RoleRefusedError$/,
    'Let the credentials do sts:AssumeRole on that role, and let the role’s trust policy name them and the externalId, if it asks for one',
  ],
  [
    /^(UnrecognizedClientException|InvalidClientTokenId|InvalidSignatureException|SignatureDoesNotMatch)$/,
    'The access key is unknown or its secret is wrong: check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the profile',
  ],
]

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
