import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { startKafka } from './kafka.ts'
import type { KafkaSecurity } from './kafka-security.ts'
import { describeWith } from './requirements.ts'
import { throwAwayDirectory } from './server-process.ts'

describeWith('kafka', 'a throw-away Kafka', () => {
  let directory: string
  let temporary: string
  beforeEach(async () => {
    directory = await throwAwayDirectory('kafka-start')
    temporary = join(directory, 'temporary')
    await mkdir(temporary)
    vi.stubEnv('TMPDIR', temporary)
  })
  afterEach(async () => {
    vi.unstubAllEnvs()
    await rm(directory, { recursive: true })
  })

  test('that cannot start says why and leaves nothing behind', async () => {
    const files = { caFile: '', otherCaFile: '', certFile: '', keyFile: '' }
    const listeners = () => ({ 'metric.reporters': 'no.such.Reporter' })
    const security: KafkaSecurity = { ...files, username: '', password: '', scram: [], listeners }
    await expect(startKafka(undefined, { security })).rejects.toThrow('no.such.Reporter')
    expect((await readdir(temporary)).filter(name => name.startsWith('weir-'))).toEqual([])
  })
})
