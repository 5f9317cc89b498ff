/** Durations as the configuration has them: written with their unit, parsed to milliseconds. */
import { z } from 'zod'
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../vocabulary.ts'

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: SECOND_MS, m: MINUTE_MS, h: HOUR_MS, d: DAY_MS }

/**
 * `35s`, `10m`, `1.5h` → milliseconds. Bare numbers are refused: a unit nobody wrote is a unit somebody guessed.
 * `expected` is what complaints and the reference say of such a value.
 */
export const duration = (fallback: string, { from, to }: { readonly from: string; readonly to: string }) =>
  z
    .string()
    .regex(/^\d+(\.\d+)?(ms|s|m|h|d)$/)
    .transform(parseDuration)
    .refine(ms => ms >= parseDuration(from) && ms <= parseDuration(to))
    .prefault(fallback)
    .meta({ expected: `a duration with its unit (ms, s, m, h, d) from ${from} to ${to}` })

function parseDuration(text: string): number {
  const unit = text.replace(/^[\d.]+/, '')
  return Number.parseFloat(text) * (unitMs[unit] ?? Number.NaN)
}
