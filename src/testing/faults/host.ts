/** The machine as the directory's lock sees it: each life is a new process under the same id, as in a container. */
import type { Host } from '../../stores/checkpoint-lock.ts'
import type { Loop, Mortal } from './loop.ts'

export function hostOf({
  loop,
  life,
  name,
  machine = 'host',
}: {
  readonly loop: Loop
  readonly life: Mortal
  /** Unlike any other life's. */
  readonly name: string
  readonly machine?: string
}): Host {
  let ids = 0
  return {
    name: machine,
    pid: 1,
    newId: () => `${name}-${ids++}`,
    startOf: async () => name,
    isRunning: () => true,
    every(ms, work) {
      let isStopped = false
      const again = (): void => {
        if (isStopped) return
        work()
        loop.after(ms, again, life)
      }
      loop.after(ms, again, life)
      return () => {
        isStopped = true
      }
    },
  }
}
