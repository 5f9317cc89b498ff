/**
 * The worker's HTTP server: answers the routes that it is given, each after the guard has looked at the request (guard.ts),
 * and keeps slow, large and many requests from costing the worker anything.
 *
 * What it says to a stranger is little: no version, no stack, no list of routes. No CORS header is ever sent, so that a page
 * from elsewhere can read nothing, and nothing is kept in caches or shown inside other pages.
 */
import assert from 'node:assert/strict'
import type { AddressInfo } from 'node:net'
import { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify'
import type { Clock } from '../clock.ts'
import { SECOND_MS } from '../core/vocabulary.ts'
import { type GuardRules, methods, type Refusal, refusal } from './guard.ts'
import type { ListenAddress } from './listen-address.ts'
import { type Answer, type Needs, problem, type Route } from './route.ts'

export interface ServerSettings extends GuardRules {
  readonly routes: readonly Route[]
  readonly clock: Clock
  /** Each answer, by the route's path; `other`: there is no such route. */
  readonly answered: (answer: { readonly route: string; readonly status: number }) => void
  readonly refused: (because: Refusal) => void
  /** Whoever answers `route` has failed: our own mistake. */
  readonly failed: (failure: { readonly route: string; readonly because: string }) => void
}

export interface Server {
  /** Where it is by now, with the port that it was given. Throws what listening failed with, and may be asked again. */
  listen(): Promise<ListenAddress>
  /** Lets answers under way end for a moment, then ends them. */
  close(): Promise<void>
}

/** A command is a few hundred bytes. */
const maxBodyBytes = 64 * 1024
const maxHeaderBytes = 8 * 1024
/** Of which a scrape, a probe and some tabs of a browser take ten. */
const maxConnections = 100
/** A whole request, its head and its body, has to come within this. */
const requestMs = 10 * SECOND_MS
const headersMs = 5 * SECOND_MS
/** A connection on which nothing moves, also one that takes no answer. */
const silentMs = 30 * SECOND_MS
const keepAliveMs = 10 * SECOND_MS
const closingMs = SECOND_MS

const headersOfAll = {
  'content-security-policy': "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'cache-control': 'no-store',
} as const

declare module 'fastify' {
  interface FastifyContextConfig {
    needs?: Needs
  }
}

export function createServer(settings: ServerSettings): Server {
  const { routes, clock } = settings
  // A server that could not listen is over for fastify: each try has its own.
  let open: FastifyInstance | undefined

  return {
    async listen() {
      const app = createApp(settings)
      for (const route of routes) addRoute(app, route)
      try {
        await app.listen({ ...settings.listen })
      } catch (cause) {
        await app.close()
        throw cause
      }
      open = app
      const { address, port } = app.server.address() as AddressInfo
      return { host: address, port }
    },
    async close() {
      if (open === undefined) return
      const patience = new AbortController()
      const closed = open.close().finally(() => patience.abort())
      await clock.sleep(closingMs, patience.signal)
      open.server.closeAllConnections()
      await closed
      open = undefined
    },
  }
}

function createApp(settings: ServerSettings): FastifyInstance {
  const { answered, refused, failed } = settings
  const app = fastify({
    bodyLimit: maxBodyBytes,
    requestTimeout: requestMs,
    connectionTimeout: silentMs,
    keepAliveTimeout: keepAliveMs,
    http: { maxHeaderSize: maxHeaderBytes, headersTimeout: headersMs, connectionsCheckingInterval: SECOND_MS },
    forceCloseConnections: 'idle',
    frameworkErrors: (_error, _request, reply) => send(reply, problem(400, 'bad-request', 'This is no request')),
  })
  app.server.maxConnections = maxConnections
  // A form of another page could send text, and JSON only after it has asked.
  app.removeContentTypeParser('text/plain')

  app.addHook('onRequest', async (request, reply) => {
    // A target that names a host of its own, as proxies are asked, goes before Host: nobody asks us so.
    if (!(request.raw.url ?? '').startsWith('/'))
      return send(reply, problem(400, 'bad-request', 'Ask for a path, with the host in Host'))
    const needs = request.routeOptions.config.needs ?? 'nobody'
    const no = refusal({ method: request.method, headers: request.headers, needs }, settings)
    if (no === undefined) return undefined
    refused(no.because)
    if (no.status === 401) reply.header('www-authenticate', 'Bearer realm="weir"')
    if (no.status === 405) reply.header('allow', methods.join(', '))
    return send(reply, problem(no.status, `refused-${no.because}`, no.says))
  })
  app.addHook('onResponse', async (request, reply) => answered({ route: routeOf(request), status: reply.statusCode }))
  app.setNotFoundHandler((_request, reply) => send(reply, problem(404, 'not-found', 'There is nothing here')))
  app.setErrorHandler<FastifyError>((error, request, reply) => {
    const { statusCode = 500 } = error
    // What fastify itself refuses: a body that is no JSON, too long, or of another type.
    if (statusCode >= 400 && statusCode < 500)
      return send(reply, problem(statusCode, 'bad-request', 'The body should be JSON, and of at most 64 KiB'))
    failed({ route: routeOf(request), because: error.message })
    return send(reply, problem(500, 'failed', 'This could not be answered; the log of the worker says why'))
  })
  return app
}

function addRoute(app: FastifyInstance, { method, path, needs, answer }: Route): void {
  assert(method === 'GET' || needs === 'operator', `${method} ${path} acts, and does not need the operator`)
  app.route({
    ...{ method, url: path, config: { needs } },
    handler: async (request, reply) => {
      const query = request.query as Readonly<Record<string, string | readonly string[]>>
      const answered = await answer({
        params: request.params as Readonly<Record<string, string>>,
        query: Object.fromEntries(Object.entries(query).map(([name, value]) => [name, [value].flat()[0] ?? ''])),
        body: request.body,
      })
      return send(reply, answered)
    },
  })
}

const routeOf = (request: FastifyRequest): string => request.routeOptions.url ?? 'other'

function send(
  reply: FastifyReply,
  { status, body, type = 'text/plain; charset=utf-8', headers }: Answer,
): FastifyReply {
  reply.code(status).headers({ ...headersOfAll, ...headers })
  reply.type(typeof body === 'string' ? type : 'application/json; charset=utf-8')
  return reply.send(body)
}
