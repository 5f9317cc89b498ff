/** Where the server listens, as `server.listen` says it, and whether others than this machine could come there. */
import { isIP } from 'node:net'

export interface ListenAddress {
  /** An address, or a name that has one; IPv6 without its brackets. */
  readonly host: string
  /** 0: whichever is free. */
  readonly port: number
}

/** `host:port`, IPv6 in brackets; undefined where it is `off`. The text is of that form by the schema. */
export function listenAddress(text: string): ListenAddress | undefined {
  if (text === 'off') return undefined
  const colon = text.lastIndexOf(':')
  const host = text.slice(0, colon).replace(/^\[|\]$/g, '')
  // The name may stand for both families, of which a server has one.
  return { host: host === 'localhost' ? '127.0.0.1' : host, port: Number(text.slice(colon + 1)) }
}

/** Only what this machine itself can reach. A name is none: where it leads is somebody else’s to say. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}

/** Every address that this machine has, known to it or not: behind a container’s network it has others’ too. */
export const isWildcard = (host: string): boolean => host === '0.0.0.0' || host === '::'

export const addressText = ({ host, port }: ListenAddress): string => `${isIP(host) === 6 ? `[${host}]` : host}:${port}`
