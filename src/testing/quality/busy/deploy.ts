/** A deploy of the API that went wrong: of every client's calls some fail, of one more than of another. They bear it and call no more than usual. */
import type { BusyDay, MadeCall, Play, Scene } from '../contract.ts'

const FAILING_SHARE = { least: 0.1, most: 0.3 }

export const deploy: BusyDay = {
  name: 'deploy',
  sentence: 'after a deploy 10 to 30 % of every client’s calls fail',
  seconds: 900,
  scope: 'platform',
  start(scene): Play {
    const { random } = scene
    const share = FAILING_SHARE.least + random.uniform() * (FAILING_SHARE.most - FAILING_SHARE.least)
    let onsetAt: number | undefined
    return {
      second: (_index, own) =>
        own.map(call => {
          if (random.uniform() >= share) return call
          onsetAt ??= call.at
          return failed(call, scene)
        }),
      onsetAt: () => onsetAt,
    }
  },
}

const failed = (call: MadeCall, { random }: Scene): MadeCall => ({ ...call, status: random.pick([500, 500, 502]) })
