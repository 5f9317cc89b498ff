/**
 * Judges a kept log under many settings, on as many threads as there are cores: trials know nothing of one another, so
 * the answers are the same whoever gives them. A checkout that runs its sources has no threads, and judges one at a time.
 */
import { setImmediate as breathe } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { StreamError } from '../core/errors.ts'
import { canDecodeAhead } from './decode-ahead.ts'
import type { KeptLog } from './kept-log.ts'
import { judgeKept, type Trial, type TrialResult } from './trial.ts'
import type { FromTrialThread, TrialTask } from './trial-thread.ts'

export interface Trials {
  /** In the order of `trials`. `progressed`: how many trials' worth is done of them. Rejects with what a trial threw. */
  judge(trials: readonly Trial[], progressed: (done: number) => void): Promise<readonly TrialResult[]>
  close(): Promise<void>
}

export const openTrials = (kept: KeptLog, threads: number): Trials =>
  canDecodeAhead ? onThreads(kept, threads) : here(kept)

function here(kept: KeptLog): Trials {
  let isClosed = false
  return {
    async judge(trials, progressed) {
      const results: TrialResult[] = []
      for (const one of trials) {
        // A signal to stop comes by the event loop.
        await breathe()
        if (isClosed) break
        results.push(judgeKept(kept, one, share => progressed(results.length + share)))
        progressed(results.length)
      }
      return results
    },
    async close() {
      isClosed = true
    },
  }
}

function onThreads(kept: KeptLog, most: number): Trials {
  const idle: Worker[] = []
  const all: Worker[] = []
  const borrow = (): Worker => {
    const thread = idle.pop()
    if (thread !== undefined) return thread
    const begun = new Worker(new URL('./trial-thread.js', import.meta.url))
    all.push(begun)
    return begun
  }
  return {
    async judge(trials, progressed) {
      const shares = trials.map(() => 0)
      const results: TrialResult[] = []
      let next = 0
      const work = async (): Promise<void> => {
        const thread = borrow()
        for (let index = next++; index < trials.length; index = next++) {
          const one = trials[index]
          if (one === undefined) break
          results[index] = await judgeOn(thread, { kept, trial: one }, share => {
            shares[index] = share
            progressed(shares.reduce((sum, each) => sum + each, 0))
          })
        }
        idle.push(thread)
      }
      await Promise.all(Array.from({ length: Math.min(most, trials.length) }, work))
      return results
    },
    async close() {
      await Promise.all(all.map(thread => thread.terminate()))
    },
  }
}

function judgeOn(thread: Worker, task: TrialTask, progressed: (share: number) => void): Promise<TrialResult> {
  return new Promise((resolve, reject) => {
    const over = (): void => {
      thread.off('message', take)
      thread.off('error', fail)
    }
    const take = (message: FromTrialThread): void => {
      progressed(message.kind === 'progressed' ? message.share : 1)
      if (message.kind === 'progressed') return
      over()
      if (message.kind === 'judged') resolve(message.result)
      else reject(refusal(message))
    }
    const fail = (cause: unknown): void => {
      over()
      reject(cause)
    }
    thread.on('message', take)
    thread.on('error', fail)
    thread.postMessage(task)
  })
}

function refusal({ code, sentence, hint }: Extract<FromTrialThread, { kind: 'refused' }>): StreamError {
  return new StreamError(code, sentence, { retry: 'never', ...(hint !== undefined && { hint }) })
}
