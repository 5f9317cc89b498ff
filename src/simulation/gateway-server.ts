/**
 * The simulated gateway behind API Gateway's own REST protocol, on loopback: the real SDK talks to it. It can be told to
 * fail as a network and a service do, since what a client does then is what matters.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Answer, ControlPlaneCall, ErrorName, Gateway, Page } from './gateway.ts'
import { type LoopbackServer, readBody, serveOnLoopback } from './loopback-server.ts'

/** What goes wrong with a call: an answer of AWS's, a 500, or silence before or after the call was carried out. */
export type GatewayFault = ErrorName | 'AccessDeniedException' | 'server-error' | 'silent' | 'silent-after'

export interface ServedGateway extends LoopbackServer {
  /** The next call of this operation fails so; told several times, the next several. */
  failNext(operation: ControlPlaneCall['operation'], fault: GatewayFault): void
}

const statusOf: Readonly<Record<ErrorName | 'AccessDeniedException', number>> = {
  BadRequestException: 400,
  UnauthorizedException: 401,
  AccessDeniedException: 403,
  NotFoundException: 404,
  ConflictException: 409,
  TooManyRequestsException: 429,
  LimitExceededException: 429,
}

/** A patch is a few lines; what is larger was not meant for us. */
const maxBodyBytes = 64 * 1024

export async function serveGateway(gateway: Gateway): Promise<ServedGateway> {
  const faults = new Map<ControlPlaneCall['operation'], GatewayFault[]>()

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const call = await readCall(request)
    if (call === undefined)
      return reply(response, 403, 'MissingAuthenticationTokenException', 'Missing Authentication Token')
    const fault = faults.get(call.operation)?.shift()
    if (fault === 'silent') return
    if (fault === 'server-error') return reply(response, 500, 'InternalFailure', 'simulated')
    if (fault !== undefined && fault !== 'silent-after') return reply(response, statusOf[fault], fault, 'simulated')
    const answer = gateway.call(call)
    if (fault !== 'silent-after') replyWith(response, answer)
  }

  const server = await serveOnLoopback(respond)
  return {
    ...server,
    failNext(operation, fault) {
      faults.set(operation, [...(faults.get(operation) ?? []), fault])
    },
  }
}

/** undefined: a path or method that the simulation does not have; API Gateway answers 403 to those. */
async function readCall(request: IncomingMessage): Promise<ControlPlaneCall | undefined> {
  const url = new URL(request.url ?? '/', 'http://gateway')
  const [kind, id, sub, subId, ...rest] = url.pathname.split('/').slice(1).map(decodeURIComponent)
  if (rest.length > 0) return undefined
  if (request.method === 'PATCH' && kind === 'usageplans' && id && sub === undefined)
    return { operation: 'UpdateUsagePlan', planId: id, patch: patchOf(await readJson(request)) }
  if (kind === 'usageplans' && id && sub === 'keys') {
    if (request.method === 'POST' && subId === undefined)
      return { operation: 'CreateUsagePlanKey', planId: id, key: await readJson(request) }
    if (request.method === 'DELETE' && subId) return { operation: 'DeleteUsagePlanKey', planId: id, keyId: subId }
  }
  if (request.method !== 'GET') return undefined
  if (kind === 'apikeys' && sub === undefined)
    return id ? { operation: 'GetApiKey', keyId: id } : { operation: 'GetApiKeys', page: pageOf(url) }
  if (kind !== 'usageplans') return undefined
  if (!id) return { operation: 'GetUsagePlans', keyId: url.searchParams.get('keyId') ?? undefined, page: pageOf(url) }
  if (sub === undefined) return { operation: 'GetUsagePlan', planId: id }
  if (sub !== 'keys') return undefined
  if (subId) return { operation: 'GetUsagePlanKey', planId: id, keyId: subId }
  return { operation: 'GetUsagePlanKeys', planId: id, page: pageOf(url) }
}

function pageOf(url: URL): Page {
  const limit = url.searchParams.get('limit')
  return { limit: limit === null ? 25 : Number(limit), position: url.searchParams.get('position') ?? undefined }
}

/** undefined where the body is no JSON: the rules refuse that. */
async function readJson(request: IncomingMessage): Promise<unknown> {
  const text = await readBody(request, maxBodyBytes)
  if (text === undefined) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const patchOf = (body: unknown): unknown =>
  typeof body === 'object' && body !== null && 'patchOperations' in body ? body.patchOperations : undefined

function replyWith(response: ServerResponse, answer: Answer): void {
  if (answer.kind === 'answer') send(response, answer.status ?? 200, {}, answer.body)
  else reply(response, statusOf[answer.name], answer.name, answer.message, answer.retryAfterSeconds)
}

function reply(
  response: ServerResponse,
  status: number,
  name: string,
  message: string,
  retryAfterSeconds?: number,
): void {
  const retryAfter = retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }
  send(response, status, { 'x-amzn-errortype': name, ...retryAfter }, { message })
}

function send(
  response: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>>,
  body: unknown,
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(JSON.stringify(body))
}
