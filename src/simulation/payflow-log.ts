/**
 * One line of API Gateway's access log: JSON on one line, every value quoted, `-` where there is none. Field names are
 * those of the format that the README recommends. Ids are counted, not drawn: unique, and small once compressed.
 */
import type { EpochMs } from '../core/vocabulary.ts'
import type { Random } from './random.ts'
import type { SimulatedTenant } from './tenants.ts'

export interface Route {
  readonly method: 'GET' | 'POST'
  readonly path: string
}

export type Answer =
  /** The function answered; `status` is its own. */
  | { readonly kind: 'answered'; readonly status: number; readonly durationMs: number }
  /** The usage plan refused it. */
  | { readonly kind: 'refused'; readonly durationMs: number }
  /** No place in the Lambda pool. The gateway makes a 500 of Lambda's 429. */
  | { readonly kind: 'pool-full'; readonly durationMs: number }
  /** The network between gateway and function lost it. */
  | { readonly kind: 'lost'; readonly durationMs: number }

export interface LoggedCall {
  readonly tenant: SimulatedTenant
  readonly route: Route
  readonly at: EpochMs
  readonly answer: Answer
  /** Counts all calls of a simulation. */
  readonly ordinal: number
}

const payments: Route = { method: 'POST', path: '/v1/payments' }
const routes = [
  { upTo: 0.8, route: payments },
  { upTo: 0.95, route: { method: 'GET', path: '/v1/payments/{id}' } },
  { upTo: 0.98, route: { method: 'POST', path: '/v1/refunds' } },
  { upTo: 1, route: { method: 'GET', path: '/v1/balance' } },
] as const

/** Mostly payments, some look-ups. A retried call is drawn anew: which route fails makes no difference here. */
export function drawRoute(random: Random): Route {
  const place = random.uniform()
  return routes.find(({ upTo }) => place < upTo)?.route ?? payments
}

const rejections = { POST: [400, 402, 422], GET: [404, 404, 400] } as const
const failures = [500, 500, 502] as const

export function drawStatus(
  { failureShare, rejectedShare }: SimulatedTenant,
  { method }: Route,
  random: Random,
): number {
  const place = random.uniform()
  if (place < failureShare) return random.pick(failures)
  if (place < failureShare + rejectedShare) return random.pick(rejections[method])
  return method === 'POST' ? 201 : 200
}

export function statusOf(answer: Answer): number {
  switch (answer.kind) {
    case 'answered':
      return answer.status
    case 'refused':
      return 429
    case 'pool-full':
      return 500
    case 'lost':
      return 504
    default:
      return answer satisfies never
  }
}

interface Integration {
  readonly status: string
  readonly latency: string
  readonly errorType: string
}

function integrationOf(answer: Answer): Integration {
  switch (answer.kind) {
    // Lambda's own status, 200 whatever the function answered.
    case 'answered':
      return { status: '200', latency: String(answer.durationMs - 2), errorType: '-' }
    case 'refused':
      return { status: '-', latency: '-', errorType: 'THROTTLED' }
    case 'pool-full':
      return { status: '429', latency: String(answer.durationMs - 2), errorType: 'API_CONFIGURATION_ERROR' }
    case 'lost':
      return { status: '-', latency: String(answer.durationMs - 2), errorType: 'INTEGRATION_FAILURE' }
    default:
      return answer satisfies never
  }
}

export function logLine({ tenant, route, at, answer, ordinal }: LoggedCall): string {
  const id = ordinal.toString(16).padStart(12, '0')
  const { status, latency, errorType } = integrationOf(answer)
  const bytes = answer.kind === 'answered' && answer.status < 300 ? 412 + (ordinal % 8) : 36
  const sourceIp = tenant.sourceIps[ordinal % tenant.sourceIps.length]
  return `{"requestId":"00000000-0000-4000-8000-${id}","extendedRequestId":"${id}=","requestTimeEpoch":"${at}","apiId":"payflow001","stage":"prod","apiKeyId":"${tenant.keyId}","principalId":"-","sourceIp":"${sourceIp}","httpMethod":"${route.method}","resourcePath":"${route.path}","status":"${statusOf(answer)}","responseLatency":"${answer.durationMs}","responseLength":"${bytes}","integrationStatus":"${status}","integrationLatency":"${latency}","errorResponseType":"${errorType}","wafStatus":"-","userAgent":"${tenant.userAgent}"}`
}
