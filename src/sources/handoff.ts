/**
 * Where many readers of partitions meet the one who asks for batches. Nothing moves before it is asked for: an offer
 * waits, and its batch is made at the moment it is taken, so that it can still be withdrawn, or turn out to be void.
 * Offers are served in the order they were made. At most one offer a partition: that is the bound of what waits here.
 */

export interface Offer {
  /** Resolves once the offer was taken, found void, withdrawn, or the handoff is over. */
  readonly settled: Promise<void>
  withdraw(): void
}

export interface Handoff<T> {
  /** `make` is called when somebody asks, at most once; what it answers is handed over, unless that is undefined. */
  offer(make: () => T | undefined): Offer
  /** Waits for the next item; undefined once `signal` aborts or the handoff is over. Rejects with the error it ended with. */
  take(signal: AbortSignal): Promise<T | undefined>
  /** Settles all offers, taken or not, and ends the taker's waiting. The first end counts. */
  end(error?: unknown): void
}

interface Waiting<T> {
  readonly resolve: (item: T | undefined) => void
  readonly reject: (error: unknown) => void
}

interface PendingOffer<T> {
  readonly make: () => T | undefined
  readonly settle: () => void
}

export function createHandoff<T>(): Handoff<T> {
  const offers = new Set<PendingOffer<T>>()
  let taker: Waiting<T> | undefined
  let over: { readonly error: unknown } | undefined

  const serve = () => {
    for (const offer of offers) {
      if (taker === undefined) return
      offers.delete(offer)
      const item = offer.make()
      offer.settle()
      if (item === undefined) continue
      const { resolve } = taker
      taker = undefined
      resolve(item)
    }
  }

  return {
    offer(make) {
      if (over) return { settled: Promise.resolve(), withdraw: () => {} }
      const { promise: settled, resolve: settle } = settleLater()
      const pending = { make, settle }
      offers.add(pending)
      serve()
      return {
        settled,
        withdraw() {
          if (offers.delete(pending)) settle()
        },
      }
    },

    async take(signal) {
      if (over?.error !== undefined) throw over.error
      if (over || signal.aborted) return undefined
      let stop = () => {}
      try {
        return await new Promise<T | undefined>((resolve, reject) => {
          stop = () => {
            taker = undefined
            resolve(undefined)
          }
          signal.addEventListener('abort', stop, { once: true })
          taker = { resolve, reject }
          serve()
        })
      } finally {
        signal.removeEventListener('abort', stop)
      }
    },

    end(error) {
      if (over) return
      over = { error }
      for (const offer of offers) offer.settle()
      offers.clear()
      if (error === undefined) taker?.resolve(undefined)
      else taker?.reject(error)
      taker = undefined
    },
  }
}

function settleLater(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {}
  const promise = new Promise<void>(done => {
    resolve = done
  })
  return { promise, resolve }
}
