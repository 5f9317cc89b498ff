import { createServer } from 'node:http'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { startProxy, type TcpProxy } from './tcp-proxy.ts'

let asked: string[]
let proxy: TcpProxy
const server = createServer((request, response) => {
  asked.push(request.url ?? '')
  response.end('done')
})

beforeEach(async () => {
  asked = []
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  proxy = await startProxy(`http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`)
})
afterEach(async () => {
  await proxy.close()
  server.closeAllConnections()
  await new Promise(resolve => server.close(resolve))
})

const ask = async (path: string, patienceMs = 5_000): Promise<string> =>
  (await fetch(`${proxy.endpoint}${path}`, { signal: AbortSignal.timeout(patienceMs) })).text()
const codeOf = async (asking: Promise<string>): Promise<unknown> =>
  asking.catch(({ name, cause }) => cause?.code ?? name)

test('what passes is asked and answered', async () => {
  expect(await ask('/one')).toBe('done')
  expect(asked).toEqual(['/one'])
})

test('refused, nobody is asked; afterwards it is at the same address again', async () => {
  await ask('/before')
  await proxy.become('refuses')
  expect(await codeOf(ask('/meanwhile'))).toMatch(/ECONNREFUSED|UND_ERR_SOCKET|ECONNRESET/)
  await proxy.become('passes')
  expect(await ask('/after')).toBe('done')
  expect(asked).toEqual(['/before', '/after'])
})

test('hanging, nobody is asked and nothing is said', async () => {
  await ask('/before')
  await proxy.become('hangs')
  expect(await codeOf(ask('/meanwhile', 200))).toBe('TimeoutError')
  expect(asked).toEqual(['/before'])
})

test('an answer that is lost was given: what was asked is done', async () => {
  await proxy.become('loses-answers')
  expect(await codeOf(ask('/lost'))).toMatch(/UND_ERR_SOCKET|ECONNRESET/)
  expect(asked).toContain('/lost')
  await proxy.become('passes')
  expect(await ask('/after')).toBe('done')
})
