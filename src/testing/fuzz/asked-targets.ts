/**
 * What is asked of Weir: over HTTP, by a person's words, by AWS. Whoever asks gets an answer or is refused, nothing is done
 * without the operator's token, and who comes next is answered.
 */

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAuthorizer } from '../../authorizer/authorizer.ts'
import { withHeaderOf } from '../../cli/csv-header.ts'
import { parseMoment } from '../../cli/moment.ts'
import { loadOperatorToken } from '../../cli/operator-token.ts'
import { systemClock } from '../../clock.ts'
import { StreamError } from '../../core/errors.ts'
import { readOrder, standingOrder } from '../../core/incident/standing-order.ts'
import { readPatch } from '../../core/limits/patch.ts'
import { noticeOf, publication } from '../../dead-man/notice.ts'
import { commandRoute } from '../../server/command-route.ts'
import { createServer } from '../../server/server.ts'
import { at, throttle } from '../../worker/testing-events.ts'
import type { FuzzTarget } from './target.ts'

const parsed = (input: Buffer): unknown => {
  try {
    return JSON.parse(input.toString())
  } catch {
    return undefined
  }
}

const moments = [
  '2026-11-20T14:03:07Z',
  '2026-11-20 14:03:07 UTC',
  '1763647387000',
  '2026-11-20T14:03:07,25+01:00',
  '14:03',
]

const moment: FuzzTarget = {
  name: 'moment',
  share: 6,
  valid: seed => Buffer.from(moments[seed % moments.length] ?? ''),
  judge(input) {
    try {
      const at = parseMoment(input.toString())
      return Math.abs(at) <= 8.64e15 ? undefined : `it is ${at}`
    } catch (error) {
      if (error instanceof StreamError && error.code === 'TIME_UNUSABLE') return undefined
      throw error
    }
  },
}

const limits = (rateLimit: number) => ({ rateLimit, burstLimit: 10 })
const orders = [
  standingOrder({
    ...{ effectId: throttle.id, holders: [throttle.keyId], expiresAt: at + 600_000 },
    giveBack: {
      ...{ kind: 'plan', planId: 'p', original: limits(100.25), mayHave: [limits(5)] },
      methods: [{ apiStage: 'a:prod', method: '/pay/POST', original: limits(7), mayHave: [limits(3)] }],
    },
  }),
  standingOrder({
    ...{ effectId: throttle.id, holders: [throttle.keyId], expiresAt: at + 600_000 },
    giveBack: { kind: 'move', movedKey: 'k', from: ['p'], to: 'penalty', stages: ['a/prod'] },
  }),
]

/** What Scheduler hands the dead man's switch: an order, of which people can be told, or none. */
const order: FuzzTarget = {
  name: 'standing-order',
  share: 6,
  valid: seed => Buffer.from(JSON.stringify(orders[seed % orders.length])),
  judge(input) {
    const read = readOrder(parsed(input))
    if (read === undefined) return undefined
    const notice = noticeOf(read, { kind: 'failed', because: 'no answer' }, at)
    if (notice === undefined) return 'nobody is told of it'
    const { Subject = '', Message = '' } = publication(notice, 'arn:aws:sns:eu-west-1:123456789012:t')
    if (!/^[ -~]{1,99}$/.test(Subject)) return `its subject is ${JSON.stringify(Subject)}`
    return typeof JSON.parse(Message) === 'object' ? undefined : 'its message is none'
  },
}

/** A call's head, as API Gateway hands it to the authorizer. */
const authorizer: FuzzTarget = {
  name: 'authorizer',
  share: 5,
  valid: seed =>
    Buffer.from(
      JSON.stringify({
        ...{ type: 'REQUEST', methodArn: 'arn:aws:execute-api:eu-west-1:1:a/prod/GET/x' },
        headers: { 'X-Api-Key': `key-${seed % 9}`, Host: 'a' },
      }),
    ),
  async judge(input) {
    const event = parsed(input) as Parameters<ReturnType<typeof createAuthorizer>>[0]
    const limited = { penaltyKeyOf: async () => 'slow-1' }
    const authorize = createAuthorizer({ limited, hashSecret: 's', penaltyKeys: new Map([['slow-1', 'slow']]) })
    try {
      const { principalId, usageIdentifierKey } = await authorize(event)
      return usageIdentifierKey === 'slow' && /^hash:[\da-f]{16}$/.test(principalId) ? undefined : 'it is not limited'
    } catch (error) {
      // API Gateway answers 401 or 500, and lets nobody through.
      return error instanceof Error ? undefined : String(error)
    }
  },
}

const aPatch = {
  ...{ schema: 'weir.limits/1', madeAt: '2026-11-20T14:03:07Z' },
  plans: [
    { plan: 'p1', name: 'Client A', present: limits(10), suggested: limits(20), reason: 'r', keys: [{ key: 'k1' }] },
    { plan: 'p2', gateway: 'g', present: null, suggested: limits(20.5) },
  ],
}

