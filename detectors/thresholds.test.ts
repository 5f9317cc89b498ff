/** The declared defaults are what an untuned detector runs with. */
import { expect, test } from 'vitest'
import { retryStorm } from './retry-storm.ts'
import { defaultValues } from './thresholds.ts'

test('who has tuned nothing gets the defaults that the detector declares', () => {
  expect(defaultValues(retryStorm)).toEqual({
    failureFloor: 20,
    timesUsualFailures: 10,
    timesUsual: 3,
    failingShare: 0.02,
    failuresUnknown: 300,
  })
})
