import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { findFiles } from './file-paths.ts'

let folder: string
const named = async (...paths: readonly string[]) =>
  (await findFiles(paths.map(path => (path === '-' ? path : join(folder, path))))).map(({ path, folder: within }) => [
    path.replace(`${folder}/`, ''),
    within?.replace(`${folder}/`, ''),
  ])

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-paths-'))
  const names = [
    'logs/2026/11/23/14/access-1-2026-11-23-14-05-00-b',
    'logs/2026/11/23/14/access-1-2026-11-23-14-00-00-a',
    'logs/2026/11/23/09/access-1-2026-11-23-09-59-00-z',
    'logs/2026/11/24/00/access-1-2026-11-24-00-00-00-0',
    'logs/_SUCCESS',
    'logs/.unfinished',
    'one.log',
    'empty/_marker',
  ]
  for (const name of names) {
    await mkdir(join(folder, dirname(name)), { recursive: true })
    await writeFile(join(folder, name), '')
  }
  await symlink(join(folder, 'one.log'), join(folder, 'logs/2026/linked'))
  await symlink(join(folder, 'logs'), join(folder, 'logs/2026/11/around'))
})
afterAll(() => rm(folder, { recursive: true }))

test('a folder stands for the files in it and below, in order of their names, each told where it was found', async () => {
  expect(await named('one.log', 'logs', '-')).toEqual([
    ['one.log', undefined],
    ['logs/2026/11/23/09/access-1-2026-11-23-09-59-00-z', 'logs'],
    ['logs/2026/11/23/14/access-1-2026-11-23-14-00-00-a', 'logs'],
    ['logs/2026/11/23/14/access-1-2026-11-23-14-05-00-b', 'logs'],
    ['logs/2026/11/24/00/access-1-2026-11-24-00-00-00-0', 'logs'],
    ['logs/2026/linked', 'logs'],
    ['-', undefined],
  ])
})

test('a path that is not there is left to whoever opens it, a folder without a file is refused', async () => {
  expect(await named('missing')).toEqual([['missing', undefined]])
  await expect(named('empty')).rejects.toMatchObject({
    code: 'SOURCE_UNREADABLE',
    message: expect.stringContaining('it is a folder without a file'),
  })
})
