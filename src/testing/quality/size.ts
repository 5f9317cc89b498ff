/** How large a tenant is: what can be seen of it, and how soon, depends on nothing as much as on that. */

/** By calls a minute in the week of history. */
export const sizes = ['≥ 60/min', '1–60/min', '< 1/min'] as const
export type Size = (typeof sizes)[number]

export function sizeOf(callsPerMinute: number): Size {
  if (callsPerMinute >= 60) return '≥ 60/min'
  return callsPerMinute >= 1 ? '1–60/min' : '< 1/min'
}
