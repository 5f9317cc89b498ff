/**
 * EventBridge Scheduler on loopback, as strict as its API reference: what it refuses is refused here. A test's clock says what
 * is due, and whoever is to be called is called with what the schedule holds. Only tests import this file.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { EpochMs } from '../core/vocabulary.ts'
import { type LoopbackServer, readBody, serveOnLoopback } from '../simulation/loopback-server.ts'

export interface HeldSchedule {
  readonly name: string
  readonly group: string
  readonly at: EpochMs
  readonly input: unknown
  readonly functionArn: string
  readonly roleArn: string
  readonly deletesItself: boolean
}

type Operation = 'CreateSchedule' | 'UpdateSchedule' | 'GetSchedule' | 'DeleteSchedule'
export type SchedulerFault = 'throttled' | 'server-error' | 'denied' | 'silent' | 'silent-after'

export interface ServedScheduler extends LoopbackServer {
  schedules(): readonly HeldSchedule[]
  /** Operation and name, in the order they came. */
  calls(): readonly string[]
  failNext(operation: Operation, fault: SchedulerFault, times?: number): void
  /** Calls what is due, and forgets it where it deletes itself. */
  fire(call: (input: unknown) => Promise<unknown>): Promise<void>
}

interface Refusal {
  readonly status: number
  readonly name: string
  readonly because: string
}

const refusals = {
  throttled: { status: 429, name: 'ThrottlingException', because: 'Rate exceeded' },
  'server-error': { status: 500, name: 'InternalServerException', because: 'simulated' },
  denied: { status: 403, name: 'AccessDeniedException', because: 'simulated' },
} satisfies Record<string, Refusal>

const operations: Readonly<Record<string, Operation>> = {
  POST: 'CreateSchedule',
  PUT: 'UpdateSchedule',
  GET: 'GetSchedule',
  DELETE: 'DeleteSchedule',
}

