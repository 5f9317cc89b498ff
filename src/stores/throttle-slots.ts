/**
 * At most so many tenants are throttled at once, whichever worker does it: a slot is a mark in a directory that all share
 * (shared-marks.ts), so of several workers that want the last free one the file system lets one have it. What each hears of the
 * others once a second would come too late for that.
 */
import type { ApiKeyId } from '../core/vocabulary.ts'
import { type Disk, machineDisk } from './disk.ts'
import { type MarksOwner, openSharedMarks } from './shared-marks.ts'

export interface ThrottleSlots {
  /** Whether there was room; a key that has a slot keeps it. */
  take(keyId: ApiKeyId): Promise<boolean>
  giveBack(keyId: ApiKeyId): Promise<void>
  /** Those of this partition that a worker which died has left behind. */
  giveBackAllBut(isNeeded: (keyId: ApiKeyId) => boolean): Promise<void>
}

export async function openThrottleSlots(
  directory: string,
  { most, ...owner }: MarksOwner & { readonly most: number },
  disk: Disk = machineDisk,
): Promise<ThrottleSlots> {
  const marks = await openSharedMarks(directory, owner, disk)
  let last: Promise<unknown> = Promise.resolve()
  /** One after the other: a key must not take two. */
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const done = last.then(work, work)
    last = done.catch(() => undefined)
    return done
  }
  const giveBackThose = async (isMeant: (keyId: ApiKeyId) => boolean): Promise<void> => {
    for (const { name, about } of await marks.ours()) if (isMeant(about)) await marks.giveBack(name)
  }

  return {
    take: keyId =>
      inTurn(async () => {
        if ((await marks.ours()).some(({ about }) => about === keyId)) return true
        for (let slot = 1; slot <= most; slot++)
          if ((await marks.take(`slot-${slot}`, keyId)) === undefined) return true
        return false
      }),
    giveBack: keyId => inTurn(() => giveBackThose(other => other === keyId)),
    giveBackAllBut: isNeeded => inTurn(() => giveBackThose(keyId => !isNeeded(keyId))),
  }
}
