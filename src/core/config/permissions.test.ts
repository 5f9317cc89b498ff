import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { weirSchema } from './config.ts'
import { actionsOfCommands, rolePolicies } from './permissions.ts'

const src = fileURLToPath(new URL('../..', import.meta.url))

/** Of all that speaks to AWS: the commands it sends. */
function commandsSent(): readonly string[] {
  const files = ['actions', 'sources', 'metrics', 'dead-man', 'authorizer', 'stores', 'worker', 'cli'].flatMap(folder =>
    readdirSync(join(src, folder), { recursive: true, encoding: 'utf8' }).map(path => join(src, folder, path)),
  )
  const code = files.filter(path => path.endsWith('.ts') && !/\.test\.ts$|(^|\/)testing-[^/]*$/.test(path))
  const sent = code.flatMap(path =>
    [...readFileSync(path, 'utf8').matchAll(/new (\w+Command)\(/g)].map(([, name]) => name),
  )
  return [...new Set(sent.filter(name => name !== undefined))].sort()
}

test('every call to AWS has its permission, and no permission is without a call', () => {
  const known = Object.values(actionsOfCommands).flatMap(commands => Object.keys(commands))
  expect(commandsSent()).toEqual([...new Set(known)].sort())
})

const topicArn = 'arn:aws:sns:us-east-1:123456789012:weir-alerts'

test('what infra/README.md shows is what the table makes of such a configuration', () => {
  const config = weirSchema.parse({
    mode: 'enforce',
    source: { kind: 'kinesis', stream: 'arn:aws:kinesis:us-east-1:123456789012:stream/access-logs' },
    alerts: { sns: { topicArn } },
    gateway: { region: 'us-east-1' },
    metrics: { cloudWatch: { rates: { enabled: true } } },
  })
  const [own, history] = rolePolicies(config)
  const made = [...own!.policy.Statement, ...history!.policy.Statement].map(statement =>
    JSON.parse(JSON.stringify(statement).replaceAll('us-east-1', 'REGION').replaceAll('123456789012', 'ACCOUNT')),
  )
  const page = readFileSync(join(src, '../infra/README.md'), 'utf8')
  const shown = [...page.matchAll(/^ *(\{ "Sid": [\s\S]*?\})(?=,?\n *\{ "Sid"|\n *\]|\n```)/gm)].map(
    ([, text = '']) => {
      const { Action, Resource, ...rest } = JSON.parse(text)
      return { ...rest, Action: [Action].flat(), Resource: [Resource].flat() }
    },
  )
  for (const statement of made) expect(shown).toContainEqual(statement)
})

const functionArn = 'arn:aws:lambda:us-east-1:123456789012:function:weir-dead-man'
const schedulerRoleArn = 'arn:aws:iam::123456789012:role/weir-scheduler'

test('who only watches may change nothing, and read no more than its stream', () => {
  const config = weirSchema.parse({ source: { kind: 'kinesis', stream: 'access-logs', region: 'eu-west-1' } })
  expect(rolePolicies(config)[0]).toEqual({
    role: 'of Weir itself',
    for: 'weir run',
    policy: {
      Version: '2012-10-17',
      Statement: [
        {
          Sid: 'ReadStream',
          Effect: 'Allow',
          Action: [
            'kinesis:ListShards',
            'kinesis:GetShardIterator',
            'kinesis:GetRecords',
            'kinesis:DescribeStreamSummary',
          ],
          Resource: ['arn:aws:kinesis:eu-west-1:*:stream/access-logs'],
        },
      ],
    },
  })
})

test('plans may be changed in enforce only', () => {
  const actionsIn = (mode: string) =>
    rolePolicies(weirSchema.parse({ mode, gateway: { region: 'us-east-1' } }))[0]!.policy.Statement.flatMap(
      s => s.Action,
    )
  expect(actionsIn('suggest')).toEqual(['apigateway:GET'])
  expect(actionsIn('enforce')).toEqual(['apigateway:GET', 'apigateway:PATCH'])
})

test('what a role of another account does is that role’s, and Weir’s own may take it on', () => {
  const roleArn = 'arn:aws:iam::210987654321:role/weir-gateway'
  const config = weirSchema.parse({ mode: 'enforce', gateway: {}, gateways: { eu: { region: 'eu-west-1', roleArn } } })
  const [own, other] = rolePolicies(config)
  expect(own!.policy.Statement.map(({ Sid, Resource }) => [Sid, Resource])).toEqual([
    ['ReadPlans', ['arn:aws:apigateway:*::/usageplans', 'arn:aws:apigateway:*::/usageplans/*']],
    ['ChangePlans', ['arn:aws:apigateway:*::/usageplans/*']],
    ['TakeOnRoles', [roleArn]],
  ])
  expect(other).toMatchObject({ role: roleArn, policy: { Statement: [{ Sid: 'ReadPlans' }, { Sid: 'ChangePlans' }] } })
})

test('a second gateway’s statements have names of their own', () => {
  const config = weirSchema.parse({ gateway: { region: 'us-east-1' }, gateways: { cn: { region: 'cn-north-1' } } })
  expect(rolePolicies(config)[0]!.policy.Statement).toMatchObject([
    { Sid: 'ReadPlans' },
    { Sid: 'ReadPlans2', Resource: [expect.stringContaining('arn:aws-cn:apigateway:cn-north-1::'), expect.anything()] },
  ])
})

test('the dead man’s switch: Weir keeps schedules of one name and hands Scheduler one role, which may call one function', () => {
  const config = weirSchema.parse({
    mode: 'enforce',
    alerts: { sns: { topicArn } },
    gateway: {
      region: 'us-east-1',
      deadMansSwitch: { functionArn, schedulerRoleArn, group: 'weir' },
      penaltyPlan: 'slow',
    },
  })
  const [own, , ofFunction, ofScheduler] = rolePolicies(config)
  expect(own!.policy.Statement.slice(-2)).toEqual([
    {
      Sid: 'KeepSchedules',
      Effect: 'Allow',
      Action: [
        'scheduler:CreateSchedule',
        'scheduler:UpdateSchedule',
        'scheduler:GetSchedule',
        'scheduler:DeleteSchedule',
      ],
      Resource: ['arn:aws:scheduler:us-east-1:123456789012:schedule/weir/weir-*'],
    },
    {
      Sid: 'GiveSchedulerItsRole',
      Effect: 'Allow',
      Action: ['iam:PassRole'],
      Resource: [schedulerRoleArn],
      Condition: { StringEquals: { 'iam:PassedToService': 'scheduler.amazonaws.com' } },
    },
  ])
  expect(ofFunction).toMatchObject({
    role: 'of the function weir-dead-man',
    policy: {
      Statement: [
        { Sid: 'ReadPlans' },
        {
          Sid: 'GiveLimitsBack',
          Action: ['apigateway:PATCH'],
          Resource: ['arn:aws:apigateway:us-east-1::/usageplans/*'],
        },
        {
          Sid: 'MoveKeysBack',
          Action: ['apigateway:POST', 'apigateway:DELETE'],
          Resource: [
            'arn:aws:apigateway:us-east-1::/usageplans/*/keys',
            'arn:aws:apigateway:us-east-1::/usageplans/*/keys/*',
          ],
        },
        { Sid: 'TellPeople', Resource: [topicArn] },
        { Sid: 'Log', Resource: ['arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/weir-dead-man:*'] },
      ],
    },
  })
  expect(ofScheduler).toMatchObject({
    role: schedulerRoleArn,
    trust: {
      Statement: [
        {
          Principal: { Service: 'scheduler.amazonaws.com' },
          Condition: {
            StringEquals: {
              'aws:SourceAccount': '123456789012',
              'aws:SourceArn': 'arn:aws:scheduler:us-east-1:123456789012:schedule-group/weir',
            },
          },
        },
      ],
    },
    policy: { Statement: [{ Action: ['lambda:InvokeFunction'], Resource: [functionArn] }] },
  })
})

test('each way to lower a limit brings its own: keys are moved, or rows are written that the authorizer reads', () => {
  const authorizerTable = { table: 'weir-rows', penaltyKeys: [{ id: 'p1', rateLimit: 1, burstLimit: 2 }] }
  const gateway = { region: 'us-east-1', penaltyPlan: 'slow', authorizerTable }
  const [own, , authorizer] = rolePolicies(weirSchema.parse({ mode: 'enforce', gateway }))
  const table = ['arn:aws:dynamodb:us-east-1:*:table/weir-rows']
  expect(own!.policy.Statement.slice(2)).toEqual([
    {
      ...{ Sid: 'MoveKeys', Effect: 'Allow', Action: ['apigateway:POST', 'apigateway:DELETE'] },
      Resource: [
        'arn:aws:apigateway:us-east-1::/usageplans/*/keys',
        'arn:aws:apigateway:us-east-1::/usageplans/*/keys/*',
      ],
    },
    {
      Sid: 'WriteAuthorizerTable',
      Effect: 'Allow',
      Action: ['dynamodb:PutItem', 'dynamodb:UpdateItem'],
      Resource: table,
    },
  ])
  expect(authorizer).toMatchObject({
    role: 'of the API’s authorizer',
    policy: { Statement: [{ Action: ['dynamodb:GetItem'], Resource: table }] },
  })
  // Who does not enforce writes nothing.
  expect(rolePolicies(weirSchema.parse({ gateway }))[0]!.policy.Statement).toHaveLength(1)
})
