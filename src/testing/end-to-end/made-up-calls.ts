/** Usual calls of a dozen made-up clients, for machines without the shared data: ten minutes, the same with the same seed. */
import { createRandom } from '../../simulation/random.ts'
import type { RecordedCall } from './call-loop.ts'

export const clients = Array.from({ length: 12 }, (_, index) => `client-${String.fromCharCode(97 + index)}`)
/** Calls about twice a second, and the one that storms. */
export const stormingClient = clients[2] ?? ''

const seconds = 600
const routes = [
  { method: 'POST', path: '/v1/payments' },
  { method: 'POST', path: '/v1/payments' },
  { method: 'GET', path: '/v1/payments/{id}' },
  { method: 'GET', path: '/v1/balance' },
] as const

export function makeUpCalls(): readonly RecordedCall[] {
  const random = createRandom(1, 'storm-command')
  const calls: RecordedCall[] = []
  for (let second = 0; second < seconds; second++) {
    for (const [index, client] of clients.entries()) {
      for (let left = random.poisson(4 / (index + 1)); left > 0; left--) {
        const isRefused = random.uniform() < 0.02
        calls.push({
          ...random.pick(routes),
          ts: second + random.uniform(),
          client,
          status: isRefused ? 422 : 200,
          bytes: 300 + random.integer(400),
          ua: 'partner-sdk/2.1',
        })
      }
    }
  }
  return calls.sort((one, other) => one.ts - other.ts)
}