const patch: FuzzTarget = {
  name: 'limits-patch',
  share: 4,
  valid: () => Buffer.from(JSON.stringify(aPatch)),
  judge(input) {
    const read = readPatch(parsed(input))
    if (read.kind === 'bad')
      return read.because.length < 2_000 ? undefined : `its complaint has ${read.because.length} characters`
    const isGood = read.plans.every(
      ({ suggested: { rateLimit, burstLimit } }) => rateLimit > 0 && rateLimit <= 1e6 && burstLimit >= 1,
    )
    return isGood ? undefined : `it would set ${JSON.stringify(read.plans)}`
  },
}

/** A CSV's first line, and the operator's token, each in a file. */
function smallFile(
  name: string,
  read: (folder: string, path: string) => Promise<unknown>,
  valid: (seed: number) => Buffer,
): FuzzTarget {
  let [folder, path] = ['', '']
  return {
    ...{ name, share: 2, valid },
    async prepare() {
      folder = await mkdtemp(join(tmpdir(), 'weir-fuzz-'))
      path = join(folder, name)
      return () => rm(folder, { recursive: true, force: true })
    },
    async judge(input) {
      await writeFile(path, input)
      const told = async (): Promise<string> => {
        try {
          return JSON.stringify(await read(folder, path))
        } catch (error) {
          if (error instanceof StreamError) return error.message
          throw error
        }
      }
      const one = await told()
      return one === (await told()) ? undefined : 'it is read otherwise the second time'
    },
  }
}

const csvHeader = smallFile(
  'csv-header',
  (_, path) => withHeaderOf([path], { format: 'csv', fields: {}, maxRecordBytes: 1 << 22 }),
  seed => Buffer.from(['requestTime,apiKeyId,status\n1,k,200\n', 'time;key id;"status"\r\n'][seed % 2] ?? ''),
)
const token = smallFile(
  'operator-token',
  async folder =>
    /^[!-~]{16,}$/.test(await loadOperatorToken(folder, {})) ? 'good' : Promise.reject(new Error('it cannot be sent')),
  () => Buffer.from(`${'0123456789abcdef'.repeat(4)}\n`),
)

const operatorToken = 'operator-0123456789abcdef'
const command = '{"command":{"kind":"release","keyId":"key_a"},"by":"ann"}'
const requests = [
  'GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n',
  'GET /metrics?a=b&a=c HTTP/1.1\r\nHost: localhost:1\r\nAccept: text/plain\r\nConnection: close\r\n\r\n',
  `POST /api/v1/commands HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer wrong-0123456789abcdef\r\nContent-Type: application/json\r\nContent-Length: ${command.length}\r\nConnection: close\r\n\r\n${command}`,
  `POST /api/v1/commands HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\n${command.length.toString(16)}\r\n${command}\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`,
  'OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://evil.example\r\nConnection: close\r\n\r\n',
]

/** Bytes on a socket, as whoever can reach the port may send them. */
function http(): FuzzTarget {
  let port = 0
  const done: string[] = []
  const failed: string[] = []
  const exchange = (bytes: Buffer): Promise<string> =>
    new Promise(resolve => {
      let text = ''
      const socket = connect({ port, host: '127.0.0.1' }, () => socket.end(bytes))
      socket.setEncoding('latin1')
      socket.on('data', more => {
        text += more
      })
      socket.on('error', () => {})
      socket.on('close', () => resolve(text))
    })
  return {
    name: 'http',
    share: 2,
    async prepare() {
      const routes = [
        commandRoute(async ({ kind }) => {
          done.push(kind)
          return { kind: 'obeyed', keyIds: [], incidentIds: [] }
        }),
        { method: 'GET', path: '/healthz', needs: 'nobody', answer: () => ({ status: 200, body: 'ok' }) } as const,
        { method: 'GET', path: '/metrics', needs: 'reader', answer: () => ({ status: 200, body: 'up 1\n' }) } as const,
      ]
      const server = createServer({
        ...{ listen: { host: '127.0.0.1', port: 0 }, hosts: [], readerToken: undefined, operatorToken, routes },
        ...{ clock: systemClock(), answered() {}, refused() {} },
        failed: ({ because }) => failed.push(because),
      })
      port = (await server.listen()).port
      return () => server.close()
    },
    valid: seed => Buffer.from(requests[seed % requests.length] ?? ''),
    async judge(input) {
      const text = await exchange(input)
      if (done.length > 0) return `it was obeyed: ${done.splice(0)}`
      if (failed.length > 0) return `it failed: ${failed.splice(0)}`
      if (text !== '' && !text.startsWith('HTTP/1.1 ')) return `the answer is ${JSON.stringify(text.slice(0, 200))}`
      if (/access-control-|HTTP\/1\.1 5|node_modules| at [\w.]+ \(/i.test(text))
        return `the answer is ${JSON.stringify(text.slice(0, 500))}`
      return (await exchange(Buffer.from(requests[0] ?? ''))).startsWith('HTTP/1.1 200')
        ? undefined
        : 'who came next got no answer'
    },
  }
}

export const askedTargets: readonly FuzzTarget[] = [moment, order, authorizer, patch, csvHeader, token, http()]
