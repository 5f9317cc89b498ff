/**
 * At most so many tenants are throttled at once, whichever worker does it: a slot is a file in a directory that all share, and
 * of several workers that want the last free one the file system lets one have it. What each hears of the others once a second
 * would come too late for that.
 */
import { join } from 'node:path'
import type { ApiKeyId, PartitionId } from '../core/vocabulary.ts'
import { type Disk, machineDisk } from './disk.ts'
import { tryLink } from './durable.ts'

export interface ThrottleSlots {
  /** Whether there was room; a key that has a slot keeps it. */
  take(keyId: ApiKeyId): Promise<boolean>
  giveBack(keyId: ApiKeyId): Promise<void>
  /** Those of this partition that a worker which died has left behind. */
  giveBackAllBut(isNeeded: (keyId: ApiKeyId) => boolean): Promise<void>
}

interface Slot {
  readonly partition: PartitionId
  readonly keyId: ApiKeyId
}

/** `id`: of no other worker. */
export async function openThrottleSlots(
  directory: string,
  { most, partition, id }: { readonly most: number; readonly partition: PartitionId; readonly id: string },
  disk: Disk = machineDisk,
): Promise<ThrottleSlots> {
  await disk.mkdir(directory, { recursive: true, mode: 0o700 })
  const pathOf = (slot: number): string => join(directory, `slot-${slot}`)
  let last: Promise<unknown> = Promise.resolve()
  /** One after the other: a key must not take two. */
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const done = last.then(work, work)
    last = done.catch(() => undefined)
    return done
  }

  async function taken(): Promise<readonly (Slot & { readonly path: string })[]> {
    const names = (await disk.readdir(directory)).filter(name => name.startsWith('slot-'))
    const slots = await Promise.all(
      names.map(async name => {
        const path = join(directory, name)
        const text = await disk.readFile(path).catch(() => undefined)
        const slot = text === undefined ? undefined : slotIn(text.toString())
        return slot === undefined ? [] : [{ ...slot, path }]
      }),
    )
    return slots.flat()
  }

  const ours = async () => (await taken()).filter(slot => slot.partition === partition)

  return {
    take: keyId =>
      inTurn(async () => {
        if ((await ours()).some(slot => slot.keyId === keyId)) return true
        const candidate = join(directory, `candidate-${id}-${partition.replaceAll('/', '-')}`)
        await disk.writeFile(candidate, JSON.stringify({ partition, keyId } satisfies Slot), { mode: 0o600 })
        try {
          for (let slot = 1; slot <= most; slot++) if (await tryLink(disk, candidate, pathOf(slot))) return true
          return false
        } finally {
          await disk.unlink(candidate).catch(() => undefined)
        }
      }),
    giveBack: keyId =>
      inTurn(async () => {
        for (const slot of await ours()) if (slot.keyId === keyId) await disk.unlink(slot.path)
      }),
    giveBackAllBut: isNeeded =>
      inTurn(async () => {
        for (const slot of await ours()) if (!isNeeded(slot.keyId)) await disk.unlink(slot.path)
      }),
  }
}

function slotIn(text: string): Slot | undefined {
  try {
    const { partition, keyId } = JSON.parse(text)
    return typeof partition === 'string' && typeof keyId === 'string' ? ({ partition, keyId } as Slot) : undefined
  } catch {
    return undefined
  }
}
