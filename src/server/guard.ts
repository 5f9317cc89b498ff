/**
 * Who may ask what, decided from a request's head before anything of it is worked on:
 *
 *     method known? → Host ours? → not GET: from our own page or none? → token, where the route needs one → answer
 *
 * - **Host.** A page from elsewhere can make its own name lead to this address (DNS rebinding) and would then be of one origin
 *   with us. Its name gives it away: only names and addresses that we listen on are answered.
 * - **Origin, Sec-Fetch-Site.** What a browser sends with whatever is not GET. A page from elsewhere is refused even if it
 *   had a token; curl sends neither.
 * - **Token.** `Authorization: Bearer …`, which no browser sends by itself, compared in constant time.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { isIP } from 'node:net'
import { isLoopback, isWildcard, type ListenAddress } from './listen-address.ts'
import type { Needs } from './route.ts'

export interface GuardRules {
  readonly listen: ListenAddress
  /** Further names under which this server is known, lower case, without a port. */
  readonly hosts: readonly string[]
  /** Lets read what is not for everybody; undefined only on loopback. */
  readonly readerToken: string | undefined
  readonly operatorToken: string
}

/** A closed list: it is a label of a metric. */
export type Refusal = 'method' | 'host' | 'origin' | 'token'

export interface Refused {
  readonly because: Refusal
  readonly status: 401 | 403 | 405 | 421
  readonly says: string
}

export interface RequestHead {
  readonly method: string
  readonly headers: IncomingHttpHeaders
  /** Of the route that is asked for; `nobody` where there is none. */
  readonly needs: Needs
}

const safeMethods: readonly string[] = ['GET', 'HEAD']
export const methods: readonly string[] = [...safeMethods, 'POST']

export function refusal(head: RequestHead, rules: GuardRules): Refused | undefined {
  const { method, headers, needs } = head
  if (!methods.includes(method))
    return { because: 'method', status: 405, says: `There is no ${method} here, only ${methods.join(', ')}` }
  if (!isOurs(headers.host, rules))
    return {
      because: 'host',
      status: 421,
      says: 'This server is not known under the Host that was asked for; server.hosts in weir.yaml may name more',
    }
  if (!safeMethods.includes(method) && !isOwnPage(headers))
    return { because: 'origin', status: 403, says: 'A page from elsewhere may not ask for this' }
  return refusedToken(bearerOf(headers.authorization), needs, rules)
}

/** `name`, `name:port`, `[address]:port`: nothing that could hide a name in a user or a path. */
const hostSyntax = /^(\[[\da-f:.]+\]|[\w.-]+)(?::\d{1,5})?$/i

/** The port says nothing: behind a tunnel it is another. An address can be nobody's rebound name. */
function isOurs(header: string | undefined, { listen, hosts }: GuardRules): boolean {
  const name = hostSyntax
    .exec(header ?? '')?.[1]
    ?.toLowerCase()
    .replace(/^\[|\]$/g, '')
  if (name === undefined) return false
  if (name === listen.host.toLowerCase() || hosts.includes(name)) return true
  if (isWildcard(listen.host)) return isIP(name) !== 0 || name === 'localhost'
  return isLoopback(listen.host) && isLoopback(name)
}

function isOwnPage(headers: IncomingHttpHeaders): boolean {
  const site = headers['sec-fetch-site']
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return false
  if (headers.origin === undefined) return true
  const origin = URL.canParse(headers.origin) ? new URL(headers.origin) : undefined
  return origin !== undefined && origin.host === headers.host?.toLowerCase()
}

function refusedToken(given: string | undefined, needs: Needs, rules: GuardRules): Refused | undefined {
  const { listen, readerToken, operatorToken } = rules
  if (needs === 'nobody') return undefined
  if (needs === 'reader' && readerToken === undefined && isLoopback(listen.host)) return undefined
  const isOperator = isSame(given, operatorToken)
  const isReader = isSame(given, readerToken)
  if (isOperator || (needs === 'reader' && isReader)) return undefined
  const wanted = needs === 'operator' ? 'the operator’s token' : 'a token'
  const says = `This needs ${wanted}, as Authorization: Bearer …`
  return { because: 'token', status: isReader ? 403 : 401, says }
}

const bearerOf = (header: string | undefined): string | undefined => /^Bearer +(\S+)$/i.exec(header ?? '')?.[1]

/** Hashed first, so that the time says nothing of the length either. */
function isSame(given: string | undefined, token: string | undefined): boolean {
  if (given === undefined || token === undefined) return false
  return timingSafeEqual(sha256(given), sha256(token))
}

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest()
