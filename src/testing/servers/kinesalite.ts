/**
 * kinesalite, a simulation of Kinesis alone: the one whose shards split and merge as the real ones do (moto's do not). It
 * runs in this process, on a port of loopback, and keeps nothing. It knows no ARNs, no roles and no named children.
 */

import type { Server } from 'node:http'
import { createRequire } from 'node:module'

export interface KinesaliteServer {
  /** `http://127.0.0.1:port`, for `endpoint`. */
  readonly endpoint: string
  stop(): Promise<void>
}

/** What becomes of a stream takes this long here: AWS takes half a minute. */
const stateChangeMs = 20

export async function startKinesalite(): Promise<KinesaliteServer> {
  // It has no types and no module form.
  const kinesalite: (options: Readonly<Record<string, number>>) => Server = createRequire(import.meta.url)('kinesalite')
  const server = kinesalite({
    createStreamMs: stateChangeMs,
    updateStreamMs: stateChangeMs,
    deleteStreamMs: stateChangeMs,
    shardLimit: 100,
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('A TCP server has no port')
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    stop: () =>
      new Promise(resolve => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}
