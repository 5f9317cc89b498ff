/** What the simulated services share: an HTTP server on a free port of loopback, and a request's body of bounded length. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'

export interface LoopbackServer {
  /** `http://127.0.0.1:port`. */
  readonly endpoint: string
  /** Ends open connections too: a client may be waiting for an answer that was never meant to come. */
  close(): Promise<void>
}

/** Where `respond` fails, the client sees its connection break. */
export async function serveOnLoopback(
  respond: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
): Promise<LoopbackServer> {
  const server = createServer((request, response) => {
    respond(request, response).catch(() => response.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('a TCP server has no port')
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

/** undefined: longer than `maxBytes`. */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request) {
    const bytes = Buffer.from(chunk)
    length += bytes.length
    // Read to the end all the same: an answer before the end would reach the client as a broken connection.
    if (length <= maxBytes) chunks.push(bytes)
  }
  return length > maxBytes ? undefined : Buffer.concat(chunks).toString()
}