export async function serveScheduler(
  now: () => EpochMs,
  groups: readonly string[] = ['default'],
): Promise<ServedScheduler> {
  const held = new Map<string, { readonly schedule: HeldSchedule; readonly body: Body }>()
  const calls: string[] = []
  const faults = new Map<Operation, SchedulerFault[]>()
  const tokens = new Set<string>()

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://scheduler')
    const name = decodeURIComponent(url.pathname.replace(/^\/schedules\//, ''))
    const operation = operations[request.method ?? '']
    const text = await readBody(request, 300 * 1024)
    if (operation === undefined || text === undefined) return send(response, 404, {})
    calls.push(`${operation} ${name}`)
    const fault = faults.get(operation)?.shift()
    if (fault === 'silent') return
    if (fault !== undefined && fault !== 'silent-after') return refuse(response, refusals[fault])
    const body: Body = text === '' ? {} : JSON.parse(text)
    const answer = carryOut(operation, name, body, url.searchParams.get('groupName') ?? body.GroupName ?? 'default')
    if (fault === 'silent-after') return
    if ('because' in answer) refuse(response, answer)
    else send(response, 200, answer.body)
  }

  function carryOut(
    operation: Operation,
    name: string,
    body: Body,
    group: string,
  ): Refusal | { readonly body: unknown } {
    if (!groups.includes(group)) return notFound(`Schedule group ${group} does not exist.`)
    const key = `${group}/${name}`
    const found = held.get(key)
    switch (operation) {
      case 'GetSchedule':
        return found ? { body: { ...found.body, Name: name } } : notFound(`Schedule ${name} does not exist.`)
      case 'DeleteSchedule':
        return held.delete(key) ? { body: {} } : notFound(`Schedule ${name} does not exist.`)
      case 'CreateSchedule':
      case 'UpdateSchedule': {
        const wrong = whatIsWrong(name, body, now())
        if (wrong !== undefined) return { status: 400, name: 'ValidationException', because: wrong }
        // Said again within its life, a token is answered as before, and nothing is done.
        if (tokens.has(body.ClientToken ?? '')) return { body: {} }
        if (operation === 'CreateSchedule' && found)
          return { status: 409, name: 'ConflictException', because: `Schedule ${name} already exists.` }
        if (operation === 'UpdateSchedule' && !found) return notFound(`Schedule ${name} does not exist.`)
        tokens.add(body.ClientToken ?? '')
        held.set(key, { schedule: scheduleOf(name, group, body), body })
        return { body: { ScheduleArn: `arn:aws:scheduler:us-east-1:123456789012:schedule/${key}` } }
      }
      default:
        return operation satisfies never
    }
  }

  const server = await serveOnLoopback(respond)
  return {
    ...server,
    schedules: () => [...held.values()].map(({ schedule }) => schedule),
    calls: () => [...calls],
    failNext(operation, fault, times = 1) {
      faults.set(operation, [...(faults.get(operation) ?? []), ...Array.from({ length: times }, () => fault)])
    },
    async fire(call) {
      for (const [key, { schedule }] of held) {
        if (schedule.at > now()) continue
        if (schedule.deletesItself) held.delete(key)
        await call(schedule.input)
      }
    },
  }
}

interface Body {
  readonly GroupName?: string
  readonly ClientToken?: string
  readonly Description?: string
  readonly ScheduleExpression?: string
  readonly ScheduleExpressionTimezone?: string
  readonly FlexibleTimeWindow?: { readonly Mode?: string }
  readonly ActionAfterCompletion?: string
  readonly State?: string
  readonly Target?: {
    readonly Arn?: string
    readonly RoleArn?: string
    readonly Input?: string
    readonly RetryPolicy?: { readonly MaximumEventAgeInSeconds: number; readonly MaximumRetryAttempts: number }
  }
}

function whatIsWrong(name: string, body: Body, now: EpochMs): string | undefined {
  const { Target = {}, Description = '' } = body
  const age = Target.RetryPolicy?.MaximumEventAgeInSeconds ?? 60
  const attempts = Target.RetryPolicy?.MaximumRetryAttempts ?? 0
  const rules: readonly (readonly [boolean, string])[] = [
    [/^[\w.-]{1,64}$/.test(name), `name ${name}`],
    [/^[\w-]{1,64}$/.test(body.ClientToken ?? ''), 'ClientToken'],
    [
      /^at\(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\)$/.test(body.ScheduleExpression ?? ''),
      `Invalid Schedule Expression ${body.ScheduleExpression}`,
    ],
    [atOf(body) > now, `${body.ScheduleExpression} is past`],
    [body.FlexibleTimeWindow?.Mode === 'OFF' || body.FlexibleTimeWindow?.Mode === 'FLEXIBLE', 'FlexibleTimeWindow'],
    [Description.length <= 512, 'Description'],
    [/^arn:aws:lambda:[\w-]+:\d{12}:function:.+$/.test(Target.Arn ?? ''), `Target.Arn ${Target.Arn}`],
    [/^arn:aws:iam::\d{12}:role\/.+$/.test(Target.RoleArn ?? ''), `Target.RoleArn ${Target.RoleArn}`],
    [age >= 60 && age <= 86_400 && attempts >= 0 && attempts <= 185, 'RetryPolicy'],
    [isJson(Target.Input), 'Target.Input must be well-formed JSON'],
  ]
  return rules.find(([isRight]) => !isRight)?.[1]
}

function isJson(text: string | undefined): boolean {
  try {
    return text !== undefined && text.length <= 256 * 1024 && JSON.parse(text) !== undefined
  } catch {
    return false
  }
}

const atOf = ({ ScheduleExpression = '', ScheduleExpressionTimezone = 'UTC' }: Body): EpochMs =>
  ScheduleExpressionTimezone === 'UTC' ? Date.parse(`${ScheduleExpression.slice(3, -1)}Z`) : Number.NaN

function scheduleOf(name: string, group: string, body: Body): HeldSchedule {
  const { Arn = '', RoleArn = '', Input = '' } = body.Target ?? {}
  const deletesItself = body.ActionAfterCompletion === 'DELETE'
  return { name, group, at: atOf(body), input: JSON.parse(Input), functionArn: Arn, roleArn: RoleArn, deletesItself }
}

const notFound = (because: string): Refusal => ({ status: 404, name: 'ResourceNotFoundException', because })

function refuse(response: ServerResponse, { status, name, because }: Refusal): void {
  send(response, status, { Message: because }, { 'x-amzn-errortype': name })
}

function send(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(JSON.stringify(body))
}
