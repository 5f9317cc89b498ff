/** The documentation's figures come from a run, and from nowhere else. */
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { goalsOf } from './goals.ts'
import { jsonOf, pageWith, type QualityResults } from './quality-results.ts'

const read = (path: string): string | undefined => {
  const file = fileURLToPath(new URL(path, import.meta.url))
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined
}

const clean = {
  ...{ configuration: 'whole', tenants: 200, days: 7, tenantWeeks: 200 },
  ...{ low: 40, lowAlerted: 4, high: 2, throttles: 1, platform: 0 },
}
const results: QualityResults = {
  ...{ schema: 'weir.quality/1', small: false, heldOut: false, passed: false },
  goals: goalsOf({
    injected: undefined,
    busy: undefined,
    clean: [],
    cleanRuns: [clean],
    cleanIncidents: [],
    series: [],
    claims: [],
  }),
  found: [
    {
      ...{ configuration: 'whole', of: 'surge-10x', tenants: 'all', cases: 8, openBefore: 2 },
      ...{ found: 0.75, paged: 0.5, throttled: 0, kindRight: 1 },
      delaySeconds: { median: 3, p95: 12.5, p99: 13, worst: 13 },
    },
  ],
  clean: [clean],
  ...{ busy: [], sick: [], precision: [], series: [], claims: [] },
}
const page = 'before\n<!-- quality: made by `npm run bench:quality -- --keep` -->\nold\n<!-- /quality -->\nafter\n'

test('the page shows the kept run', () => {
  const kept = read('./results.json')
  const written = read('../../../detectors/quality.md')!
  if (kept === undefined) expect(written).toContain('The figures of the last kept run stand here.')
  else expect(written).toBe(pageWith(written, JSON.parse(kept) as QualityResults))
})

test('the kept file holds the same, a row a line', () => {
  expect(JSON.parse(jsonOf(results))).toEqual(results)
  expect(
    jsonOf(results)
      .split('\n')
      .filter(line => line.includes('surge-10x')),
  ).toHaveLength(1)
})

test('clean traffic is held against a budget of one page a week for 200 clients', () => {
  const [pages] = results.goals
  expect(pages).toMatchObject({ value: { median: 10 }, unit: 'per 1,000 tenant-weeks', limit: { atMost: 5 } })
  expect(pageWith(page, results)).toContain(
    '| clean traffic of 200 tenants, 7 days: pages | 10 per 1,000 tenant-weeks | ≤ 5 per 1,000 tenant-weeks |',
  )
})

test('each misbehaviour has a row, with the delay of those found', () => {
  expect(pageWith(page, results)).toContain('| surge-10x |  |  |  | 3 / 12.5 / 13 s | 50 % | 100 % |  |')
})

test('the tables stand between their marks and replace those before', () => {
  const once = pageWith(page, results)
  expect(once.startsWith('before\n')).toBe(true)
  expect(once.endsWith('\nafter\n')).toBe(true)
  expect(pageWith(once, results)).toBe(once)
  expect(() => pageWith('no marks', results)).toThrow('should hold')
})
