import { expect, test } from 'vitest'
import { isHeldOut } from './held-out.ts'

test('a third of all clients is held out', () => {
  const ids = Array.from({ length: 3_000 }, (_, number) => `servegen/pool/${number}`)
  expect(ids.filter(isHeldOut).length / 3_000).toBeCloseTo(1 / 3, 1)
})

test('who is held out stays so for ever', () => {
  const some = ['servegen/m-large/61', 'servegen/m-large/112', 'servegen/m-mid/60', 'lcg/u1', 'lcg/u2', 'lcg/u3']
  expect(some.filter(isHeldOut)).toMatchInlineSnapshot(`
    [
      "lcg/u2",
    ]
  `)
})
