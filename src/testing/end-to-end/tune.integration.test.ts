/** A worker tells, a person labels, and `weir tune` weighs it: three processes, on Friday's log. Its trials have threads of their own. */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { tuneLogs } from '../../cli/tune-logs.ts'
import { buildWeir } from './worker-process.ts'

const weir = fileURLToPath(new URL('../../../bin/weir.js', import.meta.url))
const story = fileURLToPath(new URL('../../../replay-data/friday', import.meta.url))
const [log, history] = [join(story, 'log.ndjson.gz'), join(story, 'history.ndjson.gz')]

let folder: string
let config: string
beforeAll(async () => {
  await buildWeir()
  folder = await mkdtemp(join(tmpdir(), 'weir-tuned-'))
  config = join(folder, 'weir.yaml')
  const settings = { source: { kind: 'files', paths: [log] }, tenants: join(story, 'tenants.yaml') }
  await writeFile(config, JSON.stringify(settings))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const run = async (...words: readonly string[]): Promise<string> => {
  const { stdout } = await promisify(execFile)(process.execPath, [weir, ...words], { maxBuffer: 64 * 1024 * 1024 })
  return stdout
}

test('what the worker told is labelled by its number, and tuning keeps it found', async () => {
  await run('run', '--config', config, '--history', history, '--log', 'json')
  expect(await run('label', 'key_abc123#1', 'true', '--config', config)).toMatch(
    /^key_abc123#1 \(retry-storm of key_abc123, 2025-03-14T14:00:\d\dZ to .* is labelled true in /,
  )
  const html = join(folder, 'page.html')
  const words = ['tune', log, '--history', history, '--config', config, '--hold-out', '0.001', '--tries', '7']
  const answer = await run(...words, '--budget', '1 per week', '--json', '--html', html)
  const { labels, trials, suggested } = JSON.parse(answer)
  expect(labels).toEqual({ true: 1, falseAlarm: 0, elsewhere: 0 })
  expect(trials).toHaveLength(8)
  expect(suggested.tunedOn).toMatchObject({ labelled: 1, labelledFound: 1 })
  expect(await readFile(html, 'utf8')).toContain('1 incident is labelled true')

  let here = ''
  const write = (text: string): void => {
    here += text
  }
  await tuneLogs(
    [log],
    { history: [history], config, holdOut: 0.001, tries: 7, budget: '1 per week', json: true },
    { out: { write }, err: { write: () => {} } },
  )
  expect(here).toBe(answer)
}, 180_000)
