/** placeholder */

import { tellStory, timelineText } from './story.ts'
import { teach } from './taught.ts'

const t0 = performance.now()
const taught = await teach()
console.log('taught', performance.now() - t0, taught.calls)
const [from, to] = [Number(process.argv[2] ?? 1), Number(process.argv[3] ?? process.argv[2] ?? 1)]
for (let seed = from; seed <= to; seed++) {
  const t = performance.now()
  const r = await tellStory(seed, taught)
  const { timeline, ...rest } = r
  console.log(JSON.stringify(rest), Math.round(performance.now() - t))
  if (process.argv[4]) console.log(timelineText(r))
}
