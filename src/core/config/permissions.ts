/**
 * Least privilege as data: which IAM actions each call to AWS needs, and of a configuration the policies of all who call. A
 * test holds the table against the commands that the code sends, so that no call is without its permission and no permission
 * without its call. Infrastructure code and `weir config --iam` take it from here.
 */
import type { DeadMansSwitchConfig, GatewayConfig, WeirConfig } from './config.ts'

/** By the SDK's commands, and where they are sent. */
export const actionsOfCommands = {
  kinesis: {
    ListShardsCommand: 'kinesis:ListShards',
    GetShardIteratorCommand: 'kinesis:GetShardIterator',
    GetRecordsCommand: 'kinesis:GetRecords',
    DescribeStreamSummaryCommand: 'kinesis:DescribeStreamSummary',
  },
  sns: { PublishCommand: 'sns:Publish' },
  gatewayReads: {
    GetUsagePlanCommand: 'apigateway:GET',
    GetUsagePlansCommand: 'apigateway:GET',
    GetUsagePlanKeysCommand: 'apigateway:GET',
  },
  gatewayChanges: { UpdateUsagePlanCommand: 'apigateway:PATCH' },
  gatewayMoves: { CreateUsagePlanKeyCommand: 'apigateway:POST', DeleteUsagePlanKeyCommand: 'apigateway:DELETE' },
  authorizerTable: { PutItemCommand: 'dynamodb:PutItem', UpdateItemCommand: 'dynamodb:UpdateItem' },
  authorizer: { GetItemCommand: 'dynamodb:GetItem' },
  scheduler: {
    CreateScheduleCommand: 'scheduler:CreateSchedule',
    UpdateScheduleCommand: 'scheduler:UpdateSchedule',
    GetScheduleCommand: 'scheduler:GetSchedule',
    DeleteScheduleCommand: 'scheduler:DeleteSchedule',
  },
  metrics: { PutMetricDataCommand: 'cloudwatch:PutMetricData' },
  history: { ListMetricsCommand: 'cloudwatch:ListMetrics', GetMetricDataCommand: 'cloudwatch:GetMetricData' },
} as const satisfies Readonly<Record<string, Readonly<Record<string, string>>>>

type Calls = keyof typeof actionsOfCommands

export interface Statement {
  readonly Sid?: string
  readonly Effect: 'Allow'
  readonly Principal?: { readonly Service: string }
  readonly Action: readonly string[]
  readonly Resource?: readonly string[]
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string>>>>
}

export interface PolicyDocument {
  readonly Version: '2012-10-17'
  readonly Statement: readonly Statement[]
}

/** What one role may do, and for what. */
export interface RolePolicy {
  /** A role's ARN, or in words where the configuration does not know it. */
  readonly role: string
  readonly for: string
  /** Who may take the role on, where AWS itself does. */
  readonly trust?: PolicyDocument
  readonly policy: PolicyDocument
}

interface Need {
  /** undefined: Weir's own role. */
  readonly roleArn: string | undefined
  readonly statement: Statement
}

const ownRole = 'of Weir itself'

export function rolePolicies(config: WeirConfig): readonly RolePolicy[] {
  const gateways = [...(config.gateway ? [config.gateway] : []), ...Object.values(config.gateways)]
  const needs = [
    ...sourceNeeds(config),
    ...alertNeeds(config),
    ...gateways.flatMap(gateway => gatewayNeeds(gateway, config.mode)),
    ...metricNeeds(config),
  ]
  const assumed = [...new Set(needs.flatMap(({ roleArn }) => roleArn ?? []))]
  const statementsOf = (roleArn: string | undefined) =>
    needs.filter(need => need.roleArn === roleArn).map(({ statement }) => statement)
  const own = [
    ...statementsOf(undefined),
    ...(assumed.length === 0 ? [] : [allow('TakeOnRoles', ['sts:AssumeRole'], assumed)]),
  ]
  return [
    { role: ownRole, for: 'weir run', policy: policy(own) },
    ...assumed.map(role => ({ role, for: 'weir run, which takes it on', policy: policy(statementsOf(role)) })),
    historyPolicy(config),
    ...gateways.flatMap(gateway => [...switchPolicies(gateway, config), ...authorizerPolicies(gateway)]),
  ]
}

