/** `server:` of weir.yaml: where the worker's metrics and health are asked for, and by whom. */
import { z } from 'zod'
import { duration } from './duration.ts'
import { secret } from './secret-schema.ts'

const hostAndPort = /^(\[[\da-fA-F:.]+\]|[\w.-]+):\d{1,5}$/
const isListen = (text: string): boolean =>
  text === 'off' || (hostAndPort.test(text) && Number(text.replace(/^.*:/, '')) <= 65_535)
const onLoopback = /^(off|(localhost|127(\.\d{1,3}){3}|\[::1\]):\d+)$/

export const server = z
  .strictObject({
    listen: z
      .string()
      .refine(isListen)
      .default('127.0.0.1:9464')
      .describe('where metrics, health and commands are asked for; port 0 takes one that is free')
      .meta({ expected: 'host:port (IPv6 in brackets), or off' }),
    token: secret
      .optional()
      .describe(
        'who may read what the server tells, but for its health: where another address than loopback is listened on',
      )
      .meta({ expected: '{env: NAME} or {file: path}, needed where server.listen is no loopback address' }),
    hosts: z
      .array(
        z
          .string()
          .regex(/^[\w.-]+$/)
          .transform(name => name.toLowerCase())
          .meta({ expected: 'a name without port' }),
      )
      .default([])
      .describe('further names that it is asked by, e.g. that of a service or a proxy; all others are refused'),
    readyLag: duration('1m', { from: '1s', to: '1d' }).describe(
      'reading may be so far behind for the worker to be ready',
    ),
  })
  .refine(({ listen, token }) => token !== undefined || onLoopback.test(listen) || !isListen(listen), {
    path: ['token'],
  })
  .prefault({})
