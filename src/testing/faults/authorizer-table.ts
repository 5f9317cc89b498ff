/**
 * The authorizer's table in DynamoDB as its client sees it: items by key, and the conditions of writes as DynamoDB evaluates them,
 * so that the real `authorizerRows` says what it writes and under which condition.
 */
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb'
import { SECOND_MS } from '../../core/vocabulary.ts'
import { startsAt } from './cast.ts'

type Value = { readonly S: string } | { readonly N: string }
type Item = Readonly<Record<string, Value>>

export interface TableCommand {
  readonly input: {
    readonly Item?: Item
    readonly Key?: Item
    readonly UpdateExpression?: string
    readonly ConditionExpression?: string
    readonly ExpressionAttributeValues?: Item
  }
}

export interface SimulatedTable {
  /** Throws ConditionalCheckFailedException. */
  write(command: TableCommand): void
  /** The keys that the authorizer answers with a penalty key now. */
  inForce(): readonly string[]
  penaltyOf(keyId: string): string | undefined
  /** ms since the story began. */
  endsAt(keyId: string): number | undefined
}

export function createTable(now: () => number): SimulatedTable {
  const items = new Map<string, Item>()
  const endOf = (item: Item): number => Number(textOf(item.expiresAt) ?? 0) * SECOND_MS - startsAt
  const isInForce = (item: Item): boolean => endOf(item) > now()
  return {
    write({ input }) {
      const keyId = rowOf({ input })
      const before = items.get(keyId)
      const values = input.ExpressionAttributeValues ?? {}
      if (!holds(input.ConditionExpression ?? '', before, values))
        throw new ConditionalCheckFailedException({
          message: 'The conditional request failed',
          $metadata: { httpStatusCode: 400 },
          ...(before !== undefined && { Item: { ...before } }),
        })
      items.set(keyId, input.Item ?? { ...before, ...input.Key, ...assigned(input.UpdateExpression ?? '', values) })
    },
    inForce: () => [...items].filter(([, item]) => isInForce(item)).map(([keyId]) => keyId),
    penaltyOf(keyId) {
      const item = items.get(keyId)
      return item && isInForce(item) ? textOf(item.penaltyKeyId) : undefined
    },
    endsAt(keyId) {
      const item = items.get(keyId)
      return item && endOf(item)
    },
  }
}

export const rowOf = ({ input: { Item, Key } }: TableCommand): string => textOf((Item ?? Key)?.keyId) ?? ''

const textOf = (value: Value | undefined): string | undefined =>
  value === undefined ? undefined : 'S' in value ? value.S : value.N

/** `SET a = :a, b = :b`. */
function assigned(expression: string, values: Item): Item {
  const pairs = expression.replace(/^SET /, '').split(', ')
  return Object.fromEntries(
    pairs.flatMap(pair => {
      const [name = '', value = ''] = pair.split(' = ')
      const known = values[value]
      return known === undefined ? [] : [[name, known]]
    }),
  )
}

/** OR of ANDs of comparisons, lists and what exists, with parentheses; a name that an item lacks compares with nothing. */
function holds(expression: string, item: Item | undefined, values: Item): boolean {
  const tokens = expression.match(/[A-Za-z_:][\w:]*|<=|>=|[<>=(),]/g) ?? []
  let at = 0
  const next = (): string => tokens[at++] ?? ''
  const any = (): boolean => {
    let isSo = all()
    while (tokens[at] === 'OR') {
      at++
      isSo = all() || isSo
    }
    return isSo
  }
  const all = (): boolean => {
    let isSo = one()
    while (tokens[at] === 'AND') {
      at++
      isSo = one() && isSo
    }
    return isSo
  }
  const inParentheses = <T>(read: () => T): T => {
    at++
    const value = read()
    at++
    return value
  }
  function one(): boolean {
    if (tokens[at] === '(') return inParentheses(any)
    const name = next()
    if (name === 'attribute_not_exists') return inParentheses(() => item?.[next()] === undefined)
    if (name === 'attribute_exists') return inParentheses(() => item?.[next()] !== undefined)
    const operator = next()
    if (operator === 'IN') {
      const listed = inParentheses(() => {
        const found = [next()]
        while (tokens[at] === ',') {
          at++
          found.push(next())
        }
        return found
      })
      return listed.some(value => textOf(values[value]) === textOf(item?.[name]) && item?.[name] !== undefined)
    }
    const wanted = values[next()]
    const has = item?.[name]
    if (wanted === undefined) throw new Error(`the simulated table knows no such condition: ${expression}`)
    if (has === undefined) return false
    return 'N' in wanted ? compare(Number(textOf(has)), operator, Number(wanted.N)) : textOf(has) === wanted.S
  }
  return any()
}

function compare(one: number, operator: string, other: number): boolean {
  switch (operator) {
    case '=':
      return one === other
    case '<':
      return one < other
    case '<=':
      return one <= other
    case '>':
      return one > other
    default:
      throw new Error(`the simulated table knows no ${operator}`)
  }
}
