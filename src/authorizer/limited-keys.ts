/**
 * Who is to be answered with a penalty key, as Weir's table says (`actions/ways/authorizer-rows.ts` writes it). Read once in a few
 * seconds for each key and container. Fails open: where the table does not answer in time nobody is limited by it, and a row whose
 * `expiresAt` has passed says nothing, whether or not the table has removed it.
 */
import { type DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb'

export interface LimitedKeys {
  /** Id of the penalty key that this one is to be answered with; undefined: its own. Never rejects. */
  penaltyKeyOf(row: string): Promise<string | undefined>
}

export interface LimitedKeysOptions {
  readonly client: DynamoDBClient
  readonly table: string
  readonly now: () => number
  /** So long an answer is good, ms. */
  readonly keepMs?: number
  /** So long the table may take, ms: the caller waits for it. */
  readonly withinMs?: number
  /** Told where the table did not answer. */
  readonly onTrouble?: (failure: unknown) => void
}

interface Kept {
  readonly until: number
  readonly penaltyKey: string | undefined
  /** Epoch ms at which the row ends. */
  readonly endsAt: number
}

/** Beyond so many keys a container begins anew: they cost it 10 MB. */
const maxKept = 50_000

export function limitedKeys({
  client,
  table,
  now,
  keepMs = 5_000,
  withinMs = 300,
  onTrouble = () => {},
}: LimitedKeysOptions): LimitedKeys {
  const kept = new Map<string, Kept>()

  async function read(row: string): Promise<Kept> {
    const until = now() + keepMs
    const nothing = { until, penaltyKey: undefined, endsAt: 0 }
    const over = new AbortController()
    const timer = setTimeout(() => over.abort(), withinMs)
    // Also before the request is sent: credentials may never come.
    const givenUp = new Promise<never>((_, reject) => {
      over.signal.addEventListener('abort', () => reject(new Error(`no answer within ${withinMs} ms`)), { once: true })
    })
    try {
      const command = new GetItemCommand({
        TableName: table,
        Key: { keyId: { S: row } },
        ProjectionExpression: 'penaltyKeyId, expiresAt',
      })
      const { Item: item } = await Promise.race([client.send(command, { abortSignal: over.signal }), givenUp])
      const endsAt = Number(item?.expiresAt?.N) * 1000
      return Number.isFinite(endsAt) ? { until, penaltyKey: item?.penaltyKeyId?.S, endsAt } : nothing
    } catch (failure) {
      onTrouble(failure)
      return nothing
    } finally {
      clearTimeout(timer)
    }
  }

  return {
    async penaltyKeyOf(row) {
      const known = kept.get(row)
      const answer = known !== undefined && now() < known.until ? known : await read(row)
      if (answer !== known) {
        if (kept.size >= maxKept) kept.clear()
        kept.set(row, answer)
      }
      return now() < answer.endsAt ? answer.penaltyKey : undefined
    },
  }
}
