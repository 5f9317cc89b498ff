/** What a worker knows as its story begins: a week of the cast, learned once a process by `weir learn`'s own code. */
import { engineSettings } from '../../core/engine.ts'
import { createDecoder } from '../../core/formats/decoder.ts'
import { fieldsRead } from '../../core/judge.ts'
import { DAY_MS, HOUR_MS, SLOT_MS } from '../../core/vocabulary.ts'
import { createRandom } from '../../simulation/random.ts'
import type { FilePiece } from '../../sources/file-pieces.ts'
import { openCheckpoints } from '../../stores/checkpoint.ts'
import { learn } from '../../worker/learn.ts'
import { configOf, folder, players, startsAt, tenantsWith } from './cast.ts'
import { createFaultyDisk, type DiskImage } from './faulty-disk.ts'
import { hostOf } from './host.ts'
import { createLoop } from './loop.ts'

export interface Taught {
  readonly image: DiskImage
  /** Calls that it counts already. */
  readonly calls: number
}

export async function teach(): Promise<Taught> {
  const loop = createLoop()
  const life = { isAlive: true }
  const disk = createFaultyDisk({ loop, random: createRandom(0, 'taught'), wallNow: () => startsAt })
  const config = configOf({ maxTenants: 2, mode: 'enforce' })
  let calls: number | undefined
  let failure: { readonly cause: unknown } | undefined
  async function learnAll(): Promise<void> {
    const host = hostOf({ loop, life, name: 'learner' })
    const checkpoints = await openCheckpoints(folder, { disk: disk.of(life), host })
    const learned = await learn(
      {
        settings: engineSettings(config, tenantsWith(new Set(['exempt'])).tenants),
        decoder: newDecoder(config),
        logs: [{ path: 'week', pieces: week() }],
        checkpoints,
        directory: folder,
        at: startsAt,
        replace: false,
      },
      new AbortController().signal,
    )
    await checkpoints.close()
    calls = [...(learned?.engine.state.owners.values() ?? [])].reduce((sum, owner) => sum + owner.calls, 0)
  }
  learnAll().catch(cause => {
    failure = { cause }
  })
  while (calls === undefined && failure === undefined) await loop.step()
  if (failure) throw failure.cause
  return { image: disk.image(), calls: calls ?? 0 }
}

export const newDecoder = (config: ReturnType<typeof configOf>) =>
  createDecoder({
    format: 'auto',
    fields: config.fields,
    hashSecret: 'for stories',
    maxRecordBytes: 1_000_000,
    reads: fieldsRead(config),
  })

async function* week(): AsyncGenerator<FilePiece> {
  const random = createRandom(7, 'week')
  let rows: string[] = []
  for (let start = startsAt - 7 * DAY_MS; start < startsAt; start += SLOT_MS) {
    for (const { keyId, callsPerSecond } of players) {
      const calls = random.poisson(callsPerSecond * 300)
      const failed = random.poisson(calls * 0.002)
      rows.push(
        JSON.stringify({ key: keyId, start, seconds: 300, calls, status2xx: calls - failed, status5xx: failed }),
      )
    }
    if ((start + SLOT_MS) % HOUR_MS > 0) continue
    const payload = Buffer.from(rows.join('\n'))
    yield { kind: 'record', record: { partition: 'week', position: String(start), payload } }
    rows = []
  }
}
