/** The gateway's own way on AWS, on moto: CloudWatch Logs, its subscription's envelopes, Kinesis. */
import { test } from 'vitest'
import { describeWith } from '../servers/requirements.ts'
import { region } from './aws-account.ts'
import { expectWholeStory } from './expect-story.ts'
import { logGroupOutlet } from './log-group-outlet.ts'
import { playStorm, type StoryOptions, type StoryTold } from './storm-story.ts'
import { weirOnMoto } from './weir-on-moto.ts'

const longest = 180_000

describeWith(['moto', 'shared-data'], 'a storm in a log group that is subscribed to a Kinesis stream', () => {
  const moto = weirOnMoto()

  test.concurrent(
    'is alerted on within seconds, throttled, and given its limit back',
    async () => expectWholeStory(await play('storm')),
    longest,
  )

  test.concurrent(
    'is told under the same ids, although the worker is killed before it can note that it has told it',
    async () => {
      const told = await play('killed', { interruptAt: 'alert', interrupt: worker => worker.kill() })
      expectWholeStory(told, { copiesOf: ['alert-1'] })
    },
    longest,
  )

  async function play(stream: string, how: Pick<StoryOptions, 'interrupt' | 'interruptAt'> = {}): Promise<StoryTold> {
    const { endpoint } = moto
    const outlet = await logGroupOutlet({ endpoint, stream, shards: 2 })
    const source = { kind: 'kinesis', stream, region, endpoint, from: 'TRIM_HORIZON', pollEvery: '500ms' }
    return playStorm({ name: stream, endpoint, source, outlet, ...how })
  }
})
