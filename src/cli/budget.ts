/** How many false alarms the fleet may cost, as people say it: `1 per week`. */
import { InvalidArgumentError } from 'commander'

const perWeek: Readonly<Record<string, number>> = { day: 7, week: 1, month: 7 / 30 }

/** A week's. For commander: what it throws is told as a wrong option. */
export function parseBudget(text: string): number {
  const [, count, of] = /^(\d+(?:\.\d+)?)\s*(?:per|an?|\/)\s*(day|week|month)$/i.exec(text.trim()) ?? []
  const factor = of === undefined ? undefined : perWeek[of.toLowerCase()]
  if (count === undefined || factor === undefined)
    throw new InvalidArgumentError("Write it like '1 per week', '3 per day' or '2 per month'.")
  return Number(count) * factor
}