function sourceNeeds({ source }: WeirConfig): readonly Need[] {
  if (source?.kind === 'kinesis') {
    const { stream, region, roleArn } = source
    const arn = stream.startsWith('arn:') ? stream : `${arnOf('kinesis', region)}:stream/${stream}`
    return [{ roleArn, statement: allow('ReadStream', actions('kinesis'), [arn]) }]
  }
  if (source?.kind !== 'kafka' || source.sasl?.mechanism !== 'aws-msk-iam') return []
  // The names of clusters and their brokers are not the same: of which cluster it is the configuration does not say.
  const inCluster = (kind: string, name: string): string => `${arnOf('kafka', undefined)}:${kind}/*/*${name}`
  const read = (sid: string, names: readonly string[], resource: string): Need => ({
    roleArn: undefined,
    statement: allow(
      sid,
      names.map(name => `kafka-cluster:${name}`),
      [resource],
    ),
  })
  return [
    read('Connect', ['Connect'], inCluster('cluster', '')),
    read('ReadTopic', ['DescribeTopic', 'ReadData'], inCluster('topic', `/${source.topic}`)),
    read('CommitPositions', ['DescribeGroup', 'AlterGroup'], inCluster('group', `/${source.groupId}`)),
  ]
}

function alertNeeds({ alerts: { sns } }: WeirConfig): readonly Need[] {
  return sns ? [{ roleArn: sns.roleArn, statement: allow('Alert', actions('sns'), [sns.topicArn]) }] : []
}

/** What changes something is left out until limits are lowered: it is wanted from then on until none is lowered any more. */
function gatewayNeeds(gateway: GatewayConfig, mode: WeirConfig['mode']): readonly Need[] {
  const { region, roleArn, deadMansSwitch, penaltyPlan, authorizerTable } = gateway
  const reads = [{ roleArn, statement: allow('ReadPlans', actions('gatewayReads'), plansAndBelow(region)) }]
  if (mode !== 'enforce') return reads
  const changes = [
    allow('ChangePlans', actions('gatewayChanges'), plans(region)),
    ...(penaltyPlan === undefined ? [] : [allow('MoveKeys', actions('gatewayMoves'), keysOfPlans(region))]),
    ...(deadMansSwitch ? scheduleStatements(deadMansSwitch) : []),
  ]
  const rows = authorizerTable && {
    roleArn: authorizerTable.roleArn ?? roleArn,
    statement: allow('WriteAuthorizerTable', actions('authorizerTable'), [tableArn(gateway, authorizerTable)]),
  }
  return [...reads, ...changes.map(statement => ({ roleArn, statement })), ...(rows ? [rows] : [])]
}

const allPlans = (region: string | undefined): string =>
  `arn:${partitionOf(region)}:apigateway:${region ?? '*'}::/usageplans`
const plans = (region: string | undefined): readonly string[] => [`${allPlans(region)}/*`]
const plansAndBelow = (region: string | undefined): readonly string[] => [allPlans(region), ...plans(region)]
const keysOfPlans = (region: string | undefined): readonly string[] => [
  `${allPlans(region)}/*/keys`,
  `${allPlans(region)}/*/keys/*`,
]

const tableArn = (
  gateway: GatewayConfig,
  { table, region = gateway.region }: NonNullable<GatewayConfig['authorizerTable']>,
): string => `${arnOf('dynamodb', region)}:table/${table}`

function authorizerPolicies(gateway: GatewayConfig): readonly RolePolicy[] {
  const { authorizerTable } = gateway
  if (authorizerTable === undefined) return []
  const read = allow('ReadRows', actions('authorizer'), [tableArn(gateway, authorizerTable)])
  return [{ role: 'of the API’s authorizer', for: 'which limits are lowered', policy: policy([read]) }]
}

function scheduleStatements({ functionArn, schedulerRoleArn, group }: DeadMansSwitchConfig): readonly Statement[] {
  const { base } = placeOf(functionArn, 'scheduler')
  const isPassedOn = { StringEquals: { 'iam:PassedToService': 'scheduler.amazonaws.com' } }
  return [
    allow('KeepSchedules', actions('scheduler'), [`${base}:schedule/${group}/weir-*`]),
    { ...allow('GiveSchedulerItsRole', ['iam:PassRole'], [schedulerRoleArn]), Condition: isPassedOn },
  ]
}

