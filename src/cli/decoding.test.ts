import { expect, test } from 'vitest'
import { weirSchema } from '../core/config/config.ts'
import { settingsWithoutConfig } from './decoding.ts'

test('threads that begin before the settings are read decode by the defaults', () => {
  const { format, fields, state } = weirSchema.parse({})
  expect(settingsWithoutConfig).toEqual({ format, fields, state: { directory: state.directory } })
})
