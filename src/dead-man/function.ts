/**
 * The AWS Lambda function behind the dead man's switch: EventBridge Scheduler hands it the standing order of a limit that
 * Weir should have given back by now. It fails where it could not carry it out, so that Lambda calls it again.
 *
 * Bundled by itself (README.md): the SDK's clients are the runtime's, all else it needs is pure. TOPIC_ARN names the SNS topic on
 * which people are told; region and credentials are the function's own.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { APIGatewayClient } from '@aws-sdk/client-api-gateway'
import { SNSClient } from '@aws-sdk/client-sns'
import { standIn } from './stand-in.ts'

/** Our own tries again, which know what AWS asks for; and no call may take the time of all others. */
const options = {
  maxAttempts: 1,
  requestHandler: { connectionTimeout: 5_000, requestTimeout: 10_000, throwOnRequestTimeout: true },
}

const { TOPIC_ARN: topicArn } = process.env

export const handler = standIn({
  gateway: new APIGatewayClient(options),
  topic: topicArn
    ? { arn: topicArn, client: new SNSClient({ ...options, region: topicArn.split(':')[3] ?? '' }) }
    : undefined,
  now: Date.now,
  sleep: async ms => {
    await sleep(ms)
  },
  random: Math.random,
  log: line => {
    process.stdout.write(`${line}\n`)
  },
})
