/** One sender for all that a worker tells people, and what it says of itself, which goes out with the alerts. */
import { noticePerformer } from '../actions/notice.ts'
import { snsClient } from '../actions/sns.ts'
import { type SnsSender, snsSender } from '../actions/sns-sender.ts'
import type { Clock } from '../clock.ts'
import type { WeirConfig } from '../core/config/config.ts'
import { createNoticing } from '../worker/noticing.ts'
import type { Telemetry } from '../worker/telemetry.ts'
import type { Watched } from './with-server.ts'

/** Ends after `work` does. `log`: what is told beside the server. */
export async function withNotices(
  config: WeirConfig,
  { clock, watched, log }: { readonly clock: Clock; readonly watched: Watched; readonly log: Telemetry },
  work: (heard: Watched, log: Telemetry, sender: SnsSender | undefined) => Promise<void>,
): Promise<void> {
  const { sns, tellBehindAfter } = config.alerts
  const { telemetry, reads, lives } = watched
  const sender = alertSender(config, clock, telemetry)
  const noticing = createNoticing({
    ...{ clock, telemetry, behindAfterMs: tellBehindAfter, checkpointEveryMs: config.state.checkpointEvery },
    send: sender && sns && noticePerformer({ sender, topicArn: sns.topicArn }),
  })
  const heard: Watched = {
    telemetry: noticing.hearing(telemetry),
    reads,
    lives(partition) {
      const life = lives(partition)
      return { ...life, telemetry: noticing.hearing(life.telemetry, partition) }
    },
  }
  try {
    await work(heard, noticing.hearing(log), sender)
  } finally {
    await noticing.finish()
  }
}

function alertSender({ alerts }: WeirConfig, clock: Clock, telemetry: Telemetry): SnsSender | undefined {
  if (alerts.sns === undefined) {
    telemetry({ name: 'alertsUnsent' })
    return undefined
  }
  return snsSender({
    ...{ client: snsClient(alerts.sns), topicArn: alerts.sns.topicArn, clock, random: Math.random },
    onTrouble: ({ effectId, error }) => telemetry({ name: 'effectTroubled', effectId, because: error }),
  })
}