function metricNeeds({ metrics: { cloudWatch } }: WeirConfig): readonly Need[] {
  const { namespace, rates, health, roleArn } = cloudWatch
  if (!rates.enabled && !health.enabled) return []
  // CloudWatch knows no resources here; a namespace is what it can be kept to.
  const Condition = { StringEquals: { 'cloudwatch:namespace': namespace } }
  return [{ roleArn, statement: { ...allow('SendMetrics', actions('metrics'), ['*']), Condition } }]
}

function historyPolicy({ metrics: { cloudWatch } }: WeirConfig): RolePolicy {
  return {
    role: cloudWatch.roleArn ?? ownRole,
    for: 'weir run --history cloudwatch, and not without it',
    policy: policy([allow('ReadHistory', actions('history'), ['*'])]),
  }
}

function switchPolicies({ deadMansSwitch, penaltyPlan }: GatewayConfig, { alerts }: WeirConfig): readonly RolePolicy[] {
  if (deadMansSwitch === undefined) return []
  const { functionArn, schedulerRoleArn, group } = deadMansSwitch
  const { base, account, region, name } = placeOf(functionArn, 'scheduler')
  const logs = placeOf(functionArn, 'logs').base
  return [
    {
      role: `of the function ${name}`,
      for: 'the dead man’s switch: gives limits back when Weir does not',
      policy: policy([
        allow('ReadPlans', actions('gatewayReads'), plansAndBelow(region)),
        allow('GiveLimitsBack', actions('gatewayChanges'), plans(region)),
        ...(penaltyPlan === undefined ? [] : [allow('MoveKeysBack', actions('gatewayMoves'), keysOfPlans(region))]),
        ...(alerts.sns ? [allow('TellPeople', actions('sns'), [alerts.sns.topicArn])] : []),
        allow('Log', ['logs:CreateLogStream', 'logs:PutLogEvents'], [`${logs}:log-group:/aws/lambda/${name}:*`]),
      ]),
    },
    {
      role: schedulerRoleArn,
      for: 'EventBridge Scheduler, which takes it on to call the function',
      trust: policy([
        {
          Effect: 'Allow',
          Principal: { Service: 'scheduler.amazonaws.com' },
          Action: ['sts:AssumeRole'],
          Condition: {
            StringEquals: { 'aws:SourceAccount': account, 'aws:SourceArn': `${base}:schedule-group/${group}` },
          },
        },
      ]),
      policy: policy([allow('CallFunction', ['lambda:InvokeFunction'], [functionArn])]),
    },
  ]
}

/** Of another service in the account and region of a function. */
function placeOf(functionArn: string, service: string) {
  const [, partition = 'aws', , region = '*', account = '*', , name = '*'] = functionArn.split(':')
  return { base: `arn:${partition}:${service}:${region}:${account}`, region, account, name }
}

/** A policy is of one account, so where that is not known it may as well be any. */
const arnOf = (service: string, region: string | undefined): string =>
  `arn:${partitionOf(region)}:${service}:${region ?? '*'}:*`

function partitionOf(region: string | undefined): string {
  if (region?.startsWith('cn-')) return 'aws-cn'
  return region?.startsWith('us-gov-') ? 'aws-us-gov' : 'aws'
}

const actions = (calls: Calls): readonly string[] => [...new Set(Object.values(actionsOfCommands[calls]))]

function allow(Sid: string, Action: readonly string[], Resource: readonly string[]): Statement {
  return { Sid, Effect: 'Allow', Action, Resource }
}

/** Each statement has a name of its own: the second gateway's are numbered. */
function policy(statements: readonly Statement[]): PolicyDocument {
  const times = new Map<string, number>()
  const named = statements.map(({ Sid, ...statement }): Statement => {
    if (Sid === undefined) return statement
    const nth = (times.get(Sid) ?? 0) + 1
    times.set(Sid, nth)
    return { Sid: nth === 1 ? Sid : `${Sid}${nth}`, ...statement }
  })
  return { Version: '2012-10-17', Statement: named }
}
