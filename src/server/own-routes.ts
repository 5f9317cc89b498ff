/** What every worker answers by itself: how it is, for whoever runs it, and how much, for Prometheus. */
import type { Health } from './health.ts'
import type { Metrics } from './metrics.ts'
import type { Answer, Route } from './route.ts'

export interface OwnRoutes {
  readonly metrics: Pick<Metrics, 'text' | 'contentType'>
  readonly live: () => Health
  readonly ready: () => Health
}

/** Health needs no token anywhere: what asks for it, a probe or a balancer, has none, and it says nothing of anybody. */
export const ownRoutes = ({ metrics, live, ready }: OwnRoutes): readonly Route[] => [
  { method: 'GET', path: '/healthz', needs: 'nobody', answer: () => healthAnswer(live(), 'live') },
  { method: 'GET', path: '/readyz', needs: 'nobody', answer: () => healthAnswer(ready(), 'ready') },
  {
    ...{ method: 'GET', path: '/metrics', needs: 'reader' },
    answer: async (): Promise<Answer> => ({ status: 200, body: await metrics.text(), type: metrics.contentType }),
  },
]

const healthAnswer = ({ ok, phase, checks }: Health, is: 'live' | 'ready'): Answer => ({
  status: ok ? 200 : 503,
  body: { [is]: ok, phase, checks },
})
