/** Waiting for what may never come: until it does, until nobody wants it any more, or for so long. */

/** Whether `work` was done before `signal` aborted. After that nobody hears how it ends: not an error, and not late. */
export async function isDone(work: Promise<void>, signal: AbortSignal): Promise<boolean> {
  let stop = () => {}
  const stopped = new Promise<boolean>(resolve => {
    stop = () => resolve(false)
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop, { once: true })
  })
  const done = work.then(
    () => !signal.aborted,
    error => {
      if (signal.aborted) return false
      throw error
    },
  )
  try {
    return await Promise.race([stopped, done])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

/** Resolves with `settled` or after `ms`. Real time, whatever the clock: the broker's patience is real. */
export async function firstOf(settled: Promise<void>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const elapsed = new Promise<void>(resolve => {
    timer = setTimeout(resolve, ms)
  })
  await Promise.race([settled, elapsed])
  clearTimeout(timer)
}
