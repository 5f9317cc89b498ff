import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { judged, recipes } from './target.ts'
import { targets } from './targets.ts'

const inputs = Number(process.env.WEIR_FUZZ_INPUTS ?? 100)
const seed = 20_261_130

describe.each(targets)('$name', target => {
  let over = async (): Promise<void> => {}
  beforeAll(async () => {
    over = (await target.prepare?.()) ?? over
  })
  afterAll(() => over())

  test('is read or refused, whatever it is, and nothing is lost beside it', async () => {
    await fc.assert(
      fc.asyncProperty(recipes, async recipe => {
        expect(await judged(target, recipe)).toBeUndefined()
      }),
      { numRuns: inputs, seed },
    )
  }, 120_000)
})
