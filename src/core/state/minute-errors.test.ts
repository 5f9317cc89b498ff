import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createMinuteErrors, errsLittle, noteErrors } from './minute-errors.ts'
import { addCall, closePane, createPanes, openPane } from './pane.ts'

test('a key errs little exactly where its last sixty seconds and its last five minutes say so, through silence and minutes of any length', () => {
  const second = fc.record({
    after: fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 30, max: 200 })),
    good: fc.nat(8),
    errors: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.nat(12)),
  })
  fc.assert(
    fc.property(
      fc.array(second, { minLength: 1, maxLength: 60 }),
      fc.nat(40),
      fc.nat(100),
      (seconds, count, percent) => {
        const [panes, noted, share] = [createPanes(), createMinuteErrors(), percent / 100]
        const past: { at: number; good: number; errors: number }[] = []
        let at = 1_000_000
        for (const { after, good, errors } of seconds) {
          at += after
          past.push({ at, good, errors })
          const index = openPane(panes, at)
          for (let call = 0; call < good; call++) addCall(panes, index, 0, 200, -1, -1)
          for (let call = 0; call < errors; call++) addCall(panes, index, 0, 404, -1, -1)
          noteErrors(noted, panes, closePane(panes))

          const isLittle = [60, 300].every(window => {
            const within = past.filter(one => one.at > at - window)
            const all = within.reduce((sum, one) => sum + one.errors, 0)
            const calls = within.reduce((sum, one) => sum + one.good, all)
            return all <= count || all <= share * calls
          })
          expect(errsLittle(noted, panes, at + 1, { count, share })).toBe(isLittle)
        }
      },
    ),
  )
})
