/**
 * Lines into a file that is rotated every few seconds as logrotate does it, now by renaming, now by copying and emptying, so
 * that a story of two minutes sees both many times, in the middle of everything.
 */
import { appendFile, copyFile, rename, truncate, writeFile } from 'node:fs/promises'
import type { Outlet } from './traffic.ts'

export interface GrowingFileOutlet extends Outlet {
  rotations(): { readonly renamed: number; readonly emptied: number }
}

const rotateEvery = { sends: 15 }
const kept = 9

export async function growingFileOutlet(path: string): Promise<GrowingFileOutlet> {
  await writeFile(path, '')
  let sends = 0
  let renamed = 0
  let emptied = 0

  async function rotate(): Promise<void> {
    for (let number = kept - 1; number > 0; number--)
      // The first times there are not so many.
      await rename(`${path}.${number}`, `${path}.${number + 1}`).catch(() => undefined)
    if (renamed > emptied) {
      await copyFile(path, `${path}.1`)
      await truncate(path)
      emptied++
    } else {
      await rename(path, `${path}.1`)
      await writeFile(path, '')
      renamed++
    }
  }

  return {
    async send(lines) {
      const text = `${lines.join('\n')}\n`
      // A writer's buffer ends where it ends, in the middle of a line.
      const middle = Math.floor(text.length / 2)
      await appendFile(path, text.slice(0, middle))
      await appendFile(path, text.slice(middle))
      if (++sends % rotateEvery.sends === 0) await rotate()
    },
    close: async () => {},
    rotations: () => ({ renamed, emptied }),
  }
}
