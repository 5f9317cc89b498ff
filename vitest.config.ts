/**
 * Two projects. `unit` is quick and needs Node alone; `integration` starts real servers and processes, one file after
 * another and after the units, because they share the machine's cores. In CI nothing may skip, and the results also go
 * to test-results.json, from which .ci/run counts.
 */
import { configDefaults, defineConfig } from 'vitest/config'
import { loudSkips } from './src/testing/loud-skips.ts'

const inCi = Boolean(process.env.CI)
const integration = '{src,detectors,replay-data}/**/*.integration.test.ts'

export default defineConfig({
  test: {
    reporters: inCi
      ? ['default', ['json', { outputFile: 'test-results.json' }], loudSkips({ skipsAllowed: false })]
      : ['default', loudSkips({ skipsAllowed: true })],
    projects: [
      {
        test: {
          name: 'unit',
          include: ['{src,detectors,replay-data}/**/*.test.ts'],
          exclude: [...configDefaults.exclude, integration],
          testTimeout: 60_000,
          // All cores: left to itself, vitest spares one, which on two cores is half of them.
          maxWorkers: '100%',
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'integration',
          include: [integration],
          exclude: configDefaults.exclude,
          // A first start downloads a broker and a Python environment.
          testTimeout: 120_000,
          hookTimeout: 300_000,
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
