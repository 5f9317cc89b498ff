/**
 * `POST /api/v1/commands`: a person's command, `{"command": {"kind": "release", "keyId": "…"}, "by": "ann"}`, answered with what
 * the worker makes of it (`{"answer": …}`): 200 where it is obeyed, 409 where it is not. `by` is who they say they are;
 * that they may, the operator's token proves.
 */
import { z } from 'zod'
import type { CommandAnswer, OperatorCommand } from '../core/operator.ts'
import { DAY_MS } from '../core/vocabulary.ts'
import { type Answer, problem, type Route } from './route.ts'

/** Takes a command to the keeper; undefined while there is none: the worker learns, or stops. */
export type Operate = (command: OperatorCommand, by: string) => Promise<CommandAnswer> | undefined

const keyId = z.string().min(1).max(256)
const ms = z
  .number()
  .int()
  .min(1_000)
  .max(366 * DAY_MS)
const command = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('release'), keyId }),
  z.strictObject({ kind: z.literal('release-all') }),
  z.strictObject({ kind: z.literal('extend'), keyId, byMs: ms }),
  z.strictObject({ kind: z.literal('hold'), keyId, forMs: ms }),
  z.strictObject({ kind: z.literal('halt') }),
  z.strictObject({ kind: z.literal('go-on') }),
])
const asked = z.strictObject({ command, by: z.string().trim().min(1).max(100) })

export const commandRoute = (operate: Operate): Route => ({
  ...{ method: 'POST', path: '/api/v1/commands', needs: 'operator' },
  async answer({ body }): Promise<Answer> {
    const read = asked.safeParse(body)
    if (!read.success) return problem(400, 'unknown-command', `That is no command: ${complaint(read.error)}`)
    const answer = await operate(read.data.command, read.data.by)
    if (answer === undefined)
      return problem(503, 'not-ready', 'The worker does not take commands yet, or any more: it learns, or stops')
    return { status: answer.kind === 'obeyed' ? 200 : 409, body: { answer } }
  },
})

const complaint = ({ issues: [first] }: z.ZodError): string =>
  first === undefined ? 'it has another shape' : `${first.path.join('.') || 'the body'}: ${first.message}`
