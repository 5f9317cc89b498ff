import { afterEach, expect, test } from 'vitest'
import { HOUR_MS } from '../core/vocabulary.ts'
import { live, newFolder, noon, removeFolders } from './testing-life.ts'

afterEach(removeFolders)

type Life = Awaited<ReturnType<typeof live>>

const tellings = ({ told }: Life): string[] =>
  told.flatMap(event =>
    event.name === 'incidentChanged' ? [`${event.explanation.phase} ${event.explanation.telling}`] : [],
  )
const alertsOf = (life: Life): string[] => life.asked().filter(id => id.includes('/alert-'))

/** A stream in which a storm came and went, and what a worker left that was killed so many seconds into it. */
async function killedAt(second: number) {
  const first = await live({ folder: newFolder(), checkpointEveryMs: HOUR_MS })
  await first.bring(Math.min(second, 5), 1)
  if (second > 5) await first.bring(second - 5, 200)
  const folder = await first.crashImage()
  if (second < 5) await first.bring(5 - second, 1)
  await first.bring(15 - Math.max(second, 5), 200)
  await first.bring(100, 1, 5)
  await first.stop()
  // Whoever comes an hour late reads it an hour late.
  return { folder, given: first.source.given.map(batch => ({ ...batch, arrivedAt: noon + HOUR_MS })) }
}

test('started an hour late, it tells what was over by then as history, and wakes nobody', async () => {
  const life = await live({ ...(await killedAt(5)), startsAt: noon + HOUR_MS })
  await life.pass(1_000)
  await life.stop()
  expect(tellings(life)).toEqual(['open history', 'recovering history', 'closed history'])
  expect(life.asked()).toEqual([])
})

test('killed after it had alerted and before it could keep that, it closes for people what they know of, an hour late', async () => {
  const life = await live({ ...(await killedAt(10)), startsAt: noon + HOUR_MS })
  for (let step = 0; step < 6; step++) await life.pass(10_000)
  await life.stop()
  expect(tellings(life).at(-1)).toBe('closed alerted')
  expect(tellings(life).filter(told => !told.endsWith('alerted'))).toEqual([])
  const closing = life.told.flatMap(event =>
    event.name === 'effectPerformed' && event.effect.kind === 'alert' ? [event.effect.explanation.phase] : [],
  )
  expect(closing.at(-1)).toBe('closed')
  // The first was sent by the life before.
  expect(alertsOf(life)).not.toContain('k1#1/alert-1')
})
