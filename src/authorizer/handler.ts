/**
 * The authorizer as a Lambda function, `handler.handler`: settings from the environment, the SDK that the runtime has.
 *
 *   WEIR_TABLE · WEIR_HASH_SECRET · WEIR_PENALTY_KEYS (JSON: id of a penalty key → its value) · WEIR_KEY_HEADER (x-api-key)
 */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { type AuthorizerAnswer, type AuthorizerEvent, createAuthorizer } from './authorizer.ts'
import { limitedKeys } from './limited-keys.ts'

let authorize: ReturnType<typeof createAuthorizer> | undefined

export function handler(event: AuthorizerEvent): Promise<AuthorizerAnswer> {
  authorize ??= fromEnvironment(process.env)
  return authorize(event)
}

/** Thrown at the first call where something is missing: a function that is set up wrong must not pass for one that limits. */
function fromEnvironment(env: Readonly<Record<string, string | undefined>>): ReturnType<typeof createAuthorizer> {
  const { WEIR_TABLE: table, WEIR_HASH_SECRET: hashSecret, WEIR_PENALTY_KEYS: penalty, WEIR_KEY_HEADER: header } = env
  if (!table || !hashSecret || !penalty) throw new Error('Set WEIR_TABLE, WEIR_HASH_SECRET and WEIR_PENALTY_KEYS')
  const limited = limitedKeys({
    // One try, at once or not at all: a caller is waiting.
    client: new DynamoDBClient({ maxAttempts: 1 }),
    table,
    now: Date.now,
    onTrouble: failure =>
      console.error(`Weir's table did not answer: ${failure instanceof Error ? failure.name : 'failure'}`),
  })
  return createAuthorizer({ limited, hashSecret, penaltyKeys: penaltyKeysIn(penalty), ...(header && { header }) })
}

function penaltyKeysIn(text: string): ReadonlyMap<string, string> {
  try {
    const values: unknown = JSON.parse(text)
    if (typeof values !== 'object' || values === null) throw new TypeError('no mapping')
    return new Map(Object.entries(values).filter((entry): entry is [string, string] => typeof entry[1] === 'string'))
  } catch {
    // Without what stands there: those are keys.
    throw new Error('WEIR_PENALTY_KEYS is no JSON mapping of ids to values')
  }
}
