/**
 * Ctrl-C and SIGTERM ask to stop: what is under way ends well. The second time is not asking any more.
 */
export interface StopSignal {
  readonly signal: AbortSignal
  /** Gives the signals back to node's own handling. */
  release(): void
}

const afterSignal = { SIGINT: 130, SIGTERM: 143 } as const

export function listenForStop(): StopSignal {
  const stop = new AbortController()
  const asked = (name: 'SIGINT' | 'SIGTERM'): void => {
    if (stop.signal.aborted) process.exit(afterSignal[name])
    stop.abort()
  }
  process.on('SIGINT', asked)
  process.on('SIGTERM', asked)
  return {
    signal: stop.signal,
    release() {
      process.off('SIGINT', asked)
      process.off('SIGTERM', asked)
    },
  }
}
