import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { freePorts, startProcess, throwAwayDirectory } from './server-process.ts'

let directory: string
beforeEach(async () => {
  directory = await throwAwayDirectory('server')
})
afterEach(() => rm(directory, { recursive: true }))

/** Says its process id and would run for a minute. */
const server = ['node', '-e', 'console.log("ready as " + process.pid + "."); setTimeout(() => {}, 60_000)'] as const
const readyAs = (log: string) => /ready as (\d+)\./.exec(log)?.[1]

test('a server that is ready is found in its log, and gone when it is stopped', async () => {
  const running = await startProcess([...server], { logFile: join(directory, 'log') })
  const pid = Number(await running.ready(readyAs))
  process.kill(pid, 0)

  await running.stop()
  expect(() => process.kill(pid, 0)).toThrow('ESRCH')
})

test('a server that ends before it is ready is told with the end of its log', async () => {
  const running = await startProcess(['sh', '-c', 'echo no such option >&2; exit 3'], {
    logFile: join(directory, 'log'),
  })

  await expect(running.ready(readyAs)).rejects.toThrow('no such option')
})

test('ports that are found together differ', async () => {
  const ports = await freePorts(20)
  expect(new Set(ports).size).toBe(20)
})
