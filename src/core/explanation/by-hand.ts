/** How a person gives a limit back where Weir does not: with commands that can be copied, since whoever reads it was asleep a minute ago. */
import type { ByHand, GiveBack } from '../incident/give-back.ts'
import { cleanText, timeText } from './plain-text.ts'

/** So many are written out; the JSON has all. */
const mostShown = 3

/** An empty line at their end; none where nothing is to be done. */
export function byHandLines(owed: readonly ByHand[]): readonly string[] {
  const steps = owed.slice(0, mostShown).flatMap(commandsOf)
  if (steps.length === 0) return []
  const left = owed.length - mostShown
  return ['To give it back by hand:', ...steps, ...(left > 0 ? [`  and ${left} more`] : []), '']
}

/** Each line of it, indented. */
export function commandsOf({ giveBack, region }: ByHand): readonly string[] {
  switch (giveBack.kind) {
    case 'plan':
      return [`  ${planCommand(giveBack, region)}`, ...methodsLine(giveBack)]
    case 'move': {
      const { movedKey, from, to } = giveBack
      return [
        `  ${aws(`delete-usage-plan-key --usage-plan-id ${word(to)} --key-id ${word(movedKey)}`, region)}`,
        ...from.map(
          plan =>
            `  ${aws(`create-usage-plan-key --usage-plan-id ${word(plan)} --key-id ${word(movedKey)} --key-type API_KEY`, region)}`,
        ),
      ]
    }
    case 'row':
      return [
        `  (the authorizer’s row for ${cleanText(giveBack.row)} ends by itself at ${timeText(giveBack.expiresAt)})`,
      ]
    default:
      return giveBack satisfies never
  }
}

export function planCommand(
  { planId, original }: Pick<Extract<GiveBack, { kind: 'plan' }>, 'planId' | 'original'>,
  region: string | undefined,
): string {
  const patch =
    original === null
      ? 'op=remove,path=/throttle'
      : `op=replace,path=/throttle/rateLimit,value=${original.rateLimit} op=replace,path=/throttle/burstLimit,value=${original.burstLimit}`
  return aws(`update-usage-plan --usage-plan-id ${word(planId)} --patch-operations ${patch}`, region)
}

/** Their paths are not written in one way only, so a person sets them where they see them. */
const methodsLine = ({ methods }: Extract<GiveBack, { kind: 'plan' }>): readonly string[] =>
  methods.slice(0, mostShown).map(({ apiStage, method, original }) => {
    const limits = `${original.rateLimit}/s, burst ${original.burstLimit}`
    return `  (and in the plan’s console its method ${cleanText(`${method} of ${apiStage}`)} to ${limits})`
  })

export const aws = (rest: string, region: string | undefined): string =>
  `aws apigateway ${rest}${region === undefined ? '' : ` --region ${word(region)}`}`

/** An id goes into a command as it is, or not at all: what a shell could make something of comes from a log, or from nobody. */
export const word = (id: string): string => (/^[\w.-]+$/.test(id) ? id : 'ID')
