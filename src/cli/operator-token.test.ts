import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { loadOperatorToken } from './operator-token.ts'

const folders: string[] = []
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true })
})

async function newState(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'weir-token-'))
  folders.push(folder)
  return join(folder, '.weir')
}

test('it is made once, kept for its owner alone, and the same in the next life', async () => {
  const state = await newState()
  const [token, other] = await Promise.all([loadOperatorToken(state, {}), loadOperatorToken(state, {})])
  expect(token).toMatch(/^[\da-f]{64}$/)
  expect([other, await loadOperatorToken(state, {})]).toEqual([token, token])
  const path = join(state, 'operator-token')
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  expect(await readFile(path, 'utf8')).toBe(`${token}\n`)
})

test('the one of the environment wins, and leaves nothing on the disk', async () => {
  const state = await newState()
  expect(await loadOperatorToken(state, { WEIR_OPERATOR_TOKEN: '0123456789abcdef' })).toBe('0123456789abcdef')
  await expect(stat(state)).rejects.toThrow('ENOENT')
})

test('one that could be guessed, or that no header can carry, is refused, and not shown', async () => {
  const state = await newState()
  for (const WEIR_OPERATOR_TOKEN of ['hunter2', 'a token with spaces in it', 'schlüssel-0123456789']) {
    const refused = await loadOperatorToken(state, { WEIR_OPERATOR_TOKEN }).catch(error => error)
    expect(refused).toMatchObject({ code: 'CONFIG_INVALID' })
    expect(refused.message).not.toContain(WEIR_OPERATOR_TOKEN)
  }
  await loadOperatorToken(state, {})
  await writeFile(join(state, 'operator-token'), '\n')
  await expect(loadOperatorToken(state, {})).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
})
