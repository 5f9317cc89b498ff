/** What is listed of a worker that is gone: its checkpoint is older than its journal, and may know of more. */
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { openEffectJournal } from '../../stores/effect-journal.ts'
import { live, newFolder, noon, removeFolders } from '../../worker/testing-life.ts'
import { keptState } from './kept-throttles.ts'
import { listThrottles } from './list-throttles.ts'

afterEach(removeFolders)

test('who was released since the last checkpoint is not listed; what the journal has nothing of says what it was lowered to', async () => {
  const state = newFolder()
  const life = await live({ folder: state })
  await life.bring(5, 1)
  await life.bring(10, 200)
  await life.stop()
  const tenants = { tenants: {}, planned: [] }
  const unplaced = expect.stringMatching(/^lowered from .* to .*, and the effect journal has nothing of it$/)
  expect((await keptState(state, tenants)).throttles).toMatchObject([{ keyId: 'k1', is: 'lowered', unplaced }])
  const journal = await openEffectJournal(state)
  await journal.append([{ kind: 'commanded', at: noon + 20_000, command: { kind: 'release', keyId: 'k1' }, by: 'ann' }])
  await journal.close()
  expect((await keptState(state, tenants)).throttles).toEqual([])
})

test('a throttle that waits for a gateway that is down says why nothing is lowered yet', async () => {
  const state = newFolder()
  const progress = () => ({ ahead: 0, waitMs: 0, because: 'ECONNREFUSED' })
  const life = await live({
    folder: state,
    answer: effect => (effect.kind === 'throttle' ? undefined : { kind: 'applied' }),
    progress,
  })
  await life.bring(5, 1)
  await life.bring(120, 200)
  let text = ''
  await listThrottles({ config: join(state, 'none.yaml'), state }, { write: more => (text += more) }, noon + 125_000)
  expect(text).toContain('not lowered yet: ECONNREFUSED')
  await life.stop()
})
