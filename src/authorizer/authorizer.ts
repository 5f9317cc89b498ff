/**
 * A Lambda authorizer for a REST API whose `apiKeySource` is AUTHORIZER: it answers with the key that the caller sent, or, while
 * Weir's table says so, with a penalty key whose plan has lower limits. No control plane is asked, no key is moved.
 *
 *   x-api-key ─► keyed hash (principalId, which the access log has) ─► row in the table? ─► usageIdentifierKey: own or penalty key
 *
 * The raw key goes nowhere but back to API Gateway, which knows whether there is such a key, and whose methods have to require one:
 * this function says who calls and lets everybody through. The hash is the one that Weir makes of raw keys (same secret),
 * so that what Weir knows a key by is what is looked up here. Whoever has an authorizer already takes `limitedKeys` alone, and asks it by their own principal id.
 */
import { createHmac } from 'node:crypto'
import type { LimitedKeys } from './limited-keys.ts'

/** Of API Gateway's event, for an authorizer of type REQUEST or TOKEN, what is read here. */
export interface AuthorizerEvent {
  readonly methodArn: string
  readonly headers?: Readonly<Record<string, string | undefined>> | null
  readonly authorizationToken?: string
}

export interface AuthorizerAnswer {
  readonly principalId: string
  readonly usageIdentifierKey: string
  readonly policyDocument: {
    readonly Version: '2012-10-17'
    readonly Statement: readonly [
      { readonly Action: 'execute-api:Invoke'; readonly Effect: 'Allow'; readonly Resource: string },
    ]
  }
}

export interface AuthorizerOptions {
  readonly limited: LimitedKeys
  /** Weir's WEIR_HASH_SECRET. */
  readonly hashSecret: string
  /** Values of the penalty keys, by their ids. */
  readonly penaltyKeys: ReadonlyMap<string, string>
  /** Header that carries the key, in lower case. */
  readonly header?: string
}

export function createAuthorizer({ limited, hashSecret, penaltyKeys, header = 'x-api-key' }: AuthorizerOptions) {
  return async (event: AuthorizerEvent): Promise<AuthorizerAnswer> => {
    const key = event.authorizationToken ?? headerOf(event, header)
    // In these words API Gateway answers 401.
    if (key === undefined || key === '') throw new Error('Unauthorized')
    const principalId = `hash:${createHmac('sha256', hashSecret).update(key).digest('hex').slice(0, 16)}`
    const penaltyKey = await limited.penaltyKeyOf(principalId)
    return {
      principalId,
      // One that is not known here is no reason to refuse a call.
      usageIdentifierKey: (penaltyKey === undefined ? undefined : penaltyKeys.get(penaltyKey)) ?? key,
      policyDocument: {
        Version: '2012-10-17',
        Statement: [{ Action: 'execute-api:Invoke', Effect: 'Allow', Resource: wholeStage(event.methodArn) }],
      },
    }
  }
}

function headerOf({ headers }: AuthorizerEvent, name: string): string | undefined {
  return Object.entries(headers ?? {}).find(([header]) => header.toLowerCase() === name)?.[1]
}

/** API Gateway keeps the answer for the key's other calls too: it has to hold for all methods of the stage. */
function wholeStage(methodArn: string): string {
  const [api = '', stage = ''] = methodArn.split('/')
  return `${api}/${stage}/*`
}
