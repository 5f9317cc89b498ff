import { afterEach, expect, test } from 'vitest'
import { systemClock } from '../clock.ts'
import type { OperatorCommand } from '../core/operator.ts'
import { commandRoute, type Operate } from './command-route.ts'
import { createServer, type Server } from './server.ts'
import { ask } from './testing-requests.ts'

const token = 'operator-token-of-tests'
const opened: Server[] = []
afterEach(async () => {
  for (const server of opened.splice(0)) await server.close()
})

async function serve(operate: Operate) {
  const failed: string[] = []
  const server = createServer({
    ...{ listen: { host: '127.0.0.1', port: 0 }, hosts: [], routes: [commandRoute(operate)], clock: systemClock() },
    ...{ readerToken: undefined, operatorToken: token, answered: () => {}, refused: () => {} },
    failed: ({ because }) => failed.push(because),
  })
  const { port } = await server.listen()
  opened.push(server)
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  return async (body: unknown, more: Readonly<Record<string, string>> = headers) => {
    const got = await ask({ port, path: '/api/v1/commands', method: 'POST', headers: more, body: JSON.stringify(body) })
    return [got.status, JSON.parse(got.text)] as const
  }
}

test('a command reaches the worker with who said it, and is answered with what it makes of it', async () => {
  const said: (readonly [OperatorCommand, string])[] = []
  const post = await serve(async (command, by) => {
    said.push([command, by])
    return command.kind === 'go-on'
      ? { kind: 'refused', because: 'Weir is not halted' }
      : { kind: 'obeyed', keyIds: ['k1'], incidentIds: ['k1#1'], until: 5 }
  })
  const hold = { kind: 'hold', keyId: 'k1', forMs: 60_000 } as const
  expect(await post({ command: hold, by: ' ann ' })).toEqual([
    200,
    { answer: { kind: 'obeyed', keyIds: ['k1'], incidentIds: ['k1#1'], until: 5 } },
  ])
  expect(await post({ command: { kind: 'go-on' }, by: 'ann' })).toEqual([
    409,
    { answer: { kind: 'refused', because: 'Weir is not halted' } },
  ])
  expect(said).toEqual([
    [hold, 'ann'],
    [{ kind: 'go-on' }, 'ann'],
  ])
})

test('what is no command reaches nobody', async () => {
  const post = await serve(() => {
    throw new Error('it was told')
  })
  const others = [
    undefined,
    {},
    { command: { kind: 'release' }, by: 'ann' },
    { command: { kind: 'release', keyId: 'k1', more: 1 }, by: 'ann' },
    { command: { kind: 'hold', keyId: 'k1', forMs: -1 }, by: 'ann' },
    { command: { kind: 'explode' }, by: 'ann' },
    { command: { kind: 'halt' }, by: '' },
    { command: { kind: 'halt' } },
  ]
  for (const body of others) expect((await post(body))[0]).toBe(400)
})

test('without the operator’s token nobody is told, and while the worker learns nobody is there to be', async () => {
  const post = await serve(() => undefined)
  const halt = { command: { kind: 'halt' }, by: 'ann' }
  expect((await post(halt, { 'content-type': 'application/json' }))[0]).toBe(401)
  expect((await post(halt))[0]).toBe(503)
})
