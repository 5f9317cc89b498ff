import { afterEach, expect, test, vi } from 'vitest'

afterEach(() => {
  vi.unstubAllEnvs()
  vi.resetModules()
})

/** What a machine without the data sets says; the module reads its environment once. */
async function withoutSharedData(ci: string) {
  vi.stubEnv('WEIR_SHARED_DATA', '/nowhere')
  vi.stubEnv('CI', ci)
  vi.resetModules()
  return await import('./requirements.ts')
}

test('what is missing is told with its remedy', async () => {
  const { needs } = await withoutSharedData('')

  expect(needs('shared-data')).toEqual({
    ok: false,
    missing: 'the real data sets in /nowhere',
    install: 'set WEIR_SHARED_DATA to their directory',
  })
})

test('in CI nothing may be missing, and asking twice does not help', async () => {
  const { needs } = await withoutSharedData('true')

  expect(() => needs('shared-data')).toThrow('In CI nothing may be skipped')
  expect(() => needs('shared-data')).toThrow('/nowhere')
})
