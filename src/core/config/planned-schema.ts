/** `planned:` as tenants.yaml has it: what is wrong with an event is said of the place where it stands. */
import { z } from 'zod'
import { type PlannedEvent, parseUpTo, UP_TO_SYNTAX } from '../planned/planned-event.ts'
import { isTimeZone, UTC } from '../planned/time-zone.ts'
import { parseInstant, parseRecurring, WHEN_SYNTAX, type When } from '../planned/when.ts'

// Before any schema is made, of which all others come after these: what is checked once is not worth a compiled check.
z.config({ jitless: true })

const instant = z
  .string()
  .refine(text => parseInstant(text, UTC) !== undefined)
  .meta({ expected: 'a time, e.g. 2026-11-27 18:00 by the clocks of `zone`, or 2026-11-27T18:00:00Z' })

const written = z.strictObject({
  when: z
    .string()
    .refine(text => parseRecurring(text, UTC) !== undefined)
    .optional()
    .describe('when it is, where it recurs')
    .meta({ expected: `${WHEN_SYNTAX}; where it is once, \`from\` and \`to\`` }),
  from: instant.optional().describe('when it begins, where it is once'),
  to: instant.optional().describe('… and when it is over'),
  zone: z
    .string()
    .refine(isTimeZone)
    .default(UTC)
    .describe('by whose clocks that is')
    .meta({ expected: 'the name of a time zone, e.g. Europe/Berlin' }),
  upTo: z
    .string()
    .refine(text => parseUpTo(text) !== undefined)
    .describe('how much is expected: so many times the usual, or calls')
    .meta({ expected: UP_TO_SYNTAX }),
  note: z.string().min(1).max(200).optional().describe('what it is, for people'),
})

type Written = z.output<typeof written>

/** Once or recurring, and not both nor neither: what is wrong is a problem at a name, with what would be right. */
function problemOf({
  when,
  from,
  to,
  zone,
}: Written): { readonly at: keyof Written; readonly right?: string } | undefined {
  if (when !== undefined) {
    const extra = from === undefined ? (to === undefined ? undefined : 'to') : 'from'
    return extra && { at: extra, right: 'left out beside `when`: an event recurs, or it is once' }
  }
  if (from === undefined) return { at: to === undefined ? 'when' : 'from' }
  if (to === undefined) return { at: 'to' }
  const [first, end] = [parseInstant(from, zone), parseInstant(to, zone)]
  if (first !== undefined && end !== undefined && end <= first) return { at: 'to', right: 'after `from`' }
  return undefined
}

function whenOf({ when, from = '', to = '', zone }: Written): When | undefined {
  if (when !== undefined) return parseRecurring(when, zone)
  const [first, end] = [parseInstant(from, zone), parseInstant(to, zone)]
  return first === undefined || end === undefined ? undefined : { kind: 'once', from: first, to: end }
}

export const plannedEvent = written
  .superRefine((event, context) => {
    const problem = problemOf(event)
    if (problem === undefined) return
    // Without words of its own it is told as what belongs at that place.
    context.addIssue({ code: 'custom', path: [problem.at], message: problem.right ?? '' })
  })
  .transform((event, context): PlannedEvent => {
    const when = whenOf(event)
    const upTo = parseUpTo(event.upTo)
    if (when !== undefined && upTo !== undefined) return { when, upTo, note: event.note }
    context.addIssue({ code: 'custom', message: '' })
    return z.NEVER
  })
