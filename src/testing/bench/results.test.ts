/** The documentation's figures come from a run, and from nowhere else. */
import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { type Figure, figureText, isMet } from './figure.ts'
import { type Results, readmeWith, tableOf } from './results.ts'

const figure: Figure = {
  what: 'replay ÷ DuckDB',
  value: { min: 0.8, median: 0.912_34, max: 1.4 },
  unit: '×',
  limit: { atMost: 1 },
}
const results: Results = {
  schema: 'weir.bench/1',
  machine: { cores: 2, cpu: 'a processor', node: '24.1.0' },
  small: false,
  rounds: 5,
  passed: true,
  parts: [{ name: 'replay', compares: '…', figures: [figure] }],
}

test('a figure is told with its spread and its goal', () => {
  expect(figureText(figure)).toBe('replay ÷ DuckDB: 0.912 (0.8 to 1.4) ×, goal ≤ 1 ×')
  expect(figureText({ what: 'speed', value: { min: 1e6, median: 1e6, max: 1e6 }, unit: 'calls/s' })).toBe(
    'speed: 1,000,000 calls/s',
  )
})

test('the median decides whether a goal is met, from either side', () => {
  expect(isMet(figure)).toBe(true)
  expect(isMet({ ...figure, limit: { atMost: 0.9 } })).toBe(false)
  expect(isMet({ ...figure, limit: { atLeast: 0.9 } })).toBe(true)
  expect(isMet({ ...figure, limit: { atLeast: 1 } })).toBe(false)
  expect(isMet({ what: 'speed', value: figure.value, unit: '×' })).toBe(true)
})

test('the table stands between its marks and replaces the one before', () => {
  const readme = 'before\n<!-- bench: made by `npm run bench -- --keep` -->\nold\n<!-- /bench -->\nafter\n'
  const table = tableOf(results)
  expect(readmeWith(readme, results)).toBe(readme.replace('old', table))
  expect(readmeWith(readmeWith(readme, results), results)).toBe(readmeWith(readme, results))
  expect(table).toContain('| replay ÷ DuckDB | 0.912 (0.8 to 1.4) × | ≤ 1 × |')
  expect(() => readmeWith('no marks', results)).toThrow('should hold')
})

test('README.md shows what the kept run measured, and that was a whole one', async () => {
  const kept = JSON.parse(await readFile(new URL('./results.json', import.meta.url), 'utf8')) as Results
  expect(kept.small).toBe(false)
  expect(await readFile(new URL('../../../README.md', import.meta.url), 'utf8')).toContain(tableOf(kept))
})
