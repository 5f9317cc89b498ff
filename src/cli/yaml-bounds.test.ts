import { expect, test } from 'vitest'
import { loadConfig } from './config-file.ts'

const missing = (): Promise<never> => Promise.reject(Object.assign(new Error('not there'), { code: 'ENOENT' }))

/** What is said of these tenants. */
const complaint = (tenants: string): Promise<string> =>
  loadConfig('weir.yaml', {
    readFile: path => {
      if (path.endsWith('tenants.yaml')) return Promise.resolve(tenants)
      return path.endsWith('weir.yaml') ? Promise.resolve('mode: observe\n') : missing()
    },
  }).then(
    ({ tenants }) => `good: ${Object.keys(tenants.tenants).length} tenants`,
    (error: Error) => error.message,
  )

test('what stands too deep in each other is refused before it costs memory, and it is said where', async () => {
  const deep = 'something stands more than 100 deep in others here'
  for (const opening of ['{a: ', '[', '- ', '? ']) {
    const said = await complaint(`# a comment\ntenants:\n  ${opening.repeat(20_000)}`)
    expect(said).toMatch(/^Cannot use weir.yaml: one thing is wrong\n {2}tenants.yaml:3:\d+ {2}/)
    expect(said).toContain(deep)
  }
  expect(await complaint(`tenants:\n${'  # - - - -\n'.repeat(500)}  a: {keys: [k1]}\n`)).toBe('good: 1 tenants')
  const rows = Array.from({ length: 300 }, (_, index) => `    - k${index}\n`).join('')
  expect(await complaint(`tenants:\n  a:\n    keys:\n${rows}`)).toBe('good: 1 tenants')
})

test('a file of another kind has a hundred complaints, and is not read for minutes', async () => {
  const said = await complaint(Array.from({ length: 20_000 }, (_, index) => `unknown${index}: 1`).join('\n'))
  expect(said).toContain('100 things and more are wrong')
  expect(said.split('\n')).toHaveLength(101)
})

test('four times as many tenants take about four times as long, and one that stands twice among them is found', async () => {
  const rows = (count: number): string =>
    `tenants:\n${Array.from({ length: count }, (_, index) => `  t${index}: {keys: [k${index}]}\n`).join('')}`
  const spent = async (count: number): Promise<number> => {
    const before = process.cpuUsage()
    expect(await complaint(rows(count))).toBe(`good: ${count} tenants`)
    const { user, system } = process.cpuUsage(before)
    return user + system
  }
  await spent(500)
  const few = await spent(1_500)
  // With the parser's own look at names it is sixteen times.
  expect((await spent(6_000)) / few).toBeLessThan(9)
  expect(await complaint(`${rows(1_500)}  t7: {keys: [other]}\n`)).toBe(
    'Cannot use weir.yaml: one thing is wrong\n  tenants.yaml:1502:3  Map keys must be unique',
  )
})

test('a name and the same one in quotes are one, and what is merged may be merged twice', async () => {
  expect(await complaint('tenants:\n  1: {keys: [a]}\n  "1": {keys: [b]}\n')).toContain('tenants.yaml:3:3')
})
