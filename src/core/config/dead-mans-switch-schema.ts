/** What gives the limits of a gateway back when Weir is gone: a schedule beside each throttle, and the function that it calls. */
import { z } from 'zod'
import { duration } from './duration.ts'

export const deadMansSwitch = z
  .strictObject({
    functionArn: z
      .string()
      .regex(/^arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:function:[\w-]+(:[\w$-]+)?$/)
      .describe('the function that gives limits back, in the account and region of this gateway')
      .meta({
        expected: 'the ARN of a Lambda function, e.g. arn:aws:lambda:us-east-1:123456789012:function:weir-dead-man',
      }),
    schedulerRoleArn: z
      .string()
      .regex(/^arn:aws[a-z-]*:iam::\d{12}:role\/.+$/)
      .describe('role that EventBridge Scheduler takes on to call it')
      .meta({ expected: 'the ARN of an IAM role, e.g. arn:aws:iam::123456789012:role/weir-scheduler' }),
    group: z
      .string()
      .regex(/^[\w.-]{1,64}$/)
      .default('default')
      .describe('schedule group, which must exist')
      .meta({ expected: 'the name of a schedule group' }),
    margin: duration('15m', { from: '2m', to: '1d' }).describe(
      'so long after a limit should be back whole (expiry and probation) the function is called',
    ),
    required: z
      .boolean()
      .default(false)
      .describe('true: no limit is lowered before its schedule is made, however others fare meanwhile'),
    endpoint: z.url().optional().describe('another endpoint of EventBridge Scheduler, e.g. a simulation on loopback'),
  })
  .optional()
  .describe('gives lowered limits back when Weir is gone; without it they would stay')
