/**
 * What CloudWatch asks for metrics, so that it is told before it is spent. List prices of us-east-1 without the free tier,
 * from https://aws.amazon.com/cloudwatch/pricing/ (tiers as quoted there in April 2022 and in third-party pages since; checked
 * November 2026). Other regions ask up to a half more, and AWS may change them: it is an estimate, and says so.
 */

export const pricesOf = 'list prices of us-east-1'

/** $ a month of each metric, in steps: the first so many at this price, the next so many at that. Charged by the hour. */
const metricTiers: readonly { readonly metrics: number; readonly usd: number }[] = [
  { metrics: 10_000, usd: 0.3 },
  { metrics: 240_000, usd: 0.1 },
  { metrics: 750_000, usd: 0.05 },
  { metrics: Number.POSITIVE_INFINITY, usd: 0.02 },
]
/** $ of one PutMetricData request, and of one metric in a GetMetricData request. */
const usdPerRequest = 0.01 / 1_000
const usdPerMetricRead = 0.01 / 1_000

const minutesPerMonth = 30 * 1_440

/** Datums that one PutMetricData may hold; of ids as long as the decoder lets through they stay below its 1 MB (API reference). */
export const mostDatumsPerRequest = 1_000

export interface MonthlyCost {
  readonly metrics: number
  readonly requests: number
  readonly usd: number
}

/** Of so many metrics that are sent once a minute, all the month. */
export function monthlyCost(metrics: number): MonthlyCost {
  const requests = Math.ceil(metrics / mostDatumsPerRequest) * minutesPerMonth
  return { metrics, requests, usd: metricsUsd(metrics) + requests * usdPerRequest }
}

function metricsUsd(metrics: number): number {
  let left = metrics
  let usd = 0
  for (const tier of metricTiers) {
    const inTier = Math.min(left, tier.metrics)
    usd += inTier * tier.usd
    left -= inTier
  }
  return usd
}

/** Of reading so many metrics, each as often as it is asked for. */
export const readingUsd = (metricsRead: number): number => metricsRead * usdPerMetricRead
