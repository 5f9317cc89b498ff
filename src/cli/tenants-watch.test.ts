import { expect, test } from 'vitest'
import { handClock, untilQuiet } from '../worker/testing-world.ts'
import { loadConfig } from './config-file.ts'
import { followTenants } from './tenants-watch.ts'

const noFile = Object.assign(new Error('no such file'), { code: 'ENOENT' })

/** A worker's folder that a person edits while it runs. Each line: what was taken or told. */
async function watched(
  edits: (files: Map<string, string>, pass: () => Promise<void>) => Promise<void>,
): Promise<string[]> {
  const files = new Map([
    ['/etc/weir.yaml', 'mode: observe\n'],
    ['/etc/tenants.yaml', 'tenants: {a: {keys: [k1]}}\n'],
  ])
  const readFile = (path: string) => {
    const text = files.get(path)
    return text === undefined ? Promise.reject(noFile) : Promise.resolve(text)
  }
  const clock = handClock(0)
  const stop = new AbortController()
  const lines: string[] = []
  const following = followTenants(
    {
      configPath: '/etc/weir.yaml',
      begunWith: files.get('/etc/tenants.yaml'),
      readFile,
      load: path => loadConfig(path, { readFile }),
      clock,
      telemetry: event => lines.push(event.name === 'tenantsRefused' ? event.because : event.name),
    },
    async ({ tenants, planned }) => {
      for (const { note } of [...planned, ...Object.values(tenants).flatMap(one => one.planned)])
        lines.push(`planned: ${note}`)
      lines.push(JSON.stringify(Object.values(tenants).map(({ keys, exempt }) => [keys.map(({ id }) => id), exempt])))
    },
    stop.signal,
  )
  await untilQuiet()
  await edits(files, async () => {
    for (let second = 0; second < 7; second++) await clock.pass(1_000)
  })
  stop.abort()
  await following
  return lines
}

test('what a person changes while the worker runs is taken, once', async () => {
  const lines = await watched(async (files, pass) => {
    await pass()
    files.set('/etc/tenants.yaml', 'tenants: {a: {keys: [k1, k2], exempt: true}}\n')
    await pass()
    await pass()
  })
  expect(lines).toEqual(['[[["k1","k2"],true]]', 'tenantsReloaded'])
})

test('what is planned meanwhile is taken, of a client and of all; what is not understood is told with its line', async () => {
  const sale = '{when: daily 02:00-03:00, upTo: 5x, note: sale}'
  const lines = await watched(async (files, pass) => {
    files.set(
      '/etc/tenants.yaml',
      `planned: [${sale.replace('sale', 'fair')}]\ntenants: {a: {keys: [k1], planned: [${sale}]}}\n`,
    )
    await pass()
    files.set('/etc/tenants.yaml', `tenants:\n  a:\n    keys: [k1]\n    planned: [${sale.replace('5x', 'much')}]\n`)
    await pass()
  })
  expect(lines).toEqual([
    ...['planned: fair', 'planned: sale', '[[["k1"],false]]', 'tenantsReloaded'],
    expect.stringContaining('tenants.yaml:4:41  tenants.a.planned[0].upTo is "much": should be `20x`'),
  ])
})

test('a mistake is told with its line, once, and changes nothing; mended it is taken', async () => {
  const lines = await watched(async (files, pass) => {
    files.set('/etc/tenants.yaml', 'tenants:\n  a:\n    keys: [k1]\n    exempt: maybe\n')
    await pass()
    await pass()
    files.set('/etc/tenants.yaml', 'tenants: {b: {keys: [k9]}}\n')
    await pass()
  })
  expect(lines).toEqual([
    expect.stringContaining('tenants.yaml:4:5  tenants.a.exempt is "maybe": should be true or false'),
    '[[["k9"],false]]',
    'tenantsReloaded',
  ])
})

test('a file that is gone changes nothing: who is exempt stays exempt; one that is back is taken', async () => {
  const lines = await watched(async (files, pass) => {
    files.delete('/etc/tenants.yaml')
    await pass()
    await pass()
    files.set('/etc/tenants.yaml', 'tenants: {a: {keys: [k1], exempt: true}}\n')
    await pass()
  })
  expect(lines).toEqual([expect.stringContaining('The file is gone'), '[[["k1"],true]]', 'tenantsReloaded'])
})
