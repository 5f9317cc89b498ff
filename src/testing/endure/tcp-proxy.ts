/**
 * Stands between the worker and its AWS, and fails as a network does: refuses connections, says nothing, or lets requests
 * through and loses the answers. What stands behind it keeps its state meanwhile, as AWS does when it cannot be reached.
 */
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'

/**
 * `refuses`: nobody listens, and open connections are cut. `hangs`: connections are taken, and nothing is ever said.
 * `loses-answers`: what is asked is done, and the connection is cut when its answer comes.
 */
export type ProxyMode = 'passes' | 'refuses' | 'hangs' | 'loses-answers'

export interface TcpProxy {
  readonly endpoint: string
  become(mode: ProxyMode): Promise<void>
  close(): Promise<void>
}

/** `target`: `http://127.0.0.1:port`. */
export async function startProxy(target: string): Promise<TcpProxy> {
  const { hostname, port } = new URL(target)
  const sockets = new Set<Socket>()
  let mode: ProxyMode = 'passes'
  let server = await listen(0)
  const own = portOf(server)

  async function listen(at: number): Promise<Server> {
    const listening = createServer({ noDelay: true }, carry)
    listening.listen(at, '127.0.0.1')
    await once(listening, 'listening')
    return listening
  }

  function carry(client: Socket): void {
    track(client)
    if (mode === 'hangs') return
    const upstream = connect(Number(port), hostname)
    track(upstream)
    client.on('data', chunk => {
      if (mode !== 'hangs') upstream.write(chunk)
    })
    upstream.on('data', chunk => {
      if (mode === 'loses-answers') client.destroy()
      else if (mode !== 'hangs') client.write(chunk)
    })
    client.on('close', () => upstream.destroy())
    upstream.on('close', () => client.destroy())
  }

  function track(socket: Socket): void {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    // What a cut connection says of itself is known: it was cut here, or by whom it belongs to.
    socket.on('error', () => socket.destroy())
  }

  const cutAll = (): void => {
    for (const socket of sockets) socket.destroy()
  }

  async function stopListening(): Promise<void> {
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    cutAll()
    await closed
  }

  return {
    endpoint: `http://127.0.0.1:${own}`,
    async become(next) {
      // Whoever was kept waiting would wait for ever: what they asked was not passed on.
      if (mode === 'hangs') cutAll()
      mode = next
      if (mode === 'refuses') await stopListening()
      else if (!server.listening) server = await listen(own)
    },
    close: stopListening,
  }
}

function portOf(server: Server): number {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('A TCP server has no port')
  return address.port
}
